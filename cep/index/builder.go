package index

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp/syntax"
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

// literal gives the reference of an atom that is to come out as want. Of a test
// and its opposite only one is kept: `!=` is `==` the other way round, and the
// order tests of constants that have an order are each other's opposites, as
// numbers of events are never NaN.
func (b *Builder) literal(a *predicate.Atom, want bool) uint32 {
	f := b.field(a.Field(), a.Path())
	op, v := a.Op(), a.Value()
	switch op {
	case predicate.OpEq:
		return atomRef(b.scalar(opEq, a.Fold(), f, v), want)
	case predicate.OpNe:
		return atomRef(b.scalar(opEq, a.Fold(), f, v), !want)
	case predicate.OpTrue:
		return atomRef(b.scalar(opEq, false, f, event.BoolValue(want)), true)
	case predicate.OpHas:
		if want {
			return atomRef(b.bare(opHas, f), true)
		}
		return atomRef(b.bare(opAbsent, f), true)
	case predicate.OpLt, predicate.OpLe, predicate.OpGt, predicate.OpGe:
		if a.Fold() && v.Kind() != event.String {
			return refFalse // lower(…) has no order with what is no text
		}
		in := [...]uint32{opLt, opLe, opGt, opGe}[op-predicate.OpLt]
		if !want {
			in = [...]uint32{opLt: opGe, opLe: opGt, opGt: opLe, opGe: opLt}[in]
		}
		return atomRef(b.scalar(in, a.Fold(), f, v), true)
	case predicate.OpPrefix:
		return atomRef(b.scalar(opPrefix, a.Fold(), f, v), want)
	case predicate.OpSuffix:
		return atomRef(b.scalar(opSuffix, a.Fold(), f, v), want)
	case predicate.OpContains:
		return atomRef(b.scalar(opContains, a.Fold(), f, v), want)
	}
	n, ok := b.met[a]
	if !ok {
		n = b.complex(a, f)
		b.met[a] = n
	}
	return atomRef(n, want)
}

func atomRef(a uint32, want bool) uint32 {
	if want {
		return makeRef(refAtom, a)
	}
	return makeRef(refNot, a)
}

// complex interns sets, patterns and networks.
func (b *Builder) complex(a *predicate.Atom, f uint32) uint32 {
	switch a.Op() {
	case predicate.OpIn:
		return b.set(a.Fold(), f, a.Values())
	case predicate.OpCIDR:
		return b.network(f, a.Value().Str())
	default:
		return b.matches(a.Fold(), f, a.Value().Str())
	}
}

// bare interns a test without constant.
func (b *Builder) bare(op, f uint32) uint32 {
	head := makeHead(op, false, event.Missing, f)
	return b.atom(head, b.seg.key.words(uint64(head), 0, 0), func(uint32) bool { return true }, func() uint32 { return 0 })
}

// scalar interns a test against one value.
func (b *Builder) scalar(op uint32, fold bool, f uint32, v event.Value) uint32 {
	if v.Kind() == event.Number && v.Number() == 0 {
		v = event.NumberValue(0) // -0 is 0
	}
	head := makeHead(op, fold, v.Kind(), f)
	s := b.seg
	return b.atom(head, s.hashValue(uint64(head), v), func(i uint32) bool { return s.same(i, v) }, func() uint32 {
		switch v.Kind() {
		case event.String:
			return b.str(v.Str())
		case event.Number:
			return b.words(math.Float64bits(v.Number()))
		case event.Time:
			sec, nanos := timeWords(v)
			return b.words(sec, nanos)
		case event.Bool:
			if v.Bool() {
				return 1
			}
		}
		return 0
	})
}

// set interns membership in a list, as a sorted list of equality atoms.
func (b *Builder) set(fold bool, f uint32, values []event.Value) uint32 {
	b.members = b.members[:0]
	for _, v := range values {
		b.members = append(b.members, b.scalar(opEq, fold, f, v))
	}
	slices.Sort(b.members)
	b.members = slices.Compact(b.members)
	if len(b.members) == 1 {
		return b.members[0]
	}
	return b.listed(makeHead(opIn, fold, event.Missing, f), b.members)
}

