package automaton

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// drawPolicy draws all that a policy has.
func drawPolicy(t *rapid.T) Policy {
	return Policy{
		Limit: rapid.SampledFrom([]int{0, 2, 6}).Draw(t, "limit"), DropOld: rapid.Bool().Draw(t, "drop oldest"),
		MaxRuns:   rapid.SampledFrom([]int{64, 12, 5}).Draw(t, "runs"),
		Skip:      Skip{Kind: SkipKind(rapid.IntRange(0, 2).Draw(t, "skip"))},
		OnTimeout: rapid.Bool().Draw(t, "on timeout"), Emit: Emit(rapid.IntRange(0, 1).Draw(t, "emit")),
	}
}

// drawCrowd draws a log in which much begins and little goes on.
func drawCrowd(t *rapid.T, n int) []letter {
	es := make([]letter, rapid.IntRange(1, n).Draw(t, "events"))
	now := time.Duration(0)
	for i := range es {
		now += time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "gap")) * time.Second
		name := rapid.SampledFrom([]byte("aaaabbcx")).Draw(t, "event")
		es[i] = letter{name, rapid.IntRange(0, 4).Draw(t, "value"), now}
	}
	return es
}

// Runs that are filed by what they wait for become what they would become if all
// of them were looked at, and in the same order.
func TestIndexChangesNothing(t *testing.T) {
	indexed := 0
	often(t, func(t *rapid.T) {
		m, pol := drawModel(t, true, rapid.Bool().Draw(t, "combine")), drawPolicy(t)
		m.apart = true // or runs that an index finds alike are shared
		es := drawCrowd(t, 40)
		list, filed := newDesk(t, m, pol, es), newDesk(t, m, pol, es)
		list.crowd, filed.crowd = true, true
		list.s.(*State).m.few = math.MaxInt
		filed.s.(*State).m.few = rapid.SampledFrom([]int{2, 8}).Draw(t, "few")
		for i := range es {
			list.feed(i)
			filed.feed(i)
			filed.s.(*State).keys.All(func(e *engine.Entry[Runs]) {
				for g := range e.Value.groups {
					if x := e.Value.groups[g].index; x != nil && len(x.ends) > 1 {
						indexed++
					}
				}
			})
			if rapid.IntRange(0, 9).Draw(t, "look") == 0 {
				require.Equal(t, swept(list), swept(filed), "%s over %v", m, es[:i+1])
			}
		}
		end := time.Unix(0, 0).Add(time.Hour)
		list.expire(end)
		filed.expire(end)
		require.Equal(t, list.lines, filed.lines, "%s over %v", m, es)
		require.Equal(t, list.turn.Rejected, filed.turn.Rejected)
		require.Equal(t, list.turn.Dropped, filed.turn.Dropped)
		require.Equal(t, list.turn.Overflow, filed.turn.Overflow, "%s over %v", m, es)
	})
	require.NotZero(t, indexed)
}

// swept writes a state without the runs that ran out of time, which stay until
// somebody looks at them.
func swept(k *desk) []byte {
	s := k.s.(*State)
	if s.m.quiet {
		s.keys.All(func(e *engine.Entry[Runs]) { s.m.sweep(&e.Value, time.Unix(0, 0).UTC().Add(k.cur.at)) })
	}
	var e engine.Encoder
	s.AppendTo(&e)
	return e.AppendEvents(nil)
}

// What an index holds is what is in the group, run by run.
func TestIndexHoldsTheGroup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := &index{ends: make(map[uint64]ends), least: 1}
		g := &group{index: x}
		want := map[int]uint64{} // by number of the run, which its state tells
		n := 0
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(want) == 0 || rapid.IntRange(0, 2).Draw(t, "add") > 0 {
				v := uint64(rapid.IntRange(nothing, hashed+3).Draw(t, "value"))
				g.runs = append(g.runs, run{head: new(node), state: int32(n)})
				g.index.append(v)
				want[n] = v
				n++
				continue
			}
			at := rapid.IntRange(0, len(g.runs)-1).Draw(t, "at")
			if g.runs[at].blank() {
				continue
			}
			delete(want, int(g.runs[at].state))
			g.drop(int32(at))
			g.tidy()
			if g.index == nil {
				g.index = &index{ends: make(map[uint64]ends), least: 1}
			}
		}
		require.Equal(t, len(want), g.len())
		found := 0
		for v, e := range g.index.ends {
			last := int32(-1)
			for at := e.first; at >= 0; at = g.index.links[at].next {
				require.Greater(t, at, last, "in order")
				require.Equal(t, want[int(g.runs[at].state)], v)
				last = at
				found++
			}
			require.Equal(t, e.last, last)
		}
		for _, v := range want {
			if v == nothing {
				found++
			}
		}
		require.Equal(t, len(want), found)
	})
}

