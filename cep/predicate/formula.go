package predicate

import (
	"slices"
	"strings"
)

// FormulaKind says what a Formula is.
type FormulaKind uint8

// The kinds of formulas.
const (
	FormulaTrue FormulaKind = iota
	FormulaFalse
	FormulaAtom // holds when Atom gives Want
	FormulaLeaf // holds when Leaf gives Want
	FormulaAnd  // holds when all of Kids do
	FormulaOr   // holds when one of Kids does
)

// Formula is a condition in negation normal form, for an index. At the top of a
// condition unknown counts as false, so what remains is two-valued, and monotone
// in its literals: an atom or leaf together with the outcome that is wanted of
// it, True or False. `!(data.x == 1)` wants False of `data.x == 1`, which is not
// met where data.x is missing.
//
// And and Or have at least two Kids, of which none is FormulaTrue, FormulaFalse
// or of the same kind, and no literal is there twice. A Formula is immutable.
type Formula struct {
	Kind FormulaKind
	Want Tri // True or False, of FormulaAtom and FormulaLeaf
	Atom *Atom
	Leaf *Leaf
	Kids []Formula
}

// Formula gives the condition without what it says of other elements. exact
// tells that nothing is lost: the condition is true where, and only where, the
// formula holds. Otherwise parts were taken for true, and the formula is merely
// necessary for the condition.
func (c *Cond) Formula() (f Formula, exact bool) {
	return formulaOf(c.root, make(map[string]*Leaf))
}

// Holds decides the formula for an event.
func (f *Formula) Holds(ev *Event) bool {
	switch f.Kind {
	case FormulaAtom:
		return f.Atom.eval(ev, nil) == f.Want
	case FormulaLeaf:
		return f.Leaf.Eval(ev) == f.Want
	case FormulaAnd:
		for i := range f.Kids {
			if !f.Kids[i].Holds(ev) {
				return false
			}
		}
		return true
	case FormulaOr:
		for i := range f.Kids {
			if f.Kids[i].Holds(ev) {
				return true
			}
		}
		return false
	default:
		return f.Kind == FormulaTrue
	}
}

// String gives the formula as CEL, which compiles to an equal one.
func (f *Formula) String() string {
	var b strings.Builder
	f.write(&b)
	return b.String()
}

func (f *Formula) write(b *strings.Builder) {
	switch f.Kind {
	case FormulaAtom, FormulaLeaf:
		var s string
		if f.Kind == FormulaAtom {
			s = f.Atom.String()
		} else {
			s = f.Leaf.String()
		}
		if f.Want == False {
			s = "!(" + s + ")"
		}
		b.WriteString(s)
	case FormulaAnd, FormulaOr:
		for i := range f.Kids {
			switch {
			case i > 0 && f.Kind == FormulaAnd:
				b.WriteString(" && ")
			case i > 0:
				b.WriteString(" || ")
			}
			if f.Kids[i].Kind == FormulaOr {
				b.WriteByte('(')
				f.Kids[i].write(b)
				b.WriteByte(')')
			} else {
				f.Kids[i].write(b)
			}
		}
	case FormulaTrue:
		b.WriteString("true")
	default:
		b.WriteString("false")
	}
}

// formulaOf builds the formula that holds where t is true.
func formulaOf(t truth, leafs map[string]*Leaf) (f Formula, exact bool) {
	b := formulas{leafs: leafs}
	f = b.of(t, True)
	return f, !b.inexact || f.Kind == FormulaFalse
}

// formulas builds one formula.
type formulas struct {
	leafs   map[string]*Leaf // by text
	inexact bool
}

// of gives the formula that holds where t comes out as want, True or False.
func (b *formulas) of(t truth, want Tri) Formula {
	switch t := t.(type) {
	case *Atom:
		return Formula{Kind: FormulaAtom, Atom: t, Want: want}
	case *andNode:
		return b.junction(t.kids, want, want == True)
	case *orNode:
		return b.junction(t.kids, want, want == False)
	case *notNode:
		return b.of(t.kid, want.Not())
	case *ifTruth:
		return b.choice(t, want)
	case constTruth:
		return constant(t.t == want)
	case *hasNode:
		if t.atom != nil && want == True {
			return Formula{Kind: FormulaAtom, Atom: t.atom, Want: True}
		}
	default:
	}
	return b.leaf(t, want)
}

func constant(holds bool) Formula {
	if holds {
		return Formula{Kind: FormulaTrue}
	}
	return Formula{Kind: FormulaFalse}
}

