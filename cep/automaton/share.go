package automaton

import (
	"slices"
	"sort"
	"time"
)

// When a pattern may begin again inside its own loop, as fail{5,} does at every
// failure, nearly all open runs are in one state and hold the tails of one
// sequence of events. Where only the first of several matches that complete
// together is given out (Machine.best), such a run can matter only once those
// that began earlier have run out of time. So it is not kept: the earliest run
// lists its start as an heir, and goes on as the heir when its own time is over.
//
// For the same reason, of several runs in one state that began with one event,
// only the one that would come first is kept, unless conditions ahead could tell
// them apart.

// line is a list of starts in order of time, which runs share: each has a part of
// it, and only a run whose part ends the list may add to it.
type line struct {
	starts []start
	mark   uint64 // the last count of open starts that saw it
	lo, hi int32  // the part counted then
}

// promote makes r the run of its next heir, and reports whether there was one.
func (r *run) promote() bool {
	if r.lo >= r.hi {
		return false
	}
	r.start = r.heirs.starts[r.lo]
	r.lo++
	return true
}

// renew makes r the run of its first start that still has time, and reports
// whether there is one.
func (m *Machine) renew(r *run, now time.Time) bool {
	if !m.late(r.start.ev, now) {
		return true
	}
	if r.lo >= r.hi || m.late(r.heirs.starts[r.hi-1].ev, now) {
		return false
	}
	left := r.heirs.starts[r.lo:r.hi]
	r.lo += int32(sort.Search(len(left), func(i int) bool { return !m.late(left[i].ev, now) }))
	return r.promote()
}

// adopt appends to the heirs of r.
func (r *run) adopt(s ...start) {
	if r.heirs == nil || int(r.hi) != len(r.heirs.starts) || r.lo > 16 && r.lo > r.hi/2 {
		l := new(line)
		if r.heirs != nil {
			l.starts = append(l.starts, r.heirs.starts[r.lo:r.hi]...)
		}
		r.heirs, r.lo, r.hi = l, 0, int32(len(l.starts))
	}
	r.heirs.starts = append(r.heirs.starts, s...)
	r.hi += int32(len(s))
}

// trim copies the chain of a run whose starts have moved on so far that most of
// it is no longer anybody's. Without it, a loop that never ends would keep its
// events for ever.
func (r *run) trim() {
	const few = 32
	if r.start.cut < few || r.start.cut < r.head.n/2 {
		return
	}
	cut := r.start.cut
	nodes := make([]node, r.head.n-cut)
	nd := r.head
	for i := len(nodes) - 1; i >= 0; i, nd = i-1, nd.prev {
		nodes[i] = *nd
		nodes[i].n -= cut
		nodes[i].prev = nil
		if i > 0 {
			nodes[i].prev = &nodes[i-1]
		}
	}
	r.head, r.start.cut = &nodes[len(nodes)-1], 0
	if r.lo < r.hi {
		l := &line{starts: slices.Clone(r.heirs.starts[r.lo:r.hi])}
		for i := range l.starts {
			l.starts[i].cut -= cut
		}
		r.heirs, r.lo, r.hi = l, 0, int32(len(l.starts))
	}
}

// share drops what others speak for.
func (w *Worker) share() {
	const many = 64 // comparing pairs of more runs costs more than it saves
	gone := false
	if len(w.took) > 1 && len(w.took) <= many {
		for i := range w.took {
			for _, j := range w.took[i+1:] {
				gone = w.absorb(&w.next[w.took[i]], &w.next[j]) || gone
			}
		}
	}
	if w.forked {
		gone = w.dominate() || gone
	}
	if gone {
		w.next = slices.DeleteFunc(w.next, func(q run) bool { return q.start.ev == nil })
	}
}

// absorb makes the run that began later an heir of the other, if they are in the
// same state and the one's events are the tail of the other's.
func (w *Worker) absorb(p, q *run) bool {
	if p.start.ev == nil || q.start.ev == nil || p.state != q.state || w.m.nfa.states[p.state].whole {
		return false
	}
	if q.start.ev.Order < p.start.ev.Order {
		p, q = q, p
	}
	if p.lo < p.hi && p.heirs.starts[p.hi-1].ev.Order >= q.start.ev.Order || !w.tailOf(p, q) {
		return false
	}
	shift := p.head.n - q.head.n // from places in the chain of q to places in that of p
	p.adopt(start{q.start.ev, q.start.cut + shift})
	if q.lo < q.hi {
		for _, s := range q.heirs.starts[q.lo:q.hi] {
			p.adopt(start{s.ev, s.cut + shift})
		}
	}
	q.start.ev = nil
	return true
}

// tailOf reports whether the events of q are the last ones of p, bound to the
// same elements, and no condition ahead can see what p has besides.
func (w *Worker) tailOf(p, q *run) bool {
	n := q.bound().n
	if p.bound().n <= n {
		return false
	}
	var seen uint64
	a, b := p.head, q.head
	for ; n > 0; n-- {
		if a.ev != b.ev || a.elem != b.elem {
			return false
		}
		seen |= elemBit(int(b.elem))
		a, b = a.prev, b.prev
	}
	return !w.m.nfa.states[p.state].joined || a.seen&^seen == 0
}

type forkKey struct {
	state int32
	start *Held
}

// dominate keeps, of the runs in one state that began with one event, the one
// that comes first when they complete. It reports whether any had to go.
func (w *Worker) dominate() bool {
	if w.keep == nil {
		w.keep = make(map[forkKey]*run)
	}
	gone := false
	seen := w.tail[:0]
	for i := range w.next {
		q := &w.next[i]
		if q.start.ev == nil || w.m.nfa.states[q.state].joined {
			continue
		}
		if !slices.Contains(seen, q.state) {
			seen = append(seen, q.state)
			if g := w.r.group(q.state); g != nil {
				for j := range g.runs {
					gone = !g.runs[j].blank() && w.contend(&g.runs[j]) || gone
				}
			}
		}
		gone = w.contend(q) || gone
	}
	clear(w.keep)
	for _, state := range seen {
		if g := w.r.group(state); gone && g != nil {
			g.keep(func(q *run) bool { return q.start.ev != nil })
		}
	}
	w.tail = seen
	return gone
}

// contend sets q against the best run so far in its state with its start, and
// reports whether one of them had to go.
func (w *Worker) contend(q *run) bool {
	k := forkKey{q.state, q.start.ev}
	p, there := w.keep[k]
	if !there {
		w.keep[k] = q
		return false
	}
	if before(q, p) {
		w.keep[k] = q
		p, q = q, p
	}
	if !p.covers(q) {
		return false
	}
	q.start.ev = nil
	return true
}

// before reports whether a match of p comes before the same match of q.
func before(p, q *run) bool {
	a, b := p.bound(), q.bound()
	if a.n != b.n {
		return a.n > b.n
	}
	return a.earlier(b) < 0
}

// covers reports whether every heir of q is one of r.
func (r *run) covers(q *run) bool {
	return q.lo >= q.hi || r.heirs == q.heirs && r.lo <= q.lo && r.hi >= q.hi
}
