package automaton

import "time"

// Expire moves the runs of one key on to a point in time, one deadline after the
// other.
func (m *Machine) Expire(w *Worker, r *Runs, now time.Time) {
	w.begin(m, now)
	if m.quiet {
		m.sweep(w, r)
		return
	}
	for w.Err == nil {
		at, ok := m.Deadline(r)
		if !ok || at.After(now) {
			break
		}
		w.at = at
		m.expire(w, r)
		w.end()
	}
}

// sweep drops the runs that have run out of time.
func (m *Machine) sweep(w *Worker, r *Runs) {
	for i := range r.open {
		if q := &r.open[i]; m.renew(q, w.at) {
			w.next = append(w.next, *q)
		}
	}
	r.replace(w.next)
	w.end()
}

// expire ends the runs whose deadline is the time of the step.
func (m *Machine) expire(w *Worker, r *Runs) {
	for i := range r.open {
		q := r.open[i]
		alive := true
		for alive {
			t, has := m.deadline(&q)
			if !has || t.After(w.at) {
				break
			}
			d := Done{Outcome: TimedOut, Bound: q.bound(), Start: q.start.ev, At: w.at, Deadline: t}
			if m.nfa.states[q.state].fires {
				d.Outcome = ByTime
				w.done = append(w.done, d)
			} else if m.pol.OnTimeout {
				w.over = append(w.over, d)
			}
			alive = q.promote()
		}
		if alive {
			w.next = append(w.next, q)
		}
	}
	m.finish(w, r)
	w.timeouts()
	r.replace(w.next)
}
