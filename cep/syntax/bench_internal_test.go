package syntax

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkBeyondYAML makes a rule of a document that was read as YAML before:
// what this package adds.
func BenchmarkBeyondYAML(b *testing.B) {
	src := Source{"r.yaml", 1, "rule: rule-1\nwhen: type == \"fs.create\" && data.user == \"u1\"\ndo: [{notify: ops}]\n"}
	doc, errs := src.tree()
	require.Empty(b, errs)
	b.ReportAllocs()
	for b.Loop() {
		r := reader{text: src.Text, line: 1}
		if rule := r.rule(doc); rule.Version == "" {
			b.Fatal(r.errs)
		}
	}
}
