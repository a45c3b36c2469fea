package main

import (
	"fmt"
	"slices"
	"sort"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// counting is the counting algorithm (Yan and Garcia-Molina, "Index structures for
// selective dissemination of information under the Boolean model", 1994), the
// usual yardstick of rule indexes. Every atom has a list of the conjunctions it is
// in; an event counts, for each conjunction, how many of its atoms are met. Atoms
// are found by hash tables for equalities and sets, by sorted arrays for orders of
// numbers, and by a hash table for each length of prefixes; what else there is,
// each distinct atom once, is tested. Atoms and the scan of the payload are ours,
// so that the difference is the algorithm's.
type counting struct {
	paths  *event.PathSet
	set    *predicate.Set
	need   []uint8
	count  []uint8
	epoch  []uint32
	now    uint32
	fields []countedField
	order  []test         // tested one by one
	tested map[test][]int // conjunctions, by what is tested
	values []event.Value
	hits   []int
}

type countedField struct {
	equal  map[event.Value][]int
	prefix map[int]map[string][]int // by length
	lower  bounds                   // conditions of > and >=
	upper  bounds                   // conditions of < and <=
}

// test is an atom and what it must give.
type test struct {
	atom *predicate.Atom
	want predicate.Tri
}

// bounds are orders of numbers: conjunctions by constant, in rising order. A
// candidate is asked again, so that < and <= need no lists of their own.
type bounds struct {
	at    []float64
	conds []int
	atoms []*predicate.Atom
}

func newCounting(n int, condition func(i int) string) (*counting, error) {
	c := &counting{
		set: predicate.NewSet(), tested: make(map[test][]int),
		need: make([]uint8, n), count: make([]uint8, n), epoch: make([]uint32, n),
	}
	for i := range n {
		f, exact, _, err := c.set.AddFormula(eventScope, condition(i), yamldoc.Pos{File: "bench"})
		if err != nil {
			return nil, err
		}
		if !exact || !c.add(i, f) {
			return nil, fmt.Errorf("%s is no conjunction of atoms", condition(i))
		}
	}
	for i := range c.fields {
		sort.Sort(&c.fields[i].lower)
		sort.Sort(&c.fields[i].upper)
	}
	c.paths = event.NewPathSet(c.set.Paths())
	return c, nil
}

// eventScope is what a bare condition sees.
var eventScope = predicate.Scope{Elements: []predicate.Element{{Name: "event"}}} //nolint:gochecknoglobals // never changed

// add files conjunction i, and reports whether it is one.
func (c *counting) add(i int, f predicate.Formula) bool {
	atoms := f.Kids
	if f.Kind == predicate.FormulaAtom {
		atoms = []predicate.Formula{f}
	}
	c.need[i] = uint8(len(atoms))
	for _, a := range atoms {
		if a.Kind != predicate.FormulaAtom {
			return false
		}
		c.file(i, test{a.Atom, a.Want})
	}
	return true
}

func (c *counting) file(i int, t test) {
	a := t.atom
	for len(c.fields) <= a.Field() {
		c.fields = append(c.fields, countedField{equal: make(map[event.Value][]int), prefix: make(map[int]map[string][]int)})
	}
	f := &c.fields[a.Field()]
	plain := t.want == predicate.True && !a.Fold()
	switch op := a.Op(); {
	case plain && (op == predicate.OpEq || op == predicate.OpIn):
		for _, v := range a.Values() {
			f.equal[v] = append(f.equal[v], i)
		}
	case plain && op == predicate.OpPrefix:
		text := a.Value().Str()
		if f.prefix[len(text)] == nil {
			f.prefix[len(text)] = make(map[string][]int)
		}
		f.prefix[len(text)][text] = append(f.prefix[len(text)][text], i)
	case plain && (op == predicate.OpGt || op == predicate.OpGe) && a.Value().Kind() == event.Number:
		f.lower.add(i, a)
	case plain && (op == predicate.OpLt || op == predicate.OpLe) && a.Value().Kind() == event.Number:
		f.upper.add(i, a)
	default:
		if c.tested[t] == nil {
			c.order = append(c.order, t)
		}
		c.tested[t] = append(c.tested[t], i)
	}
}

// match gives the conjunctions that an event meets; the slice is good until the
// next call.
func (c *counting) match(ev *event.Event) []int {
	c.values = c.paths.Scan(ev, c.values)
	return c.counted(ev)
}

// matchLine is match for an event as JSON.
func (c *counting) matchLine(line []byte, ev *event.Event) (hits []int, err error) {
	if c.values, err = c.paths.ParseScan(line, false, ev, c.values); err != nil {
		return nil, err
	}
	return c.counted(ev), nil
}

// counted counts for the values of an event.
func (c *counting) counted(ev *event.Event) []int {
	c.now++
	c.hits = c.hits[:0]
	for i, v := range c.values {
		if i >= len(c.fields) {
			break
		}
		f := &c.fields[i]
		c.met(f.equal[v])
		switch v.Kind() {
		case event.String:
			for n, texts := range f.prefix {
				if len(v.Str()) >= n {
					c.met(texts[v.Str()[:n]])
				}
			}
		case event.Number:
			c.between(v, f)
		default: // there are no tests but = of the others
		}
	}
	seen := predicate.Event{Ev: ev, Fields: c.values}
	for _, t := range c.order {
		if t.atom.Eval(t.atom.Of(&seen)) == t.want {
			c.met(c.tested[t])
		}
	}
	slices.Sort(c.hits)
	return c.hits
}

// between meets the orders of a number: of the lower bounds those up to it, of the
// upper ones those from it on.
func (c *counting) between(v event.Value, f *countedField) {
	x := v.Number()
	for i := 0; i < len(f.lower.at) && f.lower.at[i] <= x; i++ {
		if f.lower.at[i] < x || f.lower.atoms[i].Eval(v) == predicate.True {
			c.meet(f.lower.conds[i])
		}
	}
	for i := sort.SearchFloat64s(f.upper.at, x); i < len(f.upper.at); i++ {
		if f.upper.at[i] > x || f.upper.atoms[i].Eval(v) == predicate.True {
			c.meet(f.upper.conds[i])
		}
	}
}

func (c *counting) met(conds []int) {
	for _, i := range conds {
		c.meet(i)
	}
}

func (c *counting) meet(i int) {
	if c.epoch[i] != c.now {
		c.epoch[i], c.count[i] = c.now, 0
	}
	if c.count[i]++; c.count[i] == c.need[i] {
		c.hits = append(c.hits, i)
	}
}

func (b *bounds) add(i int, a *predicate.Atom) {
	b.at, b.conds, b.atoms = append(b.at, a.Value().Number()), append(b.conds, i), append(b.atoms, a)
}

func (b *bounds) Len() int           { return len(b.at) }
func (b *bounds) Less(i, j int) bool { return b.at[i] < b.at[j] }

func (b *bounds) Swap(i, j int) {
	b.at[i], b.at[j] = b.at[j], b.at[i]
	b.conds[i], b.conds[j] = b.conds[j], b.conds[i]
	b.atoms[i], b.atoms[j] = b.atoms[j], b.atoms[i]
}
