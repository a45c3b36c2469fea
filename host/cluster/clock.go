package cluster

import "time"

// Clock is the time as a Member has it. Only differences count, as the clocks of
// nodes are not the same; a wall clock that is set must not show in them.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f, in a goroutine of its own, after d.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a call that is to come. Stop and Reset are those of time.Timer.
type Timer interface {
	Stop() bool
	Reset(d time.Duration) bool
}

// wallClock is the clock of this machine, which counts on whatever its wall clock is
// set to.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
