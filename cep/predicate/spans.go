package predicate

import (
	"math"
	"time"

	"github.com/rhost/rhost/event"
)

// partValue is a part of a time, in a zone.
type partValue struct {
	part string
	of   value
	zone *time.Location
	name string // of the zone; "" for UTC
}

func (n *partValue) eval(ev *Event, env Env) event.Value {
	v := n.of.eval(ev, env)
	if v.Kind() != event.Time {
		return event.Value{}
	}
	return event.NumberValue(timePart(n.part, v.Time().In(n.zone)))
}

// spanPart is a duration in a unit.
type spanPart struct {
	part string
	of   span
}

func (n *spanPart) eval(ev *Event, env Env) event.Value {
	d, ok := n.of.eval(ev, env)
	if !ok {
		return event.Value{}
	}
	return event.NumberValue(durationPart(n.part, d))
}

// shifted is a time moved by a duration.
type shifted struct {
	time value
	by   span
	back bool // minus the duration
}

func (n *shifted) eval(ev *Event, env Env) event.Value {
	t := n.time.eval(ev, env)
	d, ok := n.by.eval(ev, env)
	if t.Kind() != event.Time || !ok || d == math.MinInt64 {
		return event.Value{}
	}
	if n.back {
		d = -d
	}
	moved := t.Time().Add(d)
	if s := moved.Unix(); s < minUnix || s > maxUnix {
		return event.Value{}
	}
	return event.TimeValue(moved)
}

type constSpan struct{ d time.Duration }

func (n constSpan) eval(*Event, Env) (time.Duration, bool) { return n.d, true }

// between two times
type timeSpan struct{ l, r value }

func (n *timeSpan) eval(ev *Event, env Env) (time.Duration, bool) {
	l, r := n.l.eval(ev, env), n.r.eval(ev, env)
	if l.Kind() != event.Time || r.Kind() != event.Time {
		return 0, false
	}
	d := l.Time().Sub(r.Time())
	// Sub saturates: the ends of the range are lies.
	return d, d != math.MaxInt64 && d != math.MinInt64
}

type sumSpan struct {
	l, r span
	back bool // minus r
}

func (n *sumSpan) eval(ev *Event, env Env) (time.Duration, bool) {
	l, ok := n.l.eval(ev, env)
	r, ok2 := n.r.eval(ev, env)
	if !ok || !ok2 || r == math.MinInt64 {
		return 0, false
	}
	if n.back {
		r = -r
	}
	sum := l + r
	return sum, (sum > l) == (r > 0)
}

type parsedSpan struct{ of value }

func (n *parsedSpan) eval(ev *Event, env Env) (time.Duration, bool) {
	v := n.of.eval(ev, env)
	if v.Kind() != event.String {
		return 0, false
	}
	d, err := time.ParseDuration(v.Str())
	return d, err == nil
}

func (n constSpan) walk(visit func(node))   { visit(n) }
func (n *timeSpan) walk(visit func(node))   { visit(n); n.l.walk(visit); n.r.walk(visit) }
func (n *sumSpan) walk(visit func(node))    { visit(n); n.l.walk(visit); n.r.walk(visit) }
func (n *parsedSpan) walk(visit func(node)) { visit(n); n.of.walk(visit) }
func (n *spanPart) walk(visit func(node))   { visit(n); n.of.walk(visit) }
func (n *shifted) walk(visit func(node))    { visit(n); n.time.walk(visit); n.by.walk(visit) }
func (n *partValue) walk(visit func(node))  { visit(n); n.of.walk(visit) }
