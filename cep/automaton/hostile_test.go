package automaton

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/event"
)

// nestOf wraps steps in groups, each repeated low to high times.
func nestOf(depth, low, high int, inner ...Step) []Step {
	for range depth {
		inner = []Step{{Group: inner, Link: Then, Repeat: Then, Min: low, Max: high}}
	}
	return inner
}

func maybe(elem int, repeat Link) Step {
	return Step{Elem: elem, Cond: Cond(elem + 1), Link: Then, Repeat: repeat, Optional: true}
}

func loopOf(elem int, repeat Link) Step {
	s := maybe(elem, repeat)
	s.Max, s.Optional = -1, false
	return s
}

// hostile are patterns written to hurt.
func hostile() map[string][]Step {
	var many, conds []Step
	for range 1000 {
		many = append(many, one(len(many)%8, Next))
	}
	either := Step{Link: Then}
	for i := range many {
		either.Either = append(either.Either, []Step{many[i]})
	}
	deepEither := Step{Link: Then, Max: -1, Repeat: Then}
	for i := range 1000 {
		deepEither.Either = append(deepEither.Either, []Step{one(i%8, Next), one((i+1)%8, Then)})
	}
	for i := range MaxConds {
		conds = append(conds, maybe(i, Then))
	}
	row := func(n int) []Step {
		var s []Step
		for i := range n {
			s = append(s, maybe(i%8, Then))
		}
		return s
	}
	greedy := loopOf(0, Then)
	greedy.Greedy = true
	return map[string][]Step{
		"optional in groups":     nestOf(3, 1, 20, maybe(0, Then), maybe(1, Then)),
		"loops in loops":         nestOf(6, 1, -1, loopOf(0, Any)),
		"optional loops":         nestOf(4, 1, -1, Step{Elem: 0, Cond: 1, Optional: true, Max: -1, Link: Then, Repeat: Any}),
		"any of anything":        {loopOf(0, Any), loopOf(1, Any), loopOf(2, Any)},
		"greedy after greedy":    {greedy, {Elem: 1, Cond: 2, Link: Then, Max: -1, Repeat: Then, Greedy: true}, one(2, Then)},
		"64 optional conditions": conds,
		"four groups":            {{Both: [][]Step{row(6), row(6), row(6), row(6)}}},
		"four long groups":       {{Both: [][]Step{row(60), row(60), row(60), row(60)}}},
		"both in both":           {{Both: [][]Step{{{Both: [][]Step{row(4), row(4), row(4), row(4)}}}, {{Both: [][]Step{row(4), row(4), row(4), row(4)}}}}}},
		"a thousand names":       {one(0, Next), either},
		"a thousand rows":        {one(0, Next), deepEither},
		"ten thousand":           {{Cond: 1, Min: 10_000, Repeat: Then}},
		"optional row":           row(3000),
	}
}

// However a pattern is written, it compiles within a second or is refused, and an
// event takes its time in proportion to the bound on runs and the size of the
// automaton.
func TestHostilePatternsAreBounded(t *testing.T) {
	const runs = 200
	for name, steps := range hostile() {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			nfa, err := Compile(steps, Traits{})
			took := time.Since(began)
			require.Less(t, took, time.Minute, "a second, on a machine with nothing else to do and without the race detector")
			if err != nil {
				require.ErrorContains(t, err, "limit is")
				t.Logf("refused after %v: %v", took, err)
				return
			}
			for _, pol := range []Policy{{Skip: Skip{Kind: NoSkip}}, {}, {Within: time.Minute, OnTimeout: true, Emit: Ordered}} {
				pol.MaxRuns, pol.Limit = runs, 50
				m, err := NewMachine(nfa, pol)
				require.NoError(t, err)
				slowest, lost := torment(t, m)
				t.Logf("%d states after %v; slowest event %v, %d runs refused", nfa.States(), took, slowest, lost)
				require.Less(t, slowest, 5*time.Second)
			}
		})
	}
}

// torment feeds events that meet many conditions, all of one key.
func torment(t *testing.T, m *Machine) (slowest time.Duration, lost uint64) {
	s := m.New()
	turn := &engine.Turn{}
	for i := range 40 {
		met := []uint64{1, 3, ^uint64(0), 0xff}[i%4]
		turn.In = &Input{Ev: &event.Event{ID: "e"}, Order: uint64(i + 1), At: time.Unix(int64(i/8), 0)}
		turn.Truth = Truth{Known: ^uint64(0), True: met}
		turn.Out = turn.Out[:0]
		began := time.Now()
		s.Feed(turn, []byte("k"))
		slowest = max(slowest, time.Since(began))
		require.LessOrEqual(t, s.Size().Runs, m.Policy().MaxRuns)
		if slowest > 5*time.Second {
			break
		}
	}
	return slowest, turn.Overflow
}

// Time may stand still, and go to the end of the calendar.
func TestClockJumps(t *testing.T) {
	end := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	a, b := one(0, Next), one(1, Then)
	not := b
	not.Not = true
	for _, steps := range [][]Step{{a, b}, {a, not}, {loopOf(0, Then), b}} {
		for _, pol := range []Policy{{}, {OnTimeout: true}, {Skip: Skip{Kind: NoSkip}, Emit: Ordered}} {
			pol.Within = 200 * 365 * 24 * time.Hour // near the longest duration there is
			nfa, err := Compile(steps, Traits{})
			require.NoError(t, err)
			m, err := NewMachine(nfa, pol)
			require.NoError(t, err)
			s := m.New()
			turn := &engine.Turn{}
			for i, at := range []time.Time{time.Unix(0, 0), time.Unix(0, 0), end, end, end.Add(-time.Hour), end.AddDate(300, 0, 0)} {
				for due, ok := s.Deadline(); ok && !due.After(at); due, ok = s.Deadline() {
					s.Expire(turn, at)
				}
				turn.In = &Input{Ev: &event.Event{ID: "e"}, Order: uint64(i + 1), At: at}
				turn.Truth = Truth{Known: ^uint64(0), True: 1}
				s.Feed(turn, []byte("k"))
			}
			for due, ok := s.Deadline(); ok; due, ok = s.Deadline() {
				s.Expire(turn, due)
			}
			require.True(t, s.Empty())
		}
	}
}

// A key that went quiet leaves nothing behind, however many there were.
func TestQuietKeysAreFreed(t *testing.T) {
	n := 100_000
	if !testing.Short() {
		n = 200_000
	}
	nfa, err := Compile([]Step{one(0, Next), one(1, Then)}, Traits{})
	require.NoError(t, err)
	m, err := NewMachine(nfa, Policy{Within: time.Second})
	require.NoError(t, err)
	s := m.New()
	turn := &engine.Turn{}
	before := heap()
	for i := range n {
		turn.In = &Input{Ev: &event.Event{ID: "e"}, Order: uint64(i + 1), At: time.Unix(0, 0)}
		turn.Truth = Truth{Known: ^uint64(0), True: 1}
		s.Feed(turn, fmt.Appendf(nil, "key %d", i))
	}
	require.Equal(t, n, s.Size().Keys)
	for due, ok := s.Deadline(); ok; due, ok = s.Deadline() {
		s.Expire(turn, due)
	}
	require.True(t, s.Empty())
	turn.In = nil
	require.Less(t, heap()-before, int64(n*60), "the map keeps its room for keys, and nothing else")
	require.True(t, s.Empty(), "still in use")
}
