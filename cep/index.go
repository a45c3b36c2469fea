package cep

import (
	"slices"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// index leads from an event to the conditions that may hold for it. A condition
// that needs certain types is filed under each of them; among those, one that
// needs certain values of a field is filed under each value of the field that
// fewest others need. The rest is looked at whenever the type fits.
type index struct {
	types map[string]*bucket
	rest  bucket  // conditions that fit any type
	slots []int32 // the field each condition is filed under; noSlot for none
}

const noSlot = -1

// bucket is what is filed under one type.
type bucket struct {
	always []int32 // conditions
	fields []fieldIndex
}

// fieldIndex files conditions under the values of one field.
type fieldIndex struct {
	slot   int
	texts  map[string][]int32
	others map[event.Value][]int32
}

// maxFiled bounds under how many values one condition is filed.
const maxFiled = 256

// place is a value of a field within a bucket.
type place struct {
	kind  string // the type; "" for rest
	typed bool
	slot  int
	value event.Value
}

func newIndex(conds []cond) index {
	x := index{types: make(map[string]*bucket), slots: make([]int32, len(conds))}
	crowd := make(map[place]int)
	filings := make([]filing, len(conds))
	for i := range conds {
		f := newFiling(conds[i].pred)
		filings[i] = f
		f.each(f.others, func(p place) { crowd[p]++ })
	}
	for i := range conds {
		if len(conds[i].uses) > 0 {
			x.file(int32(i), filings[i], crowd)
		}
	}
	return x
}

// filing is what the index can go by for one condition.
type filing struct {
	types  []string // types it needs one of
	typed  bool
	others []predicate.Guard
}

func newFiling(c *predicate.Cond) filing {
	var f filing
	for _, g := range c.Guards() {
		switch {
		case len(g.Values) > maxFiled:
		case g.Path == typePath() && !f.typed:
			f.typed = true
			for _, v := range g.Values {
				if v.Kind() == event.String && !slices.Contains(f.types, v.Str()) {
					f.types = append(f.types, v.Str())
				}
			}
		default:
			f.others = append(f.others, g)
		}
	}
	return f
}

func typePath() event.Path { return event.PathOf("type") }

// each calls visit for every place that guards name.
func (f filing) each(guards []predicate.Guard, visit func(place)) {
	types := f.types
	if !f.typed {
		types = []string{""}
	}
	for _, t := range types {
		for _, g := range guards {
			for _, v := range g.Values {
				visit(place{t, f.typed, g.Index, sameKey(v)})
			}
		}
	}
}

// best chooses the guard whose values fewest conditions share.
func (f filing) best(crowd map[place]int) (predicate.Guard, bool) {
	least, at := 0, -1
	for i, g := range f.others {
		n := 0
		f.each(f.others[i:i+1], func(p place) { n += crowd[p] })
		if at < 0 || n < least || n == least && g.Index < f.others[at].Index {
			least, at = n, i
		}
	}
	if at < 0 {
		return predicate.Guard{}, false
	}
	return f.others[at], true
}

func (x *index) file(id int32, f filing, crowd map[place]int) {
	buckets := []*bucket{&x.rest}
	if f.typed {
		buckets = buckets[:0]
		for _, t := range f.types {
			if x.types[t] == nil {
				x.types[t] = new(bucket)
			}
			buckets = append(buckets, x.types[t])
		}
	}
	g, ok := f.best(crowd)
	x.slots[id] = noSlot
	if ok {
		x.slots[id] = int32(g.Index)
	}
	for _, b := range buckets {
		if !ok {
			b.always = append(b.always, id)
			continue
		}
		fi := b.field(g)
		for _, v := range g.Values {
			fi.add(sameKey(v), id)
		}
	}
}

func (b *bucket) field(g predicate.Guard) *fieldIndex {
	for i := range b.fields {
		if b.fields[i].slot == g.Index {
			return &b.fields[i]
		}
	}
	b.fields = append(b.fields, fieldIndex{
		slot:  g.Index,
		texts: make(map[string][]int32), others: make(map[event.Value][]int32),
	})
	return &b.fields[len(b.fields)-1]
}

func (f *fieldIndex) add(v event.Value, id int32) {
	list := f.find(v)
	if slices.Contains(list, id) {
		return
	}
	if v.Kind() == event.String {
		f.texts[v.Str()] = append(list, id)
	} else {
		f.others[v] = append(list, id)
	}
}

// find gives the conditions filed under a value.
func (f *fieldIndex) find(v event.Value) []int32 {
	switch v.Kind() {
	case event.String:
		return f.texts[v.Str()]
	case event.Missing, event.List, event.Map: // nothing is filed under these
		return nil
	default:
		if len(f.others) == 0 {
			return nil
		}
		return f.others[sameKey(v)]
	}
}

// sameKey makes equal values equal as keys: -0 is 0.
func sameKey(v event.Value) event.Value {
	if v.Kind() == event.Number && v.Number() == 0 {
		return event.NumberValue(0)
	}
	return v
}
