package predicate

import (
	"bytes"
	"reflect"
	"strings"
	"time"

	"github.com/rhost/rhost/event"
)

// A compiled condition is a tree of nodes of three sorts, after what they give:
// a truth, a value of an event, or a duration (which no event holds). Nodes are
// immutable, and evaluating the common ones allocates nothing.
type (
	truth interface {
		eval(ev *Event, env Env) Tri
		node
	}
	value interface {
		eval(ev *Event, env Env) event.Value // Missing is unknown
		node
	}
	span interface {
		eval(ev *Event, env Env) (time.Duration, bool) // false is unknown
		node
	}

	// node is what every sort can do beside being evaluated.
	node interface {
		write(b *strings.Builder, names []string) // as CEL, with the names of the scope's elements
		walk(visit func(node))                    // visits the node, then those below it
	}
)

// connectives

type andNode struct{ kids []truth }

func (n *andNode) eval(ev *Event, env Env) Tri {
	out := True
	for _, k := range n.kids {
		if t := k.eval(ev, env); t == False {
			return False
		} else if t == Unknown {
			out = Unknown
		}
	}
	return out
}

type orNode struct{ kids []truth }

func (n *orNode) eval(ev *Event, env Env) Tri {
	out := False
	for _, k := range n.kids {
		if t := k.eval(ev, env); t == True {
			return True
		} else if t == Unknown {
			out = Unknown
		}
	}
	return out
}

type notNode struct{ kid truth }

func (n *notNode) eval(ev *Event, env Env) Tri { return n.kid.eval(ev, env).Not() }

type ifTruth struct{ cond, then, other truth }

func (n *ifTruth) eval(ev *Event, env Env) Tri {
	switch n.cond.eval(ev, env) {
	case True:
		return n.then.eval(ev, env)
	case False:
		return n.other.eval(ev, env)
	default:
		return Unknown
	}
}

type constTruth struct{ t Tri }

func (n constTruth) eval(*Event, Env) Tri { return n.t }

// leaves

// testNode tests any other value.
type testNode struct {
	subject value
	test    test
}

func (n *testNode) eval(ev *Event, env Env) Tri { return n.test.eval(n.subject.eval(ev, env)) }

// relateNode compares two values, such as fields of two events.
type relateNode struct {
	op   Op
	l, r value
}

func (n *relateNode) eval(ev *Event, env Env) Tri {
	return n.op.relate(n.l.eval(ev, env), n.r.eval(ev, env))
}

// stringNode tests a text against another that is not constant.
type stringNode struct {
	op   Op // OpPrefix, OpSuffix, OpContains
	l, r value
}

func (n *stringNode) eval(ev *Event, env Env) Tri {
	l, r := n.l.eval(ev, env), n.r.eval(ev, env)
	if l.Kind() != event.String || r.Kind() != event.String {
		return Unknown
	}
	switch n.op {
	case OpPrefix:
		return TriOf(strings.HasPrefix(l.Str(), r.Str()))
	case OpSuffix:
		return TriOf(strings.HasSuffix(l.Str(), r.Str()))
	default:
		return TriOf(strings.Contains(l.Str(), r.Str()))
	}
}

// memberNode looks a value up in a list or among the keys of a map.
type memberNode struct{ elem, in value }

func (n *memberNode) eval(ev *Event, env Env) Tri {
	v, in := n.elem.eval(ev, env), n.in.eval(ev, env)
	if v.Kind() == event.Missing {
		return Unknown
	}
	switch c := in.Any().(type) {
	case []any:
		want := v.Any()
		for _, item := range c {
			if reflect.DeepEqual(item, want) {
				return True
			}
		}
		return False
	case map[string]any:
		if v.Kind() != event.String {
			return False
		}
		_, ok := c[v.Str()]
		return TriOf(ok)
	}
	return Unknown
}

// hasNode is has(x.y): whether the field is there, given that what it would be
// a field of is.
type hasNode struct {
	value   fieldRef
	parent  fieldRef // of the same event as value
	atom    *Atom    // true exactly where this is; nil unless it is about the event under test
	lenient bool     // the parent is the payload, and without one there is no field
}

func (n *hasNode) eval(ev *Event, env Env) Tri {
	if n.value.eval(ev, env).Kind() != event.Missing {
		return True
	}
	return n.absent(n.value.event(ev, env))
}

// absent tells a field that is not there from one that cannot be there.
func (n *hasNode) absent(ev *Event) Tri {
	if ev == nil {
		return Unknown
	}
	if n.parent.field.path.IsZero() {
		return False // an attribute, or an extension: the event itself is there
	}
	if n.lenient {
		if payloadIsList(ev.Ev) {
			return Unknown
		}
		return False
	}
	switch ev.Ev.Get(n.parent.field.path).Kind() {
	case event.Missing, event.List:
		return Unknown
	default:
		return False
	}
}

// payloadIsList looks at the first character, which tells it without reading on.
func payloadIsList(ev *event.Event) bool {
	b := bytes.TrimLeft(ev.Data, " \t\r\n")
	return len(b) > 0 && b[0] == '[' && ev.IsJSON()
}

// spanNode compares two durations.
type spanNode struct {
	op   Op
	l, r span
}

func (n *spanNode) eval(ev *Event, env Env) Tri {
	l, ok := n.l.eval(ev, env)
	r, ok2 := n.r.eval(ev, env)
	if !ok || !ok2 {
		return Unknown
	}
	switch n.op {
	case OpEq:
		return TriOf(l == r)
	case OpNe:
		return TriOf(l != r)
	case OpLt:
		return TriOf(l < r)
	case OpLe:
		return TriOf(l <= r)
	case OpGt:
		return TriOf(l > r)
	default:
		return TriOf(l >= r)
	}
}

// calls with one constant side, walks

func (n *andNode) walk(visit func(node)) { visit(n); walkAll(visit, n.kids) }
func (n *orNode) walk(visit func(node))  { visit(n); walkAll(visit, n.kids) }
func (n *notNode) walk(visit func(node)) { visit(n); n.kid.walk(visit) }
func (n *ifTruth) walk(visit func(node)) {
	visit(n)
	walkAll(visit, []truth{n.cond, n.then, n.other})
}
func (n constTruth) walk(visit func(node))  { visit(n) }
func (n *testNode) walk(visit func(node))   { visit(n); n.subject.walk(visit) }
func (n *relateNode) walk(visit func(node)) { visit(n); n.l.walk(visit); n.r.walk(visit) }
func (n *stringNode) walk(visit func(node)) { visit(n); n.l.walk(visit); n.r.walk(visit) }
func (n *memberNode) walk(visit func(node)) { visit(n); n.elem.walk(visit); n.in.walk(visit) }
func (n *hasNode) walk(visit func(node))    { visit(n); n.value.walk(visit) }
func (n *spanNode) walk(visit func(node))   { visit(n); n.l.walk(visit); n.r.walk(visit) }

func walkAll(visit func(node), kids []truth) {
	for _, k := range kids {
		k.walk(visit)
	}
}
