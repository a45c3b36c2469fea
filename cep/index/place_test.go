package index_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/index"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

func not(f predicate.Formula) predicate.Formula {
	f.Want = predicate.False
	return f
}

func or(kids ...predicate.Formula) predicate.Formula {
	return predicate.Formula{Kind: predicate.FormulaOr, Kids: kids}
}

func TestPlace(t *testing.T) {
	w := newWorld(1)
	str := event.StringValue
	eq := func(f int, s string) predicate.Formula { return lit(w.make(f, predicate.OpEq, false, str(s))) }
	num := func(f int, op predicate.Op, x float64) predicate.Formula {
		return lit(w.make(f, op, false, event.NumberValue(x)))
	}
	text := func(op predicate.Op, s string) predicate.Formula { return lit(w.make(0, op, false, str(s))) }
	leaf := predicate.Formula{Kind: predicate.FormulaLeaf, Leaf: testLeafs()[0], Want: predicate.True}
	for _, tt := range []struct {
		name string
		f    predicate.Formula
		want string
	}{
		{"equality", eq(0, "x"), `data.f0 == "x" (hash, shared by 1): its only test`},
		{"conjunction", and(eq(0, "x"), text(predicate.OpContains, "needle")), `data.f0 == "x" (hash, shared by 1): the rarest of its tests; the others are checked when it holds`},
		{"interval", and(num(1, predicate.OpGt, 2), num(1, predicate.OpLe, 3)), `data.f1 > 2 && data.f1 <= 3 (interval, shared by 1): the rarest of its tests; the others are checked when it holds`},
		{"half interval", num(1, predicate.OpLt, 2), `data.f1 < 2 (interval, shared by 1): its only test`},
		{"empty interval", and(num(1, predicate.OpGt, 2), num(1, predicate.OpLt, 2)), `never true: its bounds leave nothing between them`},
		{"prefix", text(predicate.OpPrefix, "/a"), `data.f0.startsWith("/a") (prefix, shared by 1): its only test`},
		{"substring", text(predicate.OpContains, "/a"), `data.f0.contains("/a") (substring, shared by 1): its only test`},
		{"glob", text(predicate.OpMatches, `(?i)^.*Foo.*barbaz$`), `data.f0.matches("(?i)^.*Foo.*barbaz$") (suffix "barbaz", shared by 1): its only test`},
		{"expression", text(predicate.OpMatches, `^(foo|bar)[0-9]+$`), `data.f0.matches("^(foo|bar)[0-9]+$") (substrings ["foo" "bar"], then the expression, shared by 1): its only test`},
		{"no texts", text(predicate.OpMatches, `^[0-9]+$`), `data.f0.matches("^[0-9]+$") (expression run whenever the field is there, shared by 1): its only test`},
		{"network", text(predicate.OpCIDR, "10.0.0.0/8"), `cidr(data.f0, "10.0.0.0/8") (network, shared by 1): its only test`},
		{"negation", not(eq(0, "x")), `has(data.f0) (presence, shared by 1): it has no test that a value can be looked up by, so every event with the field leads to it`},
		{"alternatives", or(eq(0, "x"), eq(1, "y")), `data.f0 == "x" (hash, shared by 1); data.f1 == "y" (hash, shared by 1): filed under the rarest test of each alternative`},
		{"leaf", leaf, `looked at for every event: one of its alternatives has no test of a single field, or there are too many`},
		{"leaf and equality", and(leaf, eq(0, "x")), `data.f0 == "x" (hash, shared by 1): the rarest of its tests; the others are checked when it holds`},
		{"true", predicate.Formula{Kind: predicate.FormulaTrue}, "always true"},
		{"false", predicate.Formula{Kind: predicate.FormulaFalse}, "never true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := build(t, []predicate.Formula{tt.f})
			assert.Equal(t, tt.want, s.Place(0).String())
			assert.Zero(t, s.Place(1))
		})
	}
}

// Many conditions that share each of their tests with many others are filed
// under two tests at once.
func TestPlacePairs(t *testing.T) {
	w := newWorld(1)
	var formulas []predicate.Formula
	for i := range 4096 {
		formulas = append(formulas, and(
			lit(w.make(0, predicate.OpEq, false, event.NumberValue(float64(i%64)))),
			lit(w.make(1, predicate.OpEq, false, event.NumberValue(float64(i/64))))))
	}
	s := build(t, formulas)
	assert.Equal(t, "data.f0 == 1 && data.f1 == 2 (pair, shared by 1): each test alone is shared by many conditions", s.Place(2*64+1).String())
	var sc index.Scratch
	ev := &predicate.Event{Ev: &event.Event{}, Fields: []event.Value{event.NumberValue(5), event.NumberValue(7)}}
	assert.Equal(t, []index.ID{7*64 + 5}, s.Match(&sc, ev, nil))
}

func TestEqualConditionsShare(t *testing.T) {
	w := newWorld(1)
	x, y := lit(w.make(0, predicate.OpEq, false, event.NumberValue(1))), lit(w.make(1, predicate.OpNe, false, event.NumberValue(2)))
	notEqual := not(lit(w.make(1, predicate.OpEq, false, event.NumberValue(2))))
	s := build(t, []predicate.Formula{and(x, y), and(y, x), and(notEqual, x, x)})
	assert.Equal(t, 1, s.Stats().Distinct)
	assert.Equal(t, 3, s.Stats().Conditions)
	assert.Equal(t, 3, s.Len())
}

func TestMatchAllocatesNothing(t *testing.T) {
	w := newWorld(5)
	// Package regexp keeps its machines in a pool, which the race detector empties.
	formulas := slices.DeleteFunc(w.formulas(500), func(f predicate.Formula) bool { return strings.Contains(f.String(), "matches(") })
	s := build(t, formulas)
	x, err := index.NewIndex(s).With(formulas[:20], []index.ID{1, 2, 3})
	require.NoError(t, err)
	events := make([]*predicate.Event, 64)
	for i := range events {
		events[i] = w.event()
	}
	var one, both index.Scratch
	var dst []index.ID
	run := func() {
		for _, ev := range events {
			dst = s.Match(&one, ev, dst[:0])
			dst = x.Match(&both, ev, dst[:0])
		}
	}
	run()
	assert.Zero(t, testing.AllocsPerRun(10, run))
}

// Texts of a mebibyte against patterns that overlap with themselves and each
// other take time in proportion to the text.
func TestLongTexts(t *testing.T) {
	w := newWorld(6)
	var formulas []predicate.Formula
	for i := range 300 {
		a := strings.Repeat("a", i+1)
		for _, op := range []predicate.Op{predicate.OpPrefix, predicate.OpSuffix, predicate.OpContains, predicate.OpEq, predicate.OpLt} {
			formulas = append(formulas, lit(w.make(0, op, false, event.StringValue(a+"b"))))
		}
		formulas = append(formulas, lit(w.make(0, predicate.OpMatches, false, event.StringValue("^"+a+".*b"+a+".*"+a+"c$"))))
	}
	s := build(t, formulas)
	ev := &predicate.Event{Ev: &event.Event{}, Fields: []event.Value{event.StringValue(strings.Repeat("a", 1<<20))}}
	var sc index.Scratch
	got := s.Match(&sc, ev, nil)
	assert.Len(t, got, 300, "aaa… is before each aa…b")
	ev.Fields[0] = event.StringValue(strings.Repeat("a", 1<<20) + "b")
	assert.Len(t, s.Match(&sc, ev, nil), 900, "before, ends with, contains")
}