func TestFindsJoins(t *testing.T) {
	path := event.PathOf("data", "id")
	by := predicate.Join{Elem: 0, Path: path, ElemPath: path}
	tr := Traits{Correlated: 0b110, Joins: [][]predicate.Join{nil, {by}, {by}}}
	a, b, c := Step{Cond: 1}, Step{Elem: 1, Cond: 2, Link: Then}, Step{Elem: 2, Cond: 3, Link: Then}
	not := c
	not.Not = true
	strict := b
	strict.Link = Next
	maybe := b
	maybe.Optional = true
	loop := b
	loop.Max, loop.Repeat = -1, Then
	plain := Step{Elem: 1, Cond: 1, Link: Then}
	for _, tt := range []struct {
		name  string
		steps []Step
		want  []uint64 // the conditions of every join
	}{
		{"then", []Step{a, b}, []uint64{0b010}},
		{"then then", []Step{a, b, c}, []uint64{0b010, 0b100}},
		{"not", []Step{a, not, b}, []uint64{0b110}},
		{"not at the end", []Step{a, not}, []uint64{0b100}},
		{"strict", []Step{a, strict}, nil},
		{"optional", []Step{a, maybe, c}, []uint64{0b100, 0b010}},
		{"loop", []Step{a, loop, c}, []uint64{0b010, 0b100, 0b010}},
		{"nothing to join", []Step{a, plain}, nil},
		{"either", []Step{a, {Either: [][]Step{{b}, {c}}, Link: Then}}, []uint64{0b110}},
		{"both", []Step{a, {Both: [][]Step{{b}, {c}}, Link: Then}}, []uint64{0b110, 0b100, 0b010}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nfa, err := Compile(tt.steps, tr)
			require.NoError(t, err)
			var got []uint64
			for i := range nfa.states {
				if j := nfa.states[i].join; j != nil {
					got = append(got, j.conds)
				}
			}
			assert.Equal(t, tt.want, got, nfa.String())
		})
	}
}

// Values that equal nothing, and values that cannot be filed, join as conditions
// say they do.
func TestIndexOfOddValues(t *testing.T) {
	path := event.PathOf("data", "v")
	by := predicate.Join{Elem: 0, Path: path, ElemPath: path}
	nfa, err := Compile([]Step{{Cond: 1}, {Elem: 1, Cond: 2, Link: Then}}, Traits{Correlated: 2, Joins: [][]predicate.Join{nil, {by}}})
	require.NoError(t, err)
	m, err := NewMachine(nfa, Policy{Skip: Skip{Kind: NoSkip}})
	require.NoError(t, err)
	m.few = 1
	s := m.New()
	values := []string{`1`, `1.0`, `-0`, `0`, `"1"`, `null`, `true`, `[1,2]`, `[1,2.0]`, `{"a":1,"b":2}`, `{"b":2,"a":1}`, ``}
	turn := &engine.Turn{}
	order := uint64(0)
	feed := func(v string, cond Cond) {
		order++
		ev := &event.Event{ID: v, Data: []byte(`{}`)}
		if v != "" {
			ev.Data = fmt.Appendf(nil, `{"v":%s}`, v)
		}
		turn.In = &Input{Ev: ev, Order: order, At: time.Unix(0, 0)}
		turn.Values = []event.Value{ev.Get(path)}
		turn.Truth = Truth{Known: ^uint64(2), True: cond.Bit() & 1}
		turn.Conds = equals{ev.Get(path), path}
		if cond == 1 {
			turn.Truth.Known |= 2
		}
		s.Feed(turn, []byte("k"))
	}
	for _, v := range values {
		feed(v, 1)
	}
	for i, v := range values {
		turn.Out = turn.Out[:0]
		feed(v, 2)
		var got, want []string
		for _, d := range turn.Out {
			got = append(got, d.Pairs[0].Held.Event.ID)
		}
		for j, w := range values {
			x := (&event.Event{Data: fmt.Appendf(nil, `{"v":%s}`, v)}).Get(path)
			y := (&event.Event{Data: fmt.Appendf(nil, `{"v":%s}`, w)}).Get(path)
			if v != "" && w != "" && x.Equal(y) && !alreadyJoined(values, i, j) {
				want = append(want, w)
			}
		}
		assert.Equal(t, want, got, v)
	}
}

