package host

import (
	"context"
	"fmt"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
)

// maxLanes is more than any machine has use for.
const maxLanes = 256

// laneLayout says how events are spread over the lanes of a matcher. Nothing in
// the log depends on it, so the next start may have another. Snapshots do.
type laneLayout struct {
	n  int
	by event.Path
}

// String names the layout; one lane has no name.
func (l laneLayout) String() string {
	if l.n <= 1 {
		return ""
	}
	return fmt.Sprintf("%d by %s", l.n, l.by)
}

func (c Config) layout() laneLayout {
	by, err := event.ParsePath(c.PartitionBy)
	if err != nil || c.Lanes <= 1 {
		return laneLayout{n: 1} // it was checked before
	}
	return laneLayout{n: c.Lanes, by: by}
}

// checkLanes checks the keys lanes and partition_by.
func (c Config) checkLanes() error {
	switch {
	case c.Lanes < 0 || c.Lanes > maxLanes:
		return fmt.Errorf("rhost.yaml: lanes: %d is not between 1 and %d; a machine with 8 processors has use for 8", c.Lanes, maxLanes)
	case c.Lanes > 1 && c.PartitionBy == "":
		return fmt.Errorf("rhost.yaml: lanes: %d lanes need partition_by, the path that most rules have in `by`, such as data.ip", c.Lanes)
	case c.PartitionBy == "":
		return nil
	case c.Lanes <= 1:
		return fmt.Errorf("rhost.yaml: partition_by: %s spreads events over lanes, and there is one; add lanes: 4, or remove the key", c.PartitionBy)
	}
	if _, err := event.ParsePath(c.PartitionBy); err != nil {
		return fmt.Errorf("rhost.yaml: partition_by: %w", err)
	}
	return nil
}

// LaneSummary says how events are spread.
type LaneSummary struct {
	Lanes       int    `json:"lanes"`
	PartitionBy string `json:"partition_by"`
	// Rekeyed are the rules that go by something else, and look at several events:
	// all of them are matched on one lane more, which is shown what they need.
	Rekeyed []string `json:"rekeyed,omitempty"`
}

// summary says what the layout does to rules; nil where there is one lane.
func (l laneLayout) summary(rules *RuleSet) *LaneSummary {
	if l.n <= 1 {
		return nil
	}
	s := &LaneSummary{Lanes: l.n, PartitionBy: l.by.String()}
	for _, name := range rules.names() {
		if at, ok := rules.Program.Placement(name, l.by); ok && at == cep.Rekeyed {
			s.Rekeyed = append(s.Rekeyed, name)
		}
	}
	return s
}

// rebuild makes the matcher for a snapshot that was taken on other lanes, where the
// log does not go back to its beginning any more: the rules in force then see
// again what there is of it, up to where the snapshot was taken.
func (l *lane) rebuild(ctx context.Context, set *RuleSet, to eventlog.Position) error {
	l.matcher = cep.NewLanes(set.Program, cep.Options{Tenant: l.tenant, Tables: set.Tables}, l.lanes.n, l.lanes.by)
	return l.log.Read(ctx, l.log.First(), func(f *eventlog.Frame) error {
		events, err := decodeEvents(f, l.events)
		if err != nil {
			return err
		}
		l.events = events
		n := len(events)
		for n > 0 && f.At(n-1).Compare(to) > 0 {
			n--
		}
		for i := 0; i < n; {
			i += max(1, l.match(f.Records[i:n], events[i:n])) // past a change of rules
		}
		return nil
	})
}
