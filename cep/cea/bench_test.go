package cea_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
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
		steps = append(steps, engine.Step{Elem: i, Cond: engine.Cond(i + 1), Link: engine.Any})
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

// belt shows a state one event after another.
type belt struct {
	s    engine.State
	turn engine.Turn
	in   engine.Input
	ev   event.Event
	now  time.Time
	rnd  *rand.Rand
	rare int // one event in so many is a d; 0: none
	keys [][]byte
	step time.Duration
	outs int
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
	b.in = engine.Input{Ev: &b.ev, Order: b.in.Order + 1, At: b.now}
	b.turn.In, b.turn.Truth = &b.in, engine.Truth{Known: ^uint64(0), True: cond.Bit()}
	b.s.Feed(&b.turn, b.keys[b.rnd.IntN(len(b.keys))])
	b.outs += len(b.turn.Out)
	clear(b.turn.Out)
	b.turn.Out = b.turn.Out[:0]
}

// BenchmarkWindow is the rate at which events go through a pattern that combines
// them, by window. Beside it the automaton, whose runs are bounded.
func BenchmarkWindow(b *testing.B) {
	for _, rare := range []int{0, 10_000} {
		for _, window := range []int{100, 500, 2000, 20_000} {
			for _, c := range []struct {
				name string
				make func(require.TestingT, []engine.Step, engine.Policy) engine.Engine
				most int
			}{{"cea", newCEA, 1 << 30}, {"nfa", newNFA, 2000}} {
				if window > c.most || c.name == "nfa" && rare > 0 {
					continue
				}
				b.Run(fmt.Sprintf("d=%d/window=%d/%s", rare, window, c.name), func(b *testing.B) {
					steps, pol := fourAny(window, engine.NoSkip)
					belt := newBelt(c.make(b, steps, pol), rare, 1)
					for range 2 * window {
						belt.next()
					}
					b.ReportAllocs()
					b.ResetTimer()
					for range b.N {
						belt.next()
					}
					b.StopTimer()
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
					if rare > 0 {
						b.ReportMetric(float64(belt.outs)/float64(b.N+2*window), "matches/event")
					} else {
						b.ReportMetric(float64(belt.s.Size().Bytes)/float64(window), "B/windowed")
					}
				})
			}
		}
	}
}

// BenchmarkMatches is what a match costs once it is complete: the last event of
// each turn completes as many as the bound allows.
func BenchmarkMatches(b *testing.B) {
	for _, n := range []int{10, 30, 60} { // a, b and c each
		b.Run(fmt.Sprintf("each=%d", n), func(b *testing.B) {
			steps, pol := fourAny(1_000_000, engine.NoSkip)
			belt := newBelt(newCEA(b, steps, pol), 0, 1)
			feed := func(cond engine.Cond) {
				belt.now = belt.now.Add(time.Nanosecond)
				belt.in = engine.Input{Ev: &belt.ev, Order: belt.in.Order + 1, At: belt.now}
				belt.turn.In, belt.turn.Truth = &belt.in, engine.Truth{Known: ^uint64(0), True: cond.Bit()}
				belt.s.Feed(&belt.turn, belt.keys[0])
			}
			for cond := engine.Cond(1); cond < 4; cond++ {
				for range n {
					feed(cond)
				}
			}
			b.ResetTimer()
			matches := 0
			for range b.N {
				feed(4)
				matches += len(belt.turn.Out)
				clear(belt.turn.Out)
				belt.turn.Out = belt.turn.Out[:0]
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(matches), "ns/match")
		})
	}
}

// BenchmarkKeys is the rate and the memory by the number of keys, each with a
// window of about a hundred events.
func BenchmarkKeys(b *testing.B) {
	for _, keys := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			steps, pol := fourAny(100, engine.NoSkip)
			belt := newBelt(newCEA(b, steps, pol), 0, keys)
			belt.step /= time.Duration(keys)
			before := heap()
			for range 200 * keys {
				belt.next()
			}
			held := heap() - before
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				belt.next()
			}
			b.StopTimer()
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
