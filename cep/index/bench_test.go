package index_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"syscall"
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
	fieldFile
	fieldSize
	benchFields
)

// bench makes conditions without a Set.
type bench struct{}

func (*bench) atom(f int, op predicate.Op, v ...event.Value) predicate.Formula {
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
			return w.atom(fieldFile, predicate.OpPrefix, text("/srv/%08x/", scatter(i)))
		},
		func(w *bench, i int, fields []event.Value) {
			fields[fieldFile] = text("/srv/%08x/index.html", scatter(i))
		},
	},
	{
		"suffix", func(w *bench, i int) predicate.Formula {
			return w.atom(fieldFile, predicate.OpSuffix, text("/%08x.exe", scatter(i)))
		},
		func(w *bench, i int, fields []event.Value) {
			fields[fieldFile] = text("/usr/bin/%08x.exe", scatter(i))
		},
	},
	{
		"contains", func(w *bench, i int) predicate.Formula {
			return w.atom(fieldFile, predicate.OpContains, text("/%08x/", scatter(i)))
		},
		func(w *bench, i int, fields []event.Value) { fields[fieldFile] = text("/home/%08x/notes", scatter(i)) },
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
			return w.atom(fieldFile, predicate.OpMatches, text("(?i)^.*/%08X.*/run$", scatter(i)))
		},
		func(w *bench, i int, fields []event.Value) {
			fields[fieldFile] = text("/Opt/%08x-1/bin/Run", scatter(i))
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
		fields[fieldFile] = text("/srv/www/%x/index-%d.html", r.Uint32(), r.IntN(1000))
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

// BenchmarkMatch reports for each mix and number of conditions the rate, memory
// and build time, and beside them the counting algorithm on the same events.
// Times are of the processor, as machines that run benchmarks do other things.
func BenchmarkMatch(b *testing.B) {
	for _, m := range mixes {
		for _, n := range benchSizes() {
			b.Run(fmt.Sprintf("%s/%d", m.name, n), func(b *testing.B) { benchMatch(b, m, n) })
			if n <= 100_000 {
				b.Run(fmt.Sprintf("%s/%d/counting", m.name, n), func(b *testing.B) { benchCounting(b, m, n) })
			}
		}
	}
}

// cpu is the processor time used so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// buildMix builds in chunks, so that the formulas of a million conditions need
// not be in memory at once and their making is not counted.
func buildMix(b *testing.B, m mix, n int) (*index.Segment, time.Duration) {
	w, builder := new(bench), index.NewBuilder()
	var took time.Duration
	var chunk []predicate.Formula
	for i := range n {
		chunk = append(chunk, m.rule(w, i))
		if len(chunk) == 10_000 || i == n-1 {
			start := cpu()
			for j := range chunk {
				builder.Add(chunk[j])
			}
			took += cpu() - start
			chunk = chunk[:0]
		}
	}
	start := cpu()
	s, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	return s, took + cpu() - start
}

func benchMatch(b *testing.B, m mix, n int) {
	events := benchEvents(m, n)
	before := heap()
	s, built := buildMix(b, m, n)
	size := float64(heap()-before) / float64(n)

	var sc index.Scratch
	var dst []index.ID
	for i := range events {
		dst = s.Match(&sc, &events[i], dst[:0])
	}
	hits := 0
	b.ReportAllocs()
	b.ResetTimer()
	start := cpu()
	for i := range b.N {
		dst = s.Match(&sc, &events[i%len(events)], dst[:0])
		hits += len(dst)
	}
	b.ReportMetric(float64(b.N)/(cpu()-start).Seconds(), "events/cpu-s")
	b.StopTimer()
	b.ReportMetric(size, "B/rule")
	b.ReportMetric(built.Seconds(), "build-cpu-s")
	b.ReportMetric(float64(hits)/float64(b.N), "hits/event")
	runtime.KeepAlive(s)
}

func benchCounting(b *testing.B, m mix, n int) {
	events := benchEvents(m, n)
	w := new(bench)
	formulas := make([]predicate.Formula, n)
	for i := range formulas {
		formulas[i] = m.rule(w, i)
	}
	c := newCounting(benchFields, formulas)
	hits := 0
	var dst []index.ID
	b.ResetTimer()
	start := cpu()
	for i := range b.N {
		dst = c.match(&events[i%len(events)], dst[:0])
		hits += len(dst)
	}
	b.ReportMetric(float64(b.N)/(cpu()-start).Seconds(), "events/cpu-s")
	b.ReportMetric(float64(hits)/float64(b.N), "hits/event")
}

// BenchmarkLoad loads compiled segments from bytes.
func BenchmarkLoad(b *testing.B) {
	for _, m := range mixes {
		n := benchSizes()[len(benchSizes())-1]
		b.Run(fmt.Sprintf("%s/%d", m.name, n), func(b *testing.B) {
			s, _ := buildMix(b, m, n)
			stored := s.AppendBinary(nil)
			b.SetBytes(int64(len(stored)))
			b.ResetTimer()
			start := cpu()
			for range b.N {
				if _, err := index.Load(stored, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpu()-start).Seconds()/float64(b.N), "cpu-s/load")
		})
	}
}

// BenchmarkWith edits an index of many conditions one by one.
func BenchmarkWith(b *testing.B) {
	n := benchSizes()[len(benchSizes())-1]
	m := mixes[slices.IndexFunc(mixes, func(m mix) bool { return m.name == "two-field" })]
	s, _ := buildMix(b, m, n)
	x, w := index.NewIndex(s), new(bench)
	start := cpu()
	for i := range b.N {
		var err error
		if x, err = x.With([]predicate.Formula{m.rule(w, n+i)}, []index.ID{index.ID(i)}); err != nil {
			b.Fatal(err)
		}
		if c := x.Compact(); c != nil {
			if err := c.Run(); err != nil {
				b.Fatal(err)
			}
			x = x.Apply(c)
		}
	}
	b.ReportMetric(float64(b.N)/(cpu()-start).Seconds(), "edits/cpu-s")
	b.ReportMetric(float64(len(x.Segments())), "segments")
}
