package automaton

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// both builds one repetition of sequences that all happen, in any order and also
// interleaved, each event bound by one of them. It is the product of their
// automata: a state for every combination of how far each has come.
func (p *repetition) both(to int32, link Link, skips []edge, nots uint64) int32 {
	x := &product{repetition: p, to: to, enter: link, nots: nots, memo: make(map[string]int32)}
	var at []int32
	for _, part := range p.step.Both {
		done := p.add(state{})
		x.done = append(x.done, done)
		at = append(at, p.part(part, done, Then, 0))
	}
	if len(skips) == 0 {
		return x.state(at, false)
	}
	// As with an element, the ways past the step are gone once an event was
	// ignored.
	id := x.add(state{})
	x.fill(id, at, false)
	x.link(id, skips...)
	return id
}

// product is a conjunction being built.
type product struct {
	*repetition
	to    int32   // what follows once all parts are done
	enter Link    // how the first event joins what comes before
	nots  uint64  // what must not happen before the first event
	done  []int32 // where each part ends
	memo  map[string]int32
}

// state gives the state in which each part has come to where at says; begun is
// set once an event was bound.
func (x *product) state(at []int32, begun bool) int32 {
	if slices.Equal(at, x.done) {
		return x.to
	}
	key := fmt.Sprint(at, begun)
	if id, ok := x.memo[key]; ok {
		return id
	}
	id := x.add(state{})
	x.memo[key] = id
	if len(x.nfa.states) <= MaxStates { // otherwise Compile reports it
		x.fill(id, at, begun)
	}
	return id
}

// fill adds the edges of a state.
func (x *product) fill(id int32, at []int32, begun bool) {
	x.nfa.states[id].wait = x.within(at)
	x.moves(id, at, begun)
	if !begun {
		x.stops(id, x.nots)
	}
	if !begun && x.enter == Next {
		x.nfa.states[id].strict = true
		return
	}
	stay, pass, ok := x.stay(at, -1)
	if !ok {
		for i, s := range at {
			strict := s != x.done[i] && x.nfa.states[s].strict
			x.nfa.states[id].strict = x.nfa.states[id].strict || strict
		}
		return
	}
	if !begun && x.enter == Any {
		pass = x.outside(nil)
	}
	x.link(id, edge{op: ignore, to: x.state(stay, begun), when: pass})
}

// moves adds the edges by which one part goes on while the others stay.
func (x *product) moves(id int32, at []int32, begun bool) {
	for i, s := range at {
		if s == x.done[i] {
			continue
		}
		stay, _, ok := x.stay(at, i)
		for _, e := range slices.Clone(x.nfa.states[s].edges) {
			switch {
			case e.op == proceed && x.nfa.states[e.to].kind == stop:
				x.link(id, e)
			case e.op == proceed:
				next := slices.Clone(at)
				next[i] = e.to
				e.to = x.state(next, begun)
				x.link(id, e)
			case e.op == take && ok:
				next := slices.Clone(stay)
				next[i] = e.to
				e.to = x.state(next, true)
				x.link(id, e)
			}
		}
	}
}

// stay gives where the parts other than one are once they have let an event
// pass, and when it is none of theirs. ok is false when one of them cannot: it
// waits for the very next event, or has to decide first which way it goes.
func (x *product) stay(at []int32, other int) (to []int32, pass guard, ok bool) {
	to = slices.Clone(at)
	for i, s := range at {
		if i == other || s == x.done[i] {
			continue
		}
		k := slices.IndexFunc(x.nfa.states[s].edges, func(e edge) bool { return e.op == ignore })
		if k < 0 {
			return nil, nil, false
		}
		e := x.nfa.states[s].edges[k]
		to[i], pass = e.to, and(pass, e.when)
	}
	return to, pass, true
}

// errWaits is the error of parts whose waits no single deadline can express.
var errWaits = errors.New("elements that wait for one another's event, joined by | or &, must have the same wait")

// within gives the wait that all parts have in common which are not done.
func (x *product) within(at []int32) time.Duration {
	var open []int32
	for i, s := range at {
		if s != x.done[i] {
			open = append(open, s)
		}
	}
	return x.wait(open)
}

// wait gives the wait that states have in common.
func (p *repetition) wait(states []int32) time.Duration {
	var wait time.Duration
	for i, s := range states {
		w := p.nfa.states[s].wait
		if i > 0 && w != wait {
			p.err = errWaits
		}
		wait = w
	}
	return wait
}
