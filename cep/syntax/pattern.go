package syntax

import (
	"strconv"
	"strings"
	"time"

	"github.com/rhost/rhost/yamldoc"
)

// Pattern is a sequence of units. Bounds hold for every Pattern ParseRules
// gives out: names are distinct, the first unit is Begin and positive, a
// negative unit is unquantified and never follows an optional one, and the
// sum of the repetitions is at most MaxStates.
type Pattern struct {
	Seq   []Term    // the steps, one after the other
	Elems []Element // every element, in the order of the text: what conditions, bindings and engines number
	Units []Unit    // of a pattern that is a plain sequence of elements
}

// Term is one step of a sequence: an element, or several terms in its place.
type Term struct {
	Link Link // how it joins the term before it

	// Elem is an index in Pattern.Elems. It is -1 for several terms, and exactly
	// one of the three that follow is then set.
	Elem   int
	Group  []Term   // a sequence in brackets
	Either [][]Term // alternatives: one of these sequences
	Both   [][]Term // a conjunction: all of these sequences, in any order

	Name     string // of a group that `define` names; "" otherwise
	Min, Max int    // 1 ≤ Min ≤ Max, or Max is Unbounded; `?`, `*` and `{0,n}` are Optional with a Min of 1
	Optional bool   // the whole term, repetitions included, may be absent
	Repeat   Link   // between repetitions: Then (relaxed), Next (consecutive) or Any (with combinations)
	Greedy   bool   // of a loop: it takes all it can before the next term begins

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

// MaxStates bounds a pattern: the sum, over its units, of the repetitions that
// need a state of their own.
const MaxStates = 1000

// Unbounded is the Max of a unit that may repeat for ever.
const Unbounded = -1

// Unit is one element of a pattern: an event, or a repetition of events, that
// meets a condition.
type Unit struct {
	Name     string
	Link     Link // how it joins the unit before it
	Min, Max int  // 1 ≤ Min ≤ Max, or Max is Unbounded; `?`, `*` and `{0,n}` are Optional with a Min of 1
	Optional bool // the whole unit, repetitions included, may be absent
	Repeat   Link // between repetitions: Then (relaxed) or Next (consecutive)

	Cond    string      // CEL
	CondPos yamldoc.Pos // of the first character of Cond
	Pos     yamldoc.Pos // of the name in the pattern
}

// Repeated reports whether more than one event may be bound to u: conditions
// see such an element as a list, and any other as an event.
func (u Unit) Repeated() bool { return u.Max != 1 }

// Index gives the number of the element called name, or -1.
func (p Pattern) Index(name string) int {
	for i := range p.Elems {
		if p.Elems[i].Name == name {
			return i
		}
	}
	return -1
}

// String gives the pattern in its shortest spelling; parsing that gives the
// same units, except for what only `define:` can say.
func (p Pattern) String() string {
	var b strings.Builder
	for i, u := range p.Units {
		if i > 0 {
			b.WriteString(" " + u.Link.String() + " ")
		}
		b.WriteString(u.Name)
		b.WriteString(u.quantifier())
	}
	return b.String()
}

func (u Unit) quantifier() string {
	low := u.Min
	switch {
	case u.Optional && u.Min == 1 && u.Max == 1:
		return "?"
	case u.Optional && u.Min == 1 && u.Max == Unbounded:
		return "*"
	case u.Min == 1 && u.Max == Unbounded:
		return "+"
	case u.Min == 1 && u.Max == 1:
		return ""
	case u.Optional && u.Min == 1:
		low = 0 // `{0,n}` is how the pattern says an optional `{1,n}`
	}
	switch u.Max {
	case Unbounded:
		return "{" + strconv.Itoa(low) + ",}"
	case low:
		return "{" + strconv.Itoa(low) + "}"
	}
	return "{" + strconv.Itoa(low) + "," + strconv.Itoa(u.Max) + "}"
}

// fill makes Seq and Elems of a plain sequence of units.
func (p *Pattern) fill() {
	for i, u := range p.Units {
		p.Seq = append(p.Seq, Term{
			Link: u.Link, Elem: i, Min: u.Min, Max: u.Max, Optional: u.Optional, Repeat: u.Repeat, Pos: u.Pos,
		})
		p.Elems = append(p.Elems, Element{
			Name: u.Name, Cond: u.Cond, CondPos: u.CondPos, Pos: u.Pos,
			Negative: u.Link.Negative(), Repeated: u.Repeated(), Optional: u.Optional,
		})
	}
}
