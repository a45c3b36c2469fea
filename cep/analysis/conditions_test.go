package analysis_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/cep/predicate"
)

// Conditions are numbered as the engine numbers them: what is interpreted counts
// once, too, and what ends the loop of a group is there.
func TestConditionsAreNumberedAsTheEngineDoes(t *testing.T) {
	rules, err := cep.ParseRules("r.yaml", []byte(`rule: r
when:
  pattern: ab+ then c
  define:
    ab: {pattern: a then b, until: type == "u"}
    a: data.items.exists(i, i > 1)
    b: type == "b"
    c: data.items.exists(i, i > 1)
  within: 1m
`))
	require.NoError(t, err)
	var names []string
	for _, c := range analysis.Conditions(rules[0]) {
		names = append(names, c.Name)
	}
	assert.Equal(t, []string{"a", "b", "ab.until"}, names)
	p, err := cep.Compile(rules)
	require.NoError(t, err)
	compiled := p.Conditions(rules[0], predicate.NewSet())
	require.Len(t, compiled, len(names))
	for i, c := range compiled {
		assert.Equal(t, names[i], c.Name)
		assert.Equal(t, cep.Conditions(rules[0], predicate.NewSet())[i].Cond.String(), c.Cond.String())
	}
}
