package cea_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/cea"
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/event"
)

func one(i int, link engine.Link) engine.Step {
	return engine.Step{Elem: i, Cond: engine.Cond(i + 1), Link: link}
}

func TestCompileRefuses(t *testing.T) {
	a, b := one(0, engine.Next), one(1, engine.Any)
	waits, gaps, not := b, b, one(1, engine.Then)
	waits.Wait, not.Not = time.Second, true
	gaps.Gap, gaps.Max = time.Second, -1
	group := engine.Step{Group: []engine.Step{b}, Max: -1, Until: 3}
	for _, c := range []struct {
		name  string
		steps []engine.Step
		tr    engine.Traits
		pol   engine.Policy
		want  string
	}{
		{"correlated", []engine.Step{a, b}, engine.Traits{Correlated: 2}, engine.Policy{}, "compares with events bound before"},
		{"correlated inside", []engine.Step{a, {Group: []engine.Step{b}}}, engine.Traits{Correlated: 2}, engine.Policy{}, "compares with events bound before"},
		{"wait", []engine.Step{a, waits}, engine.Traits{}, engine.Policy{}, "`wait`"},
		{"gap", []engine.Step{a, gaps}, engine.Traits{}, engine.Policy{}, "`gap`"},
		{"until of a group", []engine.Step{a, group}, engine.Traits{}, engine.Policy{}, "`until` of a group"},
		{"not at the end", []engine.Step{a, not}, engine.Traits{}, engine.Policy{Within: time.Second}, "completed by time"},
		{"timeouts", []engine.Step{a, b}, engine.Traits{}, engine.Policy{OnTimeout: true}, "every partial match by itself"},
		{"ordered", []engine.Step{a, b}, engine.Traits{}, engine.Policy{Emit: engine.Ordered}, "holds matches back"},
		{"no pattern", nil, engine.Traits{}, engine.Policy{}, "at least one element"},
		{"too large", []engine.Step{{Cond: 1, Min: 20_000}}, engine.Traits{}, engine.Policy{}, "the limit is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := cea.Compile(c.steps, c.tr, c.pol)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestPlan(t *testing.T) {
	steps, pol := fourAny(2000, engine.NoSkip)
	e := newCEA(t, steps, pol)
	p := e.Plan()
	assert.Equal(t, "cea", p.Engine)
	assert.Equal(t, 5, p.States)
	assert.Len(t, p.Graph.Nodes, 5)
	assert.Contains(t, p.Why, "however many combinations")
	assert.Contains(t, p.Bound, "1048576 start events per key (later ones are refused), any number of partial matches over 262144 bound events, each for 2s")
	assert.Equal(t, engine.Needs{Starts: 1}, e.Needs())
}

// anyOf is a pattern of elements a, b, c … that may be combined at will.
func anyOf(t require.TestingT, n int, pol engine.Policy) *desk {
	m := new(model)
	for i := range n {
		m.conds = append(m.conds, string(rune('a'+i)))
		m.steps = append(m.steps, one(i, engine.Any))
	}
	return newDesk(newCEA(t, m.steps, pol), m)
}

// Half a billion matches at one event: as many as the bound allows are given out,
// in order, and the others counted.
func TestMatchesAreBounded(t *testing.T) {
	d := anyOf(t, 4, engine.Policy{Skip: engine.Skip{Kind: engine.NoSkip}})
	d.feedAll(spell(strings.Repeat("a", 800) + strings.Repeat("b", 800) + strings.Repeat("c", 800)))
	require.Empty(t, d.lines)
	d.feed(letter{name: 'd', key: 'k', at: time.Hour}, false)
	require.Len(t, d.lines, cea.MaxMatches)
	assert.Equal(t, uint64(1), d.turn.Overflow)
}

// So are the events in them, and the first match of all is found all the same.
func TestLongMatchesAreBounded(t *testing.T) {
	for _, skip := range []engine.SkipKind{engine.NoSkip, engine.PastLast} {
		d := loops(t, engine.Policy{Skip: engine.Skip{Kind: skip}})
		d.count = true
		d.feedAll(spell(strings.Repeat("a", 900)))
		d.feed(letter{name: 'c', key: 'k', at: time.Hour}, false)
		if skip == engine.PastLast {
			assert.Equal(t, 901, d.events, "every a, and the c")
			assert.Zero(t, d.turn.Overflow)
			assert.True(t, d.s.Empty())
			continue
		}
		assert.Equal(t, uint64(1), d.turn.Overflow)
		assert.InEpsilon(t, cea.MaxPairs, d.events, 0.01)
	}
}

// A key binds so many events and no more, however long its window.
func TestEventsAreBounded(t *testing.T) {
	d := anyOf(t, 3, engine.Policy{Skip: engine.Skip{Kind: engine.NoSkip}})
	d.feed(letter{name: 'a', key: 'k'}, false)
	e := letter{name: 'b', key: 'k'}
	for range cea.MaxBound - 2 {
		d.feed(e, false)
	}
	require.Zero(t, d.turn.Overflow)
	d.feed(e, false)
	require.Zero(t, d.turn.Overflow, "the last one fits")
	for range 10 {
		d.feed(e, false)
	}
	assert.Equal(t, uint64(10), d.turn.Overflow)
	assert.Less(t, d.s.Size().Bytes, 64*cea.MaxBound)
}

// What a key holds is in proportion to its window, however long it goes on, also
// where partial matches end otherwise than by running out of time.
func TestMemoryKeepsToItsWindow(t *testing.T) {
	const window = 100
	pol := engine.Policy{Within: window * time.Second, Skip: engine.Skip{Kind: engine.NoSkip}}
	d := anyOf(t, 4, pol)
	d.feedAll(spell(strings.Repeat("abcx", 5000)))
	assert.Less(t, cea.Nodes(d.s), 16*window)

	m := &model{conds: []string{"a", "b", "c"}, steps: []engine.Step{one(0, engine.Next), one(1, engine.Any), one(2, engine.Next)}}
	strict := newDesk(newCEA(t, m.steps, engine.Policy{Skip: pol.Skip, Limit: 5}), m)
	strict.feedAll(spell("aaaa" + strings.Repeat("bx", 10_000)))
	assert.Less(t, cea.Nodes(strict.s), 1000, "four starts are open, and nothing is left of the b")
	assert.Equal(t, 4, strict.s.Size().Runs)
}

// A clock that goes back keeps no key for ever and no caller busy for ever.
func TestClockGoesBack(t *testing.T) {
	d := anyOf(t, 3, engine.Policy{Within: time.Minute, Skip: engine.Skip{Kind: engine.NoSkip}})
	d.feed(letter{name: 'a', key: 'k', at: 100 * time.Minute}, false)
	d.feed(letter{name: 'a', key: 'k'}, false)
	d.expire(zero.Add(99 * time.Minute))
	assert.Equal(t, 2, d.s.Size().Runs)
	d.expire(zero.Add(200 * time.Minute))
	assert.True(t, d.s.Empty())
}

// An event that changes nothing costs no memory.
func TestNothingIsAllocatedForNothing(t *testing.T) {
	d := anyOf(t, 3, engine.Policy{Within: time.Hour, Skip: engine.Skip{Kind: engine.NoSkip}})
	d.feedAll(spell("abab"))
	ev := event.Event{ID: "i", Source: "s", Type: "t"}
	key := []byte("k")
	in := engine.Input{Ev: &ev, Order: 9, At: zero.Add(time.Minute)}
	d.turn.In, d.turn.Truth = &in, engine.Truth{Known: ^uint64(0)}
	assert.Zero(t, testing.AllocsPerRun(100, func() { d.s.Feed(&d.turn, key) }))
}

func TestClearAndSize(t *testing.T) {
	d := anyOf(t, 2, engine.Policy{Within: time.Hour})
	require.True(t, d.s.Empty())
	d.feedAll(spell("aa"))
	d.feed(letter{name: 'a', key: 'l', at: time.Minute}, false)
	size := d.s.Size()
	assert.Equal(t, 2, size.Keys)
	assert.Equal(t, 3, size.Runs)
	assert.NotZero(t, size.Bytes)
	var keys []string
	d.s.(engine.Inspector).EachKey(func(k []byte) { keys = append(keys, string(k)) })
	assert.Equal(t, []string{"k", "l"}, keys)
	d.s.Clear()
	assert.True(t, d.s.Empty())
	_, timed := d.s.Deadline()
	assert.False(t, timed)
	d.feedAll(spell("ab"))
	assert.Len(t, d.lines, 1, "a state that was cleared goes on as a new one")
}

// A condition that the matcher has not decided yet is asked for.
func TestUnknownConditions(t *testing.T) {
	d := anyOf(t, 2, engine.Policy{})
	d.turn.Conds = always(2)
	for i := range 2 {
		d.turn.Truth = engine.Truth{Known: 1, True: uint64(1 - i)}
		d.turn.In = &engine.Input{Ev: &event.Event{ID: "i", Source: "s", Type: "t"}, Order: uint64(i + 1), At: zero}
		d.s.Feed(&d.turn, nil)
	}
	assert.Len(t, d.turn.Out, 1)
}

// always says that a condition holds.
type always engine.Cond

func (c always) Holds(asked engine.Cond, b engine.Bindings) bool {
	return asked == engine.Cond(c) && len(b.Events(0)) == 0
}

// Strict skips that have nowhere to go stop the rule.
func TestStrictSkip(t *testing.T) {
	for _, elem := range []int{0, 1} {
		d := anyOf(t, 2, engine.Policy{Skip: engine.Skip{Kind: engine.ToFirst, Elem: elem, Strict: true}})
		d.feedAll(spell("ab"))
		if elem == 0 {
			assert.ErrorIs(t, d.turn.Err, engine.ErrMiss)
			assert.Empty(t, d.lines)
			continue
		}
		require.NoError(t, d.turn.Err)
		assert.Len(t, d.lines, 1)
	}
}

// A cache without room changes nothing but the work, and says so.
func TestCacheIsBounded(t *testing.T) {
	d := anyOf(t, 3, engine.Policy{Skip: engine.Skip{Kind: engine.NoSkip}})
	cea.Starve(d.s)
	d.feedAll(spell("abc"))
	assert.Len(t, d.lines, 1)
	assert.NotZero(t, d.s.(*cea.State).Uncached())
}
