package index

import (
	"errors"
	"fmt"
	"math"
	"regexp/syntax"
	"slices"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

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
	default: // it takes more than an atom
	}
	n, ok := b.met[a]
	if !ok {
		n = b.complex(a, f)
		if len(b.met) == maxMet { // by then the atoms are mostly of a set that is gone but for us
			clear(b.met)
		}
		b.met[a] = n
	}
	return atomRef(n, want)
}

// maxMet is how many sets and patterns are remembered by their atoms, which are
// kept for that.
const maxMet = 1 << 14

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
		default: // null has no words
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
