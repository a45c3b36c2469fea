package predicate

import "github.com/rhost/rhost/event"

// Fold is something that a condition asks of all events bound to an element and
// that can be kept up to date while they are bound, one after the other: which is
// the first and how many there are, which is the last, or the sum, the least or
// the greatest of the values of a field. Folds are comparable.
type Fold struct {
	Elem int
	Path event.Path // the field; zero for the first and the last
	kind foldKind
}

type foldKind uint8

const (
	foldFirst foldKind = iota
	foldLast
	foldSum
	foldMin
	foldMax
)

// FirstOf is the first event bound to an element, and how many there are.
func FirstOf(elem int) Fold { return Fold{Elem: elem, kind: foldFirst} }

// LastOf is the last event bound to an element.
func LastOf(elem int) Fold { return Fold{Elem: elem, kind: foldLast} }

// Tail reports whether f is the same for a row of events and for any tail of it
// that holds at least one event of the element.
func (f Fold) Tail() bool { return f.kind == foldLast }

// Folded is what a Fold comes to for some events. The zero Folded is what every
// Fold comes to for none.
type Folded struct {
	// Event is the first, the last, or the first of those with the least or
	// greatest value; of a sum, the event that made it unknown.
	Event *Event

	// Number is how many events there are, or their sum; of a minimum or maximum,
	// 1 when it is unknown.
	Number float64
}

// Folder is an Env that can answer a Fold without listing events.
type Folder interface {
	Env

	// Folded gives what f comes to for the events that Bound would list: Add, one
	// after the other, oldest first. ok is false where the Folder does not know,
	// and the events have to be listed.
	Folded(f Fold) (so Folded, ok bool)
}

// Add gives what f comes to when one more event is bound. Listing the events and
// adding up their values takes the same steps in the same order, so that both
// give the same number to the last bit.
func (f Fold) Add(so Folded, ev *Event) Folded {
	switch f.kind {
	case foldFirst:
		if so.Event == nil {
			so.Event = ev
		}
		so.Number++
	case foldLast:
		so.Event = ev
	case foldSum:
		a := f.resume(so)
		a.add(ev.value(f.Path))
		if so.Number = a.sum; a.bad && so.Event == nil {
			so.Event = ev
		}
	case foldMin, foldMax:
		a := f.resume(so)
		if a.add(ev.value(f.Path)) {
			so.Event = ev
		}
		if a.bad {
			so.Number = 1
		}
	}
	return so
}

// resume gives the accumulator that has come to so.
func (f Fold) resume(so Folded) accumulator {
	switch f.kind {
	case foldSum:
		return accumulator{agg: aggSum, sum: so.Number, bad: so.Event != nil}
	case foldMin, foldMax:
		a := accumulator{agg: aggMin, bad: so.Number != 0}
		if f.kind == foldMax {
			a.agg = aggMax
		}
		if so.Event != nil {
			a.n, a.best = 1, so.Event.value(f.Path)
		}
		return a
	default:
		return accumulator{}
	}
}

// fold gives what an aggregate asks to be kept.
func (n *aggregateValue) fold() Fold {
	f := Fold{Elem: n.elem, Path: n.field.path, kind: foldSum}
	switch n.agg {
	case aggMin:
		f.kind = foldMin
	case aggMax:
		f.kind = foldMax
	default:
	}
	return f
}

// folded gives the aggregate from what was kept.
func (n *aggregateValue) folded(env Folder) (v event.Value, ok bool) {
	f := n.fold()
	so, ok := env.Folded(f)
	if !ok {
		return v, false
	}
	a := f.resume(so)
	if a.agg = n.agg; a.agg == aggAvg {
		first, ok := env.Folded(FirstOf(n.elem))
		if !ok {
			return v, false
		}
		a.n = int(first.Number)
	}
	return a.result(), true
}

// fold gives what a field of a bound event asks to be kept; ok is false when that
// is nothing.
func (r *fieldRef) fold() (f Fold, ok bool) {
	switch part, ends := r.end(); {
	case r.whose == underTest || !ends:
		return f, false
	case part == PartLast:
		return LastOf(r.elem), true
	default:
		return FirstOf(r.elem), true
	}
}

// Folds gives the folds that the condition asks for, each once.
func (c *Cond) Folds() []Fold {
	var out []Fold
	add := func(f Fold) { out = addOnce(out, f) }
	c.root.walk(func(n node) {
		switch n := n.(type) {
		case *fieldRef:
			if f, ok := n.fold(); ok {
				add(f)
			}
		case *countValue:
			add(FirstOf(n.elem))
		case *aggregateValue:
			if add(n.fold()); n.agg == aggAvg {
				add(FirstOf(n.elem))
			}
		}
	})
	return out
}

// BoundField is a field that a condition reads of events bound to an element.
type BoundField struct {
	Elem int
	Path event.Path
}

// BoundFields gives the fields that the condition reads of other elements, each
// once. What is interpreted reads whole events and is left out.
func (c *Cond) BoundFields() []BoundField {
	var out []BoundField
	c.root.walk(func(n node) {
		switch n := n.(type) {
		case *fieldRef:
			if n.whose != underTest {
				out = addOnce(out, BoundField{n.elem, n.field.path})
			}
		case *aggregateValue:
			out = addOnce(out, BoundField{n.elem, n.field.path})
		}
	})
	return out
}
