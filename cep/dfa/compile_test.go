package dfa_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rhost/rhost/cep/dfa"
	"github.com/rhost/rhost/cep/engine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func one(i int, l engine.Link) engine.Step {
	return engine.Step{Elem: i, Cond: engine.Cond(i + 1), Link: l, Repeat: engine.Then}
}

func with(s engine.Step, change func(*engine.Step)) engine.Step {
	change(&s)
	return s
}

func TestCompileRefuses(t *testing.T) {
	a, b := one(0, engine.Next), one(1, engine.Then)
	loop := with(a, func(s *engine.Step) { s.Max = -1 })
	row := func(steps ...engine.Step) []engine.Step { return steps }
	for _, c := range []struct {
		name  string
		steps []engine.Step
		tr    engine.Traits
		pol   engine.Policy
		want  string
	}{
		{"nothing", nil, engine.Traits{}, engine.Policy{}, "at least one element"},
		{"correlated", row(a, b), engine.Traits{Correlated: 2}, engine.Policy{}, "compare with events bound before"},
		{"then any", row(a, with(b, func(s *engine.Step) { s.Link = engine.Any })), engine.Traits{}, engine.Policy{}, "then any"},
		{"combinations", row(with(loop, func(s *engine.Step) { s.Repeat = engine.Any }), b), engine.Traits{}, engine.Policy{}, "then any"},
		{"groups", row(engine.Step{Group: row(a, b)}), engine.Traits{}, engine.Policy{}, "groups"},
		{"conjunction", row(engine.Step{Both: [][]engine.Step{row(a), row(b)}}), engine.Traits{}, engine.Policy{}, "&"},
		{"long alternatives", row(engine.Step{Either: [][]engine.Step{row(a, b), row(b)}}), engine.Traits{}, engine.Policy{}, "more than one element"},
		{"greedy alternative", row(engine.Step{Either: [][]engine.Step{row(with(a, func(s *engine.Step) { s.Greedy = true })), row(b)}}), engine.Traits{}, engine.Policy{}, "greedy"},
		{"until", row(with(loop, func(s *engine.Step) { s.Until = 2 }), b), engine.Traits{}, engine.Policy{}, "until"},
		{"greedy", row(with(loop, func(s *engine.Step) { s.Greedy = true }), b), engine.Traits{}, engine.Policy{}, "greedy"},
		{"wait", row(a, with(b, func(s *engine.Step) { s.Wait = time.Second })), engine.Traits{}, engine.Policy{}, "time between events"},
		{"gap", row(with(loop, func(s *engine.Step) { s.Gap = time.Second }), b), engine.Traits{}, engine.Policy{}, "time between events"},
		{"not anything", row(a, engine.Step{Not: true, Elem: 1}), engine.Traits{}, engine.Policy{}, "no condition"},
		{"absence without a window", row(a, with(b, func(s *engine.Step) { s.Not = true })), engine.Traits{}, engine.Policy{}, "needs a `within`"},
		{"all matches of a loop", row(loop, b), engine.Traits{}, engine.Policy{Skip: engine.Skip{Kind: engine.NoSkip}}, "every way to complete"},
		{"ordered loop", row(loop, b), engine.Traits{}, engine.Policy{Emit: engine.Ordered}, "ordered"},
		{"timeouts of a loop", row(loop, b), engine.Traits{}, engine.Policy{OnTimeout: true, Within: 1}, "on_timeout"},
		{"skip to nowhere", row(a, b), engine.Traits{}, engine.Policy{Skip: engine.Skip{Kind: engine.ToLast, Elem: 2}}, "the pattern has 2"},
		{"too long", row(with(a, func(s *engine.Step) { s.Min = 1 << 20 })), engine.Traits{}, engine.Policy{}, "more than 4096 places"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := dfa.Compile(c.steps, c.tr, c.pol)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// Many optional elements have many ways past them; that is bounded, too.
func TestManyOptionals(t *testing.T) {
	var steps []engine.Step
	for range 2000 {
		steps = append(steps, engine.Step{Cond: 1, Link: engine.Then, Optional: true})
	}
	_, err := dfa.Compile(steps, engine.Traits{}, engine.Policy{})
	require.ErrorContains(t, err, "too many ways")
}

// Whatever conditions overlap, sets and tables stay within bounds.
func TestOverlapStaysBounded(t *testing.T) {
	m := &model{pol: engine.Policy{Limit: 5, Within: time.Hour}}
	m.steps = []engine.Step{{Elem: 0, Cond: m.cond("s")}}
	for i := range 30 {
		s := engine.Step{Elem: i + 1, Cond: m.cond(strings.Repeat("abcdefgh", 2)[i%8 : i%8+4]), Link: engine.Then, Optional: true, Repeat: engine.Then}
		if i%3 == 0 {
			s.Max = -1
		}
		m.steps = append(m.steps, s)
	}
	m.steps = append(m.steps, engine.Step{Elem: 31, Cond: m.cond("e"), Link: engine.Then})
	k := newDesk(m, compile(t, m))
	for i := range 4000 {
		k.feed(letter{name: "sabcdefgh"[i*7919%97%9], key: '0'})
	}
	assert.LessOrEqual(t, k.s.Size().Runs, 5*64)
}

func TestPlan(t *testing.T) {
	fail := with(one(0, engine.Next), func(s *engine.Step) { s.Min, s.Max = 2, -1 })
	ok := one(1, engine.Then)
	e, err := dfa.Compile([]engine.Step{fail, ok}, engine.Traits{}, engine.Policy{Within: time.Minute, DropOld: true})
	require.NoError(t, err)
	p := e.Plan()
	assert.Equal(t, "dfa", p.Engine)
	assert.Equal(t, 5, p.States)
	assert.Contains(t, p.Why, "only the first of several matches")
	assert.Contains(t, p.Bound, "1000 start events per key (the oldest makes room)")
	assert.Contains(t, p.Bound, "each for 1m0s")
	var starts, finals int
	for i, n := range p.Graph.Nodes {
		if n.Start {
			starts++
		}
		if n.Final {
			finals++
			assert.Equal(t, len(p.Graph.Nodes)-1, i)
		}
	}
	assert.Equal(t, []int{1, 1}, []int{starts, finals})
	assert.Contains(t, p.Graph.Edges, engine.GraphEdge{From: 1, To: 1, Kind: "take", Elem: 0, If: "c1"})
	assert.Contains(t, p.Graph.Edges, engine.GraphEdge{From: 1, To: 1, Kind: "ignore", Elem: -1, If: "!c1"})
	assert.Contains(t, p.Graph.Edges, engine.GraphEdge{From: 0, To: 4, Kind: "take", Elem: 1, If: "c2"})
	n := e.Needs()
	assert.Equal(t, engine.Needs{Starts: 1}, n)

	e, err = dfa.Compile([]engine.Step{one(0, engine.Next), with(one(1, engine.Next), func(s *engine.Step) { s.Not = true })}, engine.Traits{}, engine.Policy{})
	require.NoError(t, err)
	assert.True(t, e.Needs().SeesAll)
	assert.Contains(t, e.Plan().Graph.Edges, engine.GraphEdge{From: 0, To: 2, Kind: "ignore", Elem: -1, If: "!c2"})
	assert.Contains(t, e.Plan().Why, "a fixed number of times")
	assert.Contains(t, e.Plan().Bound, "without a bound on time")
}

func TestFurthest(t *testing.T) {
	m := &model{pol: engine.Policy{Within: 10 * time.Second}}
	m.steps = []engine.Step{{Cond: m.cond("a"), Max: -1, Repeat: engine.Then}, {Elem: 1, Cond: m.cond("x"), Link: engine.Then, Not: true}, {Elem: 2, Cond: m.cond("b"), Link: engine.Then}}
	k := newDesk(m, compile(t, m))
	look := func() (orders, waiting []int, nots uint64, deadline time.Time) {
		in, _ := k.s.(engine.Inspector)
		pairs, waiting, nots, deadline, ok := in.Furthest([]byte("0"), k.now)
		require.True(t, ok)
		for _, p := range pairs {
			orders = append(orders, int(p.Held.Order))
		}
		return orders, waiting, nots, deadline
	}
	orders, waiting, nots, deadline := look()
	assert.Empty(t, orders)
	assert.Equal(t, []int{0}, waiting)
	assert.Zero(t, nots)
	assert.True(t, deadline.IsZero())
	start := k.now
	k.feed(letter{name: 'a', key: '0'})
	k.feed(letter{name: 'a', key: '0', after: time.Second})
	orders, waiting, nots, deadline = look()
	assert.Equal(t, []int{1, 2}, orders)
	assert.Equal(t, []int{0, 2}, waiting)
	assert.Equal(t, uint64(2), nots)
	assert.Equal(t, start.Add(10*time.Second), deadline)
	k.now = start.Add(10 * time.Second)
	orders, _, _, _ = look()
	assert.Equal(t, []int{2}, orders, "the first start has run out of time")
	var keys []string
	in, _ := k.s.(engine.Inspector)
	in.EachKey(func(key []byte) { keys = append(keys, string(key)) })
	assert.Equal(t, []string{"0"}, keys)
}

// A loop that goes on for ever keeps what its window holds and no more.
func TestLoopKeepsItsWindow(t *testing.T) {
	m := &model{pol: engine.Policy{Within: 200 * time.Second}}
	m.steps = []engine.Step{{Cond: m.cond("f"), Min: 5, Max: -1, Repeat: engine.Then}, {Elem: 1, Cond: m.cond("o"), Link: engine.Then}}
	k := newDesk(m, compile(t, m))
	most := 0
	for range 5000 {
		k.feed(letter{name: 'f', key: '0', after: time.Second})
		most = max(most, k.s.Size().Bytes)
	}
	assert.Less(t, most, 60_000)
	k.feed(letter{name: 'o', key: '0', after: time.Second})
	require.Len(t, k.lines, 1)
	assert.Equal(t, 199, strings.Count(k.lines[0], "e0:"))
	assert.True(t, k.s.Empty(), "past-last leaves nothing open")
}

// Nothing is allocated for an event that changes nothing.
func TestIdleFeedAllocatesNothing(t *testing.T) {
	m := &model{pol: engine.Policy{Within: time.Hour}}
	m.steps = []engine.Step{{Cond: m.cond("a")}, {Elem: 1, Cond: m.cond("b"), Link: engine.Then}, {Elem: 2, Cond: m.cond("c"), Link: engine.Then}}
	k := newDesk(m, compile(t, m))
	k.feed(letter{name: 'a', key: '0'})
	k.feed(letter{name: 'a', key: '1'})
	k.feed(letter{name: 'a', key: '1'})
	for _, key := range []string{"0", "1", "2"} {
		t.Run(key, func(t *testing.T) {
			k.turn.Truth.True = 4
			raw := []byte(key)
			assert.Zero(t, testing.AllocsPerRun(100, func() { k.s.Feed(&k.turn, raw) }))
		})
	}
}
