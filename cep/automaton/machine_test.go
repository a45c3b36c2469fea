package automaton

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// spell makes one letter per character, a second apart.
func spell(s string) []letter {
	var es []letter
	for i := range s {
		es = append(es, letter{name: s[i], at: time.Duration(i) * time.Second})
	}
	return es
}

func elem(i int, link Link, names string, low, high int) (Step, wish) {
	return Step{Elem: i, Cond: Cond(i + 1), Link: link, Min: low, Max: high, Repeat: Then}, wish{names: names}
}

// failThenOK is fail{5,} then ok; joined compares ok with the last fail.
func failThenOK(within time.Duration, joined bool) model {
	fail, f := elem(0, Next, "f", 5, -1)
	ok, o := elem(1, Then, "o", 1, 1)
	o.last = joined
	return model{steps: []Step{fail, ok}, conds: []wish{f, o}, within: within}
}

func TestManyFailuresGiveOneMatch(t *testing.T) {
	for _, joined := range []bool{false, true} {
		t.Run(fmt.Sprint("joined=", joined), func(t *testing.T) {
			p := newPlayer(t, failThenOK(0, joined), Policy{}, spell(strings.Repeat("f", 37)+"o"))
			lines := p.play()
			require.Len(t, lines, 1)
			assert.Equal(t, 37, strings.Count(lines[0], "e0:"))
			assert.True(t, p.runs.Empty(), "past-last leaves nothing open")
			if !joined {
				assert.LessOrEqual(t, p.most, 6, "one run for each of the four steps to five, one that loops, one that waits")
			}
		})
	}
}

