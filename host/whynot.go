package host

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
)

// Why a rule did not match is told over the log as it is kept, read again with the
// rule as it is now: of a rule with a condition or a pattern the furthest partial
// match, of others the windows, values and times. Beside it stands how the rule
// itself has fared.
type (
	whyNotPattern struct {
		*cep.Furthest
		Running Running `json:"running"`
	}
	whyNotQuiet struct {
		*analysis.QuietReport
		Running Running `json:"running"`
	}
)

// Running is how a rule has fared in a running host.
type Running struct {
	Mode   string       `json:"mode"`
	Since  time.Time    `json:"since,omitzero"` // when the rule became what it is; it has seen no event from before
	Now    time.Time    `json:"now,omitzero"`   // of the lane
	Clock  string       `json:"clock"`          // what moves the lane's time: events, or wall when it also follows the clock
	Counts []RuleCounts `json:"counts,omitempty"`
	Busy   string       `json:"busy,omitempty"`  // why the rest is missing
	Begins time.Time    `json:"begins,omitzero"` // when the log does, where its beginning was removed: nothing from before was looked at
}

// WhyNot reads the log again with the rule as it is now, so that explaining
// costs the lane nothing while nobody asks.
func (b backend) WhyNot(ctx context.Context, name string) (json.RawMessage, error) {
	set := b.current()
	rule, ok := set.Program.Rule(name)
	if !ok {
		return nil, noRule(name, set)
	}
	if rule.Mode == cep.Off {
		return nil, fmt.Errorf("rule %s is off, so nothing runs it; set mode: shadow or live (%w)", name, api.ErrInvalid)
	}
	running := b.running(ctx, rule)
	if analysis.Waits(rule) {
		report, err := b.quiet(ctx, rule, set.Tables)
		if err != nil {
			return nil, apiError(err)
		}
		return json.Marshal(whyNotQuiet{report, running})
	}
	furthest, err := b.furthest(ctx, rule, set.Tables)
	if err != nil {
		return nil, apiError(err)
	}
	return json.Marshal(whyNotPattern{furthest, running})
}

// running asks the lane about the rule.
func (b backend) running(ctx context.Context, rule *cep.Rule) Running {
	r := Running{Mode: rule.Mode.String(), Clock: "wall"}
	if b.admit.eventClock {
		r.Clock = "events"
	}
	ctx, cancel := context.WithTimeout(ctx, laneWait)
	defer cancel()
	err := b.lane.ask(ctx, func() {
		m := b.lane.matching(rule.Name)
		r.Since, r.Now, r.Counts = b.lane.inForceSince(rule.Name), m.Now, m.Rules
	})
	if begins, err := begins(ctx, b.log); err == nil {
		r.Begins = begins
	}
	if err != nil {
		r.Busy = "the lane does not answer: " + err.Error()
	}
	return r
}

func (b backend) furthest(ctx context.Context, rule *cep.Rule, tables *cep.Tables) (*cep.Furthest, error) {
	program, err := cep.Compile([]*cep.Rule{rule})
	if err != nil {
		return nil, err
	}
	m := cep.NewMatcher(program, cep.Options{Tenant: b.tenant.String(), Explain: true, Tables: tables})
	var matches []cep.Match
	err = b.everyRecord(ctx, func(r *eventlog.Record) error {
		matches, err = feed(m, r, matches[:0])
		return err
	})
	furthest, _ := m.WhyNot(rule.Name)
	return &furthest, err
}

func (b backend) quiet(ctx context.Context, rule *cep.Rule, tables *cep.Tables) (*analysis.QuietReport, error) {
	q, err := analysis.NewQuiet(rule, tables)
	if err != nil {
		return nil, err
	}
	err = b.everyRecord(ctx, func(r *eventlog.Record) error {
		at := cep.Position{Lane: r.Lane, Seq: r.LaneSeq}
		switch r.Kind {
		case eventlog.Event:
			ev, _, err := event.DecodeBinary(r.Body)
			if err != nil {
				return fmt.Errorf("decode event: %w", err)
			}
			q.Feed(&ev, at, clockOf(r, &ev))
		case eventlog.Tick:
			q.Advance(r.Ingest, at)
		case eventlog.Revision, eventlog.Checkpoint, eventlog.Claim, eventlog.Origin:
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	report := q.Report()
	return &report, nil
}

func (b backend) everyRecord(ctx context.Context, fn func(*eventlog.Record) error) error {
	return b.log.Read(ctx, eventlog.Position{}, func(f *eventlog.Frame) error {
		for i := range f.Records {
			if err := fn(&f.Records[i]); err != nil {
				return err
			}
		}
		return nil
	})
}
