package automaton

import (
	"math/bits"
	"slices"
	"time"
)

// Ahead is what a run waits for.
type Ahead struct {
	Bound    Bound
	Elems    []int     // elements it would bind an event to
	Nots     uint64    // conditions that end it, bit by bit
	Deadline time.Time // zero: it has none
}

// Furthest looks at the open run that has come furthest: that has bound the
// latest element, and of those the most events. With none open it gives what
// would begin one.
func (m *Machine) Furthest(r *Runs, now time.Time) Ahead {
	var best *run
	r.all(func(q *run) {
		if m.quiet && !m.renew(q, now) {
			return
		}
		if best == nil || q.bound().Further(best.bound()) {
			best = q
		}
	})
	if best == nil {
		a := Ahead{}
		m.look(&a, m.nfa.start)
		return a
	}
	a := Ahead{Bound: best.bound()}
	a.Deadline, _ = m.deadline(best)
	r.all(func(q *run) {
		if q.bound() == a.Bound { // forks that hold the same
			m.look(&a, q.state)
		}
	})
	return a
}

// look adds what a run in a state waits for.
func (m *Machine) look(a *Ahead, at int32) {
	for _, i := range m.nfa.reach(at, func(e edge) bool { return e.op == proceed }) {
		s := &m.nfa.states[i]
		for _, e := range s.edges {
			switch {
			case e.op == take && !slices.Contains(a.Elems, int(e.elem)):
				a.Elems = append(a.Elems, int(e.elem))
			case e.op == proceed && m.nfa.states[e.to].kind == stop:
				for _, c := range e.when {
					a.Nots |= c.pos
				}
			}
		}
	}
	slices.Sort(a.Elems)
}

// Further reports whether b has come further than c.
func (b Bound) Further(c Bound) bool {
	if b.n == 0 || c.n == 0 {
		return b.n > c.n
	}
	x, y := bits.Len64(b.head.seen), bits.Len64(c.head.seen)
	if x != y {
		return x > y
	}
	return b.n > c.n
}
