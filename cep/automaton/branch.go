package automaton

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/rhost/rhost/cep/engine"
)

// Rules that begin alike can share what they have open until a condition of their
// own holds. The trunk of a rule is its automaton as it is while none does: what
// needs one is cut off, guards are simplified. Runs of the trunk are runs of the
// rule, only that states have other numbers. They are in the same order, so that a
// copy of them goes on exactly as if the rule had made them itself.

// Branch is what a rule has in common with others, and how to go on from there.
type Branch struct {
	m     *Machine
	own   uint64   // the conditions that are not common
	whole []int32  // the states of the rule, in order, by those of the trunk
	looks []uint64 // by state of the trunk: the conditions of the rule's own that decide what happens there
}

// Branch gives the beginning that needs none but the first k conditions.
func (m *Machine) Branch(k int) (engine.Branch, bool) {
	if k < 1 || k >= MaxConds || !m.quiet || m.nfa.anyStart {
		return nil, false
	}
	b := &Branch{m: m, own: ^uint64(0) << k}
	b.whole = m.nfa.reach(m.nfa.start, func(e edge) bool {
		_, ok := e.when.without(b.own)
		return ok
	})
	slices.Sort(b.whole)
	for _, i := range b.whole {
		if at := m.nfa.states[i].kind; at == final || at == pending {
			return nil, false
		}
		b.looks = append(b.looks, m.nfa.decisive(i)&b.own)
	}
	return b, true
}

// without simplifies g for conditions that are known not to hold. ok is false when
// g then cannot hold.
func (g guard) without(conds uint64) (left guard, ok bool) {
	for _, c := range g {
		if c.neg&conds != 0 {
			continue
		}
		if c.pos &^= conds; c.pos|c.neg == 0 {
			return nil, false
		}
		left = append(left, c)
	}
	return left, true
}

// decisive lists the conditions that a step from state i may ask for: those on the
// ways from it, and those on the ways on from where an event is bound.
func (n *NFA) decisive(i int32) uint64 {
	ways := func(e edge) bool { return e.op == proceed }
	var all uint64
	for _, at := range n.reach(i, ways) {
		for _, e := range n.states[at].edges {
			all |= e.when.conds()
			if e.op != take {
				continue
			}
			for _, to := range n.reach(e.to, ways) {
				for _, on := range n.states[to].edges {
					if on.op == proceed {
						all |= on.when.conds()
					}
				}
			}
		}
	}
	return all
}

// nfa makes the automaton of the trunk. What says how far runs can be told apart is
// the rule's: it depends on conditions to come.
func (b *Branch) nfa() *NFA {
	from := b.m.nfa
	number := func(state int32) int32 {
		at, _ := slices.BinarySearch(b.whole, state)
		return int32(at)
	}
	n := &NFA{start: number(from.start), greedy: from.greedy}
	for _, i := range b.whole {
		s := from.states[i]
		edges := s.edges
		s.edges, s.looks, s.alert, s.fires = nil, 0, false, false
		for _, e := range edges {
			when, ok := e.when.without(b.own)
			if !ok {
				continue
			}
			e.to, e.when = number(e.to), when
			s.edges = append(s.edges, e)
			if e.op == take {
				n.elems = max(n.elems, int(e.elem)+1)
			}
		}
		if s.join != nil {
			j := *s.join
			j.conds &^= b.own
			j.value = n.value(j.Path)
			s.join = &j
		}
		n.states = append(n.states, s)
	}
	n.folds = from.folds
	for _, k := range from.keeps {
		k.value = n.value(k.Path)
		n.keeps = append(n.keeps, k)
	}
	n.survey()
	n.all = from.all
	n.alert = n.alert || n.all
	return n
}

// Trunk gives the machine that follows the common beginning.
func (b *Branch) Trunk() engine.Engine {
	m := *b.m
	m.nfa, m.seed = b.nfa(), maphash.MakeSeed()
	return &m
}

// Text writes down all that the runs of the trunk, and what is counted of them,
// depend on.
func (b *Branch) Text() string {
	p, n := b.m.pol, b.nfa()
	var w strings.Builder
	fmt.Fprintf(&w, "nfa %v %d %v %d %v %v %d\n", p.Within, p.Limit, p.DropOld, p.MaxRuns, b.m.best, b.m.all, n.start)
	for i := range n.states {
		s := &n.states[i]
		fmt.Fprintf(&w, "%d %s strict=%v ahead=%v,%v,%v\n", i, s.kind, s.strict, s.joined, s.whole, s.equal)
		if s.equal {
			fmt.Fprintf(&w, " %d %d %s\n", s.join.Elem, s.join.Part, s.join.ElemPath)
		}
		for _, e := range s.edges {
			fmt.Fprintf(&w, " %s %d %d %s\n", e.op, e.elem, e.to, e.when)
		}
	}
	for _, f := range n.folds {
		if f.Elem < n.elems { // what the trunk did not keep would have to be listed, for every run and rule
			fmt.Fprintf(&w, "%+v\n", f)
		}
	}
	return w.String()
}

// Fork copies what the trunk has open for a key, and its deadline.
func (b *Branch) Fork(trunk, own engine.State, key []byte) (runs int) {
	t, s := trunk.(*State), own.(*State) //nolint:errcheck,forcetypeassert // both are of machines of this package
	from := t.keys.Get(key)
	if from == nil || s.keys.Get(key) != nil {
		return 0
	}
	e := s.keys.Add(key)
	e.Value = from.Value.fork(b.whole)
	if at, timed := from.At(); timed {
		s.keys.Set(e, at)
	}
	return e.Value.Len()
}

// fork copies runs to an automaton in which their states have other numbers. Nodes
// never change and are shared. Lines are copied: who adds to one first would
// otherwise leave the others without, and so with more runs than they need.
func (r *Runs) fork(states []int32) Runs {
	c := Runs{starts: r.starts}
	lines := make(map[*line]*line)
	for i := range r.groups {
		g := &r.groups[i]
		copied := group{state: states[g.state], runs: make([]run, 0, g.len())}
		for _, q := range g.runs {
			if q.blank() {
				continue
			}
			if l := q.heirs; l != nil {
				if lines[l] == nil {
					lines[l] = &line{starts: slices.Clone(l.starts)}
				}
				q.heirs = lines[l]
			}
			q.state = copied.state
			copied.runs = append(copied.runs, q)
		}
		c.groups = append(c.groups, copied)
	}
	if r.roster != nil {
		c.roster = &roster{slices.Clone(r.roster.open)}
	}
	return c
}