// leaf makes a literal of what has no structure. About what reads other elements
// nothing is known here: it may come out either way.
func (b *formulas) leaf(t truth, want Tri) Formula {
	if readsElements(t) {
		b.inexact = true
		return constant(true)
	}
	s := text(t, nil)
	if _, ok := t.(*ifTruth); ok {
		s = "(" + s + ")"
	}
	l, ok := b.leafs[s]
	if !ok {
		l = &Leaf{t, s}
		b.leafs[s] = l
	}
	return Formula{Kind: FormulaLeaf, Leaf: l, Want: want}
}

// choice is c ? x : y, which comes out as wanted where c is true and x does, or c
// is false and y does. Choices inside c would double the formula with every
// level, so such a choice stays one leaf.
func (b *formulas) choice(t *ifTruth, want Tri) Formula {
	nested := false
	t.cond.walk(func(n node) {
		_, is := n.(*ifTruth)
		nested = nested || is
	})
	if nested {
		return b.leaf(t, want)
	}
	then := b.join([]Formula{b.of(t.cond, True), b.of(t.then, want)}, true)
	other := b.join([]Formula{b.of(t.cond, False), b.of(t.other, want)}, true)
	return b.join([]Formula{then, other}, false)
}

// junction joins operands that must all come out as wanted, or one of them.
func (b *formulas) junction(kids []truth, want Tri, all bool) Formula {
	out := make([]Formula, len(kids))
	for i, k := range kids {
		out[i] = b.of(k, want)
	}
	return b.join(out, all)
}

// join makes an And or an Or of formulas: flat, without constants, and with each
// literal once. It may change kids.
func (b *formulas) join(kids []Formula, all bool) Formula {
	kind := FormulaOr
	if all {
		kind = FormulaAnd
	}
	kids = flatten(kids, kind)
	seen := literals{}
	n := 0
	for _, k := range kids {
		switch {
		case k.Kind == FormulaTrue && all, k.Kind == FormulaFalse && !all:
			continue
		case k.Kind == FormulaTrue, k.Kind == FormulaFalse:
			return k
		case k.Kind == FormulaAtom || k.Kind == FormulaLeaf:
			k.Want = k.Want.Not()
			if seen.has(kids[:n], &k) && all {
				return constant(false) // nothing comes out both ways
			}
			k.Want = k.Want.Not()
			if seen.add(kids[:n], &k) {
				continue
			}
		}
		kids[n] = k
		n++
	}
	switch kids = kids[:n:n]; n {
	case 0:
		return constant(all)
	case 1:
		return kids[0]
	}
	return Formula{Kind: kind, Kids: kids}
}

// flatten puts the kids of formulas of the kind in the place of these.
func flatten(kids []Formula, kind FormulaKind) []Formula {
	if !slices.ContainsFunc(kids, func(k Formula) bool { return k.Kind == kind }) {
		return kids
	}
	var flat []Formula
	for _, k := range kids {
		if k.Kind == kind {
			flat = append(flat, k.Kids...)
		} else {
			flat = append(flat, k)
		}
	}
	return flat
}

// literals recognises the literals of a junction: by a walk over those so far
// while they are few, then by a map.
type literals struct{ many map[literal]struct{} }

type literal struct {
	atom *Atom
	leaf *Leaf
	want Tri
}

// fewLiterals is up to where a walk beats a map.
const fewLiterals = 16

func (l *literals) has(sofar []Formula, f *Formula) bool {
	if l.many != nil {
		_, ok := l.many[literal{f.Atom, f.Leaf, f.Want}]
		return ok
	}
	for i := range sofar {
		k := &sofar[i]
		if k.Atom == f.Atom && k.Leaf == f.Leaf && k.Want == f.Want && k.Kind == f.Kind {
			return true
		}
	}
	return false
}

// add reports whether f was there already.
func (l *literals) add(sofar []Formula, f *Formula) bool {
	if l.has(sofar, f) {
		return true
	}
	if l.many == nil && len(sofar) >= fewLiterals {
		l.many = make(map[literal]struct{})
		for i := range sofar {
			l.many[literal{sofar[i].Atom, sofar[i].Leaf, sofar[i].Want}] = struct{}{}
		}
	}
	if l.many != nil {
		l.many[literal{f.Atom, f.Leaf, f.Want}] = struct{}{}
	}
	return false
}

// readsElements reports whether a truth depends on other elements.
func readsElements(t truth) bool {
	reads := false
	t.walk(func(n node) {
		switch n := n.(type) {
		case *fieldRef:
			reads = reads || n.whose != underTest
		case *countValue, *aggregateValue:
			reads = true
		case *interpreted:
			reads = reads || len(n.elems) > 0
		}
	})
	return reads
}
