package automaton

// mark is what the step of a run has found out about a state. It counts if its
// numbers are those of the step and the search.
type mark struct {
	way, known, search uint64
	leads              bool  // to the end of the match, if known
	from               int32 // the state before it in the search
}

// way adds a state to those being looked at, once.
func (w *Worker) way(to int32, step uint64) {
	if w.marks[to].way != step {
		w.marks[to].way = step
		w.ways = append(w.ways, to)
	}
}

// ends reports whether the match is complete in a state, or may be left at that.
// What a step has found out of a state it does not look for again, so that all its
// searches together take little more than one.
func (w *Worker) ends(at int32, e *test) bool {
	w.steps++
	w.tail = append(w.tail[:0], at)
	w.marks[at].search, w.marks[at].from = w.steps, -1
	for k := 0; k < len(w.tail); k++ {
		i := w.tail[k]
		s, mk := &w.m.nfa.states[i], &w.marks[i]
		known := mk.known == e.step
		if s.kind == final || known && mk.leads {
			for ; i >= 0; i = w.marks[i].from {
				w.marks[i].known, w.marks[i].leads = e.step, true
			}
			return true
		}
		for j := range s.edges {
			if known {
				break
			}
			ed := &s.edges[j]
			if ed.op == proceed && w.marks[ed.to].search != w.steps && w.m.nfa.states[ed.to].kind != stop && e.holds(ed.when) {
				w.marks[ed.to].search, w.marks[ed.to].from = w.steps, i
				w.tail = append(w.tail, ed.to)
			}
		}
	}
	for _, i := range w.tail {
		w.marks[i].known, w.marks[i].leads = e.step, false
	}
	return false
}

// test decides guards for one run, each condition at most once.
type test struct {
	w     *Worker
	truth Truth
	bound Bound
	step  uint64
}

func (t *test) holds(g guard) bool {
	for _, c := range g {
		if !t.clause(c) {
			return false
		}
	}
	return true
}

func (t *test) clause(c clause) bool {
	if t.truth.True&c.pos|t.truth.Known&^t.truth.True&c.neg != 0 {
		return true
	}
	for open := (c.pos | c.neg) &^ t.truth.Known; open != 0; open &= open - 1 {
		bit := open & -open
		t.truth.Known |= bit
		if t.w.conds.Holds(lowest(bit), t.bound) {
			t.truth.True |= bit
			if c.pos&bit != 0 {
				return true
			}
		} else if c.neg&bit != 0 {
			return true
		}
	}
	return false
}
