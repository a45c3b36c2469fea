package host

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rhost/rhost/cep"
)

// Matching is what the rules hold and have counted, since the beginning of the log.
type Matching struct {
	Now    time.Time    `json:"now"`    // of the lane
	Keys   int          `json:"keys"`   // with anything open
	Open   int          `json:"open"`   // partial matches
	Pieces int          `json:"pieces"` // of the index of conditions; edits add some, and joining them is done beside
	Rules  []RuleCounts `json:"rules"`  // that hold or have counted anything
	More   int          `json:"more,omitempty"`
}

// RuleCounts is what one rule holds and has counted. What bounds, missing keys and
// values made different is here, and nowhere hidden.
type RuleCounts struct {
	Rule     string `json:"rule"`
	Version  string `json:"version"`
	Draining bool   `json:"draining,omitempty"` // an earlier version, which finishes what it has open
	Matches  uint64 `json:"matches"`
	Open     int    `json:"open"` // partial matches; of a rule over windows or values, keys
	Keys     int    `json:"keys"`
	Bytes    int    `json:"bytes"` // of memory, about, without the events

	Timeouts uint64 `json:"timeouts,omitempty"`
	Keyless  uint64 `json:"keyless,omitempty"`  // events that met a condition and had no value for `by`
	Rejected uint64 `json:"rejected,omitempty"` // start events that `limit` refused
	Dropped  uint64 `json:"dropped,omitempty"`  // start events that made room for others
	Overflow uint64 `json:"overflow,omitempty"` // partial matches, matches or keys beyond what is kept
	Ignored  uint64 `json:"ignored,omitempty"`  // values that could not be aggregated
	Unsure   uint64 `json:"unsure,omitempty"`   // matches whose score was below `at_least`, or unknown
	Stopped  string `json:"stopped,omitempty"`  // why the rule sees no more events
}

// Bounded counts what bounds and missing values made different.
func (c *RuleCounts) Bounded() uint64 {
	return c.Keyless + c.Rejected + c.Dropped + c.Overflow + c.Ignored + c.Unsure
}

const (
	maxCounted = 1000            // rules in a Matching
	laneWait   = 2 * time.Second // for the lane to answer, which does not while the disk is full
)

// Matching asks the lane what its rules hold and have counted. The rules that were
// stopped, and those that bounds made a difference to, come first, then those with
// the most matches. Once Run has returned the lane is asked no more, and tells how
// it ended.
func (h *Host) Matching(ctx context.Context) (*Matching, error) {
	ctx, cancel := context.WithTimeout(ctx, laneWait)
	defer cancel()
	var m *Matching
	err := h.lane.ask(ctx, func() { m = h.lane.matching("") })
	select {
	case <-h.lane.done: // and so nobody else's
		return h.lane.matching(""), nil
	default:
		return m, err
	}
}

// matching is what the rules hold, or the one named.
func (l *lane) matching(only string) *Matching {
	s := l.matcher.Stats()
	m := &Matching{Now: l.matcher.Now(), Keys: s.Keys, Open: s.Runs, Pieces: l.rules.Program.Pieces(), Rules: []RuleCounts{}}
	stopped := make(map[string]string)
	for _, e := range l.matcher.Stopped() {
		stopped[e.Rule] = e.Err.Error()
	}
	for i := range s.Rules {
		if r := &s.Rules[i]; only == "" || r.Rule == only {
			c := countsOf(r)
			c.Stopped = stopped[r.Rule]
			m.Rules = append(m.Rules, c)
		}
	}
	slices.SortStableFunc(m.Rules, func(a, b RuleCounts) int {
		return cmp.Or(cmp.Compare(len(b.Stopped), len(a.Stopped)), cmp.Compare(b.Bounded(), a.Bounded()), cmp.Compare(b.Matches, a.Matches))
	})
	m.More = max(0, len(m.Rules)-maxCounted)
	m.Rules = m.Rules[:len(m.Rules)-m.More]
	return m
}

func countsOf(r *cep.RuleStats) RuleCounts {
	return RuleCounts{
		Rule: r.Rule, Version: r.Version, Draining: r.Draining, Matches: r.Matches, Open: r.Runs, Keys: r.Keys, Bytes: r.Bytes,
		Timeouts: r.Timeouts, Keyless: r.Keyless, Rejected: r.Rejected, Dropped: r.Dropped, Overflow: r.Overflow,
		Ignored: r.Ignored, Unsure: r.Unsure,
	}
}
