package automaton

import (
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
	built  bool
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
	if !l.built {
		l.built = true
		for i, nd := range r.nodes {
			if int(nd.elem) == elem {
				l.events, l.at = append(l.events, &nd.ev.Seen), append(l.at, i)
			}
		}
	}
	return l.events[:sort.SearchInts(l.at, b.n)]
}

func (r *Reader) load(b Bound) {
	r.Reset()
	for range b.n {
		r.nodes = append(r.nodes, nil)
	}
	for nd, i := b.head, b.n; i > 0; nd, i = nd.prev, i-1 {
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
		l.built, l.events, l.at = false, l.events[:0], l.at[:0]
	}
}
