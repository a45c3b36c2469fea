package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/host"
)

// A large file is read in parts, and gives the same rules in the same order.
func TestLargeFilesAreReadInParts(t *testing.T) {
	text, n := manyRules(3*partSize + 1000)
	l := loading{}
	p, err := l.compile([]host.RuleFile{{Name: "a.yaml", Text: "rule: first\nwhen: type == \"x\"\n"}, {Name: "r.yaml", Text: text}})
	require.NoError(t, err)
	require.Equal(t, n+1, p.Len())
	assert.EqualValues(t, n+1, l.rules.Load())
	for i, r := range p.Rules()[1:] {
		require.Equal(t, fmt.Sprintf("r%d", i), r.Name)
		require.Equal(t, 3*i+2, r.Pos.Line)
	}
}

// manyRules is a text of at least that size.
func manyRules(size int) (text string, rules int) {
	var b strings.Builder
	for ; b.Len() < size; rules++ {
		fmt.Fprintf(&b, "---\nrule: r%d\nwhen: type == \"t%d\" && data.text == \"%0100d\"\n", rules, rules, rules)
	}
	return b.String(), rules
}

// What is wrong in any part is told once, in the order of the file, until that is
// too much.
func TestProblemsOfLargeFiles(t *testing.T) {
	text, n := manyRules(2 * partSize)
	wrong := "---\nrule: x\nwen: y\n"
	_, err := (&loading{}).compile([]host.RuleFile{{Name: "r.yaml", Text: wrong + text + wrong + text}})
	require.Error(t, err)
	found := problemsIn(err)
	require.Equal(t, syntax.MaxProblems+1, len(found))
	assert.Equal(t, "r.yaml:3:1: wen: unknown key; did you mean when?", found[1].Error())
	assert.Contains(t, found[3].Error(), fmt.Sprintf("r.yaml:%d:1: wen", 3*n+6))
	assert.Contains(t, found[4].Error(), fmt.Sprintf("r.yaml:%d:1: rule: r0 is also the name of the rule at r.yaml:5:1", 3*n+8))
	assert.Contains(t, found[len(found)-1].Error(), "the documents behind this one were not read")
}

// With keepGoing, a file that is wrong is left out.
func TestWrongFilesAreLeftOut(t *testing.T) {
	l := loading{keepGoing: true}
	p, err := l.compile([]host.RuleFile{
		{Name: "a.yaml", Text: "rule: a\nwhen: type == \"x\"\n"},
		{Name: "b.yaml", Text: "rule: b\nwhen: type ==\n"},
		{Name: "c.yaml", Text: "rule: c\nwhen: type == \"x\"\n"},
	})
	require.ErrorContains(t, err, "b.yaml:2:")
	require.NotNil(t, p)
	assert.Equal(t, 2, p.Len())
}
