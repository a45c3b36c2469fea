package automaton

import (
	"cmp"
	"slices"
	"time"
)

// Done is a match, or a partial match that ran out of time.
type Done struct {
	Outcome  Outcome
	Bound    Bound
	Start    *Held
	Trigger  *Held     // the completing event, which need not be bound; nil unless Complete
	At       time.Time // lane time when it was given out
	Deadline time.Time // unless Complete
}

// first orders what completes together: earliest start first, then most events,
// then earliest events.
func first(a, b Done) int {
	if c := cmp.Compare(a.Start.Order, b.Start.Order); c != 0 {
		return c
	}
	if c := cmp.Compare(b.Bound.n, a.Bound.n); c != 0 {
		return c
	}
	return a.Bound.earlier(b.Bound)
}

// finish gives out what the step completed. What it gives out prunes the rest.
func (m *Machine) finish(w *Worker) {
	r := w.r
	ready := w.done
	if m.pol.Emit == Ordered && m.pol.Skip.Kind != NoSkip {
		r.ripe = append(r.ripe, w.done...)
		ready = r.ripe
	}
	if len(ready) == 0 {
		return
	}
	slices.SortStableFunc(ready, first)
	rest := ready
	for len(rest) > 0 && w.Err == nil && !w.waits(rest[0]) {
		d := rest[0]
		rest = rest[1:]
		bar, err := bar(m.pol.Skip, d)
		if err != nil {
			w.Err = err
			break
		}
		d.At = w.at
		w.Out = append(w.Out, d)
		if bar > 0 {
			w.prune(bar)
			rest = slices.DeleteFunc(rest, func(o Done) bool { return o.Start.Order < bar })
		}
	}
	if m.pol.Emit == Ordered && m.pol.Skip.Kind != NoSkip {
		r.ripe = keepRipe(r.ripe, rest)
	}
}

// keepRipe gives rest, which is a part of ripe, room of its own.
func keepRipe(ripe, rest []Done) []Done {
	if len(rest) == 0 {
		return nil
	}
	n := copy(ripe, rest)
	clear(ripe[n:])
	return ripe[:n]
}

// waits reports whether d must wait for an open run that began earlier.
func (w *Worker) waits(d Done) bool {
	if w.m.pol.Emit != Ordered || w.m.pol.Skip.Kind == NoSkip {
		return false
	}
	earlier := slices.ContainsFunc(w.next, func(q run) bool { return q.start.ev.Order < d.Start.Order })
	w.r.all(func(q *run) { earlier = earlier || q.start.ev.Order < d.Start.Order })
	return earlier
}

// bar gives the order below which starts are pruned once d is given out; 0
// prunes nothing.
func bar(s Skip, d Done) (uint64, error) {
	switch s.Kind {
	case NoSkip:
		return 0, nil
	case PastLast:
		return d.Bound.head.ev.Order + 1, nil
	case ToNext:
		return d.Start.Order + 1, nil
	case ToFirst, ToLast:
	}
	var to *Held
	if s.Kind == ToFirst {
		to = d.Bound.first(func(nd *node) bool { return int(nd.elem) == s.Elem })
	} else if all := d.Bound.AppendElem(nil, s.Elem); len(all) > 0 {
		to = all[len(all)-1]
	}
	switch {
	case s.Strict && (to == nil || to == d.Start):
		return 0, ErrMiss
	case to == nil:
		return 0, nil
	}
	return to.Order, nil
}

// prune drops the runs that began before bar. A run that speaks for later starts
// goes on as the first of those that stay.
func (w *Worker) prune(bar uint64) {
	w.r.roster = nil
	stays := func(q *run) bool {
		for q.start.ev.Order < bar {
			if !q.promote() {
				return false
			}
		}
		return true
	}
	next := group{runs: w.next}
	next.keep(stays)
	w.next = next.runs
	for i := range w.r.groups {
		w.r.groups[i].keep(stays)
	}
}

// timeouts gives out the partial matches that ran out of time, once each: forks
// may hold the same events.
func (w *Worker) timeouts() {
	slices.SortStableFunc(w.over, first)
	for i, d := range w.over {
		if i == 0 || first(w.over[i-1], d) != 0 {
			w.Out = append(w.Out, d)
		}
	}
}
