package sigma_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
)

// What a filter on null says is not said again by the other tests of the field, so
// that nobody is warned of a part that the import itself has made dead. What is dead
// in the Sigma rule is still told.
func TestNullFiltersLeaveNothingDead(t *testing.T) {
	for _, c := range []struct{ detection, want string }{
		{"  sel: {a: b}\n  null: {c: null}\n  text: {c|contains: x}\n  condition: sel and not null and not text", ""},
		{"  sel: {a: b}\n  filter_null: {c: null}\n  filter_text: {c|endswith: [x, y]}\n  condition: sel and not 1 of filter_*", ""},
		{"  filter_null: {c: null}\n  filter_text: {c: x}\n  condition: not 1 of filter_*", ""},
		{"  sel: {a: b}\n  filter: {c: [null, x, y]}\n  condition: sel and not filter", ""},
		{"  sel: {a: b}\n  null: {c: null}\n  less: {c|lt: 5}\n  condition: sel and not null and not less", ""},
		{"  sel: {a: b}\n  null: {d.e: null}\n  text: {d.e|re: x}\n  condition: sel and not null and not text", ""},
		{"  sel: {a: b}\n  null: {a: null}\n  more: {e: f}\n  condition: sel and (null or more)", analysis.CodeDead},
	} {
		out, problems := convert(t, nil, rule(c.detection))
		require.Empty(t, problems, c.detection)
		require.Len(t, out, 1, c.detection)
		rules, err := cep.ParseRules("r.yaml", out[0].YAML)
		require.NoError(t, err)
		p, err := cep.Compile(rules)
		require.NoError(t, err)
		var codes []string
		for _, w := range analysis.Check(p) {
			codes = append(codes, w.Code)
		}
		if c.want == "" {
			assert.Empty(t, codes, "%s\n%s", c.detection, out[0].YAML)
		} else {
			assert.Contains(t, codes, c.want, "%s\n%s", c.detection, out[0].YAML)
		}
	}
}
