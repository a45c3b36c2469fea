package automaton

import (
	"cmp"
	"slices"
)

// node is one bound event and what was bound before it. Nodes never change, so
// any number of runs may share them.
type node struct {
	prev *node
	ev   *Held
	seen uint64 // the elements bound up to here, bit by bit; those past 63 share the last bit
	n    int32  // events up to here
	elem int32

	folded folded // what conditions ask of the chain up to here (folds.go); nil: nothing yet
}

// newNode makes a bare node; see NFA.bind.
func newNode(prev *node, h *Held, elem int) *node {
	nd := &node{prev: prev, ev: h, n: 1, elem: int32(elem), seen: elemBit(elem)}
	if prev != nil {
		nd.n += prev.n
		nd.seen |= prev.seen
	}
	return nd
}

func elemBit(elem int) uint64 { return 1 << min(elem, 63) }

// Bound is a row of bound events: those of a partial match or a match.
type Bound struct {
	head *node
	n    int // how many nodes, from head back, belong to it
}

// Append appends the events, oldest first.
func (b Bound) Append(dst []Pair) []Pair {
	from := len(dst)
	dst = slices.Grow(dst, b.n)[:from+b.n]
	for nd, i := b.head, b.n; i > 0; nd, i = nd.prev, i-1 {
		dst[from+i-1] = Pair{Elem: int(nd.elem), Held: nd.ev}
	}
	return dst
}

// AppendElem appends the events bound to one element, oldest first.
func (b Bound) AppendElem(dst []*Held, elem int) []*Held {
	if b.n == 0 || b.head.seen&elemBit(elem) == 0 {
		return dst
	}
	from := len(dst)
	for nd, i := b.head, b.n; i > 0; nd, i = nd.prev, i-1 {
		if int(nd.elem) == elem {
			dst = append(dst, nd.ev)
		}
	}
	slices.Reverse(dst[from:])
	return dst
}

// first gives the oldest event that pick chooses, or nil.
func (b Bound) first(pick func(*node) bool) (h *Held) {
	for nd, i := b.head, b.n; i > 0; nd, i = nd.prev, i-1 {
		if pick(nd) {
			h = nd.ev
		}
	}
	return h
}

// earlier compares two rows of as many events position by position; the row that
// holds an earlier event where they first differ comes first.
func (b Bound) earlier(c Bound) int {
	order := 0
	for p, q, i := b.head, c.head, b.n; i > 0 && p != q; p, q, i = p.prev, q.prev, i-1 {
		if d := cmp.Or(cmp.Compare(p.ev.Order, q.ev.Order), cmp.Compare(p.elem, q.elem)); d != 0 {
			order = d
		}
	}
	return order
}
