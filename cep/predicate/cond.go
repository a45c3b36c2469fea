package predicate

import (
	"slices"
	"sync/atomic"

	"github.com/rhost/rhost/event"
)

// Cond is one compiled condition. It is immutable, and safe for concurrent use.
type Cond struct {
	compiled
	said atomic.Pointer[said] // nil until somebody asked
}

type compiled struct {
	root       truth
	names      []string // of the scope's elements
	correlated bool
}

// said is what a condition says in words, which every match repeats.
type said struct {
	text  string
	atoms []saidAtom
}

type saidAtom struct {
	leaf  truth
	text  string
	reads []saidValue
}

// saidValue is something that an atom reads.
type saidValue struct {
	path string
	of   interface {
		eval(ev *Event, env Env) event.Value
	}
}

// Eval decides the condition for the event under test. env may be nil unless
// the condition is Correlated; without one no element is bound. Eval allocates
// nothing as long as the condition is not Interpreted and builds no texts.
func (c *Cond) Eval(ev *Event, env Env) Tri { return c.root.eval(ev, env) }

// Correlated reports whether the condition reads other elements.
func (c *Cond) Correlated() bool { return c.correlated }

// String gives the condition as it was understood.
func (c *Cond) String() string {
	if w := c.said.Load(); w != nil {
		return w.text
	}
	return text(c.root, c.names) // not kept: of a million rules, few match
}

// words makes what is said, once.
func (c *Cond) words() *said {
	if w := c.said.Load(); w != nil {
		return w
	}
	w := &said{text: text(c.root, c.names)}
	for _, leaf := range leaves(c.root, nil) {
		w.atoms = append(w.atoms, saidAtom{leaf, text(leaf, c.names), c.reads(leaf)})
	}
	c.said.Store(w)
	return w
}

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

func (a *Atom) guard() []Guard {
	g := Guard{Path: a.field.path, Index: a.field.index}
	switch {
	case a.test.fold:
		return nil
	case a.test.op == OpEq:
		g.Values = []event.Value{a.test.lit}
	case a.test.op == OpIn:
		g.Values = a.test.set.list
	case a.test.op == OpTrue:
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
	atoms := c.words().atoms
	if len(atoms) == 0 {
		return nil
	}
	out := make([]AtomResult, len(atoms))
	for i, a := range atoms {
		out[i] = AtomResult{Text: a.text, Result: a.leaf.eval(ev, env)}
		if len(a.reads) > 0 {
			out[i].Values = make([]AtomValue, len(a.reads))
		}
		for k, r := range a.reads {
			out[i].Values[k] = AtomValue{r.path, r.of.eval(ev, env)}
		}
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

// reads gives what a leaf reads.
func (c *Cond) reads(leaf truth) []saidValue {
	var out []saidValue
	leaf.walk(func(n node) {
		switch n := n.(type) {
		case *Atom:
			out = append(out, saidValue{n.field.path.String(), fieldOf{n}})
		case *fieldRef:
			out = append(out, saidValue{text(n, c.names), n})
		case *countValue:
			out = append(out, saidValue{text(n, c.names), n})
		case *aggregateValue:
			out = append(out, saidValue{text(n, c.names), n})
		}
	})
	return out
}

// fieldOf is the field that an atom tests.
type fieldOf struct{ *Atom }

func (f fieldOf) eval(ev *Event, _ Env) event.Value { return f.field.of(ev) }
