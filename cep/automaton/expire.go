package automaton

import "time"

// Expire moves the runs of one key on to a point in time, one deadline after the
// other.
func (m *Machine) Expire(w *Worker, r *Runs, now time.Time) {
	w.begin(m, r, now)
	if m.quiet {
		m.sweep(r, now)
		return
	}
	for w.Err == nil {
		at, ok := m.Deadline(r)
		if !ok || at.After(now) {
			break
		}
		w.at = at
		m.expire(w)
		w.end()
	}
}

// sweep drops the runs that have run out of time.
func (m *Machine) sweep(r *Runs, now time.Time) {
	for i := range r.groups {
		r.groups[i].keep(func(q *run) bool { return m.renew(q, now) })
	}
	r.add(nil)
}

// expire ends the runs whose deadline is the time of the step.
func (m *Machine) expire(w *Worker) {
	w.r.roster = nil
	for i := range w.r.groups {
		w.r.groups[i].keep(func(q *run) bool { return w.inTime(q) })
	}
	m.finish(w)
	w.timeouts()
}

// inTime ends q, and then each of its heirs, for as long as their deadline has
// come, and reports whether one is left.
func (w *Worker) inTime(q *run) bool {
	for {
		t, has := w.m.deadline(q)
		if !has || t.After(w.at) {
			return true
		}
		d := Done{Outcome: TimedOut, Bound: q.bound(), Start: q.start.ev, At: w.at, Deadline: t}
		if w.m.nfa.states[q.state].fires {
			d.Outcome = ByTime
			w.done = append(w.done, d)
		} else if w.m.pol.OnTimeout {
			w.over = append(w.over, d)
		}
		if !q.promote() {
			return false
		}
	}
}
