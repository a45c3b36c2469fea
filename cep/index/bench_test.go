package index_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/rhost/rhost/cep/index"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// A mix is a sort of conditions, and events of which about one in ten meets one.
type mix struct {
	name string
	rule func(w *bench, i int) predicate.Formula
	hit  func(w *bench, i int, fields []event.Value) // makes an event meet rule i
}

// The fields of benchmark events.
const (
	fieldType = iota
	fieldUser
	fieldPath_
	fieldSize
	benchFields
)

// bench makes conditions without a Set.
type bench struct{ types []*predicate.Atom }

func (w *bench) atom(f int, op predicate.Op, v ...event.Value) predicate.Formula {
	a, err := predicate.NewAtom(f, fieldPath(f), op, false, v)
	if err != nil {
		panic(err)
	}
	return predicate.Formula{Kind: predicate.FormulaAtom, Atom: a, Want: predicate.True}
}

func and(kids ...predicate.Formula) predicate.Formula {
	return predicate.Formula{Kind: predicate.FormulaAnd, Kids: kids}
}

func text(format string, args ...any) event.Value {
	return event.StringValue(fmt.Sprintf(format, args...))
}

// scatter makes numbers that look random and differ.
func scatter(i int) uint32 { return uint32(i) * 2654435761 }

const benchTypes = 20

var mixes = []mix{
	{
		"exact", func(w *bench, i int) predicate.Formula {
			return w.atom(fieldUser, predicate.OpEq, text("user-%d", i))
		},
		func(w *bench, i int, fields []event.Value) { fields[fieldUser] = text("user-%d", i) },
	},
	{
		"prefix", func(w *bench, i int) predicate.Formula {
			return w.atom(fieldPath_, predicate.OpPrefix, text("/srv/%08x/", scatter(i)))
		},
		func(w *bench, i int, fields []event.Value) {
			fields[fieldPath_] = text("/srv/%08x/index.html", scatter(i))
		},
	},
	{
		"suffix", func(w *bench, i int) predicate.Formula {
			return w.atom(fieldPath_, predicate.OpSuffix, text("/%08x.exe", scatter(i)))
		},
		func(w *bench, i int, fields []event.Value) {
			fields[fieldPath_] = text("/usr/bin/%08x.exe", scatter(i))
		},
	},
	{
		"contains", func(w *bench, i int) predicate.Formula {
			return w.atom(fieldPath_, predicate.OpContains, text("/%08x/", scatter(i)))
		},
		func(w *bench, i int, fields []event.Value) { fields[fieldPath_] = text("/home/%08x/notes", scatter(i)) },
	},
	{
		"range", func(w *bench, i int) predicate.Formula {
			x := float64(scatter(i))
			return and(w.atom(fieldSize, predicate.OpGe, event.NumberValue(x)), w.atom(fieldSize, predicate.OpLt, event.NumberValue(x+3000)))
		},
		func(w *bench, i int, fields []event.Value) {
			fields[fieldSize] = event.NumberValue(float64(scatter(i)) + 1)
		},
	},
	{
		"wildcard", func(w *bench, i int) predicate.Formula {
			return w.atom(fieldPath_, predicate.OpMatches, text("(?i)^.*/%08X.*/run$", scatter(i)))
		},
		func(w *bench, i int, fields []event.Value) {
			fields[fieldPath_] = text("/Opt/%08x-1/bin/Run", scatter(i))
		},
	},
	{
		"two-field", func(w *bench, i int) predicate.Formula {
			return and(w.atom(fieldType, predicate.OpEq, text("type.%d", i%benchTypes)), w.atom(fieldUser, predicate.OpEq, text("user-%d", i)))
		},
		func(w *bench, i int, fields []event.Value) {
			fields[fieldType], fields[fieldUser] = text("type.%d", i%benchTypes), text("user-%d", i)
		},
	},
	{
		"two-crowded", func(w *bench, i int) predicate.Formula {
			return and(w.atom(fieldType, predicate.OpEq, text("type.%d", i%1000)), w.atom(fieldUser, predicate.OpEq, text("host-%d", i/1000)))
		},
		func(w *bench, i int, fields []event.Value) {
			fields[fieldType], fields[fieldUser] = text("type.%d", i%1000), text("host-%d", i/1000)
		},
	},
}

// benchEvents makes events with all fields, every tenth of which meets a rule.
func benchEvents(m mix, rules int) []predicate.Event {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]predicate.Event, 4096)
	for i := range out {
		fields := make([]event.Value, benchFields)
		fields[fieldType] = text("type.%d", r.IntN(2*benchTypes))
		fields[fieldUser] = text("guest-%d", r.IntN(1<<30))
		fields[fieldPath_] = text("/srv/www/%x/index-%d.html", r.Uint32(), r.IntN(1000))
		fields[fieldSize] = event.NumberValue(-float64(r.IntN(1 << 30)))
		if i%10 == 0 {
			m.hit(new(bench), r.IntN(rules), fields)
		}
		out[i] = predicate.Event{Ev: &event.Event{}, Fields: fields}
	}
	return out
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	return ms.HeapAlloc
}

// benchSizes are the numbers of conditions; a million takes minutes, so it is
// asked for by RHOST_SOAK.
func benchSizes() []int {
	if os.Getenv("RHOST_SOAK") != "" {
		return []int{1, 1000, 100_000, 1_000_000}
	}
	return []int{1, 1000, 100_000}
}

func BenchmarkMatch(b *testing.B) {
	for _, m := range mixes {
		for _, n := range benchSizes() {
			b.Run(fmt.Sprintf("%s/%d", m.name, n), func(b *testing.B) { benchMatch(b, m, n) })
		}
	}
}

func benchMatch(b *testing.B, m mix, n int) {
	w := new(bench)
	events := benchEvents(m, n)
	before := heap()
	start := time.Now()
	builder := index.NewBuilder()
	var making time.Duration
	for i := range n {
		at := time.Now()
		f := m.rule(w, i)
		making += time.Since(at)
		builder.Add(f)
	}
	s, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	built := time.Since(start) - making
	builder = nil
	size := float64(heap()-before) / float64(n)

	var sc index.Scratch
	var dst []index.ID
	hits := 0
	for i := range events {
		dst = s.Match(&sc, &events[i], dst[:0])
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		dst = s.Match(&sc, &events[i%len(events)], dst[:0])
		hits += len(dst)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(size, "B/rule")
	b.ReportMetric(built.Seconds(), "build-s")
	b.ReportMetric(float64(hits)/float64(b.N), "hits/event")
	runtime.KeepAlive(s)
}
