package syntax_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

// many is a file of rules, every tenth of them wrong.
func many(n int) string {
	var b strings.Builder
	b.WriteString("# a file of rules\n\n")
	for i := range n {
		when := fmt.Sprintf("type == \"t%d\" && data.x > %d", i, i)
		if i%10 == 9 {
			when = "[1]"
		}
		fmt.Fprintf(&b, "---\n# number %d\nrule: r%d\nwhen: %s\ndo: [{notify: ops}]\n", i, i, when)
	}
	return b.String()
}

// However a file is cut, its documents give the same rules and problems.
func TestSplit(t *testing.T) {
	text := many(100)
	rules, err := syntax.Parse("f.yaml", []byte(text))
	require.Error(t, err)
	require.Len(t, rules, 90)
	whole := syntax.Source{File: "f.yaml", Line: 1, Text: text}
	for _, n := range []int{-1, 0, 1, 2, 3, 7, 1000} {
		parts := whole.Split(n)
		assert.LessOrEqual(t, len(parts), max(n, 1))
		var got []*syntax.Rule
		var errs yamldoc.Errors
		for _, part := range parts {
			for r, err := range part.Rules() {
				if bad, ok := errors.AsType[yamldoc.Errors](err); ok {
					errs = append(errs, bad...)
					continue
				}
				require.NoError(t, err)
				got = append(got, r)
			}
		}
		assert.Equal(t, rules, got)
		assert.Equal(t, err.Error(), errs.Err().Error())
	}
}

func TestRulesStops(t *testing.T) {
	n := 0
	for range (syntax.Source{File: "f.yaml", Line: 1, Text: many(100)}).Rules() { //nolint:errcheck // it is stopped before anything is wrong
		if n++; n == 5 {
			break
		}
	}
	assert.Equal(t, 5, n)
}

// The steps of a rule are read again with the positions they have in the file,
// whatever its line ends and marks.
func TestStepsKeepPlaces(t *testing.T) {
	for name, src := range map[string]string{
		"plain":          "# x\n\nrule: a\nwhen: type == \"x\"\ndo:\n  - run: p\n",
		"second":         "rule: first\nwhen: data.x\n--- # c\nrule: a\nwhen: data.x\ndo:\n  - run: p\n",
		"windows":        "\xef\xbb\xbfrule: a\r\nwhen: |\r\n  data.x\r\n    && data.y\r\ndo:\r\n  - run: p\r\n",
		"indented":       "   # c\n   rule: a\n   when: data.x\n   do:\n     - run: p\n",
		"flow":           "---\n{rule: a,\n when: data.x,\n do: [\n  {run: p}]}\n",
		"failure":        "rule: a\nwhen: data.x\non_failure:\n  - run: p\n",
		"--- in a text":  "rule: a\ndescription: |\n  x\n  --- y\nwhen: data.x\ndo:\n  - run: p\n",
		"no line at end": "rule: a\nwhen: data.x\ndo: [{run: p}]",
	} {
		t.Run(name, func(t *testing.T) {
			rules, err := syntax.Parse("f.yaml", []byte(src))
			require.NoError(t, err)
			do, onFailure := rules[len(rules)-1].Steps()
			if do == nil {
				do = onFailure
			}
			lines := strings.Split(src, "\n")
			at := do.Items[0].Get("run").Pos
			assert.Equal(t, "f.yaml", at.File)
			assert.True(t, strings.HasPrefix(lines[at.Line-1][at.Col-1:], "p"), "%s", at)
		})
	}
	rules, err := syntax.Parse("f.yaml", []byte("rule: a\nwhen: data.x\ndo:\n"))
	require.NoError(t, err)
	do, onFailure := rules[0].Steps()
	assert.Nil(t, do)
	assert.Nil(t, onFailure)
}

// A file of nothing but mistakes is not read to its end.
func TestProblemsAreBounded(t *testing.T) {
	rules, err := syntax.Parse("f.yaml", []byte("rule: first\nwhen: data.x\n"+strings.Repeat("---\nx: 1\n", 5000)))
	var errs yamldoc.Errors
	require.ErrorAs(t, err, &errs)
	assert.Len(t, rules, 1)
	assert.Less(t, len(errs), syntax.MaxProblems+10)
	assert.Contains(t, errs[len(errs)-1].Msg, "were not read")
}
