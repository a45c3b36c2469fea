package analysis_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/event"
)

func TestSample(t *testing.T) {
	p := program(t, `
rule: pair
when:
  pattern: a then b
  define: {a: type == "a" && data.n > 1, b: type == "b" && data.m == a.data.n && data.ip in table.bad}
  within: 1m
---
rule: any
when: data.size > 10
---
rule: off
mode: off
when: type == "c"
`)
	bad, err := cep.ParseTable("bad", "bad.txt", []byte("192.0.2.7\n"))
	require.NoError(t, err)
	s := analysis.NewSample(p, cep.NewTables(map[string]*cep.Table{"bad": bad}))
	for _, ev := range []event.Event{
		{Type: "a", Data: []byte(`{"n":5}`)},
		{Type: "a", Data: []byte(`{"n":0}`)},
		{Type: "b", Data: []byte(`{"m":7,"ip":"192.0.2.7"}`)},
		{Type: "c", Data: []byte(`{"size":3}`)},
	} {
		s.Add(&ev)
	}
	r := s.Report()
	assert.Equal(t, 4, r.Events)
	assert.Equal(t, []analysis.TypeCount{{"a", 2, true}, {"b", 1, true}, {"c", 1, false}}, r.Types)
	require.Len(t, r.Rules, 2, "a rule that is off is left out")
	pair := r.Rules[0]
	assert.Equal(t, 3, pair.Seen)
	assert.Equal(t, []int{2, 1}, []int{pair.Conditions[0].Seen, pair.Conditions[0].Held})
	assert.Equal(t, []int{1, 1}, []int{pair.Conditions[1].Seen, pair.Conditions[1].Held})
	assert.True(t, pair.Conditions[1].Partly, "what it says of a is taken for true")
	assert.Contains(t, pair.Paths, analysis.PathReport{Path: "data.n", Have: 2})
	assert.Contains(t, pair.Paths, analysis.PathReport{Path: "data.m", Have: 1})
	other := r.Rules[1].Conditions[0]
	assert.True(t, other.Never())
	assert.Equal(t, 4, other.Seen)
	always := analysis.ConditionReport{Held: 4}
	assert.True(t, always.Always(4))
	assert.False(t, always.Always(5))
}

// Conditions are numbered as the automaton numbers them.
func TestConditionsAreNumberedAsInTheAutomaton(t *testing.T) {
	p := program(t, `
rule: r
when:
  pattern: (a then b+){2} then c then d
  define:
    a: type == "x"
    b: {where: type == "b", until: type == "u"}
    c: type == "x"
    d: {where: type == "d" && data.n == last(b).data.n}
  within: 1m
`)
	rule, _ := p.Rule("r")
	conds := analysis.Conditions(rule)
	var names []string
	for _, c := range conds {
		names = append(names, c.Name)
	}
	assert.Equal(t, []string{"a", "b", "d", "b.until"}, names, "c asks the same as a")
	plan, ok := p.Plan("r")
	require.True(t, ok)
	byElem := map[int]string{0: "c1", 1: "c2", 2: "c1", 3: "c3"}
	for _, e := range plan.Graph.Edges {
		if e.Elem >= 0 {
			assert.Contains(t, e.If, byElem[e.Elem], "element %d", e.Elem)
		}
	}
}
