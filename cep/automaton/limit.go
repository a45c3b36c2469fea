package automaton

import (
	"cmp"
	"slices"
	"time"
)

// admit holds the open starts of a key to the limit, once the step has opened
// one more.
func (m *Machine) admit(w *Worker) {
	r, held := w.r, w.in.Hold()
	if !slices.ContainsFunc(w.next, func(q run) bool { return q.began(held) }) {
		return // its runs are complete or pruned already
	}
	if r.starts++; r.starts <= m.pol.Limit && r.roster == nil {
		return
	}
	m.call(w)
	if r.starts <= m.pol.Limit {
		return
	}
	r.starts--
	if !m.pol.DropOld {
		r.roster.open = r.roster.open[:r.starts]
		w.Rejected++
		w.refuse(held)
		return
	}
	w.Dropped++
	w.prune(r.roster.open[0].Order + 1)
}

// call makes the roster, and with it the number of open starts, exact. The event
// being fed is the last of them.
func (m *Machine) call(w *Worker) {
	r := w.r
	if r.roster == nil {
		r.roster = &roster{m.open(w)}
	} else {
		gone := 0
		for gone < len(r.roster.open) && m.late(r.roster.open[gone], w.at) {
			gone++
		}
		r.roster.open = append(slices.Delete(r.roster.open, 0, gone), w.in.Hold())
	}
	r.starts = len(r.roster.open)
}

// late reports whether what began with h has run out of time.
func (m *Machine) late(h *Held, now time.Time) bool {
	return m.pol.Within > 0 && !now.Before(h.At.Add(m.pol.Within))
}

// began reports whether r, or an heir of it, began with h. No start is later
// than that of the event being fed, so only the last heir can be it.
func (r *run) began(h *Held) bool {
	return r.start.ev == h || r.last() == h
}

// last gives the start that has time for longest.
func (r *run) last() *Held {
	if r.lo < r.hi {
		return r.heirs.starts[r.hi-1].ev
	}
	return r.start.ev
}

// refuse drops the runs that the event being fed began; all of them are new.
func (w *Worker) refuse(h *Held) {
	next := group{runs: w.next}
	next.keep(func(q *run) bool {
		if q.start.ev == h {
			return false
		}
		if q.began(h) {
			q.hi--
		}
		return true
	})
	w.next = next.runs
}

// open lists the different events that open runs began with, oldest first,
// leaving out those that have run out of time.
func (m *Machine) open(w *Worker) (starts []*Held) {
	w.gen++
	mark := func(h *Held) {
		if h.Mark != w.gen && !m.late(h, w.at) {
			h.Mark = w.gen
			starts = append(starts, h)
		}
	}
	visit := func(q *run) {
		mark(q.start.ev)
		if q.lo >= q.hi {
			return
		}
		// Runs share lines: count the part that has not been counted yet.
		l := q.heirs
		if l.mark != w.gen {
			l.mark, l.lo, l.hi = w.gen, q.lo, q.lo
		}
		for ; l.lo > q.lo; l.lo-- {
			mark(l.starts[l.lo-1].ev)
		}
		for ; l.hi < q.hi; l.hi++ {
			mark(l.starts[l.hi].ev)
		}
	}
	for i := range w.next {
		visit(&w.next[i])
	}
	w.r.all(visit)
	slices.SortFunc(starts, func(a, b *Held) int { return cmp.Compare(a.Order, b.Order) })
	return starts
}
