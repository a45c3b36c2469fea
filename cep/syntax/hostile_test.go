package syntax_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

// elements gives n names and their definitions.
func elements(n int) (names []string, define string) {
	var b strings.Builder
	for i := range n {
		names = append(names, fmt.Sprintf("e%d", i))
		fmt.Fprintf(&b, "    e%d: data.x\n", i)
	}
	return names, b.String()
}

func pattern(pattern, define string) string {
	return fmt.Sprintf("rule: r\nwhen:\n  within: 1m\n  pattern: %q\n  define:\n%s", pattern, define)
}

// What would grow without bound is refused, soon and with a reason.
func TestHostileDocuments(t *testing.T) {
	names, define := elements(1500)
	few, fewDefine := elements(12)
	var nested, keys strings.Builder
	for i := range 60 {
		fmt.Fprintf(&nested, "    g%d: {pattern: g%d}\n", i, i+1)
	}
	for i := range 3000 {
		fmt.Fprintf(&keys, "  %s%d: 1\n", strings.Repeat("patern", 8), i)
	}
	for _, tt := range []struct{ name, src, want string }{
		{"deep brackets", pattern(strings.Repeat("(", 8000)+"e0"+strings.Repeat(")", 8000), fewDefine), syntax.CodeNesting},
		{"open brackets", pattern(strings.Repeat("(", 16000), fewDefine), syntax.CodeNesting},
		{"long pattern", pattern(strings.Join(few, strings.Repeat(" ", 2000)+"|"), fewDefine), syntax.CodeStates},
		{"alternatives", pattern(strings.Join(names, "|"), define), syntax.CodeStates},
		{"sequence", pattern(strings.Join(names, " then "), define), syntax.CodeStates},
		{"conjunction", pattern(strings.Join(names[:1000], "&"), define), syntax.CodeStates},
		{"conjunctions in one another", pattern("((e0&e1&e2&e3)&(e4&e5&e6&e7)){2}&(e8&e9&e10&e11)", fewDefine), syntax.CodeStates},
		{"exponential repetitions", pattern(strings.Repeat("(", 30)+"e0"+strings.Repeat("{2})", 30), fewDefine), syntax.CodeStates},
		{"named groups in one another", pattern("g0", nested.String()+"    g60: data.x\n"), syntax.CodeNesting},
		{"long names", pattern(strings.Repeat("a", 9000), "    "+strings.Repeat("a", 9000)+": data.x\n"), syntax.CodeName},
		{"undefined", pattern(strings.Join(names, " then "), fewDefine), syntax.CodeElement},
		{"unused", pattern("e0", define), syntax.CodeElement},
		{"unknown keys", "rule: r\nwhen:\n  condition: data.x\n" + keys.String(), syntax.CodeKey},
		{"quantifier", pattern("e0{"+strings.Repeat("9", 10000)+"}", fewDefine), syntax.CodePattern},
		{"quantifiers", pattern("e0"+strings.Repeat("{2,3}", 3000), fewDefine), syntax.CodePattern},
	} {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			rules, err := syntax.Parse("r.yaml", []byte(tt.src))
			took := time.Since(began)
			assert.Empty(t, rules)
			var errs yamldoc.Errors
			require.ErrorAs(t, err, &errs)
			var codes []string
			for _, e := range errs {
				codes = append(codes, e.Code)
				assert.Less(t, len(e.Error()), 1000)
			}
			assert.Contains(t, codes, tt.want, "%.1000s", err)
			assert.LessOrEqual(t, len(errs), 50)
			assert.Less(t, took, 5*time.Second)
			t.Log(took)
		})
	}
}

// At the limits a pattern is still accepted.
func TestLimitsAreReached(t *testing.T) {
	names, define := elements(syntax.MaxStates)
	for _, p := range []string{
		strings.Join(names, "|"),
		strings.Join(names, " then "),
	} {
		rules, err := syntax.Parse("r.yaml", []byte(pattern(p, define)))
		require.NoError(t, err)
		require.Len(t, rules[0].When.Pattern.Elems, syntax.MaxStates)
	}
	_, define = elements(1)
	for _, p := range []string{
		strings.Repeat("(", syntax.MaxNesting) + "e0+" + strings.Repeat(")", syntax.MaxNesting),
		"((e0{10}){10}){10}",
		"e0{1000,}",
	} {
		_, err := syntax.Parse("r.yaml", []byte(pattern(p, define)))
		require.NoError(t, err, p)
	}
}
