package syntax_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/syntax"
)

// document wraps a pattern in the rule it needs.
func document(pattern string, names []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "rule: r\nwhen:\n  within: 1m\n  pattern: %s\n  define:\n", pattern)
	for _, n := range names {
		fmt.Fprintf(&b, "    %s: type == %q\n", n, n)
	}
	return b.String()
}

func TestVersionIgnoresSpelling(t *testing.T) {
	version := func(src string) string {
		t.Helper()
		rules, err := syntax.Parse("r.yaml", []byte(src))
		require.NoError(t, err, src)
		require.Len(t, rules, 1)
		return rules[0].Version
	}
	base := version("rule: a\nwhen:\n  pattern: x{0,1} then y\n  within: 60s\n  define: {x: type == \"x\", y: true}\ndo:\n  - {run: p, with: {n: 5}}\n")
	same := map[string]string{
		"comments and space": "# c\n\nrule:   a # c\nwhen:\n    pattern: \"x?   then y\"\n    within: 1m\n    define:\n        y: true\n        x: |\n          type ==\n             \"x\"\ndo: [{with: {\"n\": 5}, run: p}]\n",
		"order and defaults": "do: [{run: p, with: {n: 5}}]\nmode: live\npriority: normal\nwhen:\n  skip: past-last\n  emit: immediate\n  limit: {runs: 1000}\n  define: {y: true, x: 'type == \"x\"'}\n  pattern: x? then y\n  within: 1m\nrule: a\n",
	}
	for name, src := range same {
		assert.Equal(t, base, version(src), name)
	}
	for _, change := range [][2]string{
		{"rule: a", "rule: b"},
		{"type == \"x\"", "type == \" x\""},
		{"60s", "61s"},
		{"then y", "next y"},
		{"n: 5", "n: \"5\""},
		{"run: p", "run: q"},
		{"y: true", "y: {where: true, optional: true}"},
	} {
		src := strings.Replace("rule: a\nwhen:\n  pattern: x{0,1} then y\n  within: 60s\n  define: {x: type == \"x\", y: true}\ndo:\n  - {run: p, with: {n: 5}}\n", change[0], change[1], 1)
		assert.NotEqual(t, base, version(src), change)
	}
}

func TestCodesAreExplained(t *testing.T) {
	for _, code := range []string{
		syntax.CodeKey, syntax.CodeLater, syntax.CodeRequired, syntax.CodeType, syntax.CodeValue, syntax.CodeName,
		syntax.CodeDuplicate, syntax.CodePattern, syntax.CodeNot, syntax.CodeElement, syntax.CodeWithin, syntax.CodeStates,
		syntax.CodeNesting, syntax.CodeLoop,
	} {
		assert.NotEmpty(t, syntax.Codes()[code], code)
	}
	assert.Len(t, syntax.Codes(), 14)
}
