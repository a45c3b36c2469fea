package syntax

import (
	"slices"
	"time"

	"github.com/rhost/rhost/yamldoc"
)

// Pattern is a sequence of terms and the elements in it. Of every Pattern that
// Parse gives out this is so: names of elements are distinct; the first term of
// each sequence has the link Begin; a negative element is an unquantified term by
// itself, never the first of a sequence, never the last one in brackets, and never
// after a term that may be absent; and the pattern needs at most MaxStates.
type Pattern struct {
	Seq   []Term    // the steps, one after the other
	Elems []Element // every element, in the order of the text: what conditions, bindings and engines number
}

const (
	// MaxStates bounds a pattern: the sum of the repetitions of its elements,
	// multiplied by those of the groups around them and by the orders in which a
	// conjunction can happen.
	MaxStates = 1000

	// MaxBoth bounds the operands of a conjunction, whose orders multiply.
	MaxBoth = 4

	// Unbounded is the Max of a term that may repeat for ever.
	Unbounded = -1
)

// Term is one step of a sequence: an element, or several terms in its place.
type Term struct {
	Link Link // how it joins the term before it

	// Elem is an index in Pattern.Elems. It is -1 for several terms, and exactly
	// one of the three that follow is then set.
	Elem   int
	Group  []Term   // a sequence in brackets
	Either [][]Term // alternatives: one of these sequences; an event that fits two takes the first
	Both   [][]Term // a conjunction: all of these sequences, in any order, of distinct events

	Name     string // under which `define` has these several terms; "" for an element and for brackets
	Min, Max int    // 1 ≤ Min ≤ Max, or Max is Unbounded; `?`, `*` and `{0,n}` are Optional with a Min of 1
	Optional bool   // the whole term, repetitions included, may be absent
	Repeat   Link   // between repetitions: Then (relaxed), Next (consecutive) or Any (with combinations)
	Greedy   bool   // of an element that repeats: it takes all it can before the next term begins

	Until    string        // CEL that ends a loop; "" when there is none
	UntilPos yamldoc.Pos   // of the first character of Until
	Gap      time.Duration // at most, between repetitions; 0: unbounded
	Wait     time.Duration // at most, from the event bound before; 0: unbounded
	Pos      yamldoc.Pos   // of the name or bracket
}

// Element is one name of a pattern, to which events are bound.
type Element struct {
	Name     string
	Cond     string      // CEL
	CondPos  yamldoc.Pos // of the first character of Cond
	Pos      yamldoc.Pos // of the name in the pattern
	Negative bool        // it must not happen; nothing is ever bound to it
	Repeated bool        // more than one event may be bound, counting the repetitions of groups around it
	Optional bool        // a match may have none: it or a group around it is optional, or it stands in an alternative
}

// Index gives the number of the element called name, or -1.
func (p *Pattern) Index(name string) int {
	return slices.IndexFunc(p.Elems, func(e Element) bool { return e.Name == name })
}

// Parts gives the sequences inside t; none for an element.
func (t *Term) Parts() [][]Term {
	switch {
	case t.Group != nil:
		return [][]Term{t.Group}
	case t.Either != nil:
		return t.Either
	default:
		return t.Both
	}
}

// once reports whether t stands without a quantifier.
func (t *Term) once() bool { return t.Min == 1 && t.Max == 1 && !t.Optional }

// absent reports whether a match may have nothing of t.
func (t *Term) absent() bool {
	if t.Optional {
		return true
	}
	empty := func(seq []Term) bool {
		return !slices.ContainsFunc(seq, func(t Term) bool { return !t.Link.Negative() && !t.absent() })
	}
	switch {
	case t.Group != nil:
		return empty(t.Group)
	case t.Either != nil:
		return slices.ContainsFunc(t.Either, empty)
	case t.Both != nil:
		return !slices.ContainsFunc(t.Both, func(seq []Term) bool { return !empty(seq) })
	}
	return false
}

// states counts what t needs, up to something above MaxStates.
func (t *Term) states() int {
	n := 0
	switch {
	case t.Elem >= 0:
		n = 1
	default:
		for _, part := range t.Parts() {
			n = min(n+statesOf(part), MaxStates+1)
		}
	}
	for orders := 2; orders <= len(t.Both); orders++ {
		n = min(n*orders, MaxStates+1)
	}
	times := t.Max
	if times == Unbounded {
		times = t.Min
	}
	return min(n*times, MaxStates+1) // both are small
}

func statesOf(seq []Term) int {
	n := 0
	for i := range seq {
		n = min(n+seq[i].states(), MaxStates+1)
	}
	return n
}

// walk calls f for every term of seq, those inside before what follows.
func walk(seq []Term, f func(*Term)) {
	for i := range seq {
		f(&seq[i])
		for _, part := range seq[i].Parts() {
			walk(part, f)
		}
	}
}
