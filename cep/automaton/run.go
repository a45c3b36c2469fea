package automaton

import "time"

// run is a partial match: a state, and the events bound on the way there.
type run struct {
	head  *node
	start start // the first event that counts
	state int32

	// Under a policy that lets it (Machine.best), a run also speaks for later
	// starts: heirs.starts[lo:hi], see share.go.
	lo, hi int32
	heirs  *line
}

// start is where a run's events begin in its chain.
type start struct {
	ev  *Held
	cut int32 // how many events of the chain lie before it
}

func (r *run) bound() Bound {
	if r.head == nil {
		return Bound{}
	}
	return Bound{r.head, int(r.head.n - r.start.cut)}
}

// Runs is what one key has open. The zero Runs is ready for use; it belongs to
// the goroutine that steps it.
type Runs struct {
	open   []run
	ripe   []Done // complete, waiting for runs that began earlier
	starts int    // open start events, or more: expired ones may still count
}

// Empty reports whether nothing is open.
func (r *Runs) Empty() bool { return len(r.open) == 0 && len(r.ripe) == 0 }

// Len is the number of open runs.
func (r *Runs) Len() int { return len(r.open) }

// First gives the event that the first open run began with, or nil.
func (r *Runs) First() *Held {
	var first *Held
	for i := range r.open {
		if h := r.open[i].start.ev; first == nil || h.Order < first.Order {
			first = h
		}
	}
	return first
}

// replace makes next the open runs. There is little room to spare: most keys
// have a run or two, and there may be a million keys.
func (r *Runs) replace(next []run) {
	if c := cap(r.open); len(next) > c || c > 8 && c > 4*len(next) {
		r.open = make([]run, 0, len(next)+len(next)/4)
	}
	old := r.open
	r.open = append(r.open[:0], next...)
	if len(old) > len(r.open) {
		clear(old[len(r.open):])
	}
	if len(r.open) == 0 {
		r.open = nil
	}
}

// deadline is when q runs out of time.
func (m *Machine) deadline(q *run) (t time.Time, ok bool) {
	if m.pol.Within > 0 {
		t, ok = q.start.ev.At.Add(m.pol.Within), true
	}
	if w := m.nfa.states[q.state].wait; w > 0 {
		if u := q.head.ev.At.Add(w); !ok || u.Before(t) {
			t, ok = u, true
		}
	}
	return t, ok
}

// Deadline says when Expire has something to do for r. It is exact when running
// out of time has an outcome; otherwise it is the time when r can first be made
// smaller.
func (m *Machine) Deadline(r *Runs) (first time.Time, ok bool) {
	for i := range r.open {
		q := &r.open[i]
		t, has := m.deadline(q)
		if m.quiet && has && q.lo < q.hi {
			t = q.heirs.starts[q.hi-1].ev.At.Add(m.pol.Within)
		}
		if has && (!ok || t.Before(first)) {
			first, ok = t, true
		}
	}
	return first, ok
}

// Later says when to call Expire next, at now, for runs whose Deadline is at.
// Where running out of time has no outcome, it need not be at once: the later,
// the more there is to free.
func (m *Machine) Later(now, at time.Time) time.Time {
	if !m.quiet {
		return at
	}
	if t := now.Add(m.pol.Within / 8); t.After(at) {
		return t
	}
	return at
}
