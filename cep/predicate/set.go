package predicate

import (
	"cel.dev/cel-go/cel"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Set holds conditions of a program. Rules share what they have in common: each
// distinct path is looked up once per event, and each distinct atom (a test of
// one path, such as `type == "x"`) exists once.
//
// Build a Set in one goroutine; once the last Add, AddFormula or CompileTemplate
// has returned, its conditions and templates may be used from any number of
// goroutines. Programs too large for one goroutine are compiled in chunks, each
// with a Set of its own on the same Fields; a Set may be dropped when what was
// wanted of it has been taken.
type Set struct {
	fields *Fields
	index  map[event.Path]int // of fields, for the paths met here
	atoms  map[atomKey]*Atom
	slab   []Atom // made, and not handed out yet
	leafs  map[string]*Leaf

	spelled map[string]subject // the paths the direct parser has read, as they were written
	stack   []truth            // of the direct parser, empty between calls
}

// atomKey is what tells atoms apart.
type atomKey struct {
	field int32
	op    Op
	fold  bool
	lit   event.Value // by ==, which is finer than Equal
	set   string      // see valueSet.key
}

// NewSet gives an empty set with fields of its own.
func NewSet() *Set { return NewSetOn(NewFields()) }

// NewSetOn gives an empty set whose paths are numbered by fields, which it may
// share with other Sets, also with such as other goroutines are building.
func NewSetOn(fields *Fields) *Set {
	return &Set{fields: fields, index: make(map[event.Path]int), atoms: make(map[atomKey]*Atom), leafs: make(map[string]*Leaf), spelled: make(map[string]subject)}
}

// Add compiles a condition. Its errors are yamldoc.Errors that point into the
// condition, whose first character is at pos.
func (s *Set) Add(scope Scope, src string, pos yamldoc.Pos) (*Cond, error) {
	cond, _, ok, err := s.direct(scope, src, pos)
	switch {
	case ok:
		return &Cond{compiled: cond}, nil
	case err != nil && len(src) > MaxSource:
		return nil, err // cel-go would only say that it is too long
	}
	return s.addCEL(scope, src, pos)
}

// addCEL is Add by way of cel-go, which every condition can go.
func (s *Set) addCEL(scope Scope, src string, pos yamldoc.Pos) (*Cond, error) {
	root, elements, err := s.compile(scope, src, pos)
	if err != nil {
		return nil, err
	}
	return &Cond{compiled: compiled{root: root, correlated: elements, names: scope.names()}}, nil
}

// compile makes a truth of a text by way of cel-go; elements tells that it names
// some.
func (s *Set) compile(scope Scope, src string, pos yamldoc.Pos) (root truth, elements bool, err error) {
	in, err := s.read(scope, src, pos)
	if err != nil {
		return nil, false, err
	}
	expr := in.ast.Expr()
	if t := in.typeOf(expr); !in.isBool(expr) && t != cel.DynType {
		return nil, false, yamldoc.Errors{yamldoc.Errorf(pos, "", CodeType, "compare it with something, as in data.size > 10",
			"a condition must be true or false, and this is a %s", typeNames(t.String()))}
	}
	c := compiler{set: s, src: in}
	root = c.truth(expr)
	if c.err != nil {
		return nil, false, yamldoc.Errors{yamldoc.Errorf(pos, "", CodeConstant, "correct the constant", "%v", c.err)}
	}
	return root, in.elements, nil
}

// AddFormula compiles a condition of which only the formula is wanted, for an
// index; see Cond.Formula. cond is nil if the formula is all there is to know,
// as it is for conditions that are tests of fields joined with &&, || and !:
// these keep nothing but atoms. Errors are those of Add.
func (s *Set) AddFormula(scope Scope, src string, pos yamldoc.Pos) (f Formula, exact bool, cond *Cond, err error) {
	c, plain, ok, _ := s.direct(scope, src, pos)
	if ok && plain {
		f, exact = formulaOf(c.root, s.leafs)
		return f, exact, nil, nil
	}
	if ok {
		cond = &Cond{compiled: c}
	} else if cond, err = s.Add(scope, src, pos); err != nil {
		return Formula{}, false, nil, err
	}
	f, exact = formulaOf(cond.root, s.leafs)
	return f, exact, cond, nil
}

// read parses and checks a text in the environment of a scope.
func (s *Set) read(scope Scope, src string, pos yamldoc.Pos) (*source, error) {
	env, err := s.fields.environment(len(scope.Elements))
	if err != nil {
		return nil, err
	}
	in := &source{text: src, pos: pos, scope: scope, env: env}
	return in, in.parse()
}

// Paths gives the paths that conditions read from the event under test or from
// bound events, in the order of Event.Fields. It grows with Add, also of other
// Sets on the same Fields, and what it gave before stays a prefix of what it
// gives later.
func (s *Set) Paths() []event.Path { return s.fields.Paths() }

// intern gives the field of a path, which all conditions share.
func (s *Set) intern(p event.Path) field {
	i, ok := s.index[p]
	if !ok {
		i = s.fields.Intern(p)
		s.index[p] = i
	}
	return field{i, p}
}

// atom gives the test of a field, which all conditions share. The test must be
// prepared.
func (s *Set) atom(f field, t test) *Atom {
	key := t.key(f)
	if a, ok := s.atoms[key]; ok {
		return a
	}
	return s.newAtom(key, f, t)
}

// atomOf is atom for a test that is prepared when it is new.
func (s *Set) atomOf(f field, t test) (*Atom, error) {
	key := t.key(f)
	if a, ok := s.atoms[key]; ok {
		return a, nil
	}
	if t.lit.Kind() != event.Missing {
		if err := t.prepare(); err != nil {
			return nil, err
		}
	}
	return s.newAtom(key, f, t), nil
}

// key tells tests of fields apart.
func (t *test) key(f field) atomKey {
	key := atomKey{field: int32(f.index), op: t.op, fold: t.fold, lit: t.lit}
	if t.set != nil {
		key.set = t.set.key()
	}
	return key
}

// newAtom takes atoms from slabs: one of a million rules needs no allocation of
// its own.
func (s *Set) newAtom(key atomKey, f field, t test) *Atom {
	if len(s.slab) == 0 {
		s.slab = make([]Atom, min(max(8, len(s.atoms)), 256))
	}
	a := &s.slab[0]
	s.slab = s.slab[1:]
	*a = Atom{field: f, id: int32(len(s.atoms)), test: t}
	s.atoms[key] = a
	return a
}
