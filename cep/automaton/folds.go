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

// folded is what a node carries, of one size for all nodes of a pattern, without the
// header that a slice would have. It tells whose it is: runs may hold nodes that
// another automaton made, of a rule that begins alike, whose conditions may ask for
// something else.
type folded interface {
	all(of *NFA) []predicate.Folded // nil for another's
}

type (
	folded1 struct {
		of    *NFA
		cells [1]predicate.Folded
	}
	folded2 struct {
		of    *NFA
		cells [2]predicate.Folded
	}
	folded5 struct {
		of    *NFA
		cells [5]predicate.Folded
	}
	folded16 struct {
		of    *NFA
		cells [maxFolds]predicate.Folded
	}
)

func (f *folded1) all(of *NFA) []predicate.Folded  { return owned(f.cells[:], f.of, of) }
func (f *folded2) all(of *NFA) []predicate.Folded  { return owned(f.cells[:], f.of, of) }
func (f *folded5) all(of *NFA) []predicate.Folded  { return owned(f.cells[:], f.of, of) }
func (f *folded16) all(of *NFA) []predicate.Folded { return owned(f.cells[:], f.of, of) }

func owned(cells []predicate.Folded, made, of *NFA) []predicate.Folded {
	if made != of && !slices.Equal(made.folds, of.folds) {
		return nil
	}
	return cells
}

func (n *NFA) newFolded() folded {
	switch k := len(n.folds); {
	case k <= 1:
		return &folded1{of: n}
	case k <= 2:
		return &folded2{of: n}
	case k <= 5:
		return &folded5{of: n}
	default:
		return &folded16{of: n}
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
		for _, f := range tr.Folds {
			if len(n.folds) < maxFolds && f.Elem < 63 { // later ones are not told apart by node.seen
				n.folds = append(n.folds, f)
			}
		}
	}
	for _, f := range tr.Fields {
		if f.Path.Root() == "data" { // the others cost nothing to read
			n.keeps = append(n.keeps, keeps{f, n.value(f.Path)})
		}
	}
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
// read from it.
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
	if len(n.folds) == 0 {
		return
	}
	strange := n.strange(nd.prev)
	if nd.prev != nil && !strange {
		nd.folded = nd.prev.folded
	}
	if !strange && !slices.ContainsFunc(n.folds, func(f predicate.Fold) bool { return nd.moves(f) }) {
		return
	}
	own := n.newFolded()
	cells := own.all(n)
	if strange {
		n.retrace(cells, nd.prev)
	} else if nd.folded != nil {
		copy(cells, nd.folded.all(n))
	}
	n.step(cells, nd)
	nd.folded = own
}

// step takes what nodes up to nd.prev come to on to nd.
func (n *NFA) step(cells []predicate.Folded, nd *node) {
	for i, f := range n.folds {
		switch {
		case f.Tail() && nd.prev != nil && int(nd.prev.elem) == f.Elem:
			cells[i] = f.Add(cells[i], &nd.prev.ev.Seen)
		case !f.Tail() && int(nd.elem) == f.Elem:
			cells[i] = f.Add(cells[i], &nd.ev.Seen)
		}
	}
}

// moves reports whether a node must carry something else for f than the one before
// it.
func (nd *node) moves(f predicate.Fold) bool {
	if f.Tail() {
		return int(nd.elem) != f.Elem && nd.prev != nil && int(nd.prev.elem) == f.Elem
	}
	return int(nd.elem) == f.Elem
}

// strange reports whether a node does not carry what it would if n had made it.
func (n *NFA) strange(nd *node) bool {
	if nd == nil || nd.folded != nil && nd.folded.all(n) != nil {
		return false
	}
	return slices.ContainsFunc(n.folds, func(f predicate.Fold) bool {
		return nd.seen&elemBit(f.Elem) != 0 && !(f.Tail() && int(nd.elem) == f.Elem)
	})
}

// retrace works out what a chain comes to that n did not make.
func (n *NFA) retrace(cells []predicate.Folded, nd *node) {
	nodes := make([]*node, 0, nd.n)
	for ; nd != nil; nd = nd.prev {
		nodes = append(nodes, nd)
	}
	for _, nd := range slices.Backward(nodes) {
		n.step(cells, nd)
	}
}

// foldedOf gives what a fold comes to for the events of b.
func (n *NFA) foldedOf(b Bound, f predicate.Fold) (so predicate.Folded, ok bool) {
	switch {
	case b.n == 0 || b.head.seen&elemBit(f.Elem) == 0:
		return so, true
	case f.Tail() && int(b.head.elem) == f.Elem:
		return f.Add(so, &b.head.ev.Seen), true
	}
	i := slices.Index(n.folds, f)
	if i < 0 || b.head.folded == nil {
		return b.folded(f)
	}
	cells := b.head.folded.all(n)
	if cells == nil || b.n < int(b.head.n) && !f.Tail() {
		return b.folded(f)
	}
	return cells[i], true
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
func (v *view) Folded(f predicate.Fold) (predicate.Folded, bool) {
	if v.nfa == nil {
		return v.bound.folded(f)
	}
	return v.nfa.foldedOf(v.bound, f)
}

var _ engine.Bindings = (*view)(nil)
