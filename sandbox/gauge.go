package sandbox

import (
	"context"
	"math"
	"math/bits"
	"sync"
	"time"
)

// Stats is how the calls of a version went.
type Stats struct {
	Module string        `json:"module"` // digest
	Calls  uint64        `json:"calls"`
	Faults uint64        `json:"faults"`
	Fuel   float64       `json:"fuel"` // mean of the calls without a fault
	P50    time.Duration `json:"p50"`  // of wall time, to a fifth
	P99    time.Duration `json:"p99"`
}

// faultShare is the share of the calls that faulted.
func (s Stats) faultShare() float64 {
	if s.Calls == 0 {
		return 0
	}
	return float64(s.Faults) / float64(s.Calls)
}

// A gauge forgets: when it holds memory calls it halves all counts, so that what
// it tells is of the latest ones.
const (
	memory  = 1 << 15
	steps   = 4          // buckets to each doubling of the time
	buckets = 33 * steps // from 1 µs to more than an hour
	least   = time.Microsecond
)

// gauge counts the calls of a version.
type gauge struct {
	mu     sync.Mutex
	total  uint64          // guarded by mu; calls that were ever counted
	calls  uint64          // guarded by mu
	faults uint64          // guarded by mu
	fuel   float64         // guarded by mu; of the calls without a fault
	wall   [buckets]uint64 // guarded by mu; calls without a fault, by time
}

// add counts a call. One that ended because its caller gave up says nothing of
// the version.
func (g *gauge) add(ctx context.Context, u Usage, err error) {
	if ctx.Err() != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total++
	g.calls++
	if err != nil {
		g.faults++
	} else {
		g.fuel += float64(u.Fuel)
		g.wall[bucket(u.Wall)]++
	}
	if g.calls >= memory {
		g.calls, g.faults, g.fuel = g.calls/2, g.faults/2, g.fuel/2
		for i := range g.wall {
			g.wall[i] /= 2
		}
	}
}

// seen is how many calls were ever counted.
func (g *gauge) seen() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.total
}

// stats gives the counts as they are now.
func (g *gauge) stats(digest string) Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Stats{Module: digest, Calls: g.calls, Faults: g.faults}
	if good := g.calls - g.faults; good > 0 {
		s.Fuel = g.fuel / float64(good)
	}
	s.P50, s.P99 = g.quantile(0.5), g.quantile(0.99)
	return s
}

// quantile is the upper bound of the bucket that the share q of the calls does not
// go beyond.
func (g *gauge) quantile(q float64) time.Duration {
	var all uint64
	for _, n := range g.wall {
		all += n
	}
	if all == 0 {
		return 0
	}
	want := uint64(math.Ceil(q * float64(all)))
	for i, n := range g.wall {
		if n >= want {
			return upper(i)
		}
		want -= n
	}
	return upper(buckets - 1)
}

// bucket is the bucket of a time: those of each doubling are equally wide.
func bucket(d time.Duration) int {
	n := uint64(max(d, 0) / least)
	if n < steps {
		return int(n)
	}
	log := bits.Len64(n) - 1 // at least 2
	return min((log-1)*steps+int(n>>(log-2))-steps, buckets-1)
}

// upper is the time at which a bucket ends.
func upper(i int) time.Duration {
	if i < steps {
		return time.Duration(i+1) * least
	}
	log, part := i/steps+1, i%steps
	return time.Duration((steps+part+1)<<(log-2)) * least
}
