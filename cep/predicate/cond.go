package predicate

import (
	"slices"

	"github.com/rhost/rhost/event"
)

// Cond is one compiled condition. It is immutable.
type Cond struct {
	root       truth
	names      []string // of the scope's elements
	correlated bool
}

// Eval decides the condition for the event under test. env may be nil unless
// the condition is Correlated; without one no element is bound. Eval allocates
// nothing as long as the condition is not Interpreted and builds no texts.
func (c *Cond) Eval(ev *Event, env Env) Tri { return c.root.eval(ev, env) }

// Correlated reports whether the condition reads other elements.
func (c *Cond) Correlated() bool { return c.correlated }

// String gives the condition as it was understood.
func (c *Cond) String() string { return text(c.root, c.names) }

// Interpreted reports whether a part of the condition runs in cel-go's
// interpreter, which is some hundred times slower than a compiled atom, and
// which part that is.
func (c *Cond) Interpreted() (bool, string) {
	var part string
	c.root.walk(func(n node) {
		if i, ok := n.(*interpreted); ok && part == "" {
			part = i.text
		}
	})
	return part != "", part
}

// Read is what a condition reads of another element.
type Read struct {
	Elem int // index in Scope.Elements
	Part Part
	N    int // for PartNth: which, from 0
}

// Part says which of the events bound to an element are read.
type Part uint8

// The parts. A singleton is its own first event.
const (
	PartFirst Part = iota
	PartLast
	PartNth
	PartAll // the list as a whole: count, aggregates, and whatever is interpreted
)

// Reads gives what the condition reads of other elements, each once. A matcher
// that keeps less than all bound events needs to keep this.
func (c *Cond) Reads() []Read {
	var out []Read
	add := func(r Read) {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	c.root.walk(func(n node) {
		switch n := n.(type) {
		case *fieldRef:
			if n.whose != underTest {
				add(Read{n.elem, Part(n.whose - theFirst), n.n})
			}
		case *countValue:
			add(Read{Elem: n.elem, Part: PartAll})
		case *aggregateValue:
			add(Read{Elem: n.elem, Part: PartAll})
		case *interpreted:
			for _, elem := range n.elems {
				add(Read{Elem: elem, Part: PartAll})
			}
		}
	})
	return out
}

// Tables gives the names of the lookup tables that the condition mentions, each
// once. Whether they exist is for the caller to see to.
func (c *Cond) Tables() []string { return tablesOf(c.root) }

// EventTypes gives the types of events that the condition is about, if it pins
// them: at its top, type is compared with texts by == or in. Otherwise there are
// none.
func (c *Cond) EventTypes() []string {
	for _, g := range c.Guards() {
		if g.Path != event.PathOf("type") {
			continue
		}
		var types []string
		for _, v := range g.Values {
			if v.Kind() == event.String {
				types = addOnce(types, v.Str())
			}
		}
		return types
	}
	return nil
}

// Guard is a test that must be true for a condition to be true: the value at
// Path equals one of Values, which are texts, numbers, booleans, times or null.
type Guard struct {
	Path   event.Path
	Index  int // of Path in Set.Paths
	Values []event.Value
}

// Guards gives the equality and set tests that the condition needs, for an
// index to file it under: an event that fails one of them cannot meet the
// condition. A condition without any gives none. The values belong to the
// condition.
func (c *Cond) Guards() []Guard { return guards(c.root) }

func guards(t truth) []Guard {
	switch t := t.(type) {
	case *Atom:
		return t.guard()
	case *andNode:
		var all []Guard
		for _, k := range t.kids {
			all = append(all, guards(k)...)
		}
		return all
	case *orNode:
		return either(t.kids)
	}
	return nil
}

func (n *Atom) guard() []Guard {
	g := Guard{Path: n.field.path, Index: n.field.index}
	switch {
	case n.test.fold:
		return nil
	case n.test.op == OpEq:
		g.Values = []event.Value{n.test.lit}
	case n.test.op == OpIn:
		g.Values = n.test.set.list
	case n.test.op == OpTrue:
		g.Values = []event.Value{event.BoolValue(true)}
	default:
		return nil
	}
	return []Guard{g}
}

// either gives the guards of an alternative: on each path that every branch
// guards, the values of all of them together.
func either(kids []truth) []Guard {
	var out []Guard
	for i, k := range kids {
		branch := guards(k)
		if i == 0 {
			out = branch
			continue
		}
		var both []Guard
		for _, g := range out {
			if other, ok := guardOf(branch, g.Index); ok {
				g.Values = append(slices.Clip(g.Values), other.Values...)
				both = append(both, g)
			}
		}
		out = both
	}
	return out
}

func guardOf(list []Guard, index int) (Guard, bool) {
	for _, g := range list {
		if g.Index == index {
			return g, true
		}
	}
	return Guard{}, false
}

// AtomResult is what one atom of a condition made of an event.
type AtomResult struct {
	Text   string      // the atom as CEL
	Values []AtomValue // what it read
	Result Tri
}

// AtomValue is one value an atom read.
type AtomValue struct {
	Path  string // `data.user` or `last(fail).data.user`
	Value event.Value
}

// Explain evaluates every atom of the condition, in the order written and
// without stopping early.
func (c *Cond) Explain(ev *Event, env Env) []AtomResult {
	var out []AtomResult
	for _, leaf := range leaves(c.root, nil) {
		out = append(out, AtomResult{
			Text:   text(leaf, c.names),
			Values: c.values(leaf, ev, env),
			Result: leaf.eval(ev, env),
		})
	}
	return out
}

// leaves gives the truths that are no connectives.
func leaves(t truth, out []truth) []truth {
	switch t := t.(type) {
	case *andNode:
		for _, k := range t.kids {
			out = leaves(k, out)
		}
	case *orNode:
		for _, k := range t.kids {
			out = leaves(k, out)
		}
	case *notNode:
		out = leaves(t.kid, out)
	case *ifTruth:
		out = leaves(t.other, leaves(t.then, leaves(t.cond, out)))
	default:
		out = append(out, t)
	}
	return out
}

// values gives what a leaf read.
func (c *Cond) values(leaf truth, ev *Event, env Env) []AtomValue {
	var out []AtomValue
	leaf.walk(func(n node) {
		switch n := n.(type) {
		case *Atom:
			out = append(out, AtomValue{n.field.path.String(), n.field.of(ev)})
		case *fieldRef:
			out = append(out, AtomValue{text(n, c.names), n.eval(ev, env)})
		case *countValue:
			out = append(out, AtomValue{text(n, c.names), n.eval(ev, env)})
		case *aggregateValue:
			out = append(out, AtomValue{text(n, c.names), n.eval(ev, env)})
		}
	})
	return out
}
