// Package schedule makes events at set times: by a cron expression in a time
// zone, or every so often.
//
// An event's id is derived from the source and the time it was due, so that a
// tick is accepted once, whatever restarts. Ticks that were missed while the host
// was down are not made up for, but the last of them is told.
package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
)

const minEvery = 100 * time.Millisecond

// Config is the `schedule:` of a source. Exactly one of Cron and Every is set.
type Config struct {
	Cron     string         `yaml:"cron"`     // five fields: "0 3 * * mon-fri"
	Every    time.Duration  `yaml:"every"`    // counted from the epoch, so that a restart shifts nothing
	Timezone string         `yaml:"timezone"` // of Cron; UTC
	Type     string         `yaml:"type"`     // type of the events; schedule.tick
	Data     map[string]any `yaml:"data"`     // payload of the events, beside "due"
}

// Validate reports everything wrong with c.
func (c *Config) Validate() error {
	var errs []error
	switch {
	case (c.Cron == "") == (c.Every == 0):
		errs = append(errs, errors.New("set exactly one of cron and every"))
	case c.Cron != "":
		if _, err := cron.ParseStandard(c.Cron); err != nil {
			errs = append(errs, fmt.Errorf("cron: %q: %w; write five fields, such as 0 3 * * mon-fri", c.Cron, err))
		}
	case c.Every < minEvery:
		errs = append(errs, fmt.Errorf("every: %v is below %v", c.Every, minEvery))
	}
	if _, err := time.LoadLocation(c.Timezone); err != nil {
		errs = append(errs, fmt.Errorf("timezone: %w; write a name such as Europe/Berlin", err))
	}
	if strings.HasPrefix(c.Type, "rhost.") {
		errs = append(errs, fmt.Errorf("type: %q starts with rhost., which is reserved for the host; choose another prefix", c.Type))
	}
	if _, ok := c.Data["due"]; ok {
		errs = append(errs, errors.New("data: due is what the schedule itself says; use another name"))
	}
	return errors.Join(errs...)
}

// Source ticks.
type Source struct {
	name string
	typ  string
	data map[string]any
	next func(after time.Time) time.Time

	every time.Duration // 0 for a cron expression
}

// New returns the source called name. The config must be valid.
func New(name string, c *Config) (*Source, error) {
	s := &Source{name: name, typ: c.Type, data: c.Data}
	if s.typ == "" {
		s.typ = "schedule.tick"
	}
	if c.Every > 0 {
		s.every = c.Every
		s.next = func(after time.Time) time.Time { return after.Truncate(c.Every).Add(c.Every) }
		return s, nil
	}
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return nil, fmt.Errorf("timezone: %w", err)
	}
	spec, err := cron.ParseStandard(c.Cron)
	if err != nil {
		return nil, fmt.Errorf("cron: %w", err)
	}
	s.next = func(after time.Time) time.Time { return spec.Next(after.In(zone)) }
	return s, nil
}

// Finite is false.
func (s *Source) Finite() bool { return false }

// Run submits an event at each tick.
func (s *Source) Run(ctx context.Context, cursor []byte, sink connect.Sink) error {
	last := time.Now()
	if cursor != nil {
		if err := last.UnmarshalText(cursor); err != nil {
			return fmt.Errorf("cursor of schedule %s: %w", s.name, err)
		}
	}
	for {
		due := s.due(last, time.Now())
		if due.IsZero() {
			return nil // an expression that no day satisfies
		}
		timer := time.NewTimer(time.Until(due))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if err := s.tick(ctx, due, sink); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // it was asked to stop
			}
			return err
		}
		last = due
	}
}

// due is the tick after last; of several that are past, the latest.
func (s *Source) due(last, now time.Time) time.Time {
	if s.every > 0 {
		if latest := now.Truncate(s.every); latest.After(last) {
			return latest // at once, however many were missed
		}
	}
	due := s.next(last)
	for {
		later := s.next(due)
		if due.IsZero() || later.IsZero() || later.After(now) {
			return due
		}
		due = later
	}
}

func (s *Source) tick(ctx context.Context, due time.Time, sink connect.Sink) error {
	payload := map[string]any{"due": due.UTC()}
	maps.Copy(payload, s.data)
	data, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("data of schedule %s: %w", s.name, err)
	}
	cursor, err := due.MarshalText()
	if err != nil {
		return fmt.Errorf("cursor of schedule %s: %w", s.name, err)
	}
	return sink.Submit(ctx, connect.Batch{
		Events: []event.Event{{
			ID: due.UTC().Format(time.RFC3339Nano), Source: "/rhost/schedules/" + s.name, Type: s.typ, Time: due.UTC(), Data: data,
		}},
		Cursor: cursor,
	})
}
