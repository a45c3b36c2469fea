package predicate

import (
	"strings"
	"unsafe"

	"github.com/rhost/rhost/event"
)

// Scope is what a condition can name beside the event under test: the elements
// of its pattern, in order.
type Scope struct {
	Elements []Element
	Under    int // the element whose condition this is; NoElement in a template

	// Values are names that stand for values rather than events, such as the
	// aggregates of a window. In a condition NAME is data.NAME of the event under
	// test; a template finds it in Vars.Values. Elements hide them.
	Values []string
}

// NoElement is the Under of a scope in which nothing is under test.
const NoElement = -1

// Element is one element of a pattern as conditions see it.
type Element struct {
	Name     string
	Repeated bool // a list of events; otherwise one event
	Negative bool // `not`: never bound, so nothing can be said about it

	// EventTypes are the types that its events have, as Cond.EventTypes gives
	// them for its condition; none if they are not known. Only Set.Check asks.
	EventTypes []string
}

// Event is an event as conditions see it: with the fields that the set's paths
// lead to, looked up once for all conditions.
type Event struct {
	Ev *event.Event

	// Fields holds the value of each of Set.Paths, by index, as
	// event.PathSet.Scan gives them. It may be nil or short, which is slower:
	// what it does not reach is looked up in Ev when a condition asks.
	Fields []event.Value

	// Tables is what table.NAME gives in the conditions of the event under
	// test. nil, and names that are not in it, make every lookup unknown.
	Tables *Tables

	kept *keptField // what of Ev is known without Fields; most events have none
}

// keptField is a field and its value, in a list of them.
type keptField struct {
	path  event.Path
	value event.Value
	next  *keptField
}

// The bounds of what an event keeps: a list that is walked, and texts that the
// event has in its own bytes as well.
const (
	maxKept     = 16
	maxKeptText = 64
)

// Keep notes the value that a path leads to in Ev, so that conditions need not
// read the payload again for it. What aliases bytes that Ev does not own is
// copied. Only paths into the payload are worth it; no more than sixteen are kept.
// Nobody may evaluate conditions on e at the same time.
func (e *Event) Keep(p event.Path, v event.Value) {
	if p.Root() != "data" {
		return
	}
	n := 0
	for k := e.kept; k != nil; k = k.next {
		if n++; n == maxKept || k.path == p {
			return
		}
	}
	switch k := v.Kind(); {
	case k == event.String && len(v.Str()) <= maxKeptText:
		v = event.StringValue(strings.Clone(v.Str()))
	case k == event.String || k == event.List || k == event.Map:
		v = e.Ev.Get(p) // aliases the event's own bytes
	}
	e.kept = &keptField{p, v, e.kept}
}

// KeptBytes is about the memory that Keep took.
func (e *Event) KeptBytes() (n int) {
	for k := e.kept; k != nil; k = k.next {
		n += (int(unsafe.Sizeof(*k)) + 15) / 16 * 16
		if s := k.value.Str(); len(s) <= maxKeptText {
			n += (len(s) + 7) / 8 * 8
		}
	}
	return n
}

// value looks a path up without Fields.
func (e *Event) value(p event.Path) event.Value {
	for k := e.kept; k != nil; k = k.next {
		if k.path == p {
			return k.value
		}
	}
	return e.Ev.Get(p)
}

// Env gives conditions the events bound so far in a partial match. Conditions
// call it from the goroutine that calls Eval, and keep nothing it returns.
type Env interface {
	// Bound gives the events bound to the element with that index in
	// Scope.Elements, oldest first; none when it is not bound.
	Bound(elem int) []*Event
}

// index gives the element of that name, or -1.
func (s Scope) index(name string) int {
	for i := range s.Elements {
		if s.Elements[i].Name == name {
			return i
		}
	}
	return -1
}

// names gives those of the elements.
func (s Scope) names() []string {
	var names []string
	for i := range s.Elements {
		names = append(names, s.Elements[i].Name)
	}
	return names
}
