package cep

import (
	"time"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/trigger"
)

// scheduleEngine matches at times of the day. It is an engine.Engine.
type scheduleEngine struct{ schedule *trigger.Schedule }

func (e *scheduleEngine) Plan() engine.Plan {
	return engine.Plan{Engine: "schedule", Why: "lane time alone makes it match", States: 1, Bound: "one time"}
}

func (e *scheduleEngine) Needs() engine.Needs { return engine.Needs{Always: true} }

func (e *scheduleEngine) New() engine.State { return &scheduleState{s: e.schedule} }

// scheduleState is when a schedule last matched.
type scheduleState struct {
	s       *trigger.Schedule
	started bool
	last    time.Time
	due     []time.Time // of the step of lane time that is under way
}

func (s *scheduleState) Start(now time.Time) { s.started, s.last = true, now }

func (s *scheduleState) Feed(*engine.Turn, []byte) {}

func (s *scheduleState) Deadline() (time.Time, bool) {
	if len(s.due) > 0 {
		return s.due[0], true
	}
	if !s.started {
		return time.Time{}, false
	}
	next := s.s.Next(s.last)
	return next, !next.IsZero()
}

// Expire first works out which times the step of lane time passed that count, so
// that those that do not need not be gone through one by one.
func (s *scheduleState) Expire(t *engine.Turn, now time.Time) {
	if len(s.due) == 0 {
		var cut bool
		s.due, cut = s.s.Due(s.last, t.Until, s.due[:0])
		if cut {
			t.Overflow++
		}
		if len(s.due) == 0 {
			s.last = t.Until
		}
	}
	for len(s.due) > 0 && !s.due[0].After(now) {
		s.last = s.due[0]
		s.due = s.due[1:]
		t.Out = append(t.Out, engine.Done{Outcome: engine.ByTime, At: s.last, Deadline: s.last})
	}
}

func (s *scheduleState) Size() engine.Size { return engine.Size{} }
func (s *scheduleState) Empty() bool       { return !s.started }
func (s *scheduleState) Clear()            { *s = scheduleState{s: s.s} }

// The form of the state, version 1: whether it was started, the last time, and
// how many times are due, and each.
const scheduleVersion = 1

func (s *scheduleState) AppendTo(e *engine.Encoder) {
	e.Uint(scheduleVersion)
	e.Bool(s.started)
	e.Time(s.last)
	e.Uint(uint64(len(s.due)))
	for _, at := range s.due {
		e.Time(at)
	}
}

func (s *scheduleState) Restore(d *engine.Decoder) error {
	if v := d.Uint(); v != scheduleVersion {
		d.Fail("version %d of a schedule's state", v)
	}
	s.started, s.last = d.Bool(), d.Time()
	for range d.Len(2) {
		s.due = append(s.due, d.Time())
	}
	return d.Err()
}
