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
// them apart. Where these look at nothing but a value that the state is filed by
// (join.go), as in `fail{5,} then ok` with ok having the user of the last failure, one
// run is kept for each value rather than for each event; once there are many.

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
func (m *Machine) trim(r *run) {
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
	for i := range nodes {
		m.nfa.fold(&nodes[i])
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

// forkKey is what runs have in common of which one will do: their state, their
// start, and the value of the state's join, if conditions ahead look at it. Without a
// start it stands for all of them.
type forkKey struct {
	state int32
	start *Held
	value uint64
}

// dominate keeps, of the runs in one state that began with one event and that no
// condition ahead can tell apart, the one that comes first when they complete. It
// reports whether any in next had to go.
func (w *Worker) dominate() (gone bool) {
	const large = 1024 // a map that was larger once takes long to clear
	if w.keep == nil {
		w.keep = make(map[forkKey]*run)
	}
	for i := range w.next {
		q := &w.next[i]
		if q.start.ev == nil {
			continue
		}
		k, ok := w.forkKey(q)
		if !ok {
			continue
		}
		if all := (forkKey{state: k.state, value: k.value}); w.keep[all] == nil {
			w.keep[all] = q
			w.rivals = append(w.rivals, all)
			w.eachRival(all, func(g *group, at int32) {
				p := &g.runs[at]
				w.contend(forkKey{k.state, p.start.ev, k.value}, p)
			})
		}
		w.contend(k, q)
		gone = true
	}
	for _, all := range w.rivals {
		w.eachRival(all, func(g *group, at int32) {
			if g.runs[at].start.ev == nil {
				g.drop(at)
			}
		})
	}
	for _, all := range w.rivals {
		if g := w.r.group(all.state); g != nil {
			g.tidy()
		}
	}
	w.rivals = w.rivals[:0]
	if len(w.keep) > large {
		w.keep = nil
	}
	clear(w.keep)
	return gone
}

// forkKey gives what a run has in common with those that would do in its place; ok
// is false where that is not known, or not worth finding out.
func (w *Worker) forkKey(q *run) (k forkKey, ok bool) {
	s := &w.m.nfa.states[q.state]
	k = forkKey{q.state, q.start.ev, nothing}
	if !s.joined {
		return k, true
	}
	if g := w.r.group(q.state); !s.equal || g == nil || g.len() < w.m.few || !w.file(g) {
		return k, false
	}
	k.value = w.runValue(q, s.join)
	return k, k.value >= hashed
}

// eachRival visits the runs, beside those in next, that k stands for.
func (w *Worker) eachRival(k forkKey, visit func(g *group, at int32)) {
	g := w.r.group(k.state)
	switch {
	case g == nil:
	case k.value == nothing:
		for i := range g.runs {
			if !g.runs[i].blank() {
				visit(g, int32(i))
			}
		}
	default:
		e, ok := g.index.ends[k.value]
		for at := e.first; ok && at >= 0; {
			next := g.index.links[at].next
			visit(g, at)
			at = next
		}
	}
}

// contend sets q against the best run so far of its key, and marks the one that
// has to go, if any.
func (w *Worker) contend(k forkKey, q *run) {
	p, there := w.keep[k]
	if !there {
		w.keep[k] = q
		return
	}
	if before(q, p) {
		w.keep[k] = q
		p, q = q, p
	}
	if p.covers(q) {
		q.start.ev = nil
	}
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
