package syntax

import (
	"strconv"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// Pattern is a sequence of units. Bounds hold for every Pattern ParseRules
// gives out: names are distinct, the first unit is Begin and positive, a
// negative unit is unquantified and never follows an optional one, and the
// sum of the repetitions is at most MaxStates.
type Pattern struct {
	Units []Unit
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

// Index gives the position of the unit called name, or -1.
func (p Pattern) Index(name string) int {
	for i := range p.Units {
		if p.Units[i].Name == name {
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