// A loop that goes on for ever keeps what its window holds and no more.
func TestLoopKeepsItsWindow(t *testing.T) {
	for _, joined := range []bool{false, true} {
		t.Run(fmt.Sprint("joined=", joined), func(t *testing.T) {
			const window, n = 200, 5000
			m := failThenOK(window*time.Second, joined)
			before := heap()
			p := newPlayer(t, m, Policy{}, spell(strings.Repeat("f", n)))
			for i := range p.es {
				p.es[i].value = i // no two joins alike
			}
			p.play()
			p2 := newPlayer(t, m, Policy{}, p.es)
			nodes, most := 0, 0
			p2.each(func() {
				most = max(most, p2.runs.Len())
				p2.runs.all(func(q *run) { nodes = max(nodes, int(q.head.n)) })
			})
			assert.LessOrEqual(t, nodes, 3*window)
			assert.LessOrEqual(t, most, 3*window, "runs")
			assert.Less(t, heap()-before, int64(64<<20))
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestSkipStrategies(t *testing.T) {
	a, ca := elem(0, Next, "a", 1, -1)
	b, cb := elem(1, Then, "b", 1, 1)
	m := model{steps: []Step{a, b}, conds: []wish{ca, cb}}
	for _, c := range []struct {
		name string
		skip Skip
		want []string
	}{
		{"none", Skip{Kind: NoSkip}, []string{
			"event 3 e0:0 e0:1 e0:2 e1:3", "event 3 e0:0 e0:1 e1:3", "event 3 e0:0 e1:3",
			"event 3 e0:1 e0:2 e1:3", "event 3 e0:1 e1:3", "event 3 e0:2 e1:3",
		}},
		{"past last", Skip{Kind: PastLast}, []string{"event 3 e0:0 e0:1 e0:2 e1:3"}},
		{"to next", Skip{Kind: ToNext}, []string{"event 3 e0:0 e0:1 e0:2 e1:3", "event 3 e0:1 e0:2 e1:3", "event 3 e0:2 e1:3"}},
		{"to first", Skip{Kind: ToFirst, Elem: 1}, []string{"event 3 e0:0 e0:1 e0:2 e1:3"}},
		{"to last", Skip{Kind: ToLast, Elem: 0}, []string{"event 3 e0:0 e0:1 e0:2 e1:3", "event 3 e0:2 e1:3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, newPlayer(t, m, Policy{Skip: c.skip}, spell("aaab")).play())
		})
	}
}

// An ordered match waits while an earlier start could still complete.
func TestOrderedWaits(t *testing.T) {
	a, ca := elem(0, Next, "a", 1, 1)
	b, cb := elem(1, Then, "b", 1, 1)
	cb.last = true
	m := model{steps: []Step{a, b}, conds: []wish{ca, cb}, within: 10 * time.Second}
	es := spell("aab") // b joins with the second a only
	es[1].value, es[2].value = 1, 1
	p := newPlayer(t, m, Policy{Emit: Ordered}, es)
	var at []time.Time
	p.each(func() {
		for _, d := range p.w.Out {
			at = append(at, d.At)
		}
	})
	require.Len(t, p.lines, 1)
	assert.Equal(t, "event 2 e0:1 e1:2", p.lines[0])
	assert.Equal(t, int64(10), at[0].Unix(), "released when the first a runs out of time")
}

func TestTimeouts(t *testing.T) {
	a, ca := elem(0, Next, "a", 1, -1)
	b, cb := elem(1, Then, "b", 1, 1)
	m := model{steps: []Step{a, b}, conds: []wish{ca, cb}, within: 5 * time.Second}
	got := newPlayer(t, m, Policy{OnTimeout: true}, spell("axa")).play()
	assert.Equal(t, []string{"time 5s e0:0 e0:2", "time 5s e0:0", "time 7s e0:2"}, got)
}

func TestLimit(t *testing.T) {
	a, ca := elem(0, Next, "a", 1, 1)
	b, cb := elem(1, Then, "b", 1, 1)
	m := model{steps: []Step{a, b}, conds: []wish{ca, cb}}
	es := spell("aaaaab")
	for _, c := range []struct {
		name string
		pol  Policy
		want []string
		lost uint64
	}{
		{"reject", Policy{Limit: 2}, []string{"event 5 e0:0 e1:5", "event 5 e0:1 e1:5"}, 3},
		{"drop oldest", Policy{Limit: 2, DropOld: true}, []string{"event 5 e0:3 e1:5", "event 5 e0:4 e1:5"}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.pol.Skip.Kind = NoSkip
			p := newPlayer(t, m, c.pol, es)
			assert.Equal(t, c.want, p.play())
			assert.Equal(t, c.lost, p.w.Rejected+p.w.Dropped)
		})
	}
}

// Combinations grow without bound; the bound on runs holds all the same.
func TestMaxRuns(t *testing.T) {
	a, ca := elem(0, Next, "a", 1, -1)
	a.Repeat = Any
	b, cb := elem(1, Then, "b", 1, 1)
	p := newPlayer(t, model{steps: []Step{a, b}, conds: []wish{ca, cb}}, Policy{Skip: Skip{Kind: NoSkip}, MaxRuns: 500}, spell(strings.Repeat("a", 40)))
	p.play()
	assert.LessOrEqual(t, p.most, 500)
	assert.NotZero(t, p.w.Overflow)
}

func TestCompileRefuses(t *testing.T) {
	one := Step{Cond: 1}
	for _, c := range []struct {
		name  string
		steps []Step
		want  string
	}{
		{"nothing", nil, "at least one element"},
		{"not first", []Step{{Cond: 1, Not: true}}, "never the first"},
		{"not after optional", []Step{one, {Cond: 1, Optional: true}, {Cond: 2, Not: true}}, "cannot follow an optional"},
		{"not at the end of a group", []Step{{Group: []Step{one, {Cond: 2, Not: true, Link: Then}}}}, "cannot end a group"},
		{"a backwards range", []Step{{Cond: 1, Min: 3, Max: 2}}, "at least 3 and at most 2"},
		{"too many conditions", []Step{{Cond: 65}}, "at most 64 conditions"},
		{"too many states", []Step{{Cond: 1, Min: 20_000}}, "limit is 10000"},
		{"groups in groups", []Step{{Min: 30, Group: []Step{{Min: 30, Group: []Step{{Min: 30, Group: []Step{{Cond: 1, Min: 30}}}}}}}}, "limit is 10000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compile(c.steps, Traits{})
			require.ErrorContains(t, err, c.want)
		})
	}
	nfa, err := Compile([]Step{one, {Elem: 1, Cond: 2, Not: true, Link: Then}}, Traits{})
	require.NoError(t, err)
	_, err = NewMachine(nfa, Policy{})
	require.ErrorContains(t, err, "needs a `within`")
}

func TestNFAString(t *testing.T) {
	fail, _ := elem(0, Next, "f", 2, -1)
	ok, _ := elem(1, Then, "o", 1, 1)
	nfa, err := Compile([]Step{fail, ok}, Traits{})
	require.NoError(t, err)
	assert.False(t, nfa.alert)
	assert.Equal(t, strings.TrimLeft(`
0 start
  take -> 1 as e0 if c1
1
  take -> 2 as e0 if c1
  ignore -> 1 if !c1
2
  take -> 2 as e0 if c1
  proceed -> 3
  ignore -> 4 if !c1
3
  take -> 5 as e1 if c2
  ignore -> 3 if !c2
4
  take -> 2 as e0 if c1
  ignore -> 4 if !c1
5 final
`, "\n"), nfa.String())
}
