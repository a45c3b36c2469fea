package automaton

import (
	"slices"
	"sort"

	"github.com/rhost/rhost/cep/predicate"
)

// Reader gives conditions the events bound to an element. It remembers the last
// chain it walked: the runs that a loop leaves behind hold beginnings of one
// chain, and asking each of them in turn must not walk it each time. The zero
// Reader is ready for use.
type Reader struct {
	nodes []*node
	elems []elemList
}

// elemList is what the chain has for one element.
type elemList struct {
	read   int // nodes of the chain looked at
	events []*predicate.Event
	at     []int // the index in the chain of each
}

// Events gives the events of b that are bound to elem, oldest first. The slice
// is good until the next call.
func (r *Reader) Events(b Bound, elem int) []*predicate.Event {
	if b.n == 0 || b.head.seen&elemBit(elem) == 0 {
		return nil
	}
	if b.n > len(r.nodes) || r.nodes[b.n-1] != b.head {
		r.load(b)
	}
	for len(r.elems) <= elem {
		r.elems = append(r.elems, elemList{})
	}
	l := &r.elems[elem]
	for ; l.read < len(r.nodes); l.read++ {
		if nd := r.nodes[l.read]; int(nd.elem) == elem {
			l.events, l.at = append(l.events, &nd.ev.Seen), append(l.at, l.read)
		}
	}
	return l.events[:sort.SearchInts(l.at, b.n)]
}

// load walks the chain of b, back to where it is known if it goes on from the one
// walked last.
func (r *Reader) load(b Bound) {
	known := len(r.nodes)
	nd := b.head
	for i := b.n; i > known; i-- {
		nd = nd.prev
	}
	if known == 0 || known > b.n || r.nodes[known-1] != nd {
		r.Reset()
		known = 0
	}
	r.nodes = slices.Grow(r.nodes, b.n-known)[:b.n]
	for nd, i := b.head, b.n; i > known; nd, i = nd.prev, i-1 {
		r.nodes[i-1] = nd
	}
}

// Reset forgets what was read, so that it can be freed.
func (r *Reader) Reset() {
	clear(r.nodes)
	r.nodes = r.nodes[:0]
	for i := range r.elems {
		l := &r.elems[i]
		clear(l.events)
		l.read, l.events, l.at = 0, l.events[:0], l.at[:0]
	}
}
