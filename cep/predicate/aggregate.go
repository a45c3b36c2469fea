package predicate

import "github.com/rhost/rhost/event"

// aggregate is a function over a field of every event bound to an element.
type aggregate uint8

const (
	aggNone aggregate = iota
	aggSum
	aggAvg
	aggMin
	aggMax
)

func (a aggregate) String() string {
	switch a {
	case aggSum:
		return "sum"
	case aggAvg:
		return "avg"
	case aggMin:
		return "min"
	case aggMax:
		return "max"
	default:
		return "none"
	}
}

func aggregateOf(name string) aggregate {
	for _, a := range []aggregate{aggSum, aggAvg, aggMin, aggMax} {
		if a.String() == name {
			return a
		}
	}
	return aggNone
}

// timeAggregate is the hidden name of min and max over times.
func timeAggregate(a aggregate) string { return "@" + a.String() + "_time" }

// accumulator works an aggregate out. One value that is missing or of the wrong
// kind makes the whole unknown; of no values at all, the sum is 0 and the others
// are unknown.
type accumulator struct {
	agg  aggregate
	n    int
	sum  float64
	best event.Value // least or greatest so far
	bad  bool
}

// add reports whether v is the least or greatest value so far.
func (a *accumulator) add(v event.Value) (best bool) {
	a.n++
	if a.agg == aggSum || a.agg == aggAvg {
		a.bad = a.bad || v.Kind() != event.Number
		a.sum += v.Number()
		return false
	}
	if a.n == 1 {
		a.best, a.bad = v, !ordered(v.Kind())
		return true
	}
	order, ok := compare(v, a.best)
	a.bad = a.bad || !ok
	if a.agg == aggMin && order < 0 || a.agg == aggMax && order > 0 {
		a.best = v
		return true
	}
	return false
}

func (a *accumulator) result() event.Value {
	switch {
	case a.bad, a.n == 0 && a.agg != aggSum:
		return event.Value{}
	case a.agg == aggSum:
		return event.NumberValue(a.sum)
	case a.agg == aggAvg:
		return event.NumberValue(a.sum / float64(a.n))
	}
	return a.best
}
