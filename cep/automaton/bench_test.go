package automaton_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/automaton"
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// bench is a pattern over events of the types a, b, …, with conditions as rules
// write them.
type bench struct {
	conds []*predicate.Cond
	paths []event.Path
	known uint64
	s     engine.State
	turn  engine.Turn
	seen  predicate.Event
	bound engine.Bindings
	order uint64
	needs engine.Needs
}

// newBench compiles elements, each a name and a condition; those whose name ends in + are
// repeated.
func newBench(tb testing.TB, steps []engine.Step, elems [][2]string, pol engine.Policy, joins, folds bool) *bench {
	k := &bench{known: ^uint64(0)}
	set := predicate.NewSet()
	scope := predicate.Scope{}
	for i, e := range elems {
		scope.Elements = append(scope.Elements, predicate.Element{Name: e[0], Repeated: steps[i].Repeats()})
	}
	var tr engine.Traits
	for i, e := range elems {
		scope.Under = i
		c, err := set.Add(scope, e[1], yamldoc.Pos{})
		require.NoError(tb, err)
		k.conds = append(k.conds, c)
		tr.Joins = append(tr.Joins, nil)
		if bit := engine.Cond(i + 1).Bit(); c.Correlated() {
			tr.Correlated |= bit
			k.known &^= bit
			if joins {
				tr.Joins[i] = c.Joins()
				tr.Equal |= bit
			}
			if folds {
				tr.Folds, tr.Fields = append(tr.Folds, c.Folds()...), append(tr.Fields, c.BoundFields()...)
			}
			for _, r := range c.Reads() {
				if r.Part != predicate.PartLast && scope.Elements[r.Elem].Repeated {
					tr.Whole |= bit
					tr.Equal &^= bit
				}
			}
		}
	}
	k.paths = set.Paths()
	n, err := automaton.Compile(steps, tr)
	require.NoError(tb, err)
	m, err := automaton.NewMachine(n, pol)
	require.NoError(tb, err)
	k.s, k.needs = m.New(), m.Needs()
	k.turn.Conds = k
	return k
}

func (k *bench) Holds(c engine.Cond, b engine.Bindings) bool {
	k.bound = b
	return k.conds[c-1].Eval(&k.seen, k) == predicate.True
}

func (k *bench) Bound(elem int) []*predicate.Event { return k.bound.Events(elem) }

func (k *bench) Folded(f predicate.Fold) (predicate.Folded, bool) { return k.bound.Folded(f) }

// feed shows an event of a type, that a condition names by its element.
func (k *bench) feed(ev *event.Event, at time.Time) int {
	for due, ok := k.s.Deadline(); ok && !due.After(at); due, ok = k.s.Deadline() {
		k.s.Expire(&k.turn, at)
	}
	k.order++
	k.seen = predicate.Event{Ev: ev}
	t := &k.turn
	t.In = &engine.Input{Ev: ev, Order: k.order, At: at, Pos: engine.Position{Seq: k.order}}
	t.Truth = engine.Truth{Known: k.known}
	for i, c := range k.conds {
		bit := engine.Cond(i + 1).Bit()
		if !c.Correlated() && c.Eval(&k.seen, nil) == predicate.True {
			t.Truth.True |= bit
		} else if types := c.EventTypes(); c.Correlated() && len(types) == 1 && types[0] != ev.Type {
			t.Truth.Known |= bit
		}
	}
	t.Values = t.Values[:0]
	for _, p := range k.needs.Paths {
		t.Values = append(t.Values, ev.Get(p))
	}
	t.Out = t.Out[:0]
	k.s.Feed(t, []byte("k"))
	return len(t.Out)
}

func then(elems ...int) []engine.Step {
	var steps []engine.Step
	for i := range elems {
		steps = append(steps, engine.Step{Elem: i, Cond: engine.Cond(i + 1), Link: engine.Then, Repeat: engine.Then, Min: 1, Max: elems[i]})
	}
	return steps
}

func numbered(kind string, n int) *event.Event {
	return &event.Event{ID: "e", Type: kind, Data: fmt.Appendf(nil, `{"id":%d,"x":%d}`, n, n)}
}

// BenchmarkEqualityJoin is an event that one of many open runs of `a then b`
// waits for, b being equal to a in its id; and with it the event that opens the
// run again.
func BenchmarkEqualityJoin(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		for _, joins := range []bool{false, true} {
			b.Run(fmt.Sprintf("runs=%d/indexed=%v", n, joins), func(b *testing.B) {
				k := newBench(b, then(1, 1), [][2]string{{"a", `type == "a"`}, {"b", `type == "b" && data.id == a.data.id`}},
					engine.Policy{Skip: engine.Skip{Kind: engine.NoSkip}, Limit: 2 * n}, joins, true)
				events := make([][2]*event.Event, n)
				for i := range events {
					events[i] = [2]*event.Event{numbered("a", i), numbered("b", i)}
					k.feed(events[i][0], time.Unix(0, 0))
				}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					e := events[i*7919%n]
					if k.feed(e[1], time.Unix(1, 0)) != 1 {
						b.Fatal("no match")
					}
					k.feed(e[0], time.Unix(1, 0))
				}
			})
		}
	}
}

