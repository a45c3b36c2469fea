package index

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// ID numbers a condition: in a Segment from 0 in the order added, in an Index
// for as long as the Index lives.
type ID = uint32

// Builder collects conditions for a Segment. It belongs to one goroutine.
type Builder struct {
	seg *Segment

	slots    map[int]uint32             // index in Event.Fields → field
	met      map[*predicate.Atom]uint32 // sets and patterns, which take long to compare
	leafs    map[string]uint32          // by text
	atoms    interner
	pieces   interner
	pieceAt  []uint32          // by number of a piece: where it stands
	common   map[uint32]uint32 // by place of a piece: globs that have it, if several
	nodes    interner
	roots    interner
	owner    []uint32 // by condition: its root
	members  []uint32 // scratch
	stack    []uint32 // scratch: operands of the junctions being read
	patterns int      // numbers of patterns given out
	err      error    // the first limit broken
}

// The limits of one segment.
const (
	maxRefs  = 1 << 28 // atoms, roots, and words of code
	maxArena = math.MaxUint32
	maxDepth = 1000 // of junctions inside junctions
)

// NewBuilder gives an empty Builder.
func NewBuilder() *Builder {
	return &Builder{
		seg:    &Segment{key: hashKey{rand.Uint64(), rand.Uint64()}},
		slots:  make(map[int]uint32),
		met:    make(map[*predicate.Atom]uint32),
		leafs:  make(map[string]uint32),
		common: make(map[uint32]uint32),
	}
}

// Add takes a condition and gives its number, which is the count of those added
// before. It keeps no pointer into the formula except its leafs.
func (b *Builder) Add(f predicate.Formula) ID { return b.add(b.formula(&f, 0)) }

// Len is the number of conditions added.
func (b *Builder) Len() int { return len(b.owner) }

func (b *Builder) add(ref uint32) ID {
	s := b.seg
	root, there := b.roots.find(b.seg.key.words(tagRoot, uint64(ref), 0), uint32(len(s.roots)), func(i uint32) bool { return s.roots[i] == ref })
	if !there {
		s.roots = append(s.roots, ref)
	}
	b.owner = append(b.owner, root)
	return ID(len(b.owner) - 1)
}

// What is hashed, so that no two sorts of things are taken for each other.
const (
	tagRoot = 1 << 29 << iota
	tagNode
	tagPiece
)

// formula gives the reference of a formula.
func (b *Builder) formula(f *predicate.Formula, depth int) uint32 {
	switch f.Kind {
	case predicate.FormulaTrue:
		return refTrue
	case predicate.FormulaAtom:
		return b.literal(f.Atom, f.Want == predicate.True)
	case predicate.FormulaLeaf:
		return makeRef(leafTag(f.Want == predicate.True), b.leaf(f.Leaf))
	case predicate.FormulaAnd, predicate.FormulaOr:
		if depth > maxDepth {
			b.fail(errors.New("conditions nested more than 1,000 deep"))
			return refFalse
		}
		from := len(b.stack)
		for i := range f.Kids {
			ref := b.formula(&f.Kids[i], depth+1)
			b.stack = append(b.stack, ref)
		}
		ref := b.junction(b.stack[from:], f.Kind == predicate.FormulaOr)
		b.stack = b.stack[:from]
		return ref
	default:
		return refFalse
	}
}

func leafTag(want bool) uint32 {
	if want {
		return refLeaf
	}
	return refLeafNot
}

func (b *Builder) leaf(l *predicate.Leaf) uint32 {
	text := l.String()
	n, ok := b.leafs[text]
	if !ok {
		n = uint32(len(b.seg.leafs))
		b.seg.leafs = append(b.seg.leafs, l)
		b.leafs[text] = n
	}
	return n
}

// junction interns an And or an Or of references. Sorting brings the cheap ones
// first, and makes equal junctions equal however they were written.
func (b *Builder) junction(kids []uint32, or bool) uint32 {
	absorbing, neutral := refFalse, refTrue
	if or {
		absorbing, neutral = refTrue, refFalse
	}
	slices.SortFunc(kids, func(x, y uint32) int {
		return cmp.Or(cmp.Compare(b.price(x), b.price(y)), cmp.Compare(x, y))
	})
	kids = slices.Compact(kids)
	kids = slices.DeleteFunc(kids, func(k uint32) bool { return k == neutral })
	switch {
	case slices.Contains(kids, absorbing):
		return absorbing
	case len(kids) == 0:
		return neutral
	case len(kids) == 1:
		return kids[0]
	}
	return b.node(kids, or)
}

func (b *Builder) node(kids []uint32, or bool) uint32 {
	s := b.seg
	head := makeNode(len(kids), or)
	at := uint32(len(s.code))
	if len(s.code)+len(kids) >= maxRefs {
		b.fail(errors.New("too many conditions for one segment"))
		return refFalse
	}
	at, there := b.nodes.find(s.key.list(tagNode|uint64(head), kids), at, func(i uint32) bool {
		return s.code[i] == head && slices.Equal(s.code[i+1:int(i)+1+len(kids)], kids)
	})
	if !there {
		s.code = append(append(s.code, head), kids...)
	}
	return makeRef(refNode, at)
}

// price ranks references by what deciding them costs.
func (b *Builder) price(ref uint32) int {
	switch refTag(ref) {
	case refAtom, refNot:
		switch headOp(b.seg.heads[refArg(ref)]) {
		case opEq, opHas, opAbsent, opLt, opLe, opGt, opGe:
			return 0
		case opIn, opPrefix, opSuffix:
			return 1
		case opMatches:
			return 4
		default:
			return 2
		}
	case refNode:
		return 3
	case refConst:
		return 0
	default:
		return 5
	}
}

func (b *Builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// field numbers a field within the segment.
func (b *Builder) field(slot int, path event.Path) uint32 {
	f, ok := b.slots[slot]
	if !ok {
		f = uint32(len(b.seg.fields))
		if f >= maxFields {
			b.fail(fmt.Errorf("more than %d fields", maxFields))
			return 0
		}
		b.slots[slot] = f
		b.seg.fields = append(b.seg.fields, field{slot: slot, path: path})
	}
	return f
}
