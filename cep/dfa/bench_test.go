package dfa_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/event"
	"github.com/stretchr/testify/require"
)

// workload is a pattern and the truths of the events to feed it.
type workload struct {
	name   string
	m      *model
	truths []uint64 // one of them each time
}

func workloads() []workload {
	step := func(i int, l engine.Link) engine.Step {
		return engine.Step{Elem: i, Cond: engine.Cond(i + 1), Link: l, Repeat: engine.Then}
	}
	types := func(n, conds int) (all []uint64) {
		for i := range n {
			var truth uint64
			if i < conds {
				truth = 1 << i
			}
			all = append(all, truth)
		}
		return all
	}
	fail := step(0, engine.Next)
	fail.Min, fail.Max = 5, -1
	strict := []engine.Step{step(0, engine.Next)}
	for i := 1; i < 8; i++ {
		strict = append(strict, step(i, engine.Next))
	}
	pol := engine.Policy{Within: time.Hour}
	return []workload{
		{"a_then_b_then_c", &model{steps: []engine.Step{step(0, engine.Next), step(1, engine.Then), step(2, engine.Then)}, pol: pol}, types(20, 3)},
		{"fail5_then_ok", &model{steps: []engine.Step{fail, step(1, engine.Then)}, pol: pol}, []uint64{1, 1, 1, 1, 1, 1, 1, 1, 1, 2}},
		{"strict_8", &model{steps: strict, pol: pol}, types(8, 8)},
	}
}

func engines(b *testing.B, m *model, do func(b *testing.B, e engine.Engine)) {
	b.Run("dfa", func(b *testing.B) { do(b, compile(b, m)) })
	b.Run("nfa", func(b *testing.B) { do(b, nfa(b, m)) })
}

// BenchmarkFeed feeds both engines the same events, those too that meet no
// condition.
func BenchmarkFeed(b *testing.B) {
	for _, w := range workloads() {
		for _, keys := range []int{1, 10_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/keys=%d", w.name, keys), func(b *testing.B) {
				engines(b, w.m, func(b *testing.B, e engine.Engine) { feedMany(b, e, w.truths, keys) })
			})
		}
	}
}

func feedMany(b *testing.B, e engine.Engine, truths []uint64, keys int) {
	s := e.New()
	r := rand.New(rand.NewPCG(1, 2))
	next := make([]uint32, 1<<16)
	for i := range next {
		next[i] = r.Uint32()
	}
	ev := &event.Event{ID: "ev-1", Source: "bench", Type: "t"}
	now := time.Unix(0, 0).UTC()
	var t engine.Turn
	t.Truth.Known = ^uint64(0)
	var key [17]byte
	in := new(engine.Input)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		rnd := next[i&(len(next)-1)] + uint32(i>>16)*0x9e3779b9
		binary.BigEndian.PutUint32(key[:], rnd%uint32(keys))
		t.Truth.True = truths[(rnd>>20)%uint32(len(truths))]
		*in = engine.Input{Ev: ev, Order: uint64(i + 1), At: now.Add(time.Duration(i) * time.Millisecond)}
		if at, ok := s.Deadline(); ok && !at.After(in.At) {
			s.Expire(&t, in.At)
		}
		t.In = in
		s.Feed(&t, key[:])
		if len(t.Out) > 0 {
			clear(t.Out)
			t.Out = t.Out[:0]
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	runtime.KeepAlive(s)
}

// BenchmarkKey measures what a key with one open partial match takes, its key of
// 17 bytes included: without the event it holds, and with one of 300 bytes.
func BenchmarkKey(b *testing.B) {
	w := workloads()[0]
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprintf("events=%v", with), func(b *testing.B) {
			engines(b, w.m, func(b *testing.B, e engine.Engine) { perKey(b, e, with) })
		})
	}
}

func perKey(b *testing.B, e engine.Engine, with bool) {
	const keys = 1_000_000
	for range b.N {
		s := e.New()
		ev := &event.Event{ID: "ev-1", Source: "bench", Type: "t"}
		if with {
			ev.Data = make([]byte, 300)
		}
		in := &engine.Input{Ev: ev, Order: 1, At: time.Unix(0, 0).UTC()}
		in.Hold()
		t := &engine.Turn{In: in, Truth: engine.Truth{Known: ^uint64(0), True: 1}}
		before := heap()
		var key [17]byte
		for i := range keys {
			binary.BigEndian.PutUint64(key[:], uint64(i))
			if with {
				t.In = &engine.Input{Ev: ev, Order: uint64(i + 1), At: in.At}
			}
			s.Feed(t, key[:])
		}
		size := s.Size()
		require.Equal(b, keys, size.Keys)
		b.ReportMetric(float64(heap()-before)/keys, "B/key")
		b.ReportMetric(float64(size.Bytes)/keys, "B/key_told")
		runtime.KeepAlive(s)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
