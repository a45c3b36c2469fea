package host

import (
	"sync"
	"time"
)

// clock is the wall clock as the log and the lane read it. It never goes back, and it
// never stands still: when the wall clock is set back, it goes on from where it was,
// so that what was due in a minute is due in a minute. When the wall clock is set
// forward, or the machine was asleep, it follows. It is safe for concurrent use.
//
// A timer is a time of this clock. It is late by no more than what the wall clock
// was set back while the host was down, and not even that if the log has a record
// from then: what is in the log is in the past.
type clock struct {
	wall    func() time.Time
	elapsed func() time.Duration // since some moment; whatever happens to the wall clock

	mu    sync.Mutex
	at    time.Time     // latest reading; guarded by mu
	spent time.Duration // elapsed at that moment; guarded by mu
}

// newClock is the clock of this machine.
func newClock() *clock {
	began := time.Now()
	return &clock{wall: time.Now, elapsed: func() time.Duration { return time.Since(began) }}
}

// now is the time.
func (c *clock) now() time.Time { return c.atLeast(time.Time{}) }

// atLeast sets the clock forward, if it is behind a time, and reads it.
func (c *clock) atLeast(floor time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, spent := c.wall().Round(0), c.elapsed()
	if !c.at.IsZero() {
		c.at = c.at.Add(max(spent-c.spent, 0))
	}
	c.spent = spent
	for _, t := range []time.Time{wall, floor} {
		if t.After(c.at) {
			c.at = t
		}
	}
	return c.at
}
