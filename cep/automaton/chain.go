package automaton

import (
	"cmp"
	"slices"
	"time"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// Position is where an event stands in the log.
type Position struct {
	Lane  uint32 `json:"lane"`
	Seq   uint64 `json:"seq"`   // of the record in its lane
	Index uint32 `json:"index"` // of the event in its record
}

// Held is an event that some partial match or match keeps. Its bytes are its
// own, so keeping it keeps nothing else alive.
type Held struct {
	Event event.Event
	Pos   Position
	Order uint64    // how many events the matcher had seen before it
	At    time.Time // lane time when it came

	// Seen is the event as conditions see it. Fields are filled in by whoever
	// evaluates conditions, when one asks.
	Seen predicate.Event
	mark uint64 // the last count of open starts that counted it
}

// Input is the event being fed. It is turned into a Held when the first run
// binds it, and all runs of all rules then share that one.
type Input struct {
	Ev    *event.Event
	Pos   Position
	Order uint64
	At    time.Time
	held  *Held
}

// Hold gives the lasting form of the event.
func (in *Input) Hold() *Held {
	if in.held == nil {
		h := &Held{Event: in.Ev.Clone(), Pos: in.Pos, Order: in.Order, At: in.At}
		h.Seen.Ev = &h.Event
		in.held = h
	}
	return in.held
}

// node is one bound event and what was bound before it. Nodes never change, so
// any number of runs may share them.
type node struct {
	prev *node
	ev   *Held
	seen uint64 // the elements bound up to here, bit by bit; those past 63 share the last bit
	n    int32  // events up to here
	elem int32
}

func bind(prev *node, h *Held, elem int) *node {
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

// Pair is an event and the element it is bound to.
type Pair struct {
	Elem int
	Held *Held
}

// Append appends the events, oldest first.
func (b Bound) Append(dst []Pair) []Pair {
	from := len(dst)
	dst = slices.Grow(dst, b.n)[:from+b.n]
	for nd, i := b.head, b.n; i > 0; nd, i = nd.prev, i-1 {
		dst[from+i-1] = Pair{int(nd.elem), nd.ev}
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
