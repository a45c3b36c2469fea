package automaton

import (
	"cmp"
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
	groups []group // by state
	ripe   []Done  // complete, waiting for runs that began earlier
	starts int     // open start events, or more: some may be gone since
	roster *roster
}

// roster is the open start events of a key that has reached its limit, oldest
// first. It is dropped when runs end otherwise than by running out of time.
type roster struct{ open []*Held }

// group is the runs in one state, in the order they came to it. An event leaves
// alone all groups whose state does not look at it, however many runs there are;
// and of a large group most runs, if the state has a join (join.go).
type group struct {
	state int32
	runs  []run
	gone  int    // how many of runs are blank: over, but still in their places
	index *index // nil for a list
}

// len is the number of runs.
func (g *group) len() int { return len(g.runs) - g.gone }

// blank reports whether there is no run any more.
func (r *run) blank() bool { return r.head == nil }

// Empty reports whether nothing is open.
func (r *Runs) Empty() bool { return len(r.groups) == 0 && len(r.ripe) == 0 }

// Len is the number of open runs.
func (r *Runs) Len() int {
	n := 0
	for i := range r.groups {
		n += r.groups[i].len()
	}
	return n
}

// all visits the open runs.
func (r *Runs) all(visit func(*run)) {
	for i := range r.groups {
		for j := range r.groups[i].runs {
			if q := &r.groups[i].runs[j]; !q.blank() {
				visit(q)
			}
		}
	}
}

// find gives the place among the groups that a state has or should have.
func (r *Runs) find(state int32) (at int, ok bool) {
	return slices.BinarySearchFunc(r.groups, state, func(g group, s int32) int { return cmp.Compare(g.state, s) })
}

// group gives the group of a state, or nil.
func (r *Runs) group(state int32) *group {
	if at, ok := r.find(state); ok {
		return &r.groups[at]
	}
	return nil
}

// begin makes a group for a state that has none. One that has become empty lends
// its room: most keys have a run or two, and there may be a million keys.
func (r *Runs) begin(state int32) *group {
	g := group{state: state}
	if i := slices.IndexFunc(r.groups, func(g group) bool { return g.len() == 0 }); i >= 0 {
		r.groups[i].empty()
		g.runs = r.groups[i].runs
		r.groups = slices.Delete(r.groups, i, i+1)
	}
	at, _ := r.find(state)
	r.groups = slices.Insert(r.groups, at, g)
	return &r.groups[at]
}

// add files runs in the groups of their states.
func (r *Runs) add(runs []run) {
	for _, q := range runs {
		g := r.group(q.state)
		if g == nil {
			g = r.begin(q.state)
		}
		g.runs = append(g.runs, q)
	}
	r.groups = slices.DeleteFunc(r.groups, func(g group) bool { return g.len() == 0 })
	if len(r.groups) == 0 {
		r.groups = nil
	}
}

// keep drops the runs of g that stay does not keep. While it is at it, every run
// that is still to be had is in one place only.
func (g *group) keep(stay func(*run) bool) {
	if g.index != nil {
		for i := range g.runs {
			if q := &g.runs[i]; !q.blank() && !stay(q) {
				g.drop(int32(i))
			}
		}
		g.tidy()
		return
	}
	n := 0
	for i := range g.runs {
		if !stay(&g.runs[i]) {
			g.runs[i] = run{}
			continue
		}
		if n < i {
			g.runs[n], g.runs[i] = g.runs[i], run{}
		}
		n++
	}
	g.clear(n)
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

// empty drops all runs and the index.
func (g *group) empty() {
	g.index, g.gone = nil, 0
	g.clear(0)
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
	if m.pol.Within <= 0 && !m.nfa.bounds {
		return first, false
	}
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
