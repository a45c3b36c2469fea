//go:build unix

package cea_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/automaton"
	"github.com/rhost/rhost/cep/cea"
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/event"
)

// fourAny is a then any b then any c then any d, in a window of so many events,
// of which one comes every millisecond.
func fourAny(window int, skip engine.SkipKind) ([]engine.Step, engine.Policy) {
	var steps []engine.Step
	for i := range 4 {
		steps = append(steps, one(i, engine.Any))
	}
	return steps, engine.Policy{
		Within: time.Duration(window) * time.Millisecond, Limit: 1 << 20,
		Skip: engine.Skip{Kind: skip},
	}
}

func newCEA(t require.TestingT, steps []engine.Step, pol engine.Policy) engine.Engine {
	e, err := cea.Compile(steps, engine.Traits{}, pol)
	require.NoError(t, err)
	return e
}

func newNFA(t require.TestingT, steps []engine.Step, pol engine.Policy) engine.Engine {
	n, err := automaton.Compile(steps, engine.Traits{})
	require.NoError(t, err)
	m, err := automaton.NewMachine(n, pol)
	require.NoError(t, err)
	return m
}

// cpu is the time that the process has run. On a machine with other work it says
// more than a clock.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// belt shows a state one event after another.
type belt struct {
	s     engine.State
	turn  engine.Turn
	in    engine.Input
	ev    event.Event
	now   time.Time
	rnd   *rand.Rand
	rare  int // one event in so many is a d; 0: none
	keys  [][]byte
	step  time.Duration
	outs  int
	spent time.Duration
}

func newBelt(e engine.Engine, rare, keys int) *belt {
	b := &belt{s: e.New(), now: zero, rare: rare, rnd: rand.New(rand.NewPCG(1, 2)), step: time.Millisecond}
	b.ev = event.Event{ID: "0123456789", Source: "/bench", Type: "a"}
	for i := range keys {
		b.keys = append(b.keys, []byte("key-"+strconv.Itoa(i)))
	}
	return b
}

func (b *belt) next() {
	b.now = b.now.Add(b.step)
	for {
		at, ok := b.s.Deadline()
		if !ok || at.After(b.now) {
			break
		}
		b.s.Expire(&b.turn, b.now)
	}
	cond := engine.Cond(1 + b.rnd.IntN(3))
	if b.rare > 0 && b.rnd.IntN(b.rare) == 0 {
		cond = 4
	}
	b.feed(cond)
}

func (b *belt) feed(cond engine.Cond) {
	b.in = engine.Input{Ev: &b.ev, Order: b.in.Order + 1, At: b.now}
	b.turn.In, b.turn.Truth = &b.in, engine.Truth{Known: ^uint64(0), True: cond.Bit()}
	b.s.Feed(&b.turn, b.keys[b.rnd.IntN(len(b.keys))])
	b.outs += len(b.turn.Out)
	clear(b.turn.Out)
	b.turn.Out = b.turn.Out[:0]
}

// run shows n events and counts the time.
func (b *belt) run(n int) {
	from := cpu()
	for range n {
		b.next()
	}
	b.spent += cpu() - from
}

// BenchmarkWindow is what an event costs in a pattern that combines events and is
// never complete, by window and skip strategy: the windows take turns, so that
// what else the machine does hits all of them.
func BenchmarkWindow(b *testing.B) {
	for _, c := range []struct {
		name string
		skip engine.SkipKind
	}{{"none", engine.NoSkip}, {"past-last", engine.PastLast}} {
		b.Run("skip="+c.name, func(b *testing.B) {
			windows := []int{100, 500, 2000, 20_000}
			belts := make([]*belt, len(windows))
			for i, w := range windows {
				steps, pol := fourAny(w, c.skip)
				belts[i] = newBelt(newCEA(b, steps, pol), 0, 1)
				belts[i].run(2 * w)
				belts[i].spent = 0
			}
			const slice = 1000
			b.ResetTimer()
			for range b.N {
				for _, belt := range belts {
					belt.run(slice)
				}
			}
			for i, w := range windows {
				b.ReportMetric(float64(belts[i].spent.Nanoseconds())/float64(b.N*slice), fmt.Sprintf("cpu-ns/event@%d", w))
			}
			b.ReportMetric(float64(belts[2].spent)/float64(belts[0].spent), "2000:100")
			b.ReportMetric(float64(belts[3].s.Size().Bytes)/20_000, "B/windowed")
		})
	}
}

