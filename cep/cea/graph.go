package cea

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rhost/rhost/cep/engine"
)

// guard is what must hold for an edge to be followed: every one of its clauses.
type guard []clause

// clause holds when one of the conditions in pos holds or one of those in neg
// does not.
type clause struct{ pos, neg uint64 }

func (g guard) holds(mask uint64) bool {
	for _, c := range g {
		if mask&c.pos|^mask&c.neg == 0 {
			return false
		}
	}
	return true
}

// conds lists the conditions that g looks at.
func (g guard) conds() uint64 {
	var all uint64
	for _, c := range g {
		all |= c.pos | c.neg
	}
	return all
}

// state is a state of the automaton, its edges by what they do. Edges to the
// state that stands for what must not happen are only guards.
type state struct {
	final    bool
	takes    []edge
	ignores  []edge
	proceeds []edge
	stops    []guard

	ways  uint64 // conditions on the way from here without an event
	cares uint64 // conditions of which an event must meet one to be of interest here
	looks uint64 // conditions that decide what an event does here

	forbids bool // some event ends a partial match here
}

type edge struct {
	to   int32
	elem int // what a take binds
	when guard
}

// nfa is the automaton of a pattern, as cep/automaton built it.
type nfa struct {
	states []state
	start  int32
	conds  uint64 // all conditions that any edge looks at
}

// readGraph takes an automaton from its drawing. That both engines follow the
// same one is what makes their answers the same.
func readGraph(g engine.Graph) (*nfa, error) {
	n := &nfa{states: make([]state, len(g.Nodes))}
	for i, nd := range g.Nodes {
		n.states[i].final = nd.Final
		if nd.Start {
			n.start = int32(i)
		}
	}
	for _, e := range g.Edges {
		when, err := readGuard(e.If)
		if err != nil {
			return nil, err
		}
		s, ed := &n.states[e.From], edge{int32(e.To), e.Elem, when}
		switch {
		case e.Kind == "take":
			s.takes = append(s.takes, ed)
		case e.Kind == "ignore":
			s.ignores = append(s.ignores, ed)
		case g.Nodes[e.To].Forbidden:
			s.stops = append(s.stops, when)
		default:
			s.proceeds = append(s.proceeds, ed)
		}
		s.cares |= when.conds()
		n.conds |= when.conds()
	}
	n.spread()
	return n, nil
}

// readGuard reads what an edge of a graph asks for, such as "c1|!c2 & c3".
func readGuard(text string) (guard, error) {
	if text == "" {
		return nil, nil
	}
	var g guard
	for part := range strings.SplitSeq(text, " & ") {
		var c clause
		for lit := range strings.SplitSeq(part, "|") {
			if lit == "never" {
				continue
			}
			name, not := strings.CutPrefix(lit, "!")
			num, ok := strings.CutPrefix(name, "c")
			n, err := strconv.Atoi(num)
			if !ok || err != nil || n < 1 || n > engine.MaxConds {
				return nil, fmt.Errorf("%q is no condition of a pattern", lit)
			}
			if not {
				c.neg |= engine.Cond(n).Bit()
			} else {
				c.pos |= engine.Cond(n).Bit()
			}
		}
		g = append(g, c)
	}
	return g, nil
}

// spread works out what states have from the states they proceed to.
func (n *nfa) spread() {
	n.backwards(func(s *state) {
		s.forbids = s.forbids || len(s.stops) > 0
		for _, e := range s.proceeds {
			t := &n.states[e.to]
			s.ways |= e.when.conds() | t.ways
			s.cares |= t.cares
			s.forbids = s.forbids || t.forbids
		}
	})
	n.backwards(func(s *state) {
		s.looks |= s.cares
		for _, e := range s.takes { // the event may also decide whether the match ends with it
			s.looks |= n.states[e.to].ways
		}
		for _, e := range s.proceeds {
			s.looks |= n.states[e.to].looks
		}
	})
}

// backwards calls improve for the states, last to first, until it changes none.
func (n *nfa) backwards(improve func(*state)) {
	for changed := true; changed; {
		changed = false
		for i := len(n.states) - 1; i >= 0; i-- {
			s := &n.states[i]
			ways, cares, looks, forbids := s.ways, s.cares, s.looks, s.forbids
			improve(s)
			changed = changed || ways != s.ways || cares != s.cares || looks != s.looks || forbids != s.forbids
		}
	}
}

// steady reports whether whatever begins a match stays open until its time is
// up or a skip prunes it: some partial match with it remains, whatever comes.
func (n *nfa) steady() bool {
	sticky := n.sticky()
	w := newWalker(n)
	for _, i := range w.reach(nil, n.start, func(edge) bool { return true }) {
		for _, e := range n.states[i].takes {
			if !sticky[e.to] {
				return false
			}
		}
	}
	return true
}

// sticky finds the states where a partial match can wait for ever: some edge
// ignores any event and leads to such a state again, and nothing forbids one.
func (n *nfa) sticky() []bool {
	stays := make([]bool, len(n.states))
	for i := range n.states {
		stays[i] = !n.states[i].forbids
	}
	for changed := true; changed; {
		changed = false
		for i := range n.states {
			on := slices.ContainsFunc(n.states[i].ignores, func(e edge) bool { return len(e.when) == 0 && stays[e.to] })
			if stays[i] && !on {
				stays[i], changed = false, true
			}
		}
	}
	return stays
}
