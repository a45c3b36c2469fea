package window_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rhost/rhost/cep/window"
	"github.com/rhost/rhost/event"
)

// naive is the common way to do sliding windows: every window that is open has an
// aggregate of its own, and each event is added to all of them. The aggregates are
// the same; each is a session that is closed when its window ends.
type naive struct {
	plan   *window.Plan
	spec   window.Spec
	starts []time.Time
	states []*window.State
}

func (n *naive) add(at time.Time, vs []event.Value, order uint64, dst []window.Result) []window.Result {
	for len(n.starts) > 0 && !n.starts[0].Add(n.spec.Size).After(at) {
		dst = n.plan.Advance(n.states[0], at.Add(2*n.plan.Spec().Size), dst)
		n.starts, n.states = n.starts[1:], n.states[1:]
	}
	from := window.Floor(at, n.spec.Slide)
	if len(n.starts) == 0 || n.starts[len(n.starts)-1].Before(from) {
		n.starts, n.states = append(n.starts, from), append(n.states, n.plan.New())
	}
	for _, s := range n.states {
		dst = n.plan.Add(s, at, vs, order, dst)
	}
	return dst
}

// BenchmarkSliding adds an event every millisecond to a window of 10 s that
// overlaps 1 to 1,000 others, that is, slides every 10 s to every 10 ms.
func BenchmarkSliding(b *testing.B) {
	sets := []struct {
		name  string
		texts []string
	}{
		{"sums", []string{"count()", "avg(data.x)", "max(data.x)", "stddev(data.x)"}},
		{"sketches", []string{"quantile(data.x, 0.99)", "distinct(data.x)"}},
	}
	for _, set := range sets {
		for _, overlap := range []int{1, 10, 100, 1000} {
			spec := window.Spec{Kind: window.Sliding, Size: 10 * time.Second, Slide: 10 * time.Second / time.Duration(overlap)}
			b.Run(fmt.Sprintf("%s/overlap=%d/panes", set.name, overlap), func(b *testing.B) {
				p := compile(b, spec.String(), set.texts...)
				s := p.New()
				run(b, func(at time.Time, vs []event.Value, order uint64, dst []window.Result) []window.Result {
					return p.Add(s, at, vs, order, dst)
				})
			})
			b.Run(fmt.Sprintf("%s/overlap=%d/naive", set.name, overlap), func(b *testing.B) {
				n := &naive{plan: compile(b, "session 1h", set.texts...), spec: spec}
				run(b, n.add)
			})
		}
	}
}

// BenchmarkAdd is one event into a tumbling window, per aggregate.
func BenchmarkAdd(b *testing.B) {
	for _, let := range allLets() {
		b.Run(let.Text, func(b *testing.B) {
			p := compile(b, "tumbling 10s", let.Text)
			s := p.New()
			run(b, func(at time.Time, vs []event.Value, order uint64, dst []window.Result) []window.Result {
				return p.Add(s, at, vs, order, dst)
			})
		})
	}
}

func run(b *testing.B, add func(at time.Time, vs []event.Value, order uint64, dst []window.Result) []window.Result) {
	b.Helper()
	b.ReportAllocs()
	vs := make([]event.Value, 2)
	var dst []window.Result
	start := time.Unix(1_700_000_000, 0)
	i := uint64(0)
	for b.Loop() {
		x := event.NumberValue(float64(i * 2654435761 % 1000))
		vs[0], vs[1] = x, x
		dst = add(start.Add(time.Duration(i)*time.Millisecond), vs, i, dst[:0])
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
