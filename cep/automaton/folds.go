package automaton

import (
	"slices"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// Conditions such as count(f) < 100 or sum(f.data.amount) > 1000 are about all the
// events bound to an element. Listing them for each run at each event would take
// time in proportion to what is bound. Instead, the nodes of a chain carry what the
// pattern's conditions ask (predicate.Fold) of the chain up to them: a node is made
// once, after the one before it, and never changes, so it takes its neighbour's
// answers and adds its own event. Sums are then added up from the oldest event on,
// as they are when the events are listed, and so come to the same number to the
// last bit.
//
// A run whose starts have moved on (share.go) holds only the tail of its chain,
// whose sums are not the chain's. Nobody asks for them: a run speaks for later
// starts only while no condition ahead reads whole lists, and of what it reads the
// tail has something. Should one ask nevertheless, the events are listed.

const (
	// maxFolds bounds what a node carries. What a pattern asks beyond is worked out
	// from the events.
	maxFolds = 16

	// shortChain is how many events may be looked at one by one: a pattern that
	// cannot bind more does without folds.
	shortChain = 16
)

// folded is what a node carries, of one size for all nodes of a pattern: 16 bytes
// a fold, without the header a slice would have.
type folded interface{ all() []predicate.Folded }

type (
	folded1  [1]predicate.Folded
	folded2  [2]predicate.Folded
	folded4  [4]predicate.Folded
	folded8  [8]predicate.Folded
	folded16 [maxFolds]predicate.Folded
)

func (f *folded1) all() []predicate.Folded  { return f[:] }
func (f *folded2) all() []predicate.Folded  { return f[:] }
func (f *folded4) all() []predicate.Folded  { return f[:] }
func (f *folded8) all() []predicate.Folded  { return f[:] }
func (f *folded16) all() []predicate.Folded { return f[:] }

func newFolded(n int) folded {
	switch {
	case n <= 1:
		return new(folded1)
	case n <= 2:
		return new(folded2)
	case n <= 4:
		return new(folded4)
	case n <= 8:
		return new(folded8)
	default:
		return new(folded16)
	}
}

// keeps is a field of bound events that conditions read.
type keeps struct {
	predicate.BoundField
	value int // where Worker.values has it of the event under test
}

// prepare takes over what conditions read of bound events.
func (n *NFA) prepare(steps []Step, tr Traits) {
	if longest(steps) > shortChain {
		n.folds = slices.Clone(tr.Folds[:min(len(tr.Folds), maxFolds)])
	}
	for _, f := range tr.Fields {
		if f.Path.Root() == "data" { // the others cost nothing to read
			n.keeps = append(n.keeps, keeps{f, n.valueOf(f.Path)})
		}
	}
}

// valueOf gives the place of a path among those that are read of the event under
// test.
func (n *NFA) valueOf(p event.Path) int {
	at := slices.Index(n.paths, p)
	if at < 0 {
		at = len(n.paths)
		n.paths = append(n.paths, p)
	}
	return at
}

// longest is how many events steps may bind, or some number beyond shortChain.
func longest(steps []Step) int {
	n := 0
	for i := range steps {
		s := &steps[i]
		once := 0
		switch {
		case s.Single() && !s.Not:
			once = 1
		case s.Either != nil:
			for _, part := range s.Either {
				once = max(once, longest(part))
			}
		default:
			for _, part := range s.Parts() {
				once += longest(part)
			}
		}
		if s.Loop() {
			once *= shortChain + 1
		} else {
			once *= min(s.High(), shortChain+1)
		}
		n = min(n+once, shortChain+1)
	}
	return n
}

// bind makes a node, with what conditions will ask of it. values are those of the
// event if it is the one under test, in the order of n.paths; otherwise they are
// read from it. prev must be of the same automaton: what others carry is of other
// conditions.
func (n *NFA) bind(prev *node, h *Held, elem int, values []event.Value) *node {
	nd := newNode(prev, h, elem)
	for i := range n.keeps {
		switch k := &n.keeps[i]; {
		case k.Elem != elem:
		case k.value < len(values):
			h.Seen.Keep(k.Path, values[k.value])
		default:
			h.Seen.Keep(k.Path, h.Event.Get(k.Path))
		}
	}
	n.fold(nd)
	return nd
}

// fold works out what a node carries from what the one before it does. Which event
// of an element is the last one needs no note where that is the node's own: a loop
// that nothing else is asked of carries nothing.
func (n *NFA) fold(nd *node) {
	nd.folded = nil
	if nd.prev != nil {
		nd.folded = nd.prev.folded
	}
	if !slices.ContainsFunc(n.folds, func(f predicate.Fold) bool { return nd.moves(f) }) {
		return
	}
	own := newFolded(len(n.folds))
	all := own.all()
	if nd.folded != nil {
		copy(all, nd.folded.all())
	}
	for i, f := range n.folds {
		switch {
		case f.Tail() && nd.prev != nil && int(nd.prev.elem) == f.Elem:
			all[i] = f.Add(all[i], &nd.prev.ev.Seen)
		case !f.Tail() && int(nd.elem) == f.Elem:
			all[i] = f.Add(all[i], &nd.ev.Seen)
		}
	}
	nd.folded = own
}

// moves reports whether a node must carry something else for f than the one before
// it.
func (nd *node) moves(f predicate.Fold) bool {
	if f.Tail() {
		return int(nd.elem) != f.Elem && nd.prev != nil && int(nd.prev.elem) == f.Elem
	}
	return int(nd.elem) == f.Elem
}

// folded gives what a fold comes to for the events of b.
func (n *NFA) folded(b Bound, f predicate.Fold) (so predicate.Folded, ok bool) {
	if b.n == 0 || b.head.seen&elemBit(f.Elem) == 0 {
		return so, true
	}
	if f.Tail() && int(b.head.elem) == f.Elem {
		return f.Add(so, &b.head.ev.Seen), true
	}
	i := slices.Index(n.folds, f)
	switch {
	case i < 0:
		return b.folded(f)
	case b.n < int(b.head.n) && (!f.Tail() || f.Elem >= 63): // elements from 63 on are not told apart by seen
		return so, false
	case b.head.folded == nil:
		return so, true
	}
	return b.head.folded.all()[i], true
}

// folded looks for the first or the last event where there are few.
func (b Bound) folded(f predicate.Fold) (so predicate.Folded, ok bool) {
	switch {
	case b.n > shortChain:
		return so, false
	case f == predicate.LastOf(f.Elem):
		if h := b.end(f.Elem, predicate.PartLast); h != nil {
			so.Event = &h.Seen
		}
		return so, true
	case f == predicate.FirstOf(f.Elem):
		for nd, i := b.head, b.n; i > 0; nd, i = nd.prev, i-1 {
			if int(nd.elem) == f.Elem {
				so.Event = &nd.ev.Seen
				so.Number++
			}
		}
		return so, true
	}
	return so, false
}

// Folded gives what a fold comes to for the events of the run.
func (v *view) Folded(f predicate.Fold) (predicate.Folded, bool) { return v.nfa.folded(v.bound, f) }

var _ engine.Bindings = (*view)(nil)