// BenchmarkBesideAutomaton is the same with the automaton beside, whose partial
// matches are bounded.
func BenchmarkBesideAutomaton(b *testing.B) {
	for _, window := range []int{100, 500, 2000} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			steps, pol := fourAny(window, engine.NoSkip)
			ours, nfa := newBelt(newCEA(b, steps, pol), 0, 1), newBelt(newNFA(b, steps, pol), 0, 1)
			ours.run(window)
			nfa.run(window)
			ours.spent, nfa.spent = 0, 0
			b.ResetTimer()
			for range b.N {
				ours.run(100)
				nfa.run(100)
			}
			b.ReportMetric(float64(ours.spent.Nanoseconds())/float64(b.N*100), "cea-cpu-ns/event")
			b.ReportMetric(float64(nfa.spent.Nanoseconds())/float64(b.N*100), "nfa-cpu-ns/event")
			b.ReportMetric(float64(nfa.turn.Overflow)/float64(b.N*100+window), "nfa-refused/event")
		})
	}
}

// BenchmarkMatches is what a match costs once it is complete; the last one is cut
// short by the bound on matches.
func BenchmarkMatches(b *testing.B) {
	for _, n := range []int{10, 30, 60} { // a, b and c each
		b.Run(fmt.Sprintf("each=%d", n), func(b *testing.B) {
			steps, pol := fourAny(1_000_000, engine.NoSkip)
			belt := newBelt(newCEA(b, steps, pol), 0, 1)
			for cond := engine.Cond(1); cond < 4; cond++ {
				for range n {
					belt.feed(cond)
				}
			}
			belt.feed(4)
			from := cpu()
			belt.outs = 0
			b.ResetTimer()
			for range b.N {
				belt.feed(4)
			}
			b.ReportMetric(float64((cpu()-from).Nanoseconds())/float64(belt.outs), "cpu-ns/match")
		})
	}
}

// BenchmarkRare is the rate when one event in ten thousand completes what there
// is, under the default skip, which gives out one match.
func BenchmarkRare(b *testing.B) {
	for _, window := range []int{100, 2000, 20_000} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			steps, pol := fourAny(window, engine.PastLast)
			belt := newBelt(newCEA(b, steps, pol), 10_000, 1)
			belt.run(2 * window)
			belt.spent, belt.outs = 0, 0
			b.ReportAllocs()
			b.ResetTimer()
			belt.run(b.N)
			b.ReportMetric(float64(belt.spent.Nanoseconds())/float64(b.N), "cpu-ns/event")
			b.ReportMetric(float64(belt.outs), "matches")
		})
	}
}

// BenchmarkKeys is the rate and the memory by the number of keys, each with a
// window of a hundred events.
func BenchmarkKeys(b *testing.B) {
	for _, keys := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			steps, pol := fourAny(100, engine.NoSkip)
			belt := newBelt(newCEA(b, steps, pol), 0, keys)
			belt.step /= time.Duration(keys)
			before := heap()
			belt.run(200 * keys)
			held := heap() - before
			belt.spent = 0
			b.ReportAllocs()
			b.ResetTimer()
			belt.run(b.N)
			b.ReportMetric(float64(belt.spent.Nanoseconds())/float64(b.N), "cpu-ns/event")
			b.ReportMetric(float64(held)/float64(100*keys), "heap-B/windowed")
			b.ReportMetric(float64(belt.s.Size().Bytes)/float64(100*keys), "B/windowed")
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
