package analysis

import (
	"maps"
	"slices"

	"github.com/rhost/rhost/cep/predicate"
)

// tree is a condition over literals: true, false, a literal, or all or one of some.
type tree struct {
	kind predicate.FormulaKind
	lit  literal // of FormulaAtom and FormulaLeaf
	kids []tree
}

// treeOf gives what must hold for a formula to hold.
func treeOf(f *predicate.Formula) tree {
	t := tree{kind: f.Kind}
	switch f.Kind {
	case predicate.FormulaAtom:
		t.lit = literal{atom: f.Atom, can: only(f.Want)}
	case predicate.FormulaLeaf:
		t.lit = literal{leaf: f.Leaf.String(), can: only(f.Want)}
	default:
		t.kids = make([]tree, len(f.Kids))
		for i := range f.Kids {
			t.kids[i] = treeOf(&f.Kids[i])
		}
	}
	return t
}

// not gives what must hold for t not to hold: each test comes out otherwise,
// unknown included.
func (t *tree) not() tree {
	out := tree{kind: t.kind, lit: t.lit}
	switch t.kind {
	case predicate.FormulaTrue:
		out.kind = predicate.FormulaFalse
	case predicate.FormulaFalse:
		out.kind = predicate.FormulaTrue
	case predicate.FormulaAnd:
		out.kind = predicate.FormulaOr
	case predicate.FormulaOr:
		out.kind = predicate.FormulaAnd
	default:
		out.lit.can ^= anyOutcome
	}
	for i := range t.kids {
		out.kids = append(out.kids, t.kids[i].not())
	}
	return out
}

// parts gives the operands of a conjunction; of anything else, itself.
func (t *tree) parts() []tree {
	if t.kind == predicate.FormulaAnd {
		return t.kids
	}
	return []tree{*t}
}

// solver looks for a contradiction in what is assumed. It may miss one, and never
// sees one where there is none.
type solver struct {
	fields map[string][]literal
	leafs  map[string]outcomes
	cost   int // evaluations left
	clash  []literal
}

// perQuestion is how many evaluations one question may take.
const perQuestion = 1 << 17

func newSolver() *solver {
	return &solver{fields: make(map[string][]literal), leafs: make(map[string]outcomes), cost: perQuestion}
}

// possible reports whether all trees may hold of one event. false is proven.
func possible(all ...tree) bool { return newSolver().all(all) }

// all assumes that every tree holds: single tests first, then each alternative by
// itself beside them. Tests that were assumed stay so.
func (s *solver) all(list []tree) bool {
	touched := make(map[string]struct{})
	var either []*tree
	for i := range list {
		switch t := &list[i]; t.kind {
		case predicate.FormulaTrue:
		case predicate.FormulaFalse:
			return false
		case predicate.FormulaOr:
			either = append(either, t)
		case predicate.FormulaAnd:
			for k := range t.kids {
				if !s.note(&t.kids[k], touched, &either) {
					return false
				}
			}
		default:
			if !s.note(t, touched, &either) {
				return false
			}
		}
	}
	for path := range touched {
		list := s.fields[path]
		if !oneField(list[0].atom.Path(), list, &s.cost) {
			s.clash = list
			return false
		}
	}
	for _, t := range either {
		if !slices.ContainsFunc(t.kids, func(k tree) bool { return s.beside(&k) }) {
			return false
		}
	}
	return true
}

// note assumes one part of a conjunction. It is false when that contradicts what
// was assumed of something that is no test of a field.
func (s *solver) note(t *tree, touched map[string]struct{}, either *[]*tree) bool {
	switch t.kind {
	case predicate.FormulaAtom:
		path := t.lit.atom.Path().String()
		s.fields[path] = append(s.fields[path], t.lit)
		touched[path] = struct{}{}
	case predicate.FormulaLeaf:
		can, ok := s.leafs[t.lit.leaf]
		if !ok {
			can = anyOutcome
		}
		s.leafs[t.lit.leaf] = can & t.lit.can
		return can&t.lit.can != 0
	case predicate.FormulaFalse:
		return false
	case predicate.FormulaAnd:
		for i := range t.kids {
			if !s.note(&t.kids[i], touched, either) {
				return false
			}
		}
	case predicate.FormulaOr:
		*either = append(*either, t)
	default:
	}
	return true
}

// beside reports whether a tree may hold beside what is assumed, and assumes
// nothing.
func (s *solver) beside(t *tree) bool {
	if s.cost <= 0 {
		return true
	}
	if t.kind == predicate.FormulaAtom { // the ordinary case, without copying all
		path := t.lit.atom.Path()
		return oneField(path, append(slices.Clip(s.fields[path.String()]), t.lit), &s.cost)
	}
	if t.kind == predicate.FormulaOr {
		return s.anyBeside(t.kids)
	}
	sub := &solver{fields: make(map[string][]literal, len(s.fields)), leafs: make(map[string]outcomes, len(s.leafs)), cost: s.cost}
	for k, v := range s.fields {
		sub.fields[k] = slices.Clip(v)
	}
	maps.Copy(sub.leafs, s.leafs)
	s.cost -= len(s.fields) + len(s.leafs)
	sub.cost = s.cost
	ok := sub.all([]tree{*t})
	s.cost = sub.cost
	return ok
}

// anyBeside reports whether one of some trees may hold beside what is assumed. It
// begins with tests of fields of which nothing is assumed, which take no time, and
// then goes backwards: what stands first is mostly the type, of which rules that are
// compared say the same.
func (s *solver) anyBeside(kids []tree) bool {
	fresh := func(k *tree) bool {
		return k.kind == predicate.FormulaAtom && len(s.fields[k.lit.atom.Path().String()]) == 0
	}
	for i := range kids {
		if fresh(&kids[i]) && s.beside(&kids[i]) {
			return true
		}
	}
	for i := len(kids) - 1; i >= 0; i-- {
		if !fresh(&kids[i]) && s.beside(&kids[i]) {
			return true
		}
	}
	return false
}

// culprits narrows a clash down to two tests, where two are enough.
func culprits(list []literal) []literal {
	cost := perQuestion
	for i := range list {
		if one := list[i : i+1]; !oneField(one[0].atom.Path(), one, &cost) {
			return one
		}
	}
	for i := range min(len(list), 40) {
		for k := i + 1; k < min(len(list), 40); k++ {
			if two := []literal{list[i], list[k]}; !oneField(two[0].atom.Path(), two, &cost) {
				return two
			}
		}
	}
	return list
}
