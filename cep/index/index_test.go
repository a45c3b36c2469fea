package index_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/index"
	"github.com/rhost/rhost/cep/predicate"
)

// naive decides every formula by itself.
func naive(formulas []predicate.Formula, ev *predicate.Event) []index.ID {
	var out []index.ID
	for i := range formulas {
		if formulas[i].Holds(ev) {
			out = append(out, index.ID(i))
		}
	}
	return out
}

func build(t require.TestingT, formulas []predicate.Formula) *index.Segment {
	b := index.NewBuilder()
	for i := range formulas {
		require.EqualValues(t, i, b.Add(formulas[i]))
	}
	s, err := b.Build()
	require.NoError(t, err)
	return s
}

// check compares a segment with the naive answer and explains a difference.
func check(t require.TestingT, s *index.Segment, sc *index.Scratch, formulas []predicate.Formula, ev *predicate.Event) {
	want, got := naive(formulas, ev), s.Match(sc, ev, nil)
	if len(want) == len(got) {
		same := true
		for i := range want {
			same = same && want[i] == got[i]
		}
		if same {
			return
		}
	}
	for i := range formulas {
		hold, found := formulas[i].Holds(ev), false
		for _, id := range got {
			found = found || id == index.ID(i)
		}
		if hold != found {
			require.Failf(t, "wrong answer", "%s of %v: want %v, got %v; filed under %s", formulas[i].String(), ev.Fields, hold, found, s.Place(index.ID(i)))
		}
	}
	require.Equal(t, want, got, "each once, in rising order")
}

func TestMatchIsNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"))
		w.leafs = testLeafs()
		formulas := w.formulas(rapid.IntRange(1, 40).Draw(t, "conditions"))
		s := build(t, formulas)
		var sc index.Scratch
		for range 20 {
			check(t, s, &sc, formulas, w.event())
		}
	})
}

// Crowds make the builder combine tests, and share junctions.
func TestMatchIsNaiveInCrowds(t *testing.T) {
	for seed := range uint64(3) {
		w := newWorld(seed)
		w.leafs = testLeafs()
		formulas := w.formulas(2500)
		s := build(t, formulas)
		var sc index.Scratch
		for range 30 {
			check(t, s, &sc, formulas, w.event())
		}
	}
}
