package predicate

import (
	"encoding/json"
	"strings"

	"github.com/rhost/rhost/event"
)

// field is a place in an event, looked up by index where the event was
// scanned.
type field struct {
	index int // in Set.Paths
	path  event.Path
}

func (f *field) of(ev *Event) event.Value {
	if f.index < len(ev.Fields) {
		return ev.Fields[f.index]
	}
	return ev.value(f.path)
}

// whose says which event a fieldRef reads.
type whose uint8

const (
	underTest whose = iota
	theFirst        // of those bound to the element, also of a singleton
	theLast
	theNth
)

// fieldRef is a field of the event under test, or of one that is bound.
type fieldRef struct {
	whose whose
	elem  int
	n     int  // for theNth
	list  bool // the element is a list: first(x).data.y, not x.data.y
	field field
}

func (r *fieldRef) eval(ev *Event, env Env) event.Value {
	if e := r.event(ev, env); e != nil {
		return r.field.of(e)
	}
	return event.Value{}
}

// event finds the event, or nil when none is bound.
func (r *fieldRef) event(ev *Event, env Env) *Event {
	if r.whose == underTest {
		return ev
	}
	if env == nil {
		return nil
	}
	if f, ok := env.(Folder); ok {
		if fold, ok := r.fold(); ok {
			if so, ok := f.Folded(fold); ok {
				return so.Event
			}
		}
	}
	bound := env.Bound(r.elem)
	switch {
	case len(bound) == 0:
		return nil
	case r.whose == theFirst:
		return bound[0]
	case r.whose == theLast:
		return bound[len(bound)-1]
	case r.n < len(bound):
		return bound[r.n]
	}
	return nil
}

type constValue struct{ v event.Value }

func (n constValue) eval(*Event, Env) event.Value { return n.v }

// arithmetic is on numbers; `+` also joins texts and lists, up to the size of an
// event: a rule of many pluses must not build gigabytes.
type arithmetic struct {
	op   byte // + - * /
	l, r value
}

func (n *arithmetic) eval(ev *Event, env Env) event.Value {
	l, r := n.l.eval(ev, env), n.r.eval(ev, env)
	if l.Kind() != r.Kind() {
		return event.Value{}
	}
	switch l.Kind() {
	case event.Number:
		return event.NumberValue(calculate(n.op, l.Number(), r.Number()))
	case event.String:
		if n.op == '+' && len(l.Str())+len(r.Str()) <= event.MaxSize {
			return event.StringValue(l.Str() + r.Str())
		}
	case event.List:
		if n.op == '+' && len(l.Raw())+len(r.Raw()) <= event.MaxSize {
			return joinLists(l, r)
		}
	default:
	}
	return event.Value{}
}

func calculate(op byte, x, y float64) float64 {
	switch op {
	case '+':
		return x + y
	case '-':
		return x - y
	case '*':
		return x * y
	default:
		return x / y
	}
}

func joinLists(l, r event.Value) event.Value {
	x, ok := l.Any().([]any)
	y, ok2 := r.Any().([]any)
	b, err := json.Marshal(append(x, y...))
	if !ok || !ok2 || err != nil {
		return event.Value{}
	}
	return event.RawValue(b)
}

type negation struct{ of value }

func (n *negation) eval(ev *Event, env Env) event.Value {
	v := n.of.eval(ev, env)
	if v.Kind() != event.Number {
		return event.Value{}
	}
	return event.NumberValue(-v.Number())
}

// callValue applies a function to one or two values.
type callValue struct {
	fn   function
	a, b value // b is nil for a function of one
}

func (n *callValue) eval(ev *Event, env Env) event.Value {
	a, b := n.a.eval(ev, env), event.NullValue()
	if n.b != nil {
		b = n.b.eval(ev, env)
	}
	if a.Kind() == event.Missing || b.Kind() == event.Missing {
		return event.Value{}
	}
	return n.fn.eval(a, b)
}

// sizeValue counts characters, items or keys.
type sizeValue struct{ of value }

func (n *sizeValue) eval(ev *Event, env Env) event.Value {
	v := n.of.eval(ev, env)
	switch c := v.Any().(type) {
	case string:
		return event.NumberValue(float64(len([]rune(c))))
	case []any:
		return event.NumberValue(float64(len(c)))
	case map[string]any:
		return event.NumberValue(float64(len(c)))
	}
	return event.Value{}
}

// countValue is how many events are bound to an element.
type countValue struct{ elem int }

func (n *countValue) eval(_ *Event, env Env) event.Value {
	if env == nil {
		return event.NumberValue(0)
	}
	if f, ok := env.(Folder); ok {
		if so, ok := f.Folded(FirstOf(n.elem)); ok {
			return event.NumberValue(so.Number)
		}
	}
	return event.NumberValue(float64(len(env.Bound(n.elem))))
}

// aggregateValue works over a field of every event bound to an element.
type aggregateValue struct {
	agg   aggregate
	elem  int
	field field
}

func (n *aggregateValue) eval(_ *Event, env Env) event.Value {
	if f, ok := env.(Folder); ok {
		if v, ok := n.folded(f); ok {
			return v
		}
	}
	acc := accumulator{agg: n.agg}
	if env != nil {
		for _, e := range env.Bound(n.elem) {
			acc.add(n.field.of(e))
		}
	}
	return acc.result()
}

type ifValue struct {
	cond        truth
	then, other value
}

func (n *ifValue) eval(ev *Event, env Env) event.Value {
	switch n.cond.eval(ev, env) {
	case True:
		return n.then.eval(ev, env)
	case False:
		return n.other.eval(ev, env)
	default:
		return event.Value{}
	}
}

// truthValue is a condition used as a value.
type truthValue struct{ of truth }

func (n *truthValue) eval(ev *Event, env Env) event.Value {
	t := n.of.eval(ev, env)
	if t == Unknown {
		return event.Value{}
	}
	return event.BoolValue(t == True)
}

func (r *fieldRef) walk(visit func(node))       { visit(r) }
func (n constValue) walk(visit func(node))      { visit(n) }
func (n *arithmetic) walk(visit func(node))     { visit(n); n.l.walk(visit); n.r.walk(visit) }
func (n *negation) walk(visit func(node))       { visit(n); n.of.walk(visit) }
func (n *sizeValue) walk(visit func(node))      { visit(n); n.of.walk(visit) }
func (n *countValue) walk(visit func(node))     { visit(n) }
func (n *aggregateValue) walk(visit func(node)) { visit(n) }
func (n *truthValue) walk(visit func(node))     { visit(n); n.of.walk(visit) }

func (n *callValue) walk(visit func(node)) {
	visit(n)
	n.a.walk(visit)
	if n.b != nil {
		n.b.walk(visit)
	}
}

func (n *ifValue) walk(visit func(node)) {
	visit(n)
	n.cond.walk(visit)
	n.then.walk(visit)
	n.other.walk(visit)
}

// text gives the source of a node.
func text(n node, names []string) string {
	var b strings.Builder
	n.write(&b, names)
	return b.String()
}
