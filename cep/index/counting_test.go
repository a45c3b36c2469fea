package index_test

import (
	"slices"
	"sort"

	"github.com/rhost/rhost/cep/index"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// counting is the counting algorithm (Yan and Garcia-Molina, "Index structures for
// selective dissemination of information under the Boolean model", 1994), the
// yardstick of the benchmarks. Every atom has a list of the conjunctions it is
// in; an event counts, for each conjunction, how many of its atoms are met.
// Equalities are found in hash tables and orders of numbers in sorted arrays;
// what else there is has no index and is tested.
type counting struct {
	need   []uint8
	count  []uint8
	epoch  []uint32
	now    uint32
	equal  []map[event.Value][]index.ID
	bounds []map[predicate.Op]*sorted
	tested map[*predicate.Atom][]index.ID
}

type sorted struct {
	at    []float64
	conds []index.ID
}

func newCounting(fields int, formulas []predicate.Formula) *counting {
	c := &counting{
		need: make([]uint8, len(formulas)), count: make([]uint8, len(formulas)), epoch: make([]uint32, len(formulas)),
		equal: make([]map[event.Value][]index.ID, fields), bounds: make([]map[predicate.Op]*sorted, fields),
		tested: make(map[*predicate.Atom][]index.ID),
	}
	for f := range fields {
		c.equal[f], c.bounds[f] = make(map[event.Value][]index.ID), make(map[predicate.Op]*sorted)
	}
	for i, f := range formulas {
		atoms := f.Kids
		if f.Kind == predicate.FormulaAtom {
			atoms = []predicate.Formula{f}
		}
		c.need[i] = uint8(len(atoms))
		for _, a := range atoms {
			c.add(a.Atom, index.ID(i))
		}
	}
	for _, ops := range c.bounds {
		for _, s := range ops {
			sort.Sort(s)
		}
	}
	return c
}

func (c *counting) add(a *predicate.Atom, id index.ID) {
	switch a.Op() {
	case predicate.OpEq:
		c.equal[a.Field()][a.Value()] = append(c.equal[a.Field()][a.Value()], id)
	case predicate.OpLt, predicate.OpGe:
		s := c.bounds[a.Field()][a.Op()]
		if s == nil {
			s = new(sorted)
			c.bounds[a.Field()][a.Op()] = s
		}
		s.at, s.conds = append(s.at, a.Value().Number()), append(s.conds, id)
	default:
		c.tested[a] = append(c.tested[a], id)
	}
}

func (c *counting) match(ev *predicate.Event, dst []index.ID) []index.ID {
	c.now++
	for f, v := range ev.Fields {
		dst = c.met(c.equal[f][v], dst)
		if s := c.bounds[f][predicate.OpLt]; s != nil {
			dst = c.met(s.conds[sort.Search(len(s.at), func(i int) bool { return s.at[i] > v.Number() }):], dst)
		}
		if s := c.bounds[f][predicate.OpGe]; s != nil {
			dst = c.met(s.conds[:sort.Search(len(s.at), func(i int) bool { return s.at[i] > v.Number() })], dst)
		}
	}
	for a, conds := range c.tested {
		if a.Eval(a.Of(ev)) == predicate.True {
			dst = c.met(conds, dst)
		}
	}
	slices.Sort(dst)
	return dst
}

func (c *counting) met(conds, dst []index.ID) []index.ID {
	for _, id := range conds {
		if c.epoch[id] != c.now {
			c.epoch[id], c.count[id] = c.now, 0
		}
		if c.count[id]++; c.count[id] == c.need[id] {
			dst = append(dst, id)
		}
	}
	return dst
}

func (s *sorted) Len() int           { return len(s.at) }
func (s *sorted) Less(i, j int) bool { return s.at[i] < s.at[j] }
func (s *sorted) Swap(i, j int) {
	s.at[i], s.at[j] = s.at[j], s.at[i]
	s.conds[i], s.conds[j] = s.conds[j], s.conds[i]
}
