package automaton

import (
	"unsafe"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
)

// sizes estimates what the runs of keys take. It may serve one after another.
type sizes struct {
	nfa    *NFA
	chains map[*Held]*node // by start, the end of the longest chain
}

// of is about the memory that runs take, without the events.
func (s *sizes) of(r *Runs) int {
	n := engine.Alloc(cap(r.groups)*int(unsafe.Sizeof(group{}))) + engine.Alloc(cap(r.ripe)*int(unsafe.Sizeof(Done{})))
	if r.roster != nil {
		n += engine.Alloc(int(unsafe.Sizeof(*r.roster))) + engine.Alloc(8*cap(r.roster.open))
	}
	for i := range r.groups {
		g := &r.groups[i]
		n += engine.Alloc(cap(g.runs) * int(unsafe.Sizeof(run{})))
		if x := g.index; x != nil {
			n += engine.Alloc(cap(x.links)*int(unsafe.Sizeof(link{}))) + engine.MapBytes(len(x.ends), int(8+unsafe.Sizeof(ends{})))
		}
	}
	return n + s.held(r)
}

// held is about the memory of what runs have bound. Those of one start share their
// chain, as a loop leaves them behind, of which the longest then has all nodes;
// or each has a node of its own, as the forks of `any` have.
func (s *sizes) held(r *Runs) int {
	clear(s.chains)
	runs, starts := 0, 0
	r.all(func(q *run) {
		runs++
		if nd := s.chains[q.start.ev]; nd == nil || nd.n < q.head.n {
			s.chains[q.start.ev] = q.head
		}
		if q.heirs != nil {
			starts = max(starts, cap(q.heirs.starts))
		}
	})
	if runs == 0 {
		return 0
	}
	nodes, each, longest := 0, 0, (*node)(nil)
	for _, nd := range s.chains {
		nodes += int(nd.n)
		each += s.nfa.nodeBytes(nd)
		if longest == nil || nd.n > longest.n {
			longest = nd
		}
	}
	n := max(nodes, runs)*each/len(s.chains) + int(longest.n)*longest.kept()
	return n + engine.Alloc(starts*int(unsafe.Sizeof(start{})))
}

// bytes is about the memory of a node.
func (n *NFA) nodeBytes(nd *node) int {
	size := engine.Alloc(int(unsafe.Sizeof(*nd)))
	if nd.folded != nil {
		size += engine.Alloc(8 + len(n.folds)*int(unsafe.Sizeof(predicate.Folded{})))
	}
	return size
}

// kept is about what an event of the chain keeps at hand, going by the last few.
// All chains have theirs in common.
func (nd *node) kept() int {
	const few = 4
	n, of := 0, 0
	for ; nd != nil && of < few; nd, of = nd.prev, of+1 {
		n += nd.ev.Seen.KeptBytes()
	}
	return n / of
}
