package automaton

import (
	"slices"
	"time"
)

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
	groups []group
	ripe   []Done // complete, waiting for runs that began earlier
	starts int    // open start events, or more: some may be gone since
	roster *roster
}

// roster is the open start events of a key that has reached its limit, oldest
// first. It is dropped when runs end otherwise than by running out of time.
type roster struct{ open []*Held }

// group is the runs in one state. An event leaves alone all groups whose state
// does not look at it, however many runs there are.
type group struct {
	state int32
	runs  []run
}

// Empty reports whether nothing is open.
func (r *Runs) Empty() bool { return len(r.groups) == 0 && len(r.ripe) == 0 }

// Len is the number of open runs.
func (r *Runs) Len() int {
	n := 0
	for i := range r.groups {
		n += len(r.groups[i].runs)
	}
	return n
}

// bytes is about the memory that the runs take, without the events.
func (r *Runs) bytes() int {
	const perRun, perNode = 48, 32
	n := 0
	for i := range r.groups {
		n += perRun * cap(r.groups[i].runs)
	}
	deepest := int32(0) // runs share their chains; the longest is a fair guess at all of them
	r.all(func(q *run) {
		if q.head != nil {
			deepest = max(deepest, q.head.n)
		}
	})
	return n + perNode*int(deepest)
}

// all visits the open runs.
func (r *Runs) all(visit func(*run)) {
	for i := range r.groups {
		for j := range r.groups[i].runs {
			visit(&r.groups[i].runs[j])
		}
	}
}

// group gives the group of a state, or nil.
func (r *Runs) group(state int32) *group {
	for i := range r.groups {
		if r.groups[i].state == state {
			return &r.groups[i]
		}
	}
	return nil
}

// add files runs in the groups of their states. A group that has become empty
// lends its room to one that begins: most keys have a run or two, and there may
// be a million keys.
func (r *Runs) add(runs []run) {
	for _, q := range runs {
		g := r.group(q.state)
		for i := 0; g == nil && i < len(r.groups); i++ {
			if len(r.groups[i].runs) == 0 {
				g = &r.groups[i]
				g.state = q.state
			}
		}
		if g == nil {
			r.groups = append(r.groups, group{state: q.state})
			g = &r.groups[len(r.groups)-1]
		}
		g.runs = append(g.runs, q)
	}
	r.groups = slices.DeleteFunc(r.groups, func(g group) bool { return len(g.runs) == 0 })
	if len(r.groups) == 0 {
		r.groups = nil
	}
}

// keep drops the runs of g that stay does not keep.
func (g *group) keep(stay func(*run) bool) {
	kept := g.runs[:0]
	for i := range g.runs {
		if stay(&g.runs[i]) {
			kept = append(kept, g.runs[i])
		}
	}
	g.clear(len(kept))
}

// clear drops all runs of g but the first n, and room that is much too large.
func (g *group) clear(n int) {
	const small = 8
	clear(g.runs[n:])
	g.runs = g.runs[:n]
	if cap(g.runs) > small && cap(g.runs) > 4*n {
		g.runs = slices.Clone(g.runs)
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
	r.all(func(q *run) {
		t, has := m.deadline(q)
		if m.quiet && has && q.lo < q.hi {
			t = q.heirs.starts[q.hi-1].ev.At.Add(m.pol.Within)
		}
		if has && (!ok || t.Before(first)) {
			first, ok = t, true
		}
	})
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
