package automaton

// admit holds the open starts of a key to the limit, once the step has opened
// one more.
func (m *Machine) admit(w *Worker, r *Runs) {
	held := w.in.held
	opened := false
	for i := range w.next {
		opened = opened || w.next[i].began(held)
	}
	if !opened {
		return // its runs are complete or pruned already
	}
	r.starts++
	if r.starts <= m.pol.Limit {
		return
	}
	r.starts = m.count(w)
	for r.starts > m.pol.Limit {
		if !m.pol.DropOld {
			w.Rejected++
			w.refuse(held)
			r.starts--
			return
		}
		oldest := w.next[0].start.ev
		for i := range w.next {
			if h := w.next[i].start.ev; h.Order < oldest.Order {
				oldest = h
			}
		}
		w.Dropped++
		w.prune(oldest.Order + 1)
		r.starts--
	}
}

// began reports whether r, or an heir of it, began with h. No start is later
// than that of the event being fed, so only the last heir can be it.
func (r *run) began(h *Held) bool {
	return r.start.ev == h || r.lo < r.hi && r.heirs.starts[r.hi-1].ev == h
}

// refuse drops the runs that the event being fed began.
func (w *Worker) refuse(h *Held) {
	kept := w.next[:0]
	for _, q := range w.next {
		if q.start.ev == h {
			continue
		}
		if q.began(h) {
			q.hi--
		}
		kept = append(kept, q)
	}
	clear(w.next[len(kept):])
	w.next = kept
}

// count gives the number of different events that open runs began with, leaving
// out those that have run out of time.
func (m *Machine) count(w *Worker) int {
	w.gen++
	n := 0
	mark := func(h *Held) {
		if h.mark != w.gen && (m.pol.Within <= 0 || w.at.Before(h.At.Add(m.pol.Within))) {
			h.mark = w.gen
			n++
		}
	}
	for i := range w.next {
		q := &w.next[i]
		mark(q.start.ev)
		if q.lo >= q.hi {
			continue
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
	return n
}
