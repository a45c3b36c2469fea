package cea

import "slices"

// pass is the mark of an event that a partial match does without.
const pass = -1

// move is where a state leads with an event, and the element that takes the
// event, or pass.
type move struct {
	mark int
	to   int32
}

// walker follows the edges of an automaton. It belongs to one goroutine.
type walker struct {
	n    *nfa
	seen []uint32 // the last walk that met each state
	walk uint32

	here, there []int32 // states met from where a partial match is, and from where it goes
	open        []move
	done        []int
}

func newWalker(n *nfa) *walker { return &walker{n: n, seen: make([]uint32, len(n.states))} }

// moves lists what the automaton does in a state at an event that meets the
// conditions of mask: the partial matches it leaves behind, and the marks with
// which it completes matches. A match that is yet to begin does not pass events.
// The lists are good until the next call.
func (w *walker) moves(at int32, mask uint64, begins bool) (open []move, done []int) {
	w.open, w.done = w.open[:0], w.done[:0]
	stopped := false
	holds := func(e edge) bool { return e.when.holds(mask) }
	w.here = w.reach(w.here, at, holds)
	for _, i := range w.here {
		s := &w.n.states[i]
		stopped = stopped || slices.ContainsFunc(s.stops, func(g guard) bool { return g.holds(mask) })
		for _, e := range s.takes {
			if holds(e) {
				w.take(e.elem, e.to, holds)
			}
		}
		for _, e := range s.ignores {
			switch {
			case begins || !holds(e):
			case w.n.states[e.to].final:
				w.done = append(w.done, pass)
			default:
				w.open = append(w.open, move{pass, e.to})
			}
		}
	}
	if stopped {
		w.open = w.open[:0] // what the event has completed is complete all the same
	}
	return w.open, w.done
}

// take binds the event to elem. The match may be complete with it and go on
// nevertheless.
func (w *walker) take(elem int, to int32, holds func(edge) bool) {
	if !w.n.states[to].final {
		w.open = append(w.open, move{elem, to})
	}
	w.there = w.reach(w.there, to, holds)
	if slices.ContainsFunc(w.there, func(i int32) bool { return w.n.states[i].final }) {
		w.done = append(w.done, elem)
	}
}

// reach lists the states that an event may lead to before it is used up, the
// first being at, in the room of list.
func (w *walker) reach(list []int32, at int32, follow func(edge) bool) []int32 {
	if w.walk++; w.walk == 0 {
		clear(w.seen)
		w.walk = 1
	}
	list = append(list[:0], at)
	w.seen[at] = w.walk
	for k := 0; k < len(list); k++ {
		for _, e := range w.n.states[list[k]].proceeds {
			if w.seen[e.to] != w.walk && follow(e) {
				w.seen[e.to] = w.walk
				list = append(list, e.to)
			}
		}
	}
	return list
}
