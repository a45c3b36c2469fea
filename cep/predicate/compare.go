package predicate

import (
	"strconv"
	"strings"

	"github.com/rhost/rhost/event"
)

// ordered reports whether values of that kind have an order.
func ordered(k event.Kind) bool {
	return k == event.Bool || k == event.Number || k == event.String || k == event.Time
}

// compare orders two values of one kind; ok is false when they have no order.
// A NaN is neither less than, equal to nor greater than anything, which callers
// see as an order of unordered.
func compare(a, b event.Value) (order int, ok bool) {
	if a.Kind() != b.Kind() {
		return unordered, ordered(a.Kind()) && (isNaN(a) || isNaN(b))
	}
	switch a.Kind() {
	case event.Number:
		x, y := a.Number(), b.Number()
		switch {
		case x < y:
			return -1, true
		case x > y:
			return 1, true
		case x == y:
			return 0, true
		}
		return unordered, true
	case event.String:
		return strings.Compare(a.Str(), b.Str()), true
	case event.Time:
		return a.Time().Compare(b.Time()), true
	case event.Bool:
		x, y := a.Bool(), b.Bool()
		switch {
		case x == y:
			return 0, true
		case y:
			return -1, true
		}
		return 1, true
	default:
		return 0, false
	}
}

func isNaN(v event.Value) bool { return v.Kind() == event.Number && v.Number() != v.Number() }

// unordered is what compare gives for NaN: no comparison with it holds.
const unordered = 2

// Op is a comparison or a test. Index segments on disk hold these numbers:
// new ones go to the end.
type Op uint8

// The tests of a value v. With a value that is missing, or of a kind the test
// is not for, all but OpHas are Unknown; values of two kinds are unequal.
const (
	OpEq       Op = iota // v == constant
	OpNe                 // v != constant
	OpLt                 // v < constant
	OpLe                 // v <= constant
	OpGt                 // v > constant
	OpGe                 // v >= constant
	OpIn                 // v is one of the constants
	OpPrefix             // v.startsWith(constant)
	OpSuffix             // v.endsWith(constant)
	OpContains           // v.contains(constant)
	OpMatches            // v.matches(constant), a regular expression of package regexp
	OpCIDR               // v is an IP address of the network
	OpTrue               // v is the boolean true
	OpHas                // v is there; False when it is not, never Unknown
	opEnd
)

// String gives the operator or function as CEL writes it; "true" for OpTrue.
func (o Op) String() string {
	if o >= opEnd {
		return "op " + strconv.Itoa(int(o))
	}
	return [...]string{"==", "!=", "<", "<=", ">", ">=", "in", "startsWith", "endsWith", "contains", "matches", "cidr", "true", "has"}[o]
}

// flip gives the operator for swapped operands.
func (o Op) flip() Op {
	switch o {
	case OpLt:
		return OpGt
	case OpLe:
		return OpGe
	case OpGt:
		return OpLt
	case OpGe:
		return OpLe
	default:
		return o
	}
}

// holds reports whether an order of a to b satisfies `a op b`.
func (o Op) holds(order int) bool {
	switch o {
	case OpLt:
		return order == -1
	case OpLe:
		return order == -1 || order == 0
	case OpGt:
		return order == 1
	case OpGe:
		return order == 1 || order == 0
	default:
		return false
	}
}

// relate decides `a op b` for the six comparisons. Values of different kinds
// are not equal, as in CEL; they have no order, which is unknown.
func (o Op) relate(a, b event.Value) Tri {
	if a.Kind() == event.Missing || b.Kind() == event.Missing {
		return Unknown
	}
	switch o {
	case OpEq:
		return TriOf(a.Equal(b))
	case OpNe:
		return TriOf(!a.Equal(b))
	default:
		order, ok := compare(a, b)
		if !ok {
			return Unknown
		}
		return TriOf(o.holds(order))
	}
}
