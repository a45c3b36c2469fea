package predicate

import (
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Set holds all conditions of a program. Rules share what they have in common:
// each distinct path is looked up once per event, and each distinct atom (a
// test of one path, such as `type == "x"`) exists once.
//
// Build a Set in one goroutine; once the last Add or CompileTemplate has
// returned, its conditions and templates may be used from any number of
// goroutines.
type Set struct {
	paths []event.Path
	index map[event.Path]int
	atoms map[string]*atom

	env      *cel.Env // knows the elements of scopes up to elements
	elements int
}

// NewSet gives an empty set.
func NewSet() *Set {
	return &Set{index: make(map[event.Path]int), atoms: make(map[string]*atom)}
}

// Add compiles a condition. Its errors are yamldoc.Errors that point into the
// condition, whose first character is at pos.
func (s *Set) Add(scope Scope, src string, pos yamldoc.Pos) (*Cond, error) {
	in, err := s.read(scope, src, pos)
	if err != nil {
		return nil, err
	}
	root := in.ast.Expr()
	if t := in.typeOf(root); !in.isBool(root) && t != cel.DynType {
		return nil, yamldoc.Errors{yamldoc.Errorf(pos, "", CodeType, "compare it with something, as in data.size > 10",
			"a condition must be true or false, and this is a %s", typeNames(t.String()))}
	}
	c := compiler{set: s, src: in}
	cond := &Cond{root: c.truth(root), correlated: in.elements}
	if c.err != nil {
		return nil, yamldoc.Errors{yamldoc.Errorf(pos, "", CodeConstant, "correct the constant", "%v", c.err)}
	}
	for _, e := range scope.Elements {
		cond.names = append(cond.names, e.Name)
	}
	return cond, nil
}

// read parses and checks a text in the environment of a scope.
func (s *Set) read(scope Scope, src string, pos yamldoc.Pos) (*source, error) {
	if s.env == nil || s.elements < len(scope.Elements) {
		s.elements = max(8, 2*len(scope.Elements))
		env, err := newEnv(s.elements)
		if err != nil {
			return nil, err
		}
		s.env = env
	}
	in := &source{text: src, pos: pos, scope: scope, env: s.env}
	return in, in.parse()
}

// Paths gives the paths that conditions read from the event under test or from
// bound events, in the order of Event.Fields. It grows with Add, and what it
// gave before stays a prefix of what it gives later.
func (s *Set) Paths() []event.Path { return slices.Clip(s.paths) }

// intern gives the field of a path, which all conditions share.
func (s *Set) intern(p event.Path) field {
	i, ok := s.index[p]
	if !ok {
		i = len(s.paths)
		s.paths, s.index[p] = append(s.paths, p), i
	}
	return field{i, p}
}

// atom gives the test of a field, which all conditions share.
func (s *Set) atom(f field, t test) *atom {
	key := t.key(f.index)
	a, ok := s.atoms[key]
	if !ok {
		a = &atom{f, t}
		s.atoms[key] = a
	}
	return a
}

// key tells tests of fields apart.
func (t *test) key(index int) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(index))
	b.WriteByte(byte('a' + t.op))
	if t.fold {
		b.WriteByte('~')
	}
	list := []event.Value{t.lit}
	if t.set != nil {
		list = t.set.list
	}
	for _, v := range list {
		b.WriteByte(byte('0' + v.Kind()))
		writeLiteral(&b, v)
	}
	return b.String()
}
