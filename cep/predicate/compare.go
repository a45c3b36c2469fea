package predicate

import (
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

// op is a comparison or a test.
type op uint8

const (
	opEq op = iota
	opNe
	opLt
	opLe
	opGt
	opGe
	opIn
	opPrefix
	opSuffix
	opContains
	opMatches
	opCIDR
	opTrue // the value is the boolean true
)

// String gives the operator or function as CEL writes it.
func (o op) String() string {
	return [...]string{"==", "!=", "<", "<=", ">", ">=", "in", "startsWith", "endsWith", "contains", "matches", "cidr", "true"}[o]
}

// flip gives the operator for swapped operands.
func (o op) flip() op {
	switch o {
	case opLt:
		return opGt
	case opLe:
		return opGe
	case opGt:
		return opLt
	case opGe:
		return opLe
	default:
		return o
	}
}

// holds reports whether an order of a to b satisfies `a op b`.
func (o op) holds(order int) bool {
	switch o {
	case opLt:
		return order == -1
	case opLe:
		return order == -1 || order == 0
	case opGt:
		return order == 1
	case opGe:
		return order == 1 || order == 0
	default:
		return false
	}
}

// relate decides `a op b` for the six comparisons. Values of different kinds
// are not equal, as in CEL; they have no order, which is unknown.
func (o op) relate(a, b event.Value) Tri {
	if a.Kind() == event.Missing || b.Kind() == event.Missing {
		return Unknown
	}
	switch o {
	case opEq:
		return TriOf(a.Equal(b))
	case opNe:
		return TriOf(!a.Equal(b))
	default:
		order, ok := compare(a, b)
		if !ok {
			return Unknown
		}
		return TriOf(o.holds(order))
	}
}