// BenchmarkBruteForce is fail{5,} then ok, ok having the user of the last
// failure: n failures of eight users and then a success of another.
func BenchmarkBruteForce(b *testing.B) {
	for _, n := range []int{37, 10_000} {
		for _, joins := range []bool{false, true} {
			b.Run(fmt.Sprintf("failures=%d/joins=%v", n, joins), func(b *testing.B) {
				steps := then(-1, 1)
				steps[0].Min = 5
				fails, ok := make([]*event.Event, n), numbered("ok", 99)
				for i := range fails {
					fails[i] = numbered("fail", i%8)
				}
				b.ReportAllocs()
				runs := 0
				for b.Loop() {
					k := newBench(b, steps, [][2]string{{"fail", `type == "fail"`}, {"ok", `type == "ok" && data.id == last(fail).data.id`}},
						engine.Policy{Limit: 20_000, Within: time.Hour}, joins, true)
					for i, e := range fails {
						k.feed(e, time.Unix(int64(i/100), 0))
					}
					k.feed(ok, time.Unix(int64(n/100), 0))
					runs = k.s.Size().Runs
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*(n+1)), "ns/event")
				b.ReportMetric(float64(runs), "runs")
			})
		}
	}
}

// rules are patterns as people write them.
func rules() map[string]func(tb testing.TB, joins bool) *bench {
	many := then(-1, 1)
	many[0].Min = 5
	within := engine.Policy{Within: time.Hour, Limit: 2000, Skip: engine.Skip{Kind: engine.NoSkip}}
	return map[string]func(tb testing.TB, joins bool) *bench{
		"pairs": func(tb testing.TB, joins bool) *bench {
			return newBench(tb, then(1, 1), [][2]string{{"a", `type == "a"`}, {"b", `type == "b" && data.id == a.data.id`}}, within, joins, true)
		},
		"greater": func(tb testing.TB, joins bool) *bench {
			return newBench(tb, then(1, 1), [][2]string{{"a", `type == "a"`}, {"b", `type == "b" && data.x > a.data.x`}}, within, joins, true)
		},
		"last": func(tb testing.TB, joins bool) *bench {
			return newBench(tb, many, [][2]string{{"a", `type == "a"`}, {"b", `type == "b" && data.id == last(a).data.id`}}, engine.Policy{Within: time.Hour, Limit: 2000}, joins, true)
		},
		"sum": func(tb testing.TB, joins bool) *bench {
			return newBench(tb, many, [][2]string{{"a", `type == "a"`}, {"b", `type == "b" && sum(a.data.x) < -1`}}, engine.Policy{Within: time.Hour, Limit: 2000}, joins, true)
		},
		"count": func(tb testing.TB, joins bool) *bench {
			return newBench(tb, many, [][2]string{{"a", `type == "a"`}, {"b", `type == "b" && count(a) > 100000`}}, engine.Policy{Within: time.Hour, Limit: 2000}, joins, true)
		},
	}
}

// BenchmarkNothingChanges is an event that may concern what a hundred events have
// opened, and completes nothing.
func BenchmarkNothingChanges(b *testing.B) {
	for name, rule := range rules() {
		b.Run(name, func(b *testing.B) {
			k := rule(b, true)
			for i := range 100 {
				k.feed(numbered("a", i), time.Unix(0, 0))
			}
			e := numbered("b", -1)
			b.ReportAllocs()
			for b.Loop() {
				if k.feed(e, time.Unix(1, 0)) != 0 {
					b.Fatal("a match")
				}
			}
			b.ReportMetric(float64(k.s.Size().Runs), "runs")
		})
	}
}

// An event that changes nothing allocates nothing.
func TestNothingChangesWithoutGarbage(t *testing.T) {
	for name, rule := range rules() {
		for _, joins := range []bool{false, true} {
			k := rule(t, joins)
			for i := range 50 {
				k.feed(numbered("a", i), time.Unix(0, 0))
			}
			e := numbered("b", -1)
			k.feed(e, time.Unix(1, 0)) // fills what is kept from event to event
			in, key := *k.turn.In, []byte("k")
			allocs := testing.AllocsPerRun(20, func() {
				k.turn.In = &in
				k.s.Feed(&k.turn, key)
			})
			require.Zero(t, allocs, "%s, joins %v", name, joins, true)
			require.Empty(t, k.turn.Out)
		}
	}
}
