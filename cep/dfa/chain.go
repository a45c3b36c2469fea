package dfa

import (
	"cmp"
	"slices"

	"github.com/rhost/rhost/cep/engine"
)

// node is one bound event after others. Nodes never change, so any number of
// partial matches may share them.
type node struct {
	prev *node
	ev   *engine.Held
	n    uint32 // events up to here
	elem int32
}

func bind(prev *node, h *engine.Held, elem int32) *node {
	return &node{prev: prev, ev: h, elem: elem, n: prev.len() + 1}
}

func (nd *node) len() uint32 {
	if nd == nil {
		return 0
	}
	return nd.n
}

// member is a partial match of a group: its start, then those of pre past
// preCut, then those of the group's log past cut. Members of a group are in the
// order of their starts. They are never changed in place: groups that part go on
// sharing them.
type member struct {
	start       *engine.Held
	pre         *node
	preCut, cut uint32
	elem        int32 // that the start is bound to
}

// count is how many events the member has.
func (q *member) count(log *node) int {
	return 1 + int(q.pre.len()-q.preCut) + int(log.len()-q.cut)
}

// pairs appends the events of a member, oldest first.
func (q *member) pairs(dst []engine.Pair, log *node) []engine.Pair {
	from, n := len(dst), q.count(log)
	dst = slices.Grow(dst, n+1)[:from+n]
	at := from + n
	for _, part := range [...]struct {
		head *node
		cut  uint32
	}{{log, q.cut}, {q.pre, q.preCut}} {
		for nd := part.head; nd.len() > part.cut; nd = nd.prev {
			at--
			dst[at] = engine.Pair{Elem: int(nd.elem), Held: nd.ev}
		}
	}
	dst[from] = engine.Pair{Elem: int(q.elem), Held: q.start}
	return dst
}

// onto gives the member as it stands in a group with another log, of which it
// has nothing yet.
func (q *member) onto(log, other *node) member {
	moved := *q
	moved.cut = other.len()
	if log.len() == q.cut {
		return moved
	}
	if q.pre.len() == q.preCut {
		moved.pre, moved.preCut = log, q.cut
		return moved
	}
	var own []*node
	for nd := log; nd.len() > q.cut; nd = nd.prev {
		own = append(own, nd)
	}
	for _, nd := range slices.Backward(own) {
		moved.pre = bind(moved.pre, nd.ev, nd.elem)
	}
	return moved
}

// earlier compares two rows of events: more of them first, then position by
// position; the row that holds an earlier event where they first differ comes
// first.
func earlier(a, b []engine.Pair) int {
	if c := cmp.Compare(len(b), len(a)); c != 0 {
		return c
	}
	for i := range a {
		if c := cmp.Or(cmp.Compare(a[i].Held.Order, b[i].Held.Order), cmp.Compare(a[i].Elem, b[i].Elem)); c != 0 {
			return c
		}
	}
	return 0
}

// group is the partial matches of a key that stand in one set.
type group struct {
	at      *set
	log     *node // what they have bound together
	members []member

	check  uint32 // length of the log at which to see what of it is still used
	waste  uint32 // members dropped from the front since it was copied
	shared bool   // another group has the same members: they must not be changed
}

// drop drops the first n members.
func (g *group) drop(n int) {
	g.members = g.members[n:]
	if g.waste += uint32(n); int(g.waste) > len(g.members)+8 {
		g.members, g.waste, g.shared = slices.Clone(g.members), 0, false
	}
}

// below counts the members that began before the event of a number.
func (g *group) below(order uint64) int {
	if len(g.members) == 0 || g.members[0].start.Order >= order {
		return 0
	}
	n, _ := slices.BinarySearchFunc(g.members, order, func(q member, o uint64) int { return cmp.Compare(q.start.Order, o) })
	return n
}

// trim copies the log when most of it is no longer anybody's. Without it, a loop
// that never ends would keep its events for ever.
func (g *group) trim() {
	const few = 64
	if g.log.len() < max(g.check, few) {
		return
	}
	cut := g.log.n
	for i := range g.members {
		cut = min(cut, g.members[i].cut)
	}
	if cut < g.log.n/2 {
		g.check = g.log.n + g.log.n/2
		return
	}
	nodes := make([]node, g.log.n-cut)
	nd := g.log
	for i := len(nodes) - 1; i >= 0; i, nd = i-1, nd.prev {
		nodes[i] = node{ev: nd.ev, elem: nd.elem, n: uint32(i + 1)}
		if i > 0 {
			nodes[i].prev = &nodes[i-1]
		}
	}
	g.log = nil
	if len(nodes) > 0 {
		g.log = &nodes[len(nodes)-1]
	}
	g.own()
	for i := range g.members {
		g.members[i].cut -= cut
	}
	g.check = 2*g.log.len() + few
}

// own makes the members the group's own.
func (g *group) own() {
	if g.shared {
		g.members, g.waste, g.shared = slices.Clone(g.members), 0, false
	}
}
