package window

import (
	"time"

	"github.com/rhost/rhost/event"
)

// State is what a plan holds for one key. The zero State is ready to be used. A
// State belongs to one plan and one goroutine; copying one that was used shares
// what it points to.
type State struct {
	started bool
	now     time.Time
	from    time.Time // of the window that is due next
	to      time.Time // its end; of count windows, nothing
	open    *partial  // the window, or the pane of sliding windows, that takes events
	panes   *panes    // of sliding windows
}

// New gives a State that holds nothing.
func (p *Plan) New() *State { return &State{} }

// Empty reports whether s holds no event, so that forgetting it loses nothing.
func (s *State) Empty() bool {
	return (s.open == nil || s.open.n == 0) && s.panes.empty()
}

// Deadline is when the next result is due: Advance to that time gives it. A count
// window has none, nor has a State that is empty.
func (p *Plan) Deadline(s *State) (time.Time, bool) {
	if p.spec.Kind == Count || s.Empty() {
		return time.Time{}, false
	}
	return s.to, true
}

// Advance moves the key's time on to now, unless that lies behind, and appends
// the results of windows that end by then to dst, in order of their ends. It
// takes as long as there are results, however far the time moves.
func (p *Plan) Advance(s *State, now time.Time, dst []Result) []Result {
	if s.started && !now.After(s.now) {
		return dst
	}
	s.started, s.now = true, now.UTC()
	if p.spec.Kind == Count {
		return dst
	}
	for !s.Empty() && !s.to.After(s.now) {
		if p.spec.Kind == Sliding {
			dst = append(dst, p.slide(s))
			continue
		}
		dst = append(dst, p.result(s.open, s.from, s.to))
		s.open.reset()
	}
	return dst
}

// Add takes an event at a time, with the values of Paths, and appends the results
// of windows that end before it, or with it, to dst. Time moves on first, so an
// event at the end of a window comes after its result; an event behind the key's
// time counts as at that time. The order is whatever the caller knows the event
// by. The values may be reused afterwards.
func (p *Plan) Add(s *State, at time.Time, values []event.Value, order uint64, dst []Result) []Result {
	dst = p.Advance(s, at, dst)
	at = s.now
	if p.spec.Kind == Sliding {
		p.pane(s, at).add(p, at, values, order)
		return dst
	}
	if s.open == nil {
		s.open = p.empty()
	}
	if s.open.n == 0 {
		s.from, s.to = at, time.Time{}
		if p.spec.Kind == Tumbling {
			s.from = Floor(at, p.spec.Size)
			s.to = s.from.Add(p.spec.Size)
		}
	}
	s.open.add(p, at, values, order)
	switch {
	case p.spec.Kind == Session:
		s.to = at.Add(p.spec.Size)
	case p.spec.Kind == Count && s.open.n >= p.spec.Count:
		dst = append(dst, p.result(s.open, s.from, at))
		s.open.reset()
	}
	return dst
}
