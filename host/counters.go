package host

import "sync/atomic"

// counters are totals since the lane began to run. The lane counts; anyone
// reads.
type counters struct {
	events, matches, actions, failed, dead, bad atomic.Uint64
}

// action counts an attempt, or the end of an execution.
func (c *counters) action(a Action) {
	switch {
	case a.Step == "":
		if a.Status != "done" && a.Status != "dropped" {
			c.dead.Add(1)
		}
	case a.Status == "ok" || a.Status == "dropped":
		c.actions.Add(1)
	default:
		c.actions.Add(1)
		c.failed.Add(1)
	}
}

func (c *counters) load() Counts {
	return Counts{
		Events: c.events.Load(), Matches: c.matches.Load(), Actions: c.actions.Load(),
		Failed: c.failed.Load(), DeadLetters: c.dead.Load(), BadRecords: c.bad.Load(),
	}
}
