package automaton_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// BenchmarkFolds is an event that completes nothing, shown to runs that have bound
// up to n events each: those of n starts, whose condition asks of all that is bound,
// so that none speaks for another. Without folds each run lists its events.
func BenchmarkFolds(b *testing.B) {
	steps := then(-1, 1)
	pol := engine.Policy{Within: time.Hour, Limit: 10_000, Skip: engine.Skip{Kind: engine.NoSkip}}
	for _, ask := range []string{"count(a) > 100000", "sum(a.data.x) < -1", "avg(a.data.x) < -1", "max(a.data.x) < -1", "first(a).data.x < -1", "last(a).data.x < -1"} {
		for _, n := range []int{10, 100, 1000} {
			for _, folds := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/bound=%d/folds=%v", ask[:3], n, folds), func(b *testing.B) {
					k := newBench(b, steps, [][2]string{{"a", `type == "a"`}, {"b", `type == "b" && ` + ask}}, pol, false, folds)
					for i := range n {
						k.feed(numbered("a", i), time.Unix(0, 0))
					}
					e := numbered("b", -1)
					b.ReportAllocs()
					for b.Loop() {
						if k.feed(e, time.Unix(1, 0)) != 0 {
							b.Fatal("a match")
						}
					}
					runs := k.s.Size().Runs
					b.ReportMetric(float64(runs), "runs")
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*runs), "ns/run")
				})
			}
		}
	}
}