// listed interns an atom whose constant is a list.
func (b *Builder) listed(head uint32, list []uint32) uint32 {
	s := b.seg
	return b.atom(head, s.key.list(uint64(head), list), func(i uint32) bool {
		return slices.Equal(s.list(s.args[i]), list)
	}, func() uint32 { return b.keep(list) })
}

// network interns membership in a network: its text, then where its words are.
func (b *Builder) network(f uint32, text string) uint32 {
	s := b.seg
	head := makeHead(opCIDR, false, event.String, f)
	return b.atom(head, s.key.str(uint64(head), text), func(i uint32) bool { return s.str(s.list(s.args[i])[0]) == text }, func() uint32 {
		n, ok := parseNetwork(text)
		if !ok {
			b.fail(fmt.Errorf("%q is not a network", text))
		}
		size := uint64(n.bits)
		if n.v4 {
			size |= isV4
		}
		return b.keep([]uint32{b.str(text), b.words(n.hi, n.lo, size)})
	})
}

// isV4 marks networks of IPv4 beside their number of bits.
const isV4 = 1 << 8

// matches interns a regular expression: its text, its number, and for a glob its
// shape and pieces.
func (b *Builder) matches(fold bool, f uint32, text string) uint32 {
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		b.fail(fmt.Errorf("%q is not a regular expression: %w", text, err))
		return 0
	}
	op := opMatches
	g, ok := readGlob(re, fold)
	if ok {
		op = opGlob
	}
	s := b.seg
	head := makeHead(op, fold, event.String, f)
	return b.atom(head, s.key.str(uint64(head), text), func(i uint32) bool {
		source, _ := s.pattern(i)
		return source == text
	}, func() uint32 {
		b.patterns++
		list := []uint32{b.str(text), uint32(b.patterns - 1)}
		if ok {
			list = append(list, g.shape())
			for _, p := range g.pieces {
				list = append(list, b.piece(p))
			}
		}
		return b.keep(list)
	})
}

// atom interns an atom by its head and whatever same compares.
func (b *Builder) atom(head uint32, hash uint64, same func(uint32) bool, keep func() uint32) uint32 {
	s := b.seg
	if len(s.heads) >= maxRefs-1 {
		b.fail(errors.New("too many tests for one segment"))
		return 0
	}
	n, there := b.atoms.find(hash, uint32(len(s.heads)), func(i uint32) bool { return s.heads[i] == head && same(i) })
	if !there {
		arg := keep()
		s.heads, s.args = append(s.heads, head), append(s.args, arg)
	}
	return n
}

func (b *Builder) str(text string) uint32 {
	s := b.seg
	at := len(s.text)
	if at+len(text)+binary.MaxVarintLen64 > maxArena {
		b.fail(errors.New("more than 4 GiB of texts in one segment"))
		return 0
	}
	s.text = append(binary.AppendUvarint(s.text, uint64(len(text))), text...)
	return uint32(at)
}

// piece stores a piece of a glob, and counts those that are met again.
func (b *Builder) piece(text string) uint32 {
	n, there := b.pieces.find(b.seg.key.str(tagPiece, text), uint32(len(b.pieceAt)), func(i uint32) bool {
		return b.seg.str(b.pieceAt[i]) == text
	})
	if !there {
		b.pieceAt = append(b.pieceAt, b.str(text))
		return b.pieceAt[n]
	}
	at := b.pieceAt[n]
	b.common[at] = max(b.common[at], 1) + 1
	return at
}

func (b *Builder) words(w ...uint64) uint32 {
	b.seg.nums = append(b.seg.nums, w...)
	return uint32(len(b.seg.nums) - len(w))
}

func (b *Builder) keep(list []uint32) uint32 {
	s := b.seg
	at := len(s.lists)
	if at+len(list) >= math.MaxInt32 {
		b.fail(errors.New("too many members of sets in one segment"))
		return 0
	}
	s.lists = append(append(s.lists, uint32(len(list))), list...)
	return uint32(at)
}