// alreadyJoined reports whether run j was completed by an event before i.
func alreadyJoined(values []string, i, j int) bool {
	get := func(v string) event.Value {
		return (&event.Event{Data: fmt.Appendf(nil, `{"v":%s}`, v)}).Get(event.PathOf("data", "v"))
	}
	for _, v := range values[:i] {
		if v != "" && values[j] != "" && get(v).Equal(get(values[j])) {
			return true
		}
	}
	return false
}

// equals holds when the value of element 0 is one's own.
type equals struct {
	v    event.Value
	path event.Path
}

func (q equals) Holds(_ Cond, b engine.Bindings) bool {
	w := b.Events(0)[0].Ev.Get(q.path)
	return q.v.Kind() != event.Missing && w.Kind() != event.Missing && q.v.Equal(w)
}

// Runs that are shared because conditions ahead cannot tell them apart give the
// matches that keeping all of them would.
func TestSharingChangesNoMatch(t *testing.T) {
	saved := 0
	often(t, func(t *rapid.T) {
		m := drawModel(t, true, rapid.Bool().Draw(t, "combine"))
		es := drawCrowd(t, 40)
		shared := newDesk(t, m, Policy{}, es)
		m.apart = true
		apart := newDesk(t, m, Policy{}, es)
		shared.crowd, apart.crowd = true, true
		shared.s.(*State).m.few = 2
		for i := range es {
			shared.feed(i)
			apart.feed(i)
			saved += apart.s.Size().Runs - shared.s.Size().Runs
		}
		end := time.Unix(0, 0).Add(time.Hour)
		shared.expire(end)
		apart.expire(end)
		require.Equal(t, apart.lines, shared.lines, "%s over %v", m, es)
	})
	require.True(t, saved > 0 || testing.Short(), "runs are shared")
}

// Of a loop before a condition on its last event, one run is left for each value
// that the last event may have.
func TestLoopIsSharedByValue(t *testing.T) {
	m := failThenOK(0, true)
	const n, users = 2000, 3
	es := make([]letter, n, n+2)
	for i := range es {
		es[i] = letter{'f', i % users, time.Duration(i) * time.Second}
	}
	es = append(es, letter{'o', 9, n * time.Second}, letter{'o', 0, n * time.Second})
	k := newDesk(t, m, Policy{Limit: n}, es)
	k.crowd = true
	most := 0
	for i := range es {
		k.feed(i)
		most = max(most, k.s.Size().Runs)
	}
	require.LessOrEqual(t, most, fewRuns+users+6)
	require.Len(t, k.lines, 1)
	require.Equal(t, n-1, strings.Count(k.lines[0], "e0:"), "up to the last failure of user 0")
}

// Runs that are out of time do not count, looked at or not.
func TestRunsOutOfTimeMakeRoom(t *testing.T) {
	a, ca := elem(0, Next, "a", 1, 1)
	b, cb := elem(1, Then, "b", 1, 1)
	m := model{steps: []Step{a, b}, conds: []wish{ca, cb}, within: 5 * time.Second}
	p := newPlayer(t, m, Policy{MaxRuns: 3, Skip: Skip{Kind: NoSkip}}, []letter{
		{'a', 0, 0}, {'a', 0, 0}, {'a', 0, 0}, {'a', 0, time.Second}, {'a', 0, 6 * time.Second}, {'b', 0, 7 * time.Second},
	})
	p.lazy = true
	require.Equal(t, []string{"event 5 e0:4 e1:5"}, p.play())
	require.Equal(t, uint64(1), p.w.Overflow)
}
