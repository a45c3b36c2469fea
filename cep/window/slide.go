package window

import (
	"slices"
	"time"
)

// panes are the closed panes of a sliding window, as a queue made of two stacks:
// the front holds, for each of its panes, what all panes from it to the front's
// end hold together; total is what those of the back hold together. A window is
// then the top of the front and total, merged, and a pane takes part in three
// merges in its life, however many windows it belongs to (Tangwongsan, Hirzel,
// Schneider, Low-latency sliding-window aggregation in worst-case constant time,
// DEBS 2017, describe it as Two-Stacks). Nothing is ever subtracted, so that
// every aggregate will do.
//
// Stacks are turned over only when a window is given out, never when time merely
// passes; what is merged with what, and so the last digit of a sum, follows from
// the events alone.
type panes struct {
	openTo time.Time  // end of State.open
	front  []*partial // the last is the earliest pane
	back   []*partial // the first is the earliest pane
	total  *partial
	spare  []*partial
}

// maxSpare is how many partials that are not in use are kept.
const maxSpare = 2

func (q *panes) empty() bool { return q == nil || len(q.front) == 0 && len(q.back) == 0 }

// pane gives the pane that takes an event at a time, which is never before the
// one that took the last.
func (p *Plan) pane(s *State, at time.Time) *partial {
	if s.panes == nil {
		s.panes = &panes{total: p.empty()}
	}
	q := s.panes
	if s.open != nil && at.Before(q.openTo) {
		return s.open
	}
	if s.Empty() {
		s.from = p.spec.earliest(at)
		s.to = s.from.Add(p.spec.Size)
	}
	p.closePane(s)
	s.open = q.take(p)
	s.open.from, q.openTo = p.spec.pane(at)
	return s.open
}

// closePane puts the open pane, if there is one, behind the others.
func (p *Plan) closePane(s *State) {
	if s.open == nil {
		return
	}
	s.panes.back = append(s.panes.back, s.open)
	s.panes.total.merge(s.open)
	s.open = nil
}

// slide gives the result of the window that is due and goes on to the next one.
// Its panes are closed: they end where windows do.
func (p *Plan) slide(s *State) Result {
	p.closePane(s)
	q := s.panes
	var r Result
	switch n := len(q.front); {
	case n == 0:
		r = p.result(q.total, s.from, s.to)
	case len(q.back) == 0:
		r = p.result(q.front[n-1], s.from, s.to)
	default:
		both := q.take(p)
		both.merge(q.front[n-1])
		both.merge(q.total)
		r = p.result(both, s.from, s.to)
		q.give(both)
	}
	s.from, s.to = s.from.Add(p.spec.Slide), s.to.Add(p.spec.Slide)
	q.dropBefore(s.from)
	return r
}

// dropBefore forgets the panes that start before a time. The earliest one that
// stays began before the end of the last window, and so lies in the next one:
// there is never an empty window to be skipped.
func (q *panes) dropBefore(from time.Time) {
	for !q.empty() {
		if len(q.front) == 0 {
			if !q.back[0].from.Before(from) {
				return
			}
			q.turn()
		}
		last := len(q.front) - 1
		if !q.front[last].from.Before(from) {
			return
		}
		q.give(q.front[last])
		q.front[last] = nil
		q.front = q.front[:last]
	}
}

// turn moves the back to the front, which is empty.
func (q *panes) turn() {
	for i, pt := range slices.Backward(q.back) {
		if i+1 < len(q.back) {
			pt.merge(q.back[i+1])
		}
		q.front = append(q.front, pt)
	}
	clear(q.back)
	q.back = q.back[:0]
	q.total.reset()
}

// take gives a partial that holds nothing.
func (q *panes) take(p *Plan) *partial {
	if n := len(q.spare); n > 0 {
		pt := q.spare[n-1]
		q.spare = q.spare[:n-1]
		return pt
	}
	return p.empty()
}

// give takes back a partial that is no longer used.
func (q *panes) give(pt *partial) {
	if len(q.spare) < maxSpare {
		pt.reset()
		q.spare = append(q.spare, pt)
	}
}
