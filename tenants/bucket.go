package tenants

import (
	"cmp"
	"math"
	"time"
)

// Bucket limits a rate and allows a burst at once, of one second's worth unless it
// was made with another. It keeps the instant at which it will be full again: taking
// n tokens moves that instant n token intervals into the future, and a bucket whose
// instant has passed is full.
//
// The instants given need not be ordered; an earlier one than before finds at
// most as much as was left. The zero Bucket sets no limit.
type Bucket struct {
	rate  int64         // tokens a second; 0: no limit
	depth time.Duration // what a full bucket holds, as time; 0: defaultDepth
	full  time.Time     // when the bucket is full again
}

// defaultDepth is how far into the future Take may move the instant.
const defaultDepth = time.Second

// NewBucket returns a full bucket that refills with rate tokens a second. A
// rate of zero or below sets no limit.
func NewBucket(rate int64) Bucket { return Bucket{rate: max(rate, 0)} }

// NewBurst returns a full bucket that holds burst tokens and refills with rate
// tokens a second. A burst of zero or below is one second's worth.
func NewBurst(rate, burst int64) Bucket {
	b := NewBucket(rate)
	if b.rate > 0 && burst > 0 {
		b.depth = b.cost(burst)
	}
	return b
}

// Take takes n tokens at now, all or none. When they are not there it takes
// nothing and says how long until they are. More tokens than a full bucket
// holds are given by a full one, which then owes them, so that a large item is
// slow but never stuck.
func (b *Bucket) Take(now time.Time, n int64) (wait time.Duration, ok bool) {
	if wait = b.Wait(now, n); wait > 0 {
		return wait, false
	}
	b.Charge(now, n)
	return 0, true
}

// Wait returns how long until Take would give n tokens; 0 when it would now.
func (b *Bucket) Wait(now time.Time, n int64) time.Duration {
	if b.rate == 0 || n <= 0 {
		return 0
	}
	depth := cmp.Or(b.depth, defaultDepth)
	owed := max(b.full.Sub(now), 0)
	room := depth - min(b.cost(n), depth)
	return max(owed-room, 0)
}

// Charge takes n tokens whether or not they are there. It is for work whose
// price is known only afterwards: the debt delays what comes next.
func (b *Bucket) Charge(now time.Time, n int64) {
	if b.rate == 0 || n <= 0 {
		return
	}
	if b.full.Before(now) {
		b.full = now
	}
	b.full = b.full.Add(b.cost(n))
}

// Refund gives back n tokens that were taken for what did not come about. More than
// was taken does no harm: a bucket is never fuller than full.
func (b *Bucket) Refund(n int64) {
	if b.rate > 0 && n > 0 {
		b.full = b.full.Add(-b.cost(n))
	}
}

// SetRate changes the rate from now on. What was taken before keeps the delay it
// was given.
func (b *Bucket) SetRate(rate int64) { b.rate = max(rate, 0) }

// cost is how long n tokens take to come in, rounded up so that rounding never
// lets more through than the rate. It stops at about a century, which keeps
// instants far from overflow.
func (b *Bucket) cost(n int64) time.Duration {
	const most = 1 << 61
	ns := math.Ceil(float64(n) / float64(b.rate) * float64(time.Second))
	return time.Duration(min(ns, most))
}
