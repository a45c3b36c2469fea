package predicate

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Check compares a condition with the declared schemas of the events it is
// about: those of the event under test when the condition pins their type (see
// Cond.EventTypes), and those of other elements by Element.EventTypes. It reports
// fields that none of the types has and tests that none can pass. Where one of
// the types has no schema nothing is reported, and neither is what Add refuses.
// The first character of src is at pos.
func (s *Set) Check(src string, pos yamldoc.Pos, scope Scope, schemas *Schemas) yamldoc.Errors {
	if schemas == nil || len(schemas.byType) == 0 {
		return nil
	}
	cond, err := s.Add(scope, src, pos)
	if err != nil {
		return nil //nolint:nilerr // what Add refuses is not reported here
	}
	c := checker{schemas: schemas, under: cond.EventTypes(), scope: scope, src: src, pos: pos, names: scope.names(), seen: make(map[fieldRef]knowledge), bad: make(map[string]bool)}
	cond.root.walk(c.node)
	return c.errs
}

type checker struct {
	schemas *Schemas
	under   []string // types of the event under test
	scope   Scope
	names   []string // of its elements
	src     string
	pos     yamldoc.Pos
	seen    map[fieldRef]knowledge
	bad     map[string]bool // fields that are reported
	errs    yamldoc.Errors
}

// knowledge is what the schemas say of a field.
type knowledge struct {
	shape shape
	ok    bool
}

// The bounds on one check, which else could take the square of a long condition.
const (
	maxReports = 20
	maxHits    = 100     // places where a field may stand
	maxTries   = 1 << 20 // constants times values of an enum
)

func (c *checker) node(n node) {
	switch n := n.(type) {
	case *Atom:
		c.test(&fieldRef{field: n.field}, &n.test)
	case *fieldRef:
		c.known(n)
	case *aggregateValue:
		r := &fieldRef{whose: theLast, elem: n.elem, list: true, field: n.field}
		if k, ok := c.known(r); ok && (n.agg == aggSum || n.agg == aggAvg) {
			c.needs(r, k, 1<<event.Number, n.agg.String())
		}
	case *testNode:
		c.testOf(n)
	case *relateNode:
		c.relation(n)
	case *stringNode:
		c.operand(n.l, 1<<event.String, n.op.String())
		c.operand(n.r, 1<<event.String, n.op.String())
	case *memberNode:
		c.operand(n.in, 1<<event.List|1<<event.Map, "in")
	case *arithmetic:
		need := kinds(1 << event.Number)
		if n.op == '+' {
			need |= 1<<event.String | 1<<event.List
		}
		c.operand(n.l, need, string(n.op))
		c.operand(n.r, need, string(n.op))
	case *negation:
		c.operand(n.of, 1<<event.Number, "-")
	case *interpreted:
		for i := range n.reads {
			c.known(&n.reads[i])
		}
	}
}

// known gives what the schemas let a field hold. ok is false when nothing is
// known of it, also because it has been reported.
func (c *checker) known(r *fieldRef) (s shape, ok bool) {
	key := fieldRef{whose: r.whose, elem: r.elem, n: r.n, list: r.list, field: field{path: r.field.path}}
	k, done := c.seen[key]
	if !done {
		k.shape, k.ok = c.look(r)
		c.seen[key] = k
	}
	return k.shape, k.ok && !c.bad[text(r, c.names)]
}

func (c *checker) look(r *fieldRef) (all shape, ok bool) {
	types := c.under
	if r.whose != underTest {
		types = c.scope.Elements[r.elem].EventTypes
	}
	if len(types) == 0 || r.field.path.Root() != "data" {
		return shape{}, false
	}
	var bad *badPath
	found, listed := false, true
	for _, t := range types {
		schema := c.schemas.Schema(t)
		if schema == nil {
			return shape{}, false
		}
		s, problem := schema.at(r.field.path)
		if problem != nil {
			bad = problem
			continue
		}
		found = true
		listed = listed && s.values != nil
		all.kinds |= s.kinds
		all.values = append(all.values, s.values...)
	}
	if !listed {
		all.values = nil
	}
	if !found {
		c.report(r, CodePath, bad.fix, "%s", bad.msg)
	}
	return all, found
}

// operand checks that a field used as an operand can be of one of the kinds.
func (c *checker) operand(v value, need kinds, what string) {
	if r, ok := v.(*fieldRef); ok {
		if s, ok := c.known(r); ok {
			c.needs(r, s, need, what)
		}
	}
}

func (c *checker) needs(r *fieldRef, s shape, need kinds, what string) bool {
	if s.kinds&need != 0 {
		return true
	}
	c.report(r, CodeNever, "test it as what it is, or correct the schema", "%s is a %s by the schema, which %s does not work on", text(r, c.names), s.kinds, what)
	return false
}

// relation checks that two fields can be compared.
func (c *checker) relation(n *relateNode) {
	l, ok := n.l.(*fieldRef)
	r, ok2 := n.r.(*fieldRef)
	if !ok || !ok2 {
		return
	}
	x, ok := c.known(l)
	y, ok2 := c.known(r)
	if ok && ok2 && x.kinds&y.kinds == 0 {
		c.report(l, CodeNever, "compare values of one type", "%s is a %s and %s a %s by the schema", text(l, c.names), x.kinds, text(r, c.names), y.kinds)
	}
}

// testOf checks a test of a field of another element.
func (c *checker) testOf(n *testNode) {
	if r, ok := n.subject.(*fieldRef); ok {
		c.test(r, &n.test)
	}
}

// test checks that a test of a field can be passed.
func (c *checker) test(r *fieldRef, t *test) {
	s, ok := c.known(r)
	if !ok || t.op == OpHas {
		return
	}
	if need, what := t.kinds(); !c.needs(r, s, need, what) {
		return
	}
	for _, v := range t.listed(s) {
		c.report(r, CodeNever, "it can be "+listOf(s.values), "%s is never %s by the schema", text(r, c.names), literalText(v))
		return
	}
	if s.values != nil && t.op != OpNe && !slices.ContainsFunc(s.values, func(v event.Value) bool { return t.eval(v) == True }) {
		var b strings.Builder
		t.write(&b, text(r, c.names))
		c.report(r, CodeNever, "it can be "+listOf(s.values), "no value that the schema lets %s have passes %s", text(r, c.names), b.String())
	}
}

// kinds gives those on which a test can come out true, and what to call it.
func (t *test) kinds() (kinds, string) {
	switch {
	case t.fold:
		return 1 << event.String, "lower"
	case t.op == OpTrue:
		return 1 << event.Bool, "a condition of its own"
	case t.op > OpIn:
		return 1 << event.String, t.op.String()
	}
	var k kinds
	for _, v := range t.constantsOf() {
		k |= 1 << v.Kind()
	}
	if t.op == OpIn {
		return k, "in with such values"
	}
	return k, t.op.String() + " with a " + kindName(t.lit.Kind())
}

// listed gives the constants of an equality that an enumerated field never has.
func (t *test) listed(s shape) []event.Value {
	var want []event.Value
	switch {
	case s.values == nil || len(s.values)*len(t.constantsOf()) > maxTries:
		return nil
	case t.op == OpIn, t.op == OpEq, t.op == OpNe:
		want = t.constantsOf()
	}
	return slices.DeleteFunc(slices.Clone(want), func(v event.Value) bool {
		same := test{op: OpEq, fold: t.fold, lit: v}
		return slices.ContainsFunc(s.values, func(x event.Value) bool { return same.eval(x) == True })
	})
}

func literalText(v event.Value) string {
	var b strings.Builder
	writeLiteral(&b, v)
	return b.String()
}

// listOf names some values.
func listOf(values []event.Value) string {
	const few = 8
	var names []string
	for _, v := range values[:min(len(values), few)] {
		if v.Kind() == event.List || v.Kind() == event.Map {
			names = append(names, string(v.Raw()))
		} else {
			names = append(names, literalText(v))
		}
	}
	if len(values) > few {
		names = append(names, "…")
	}
	if len(names) == 0 {
		return "nothing at all"
	}
	return strings.Join(names, ", ")
}

// report notes a problem with a field, the first that it has.
func (c *checker) report(r *fieldRef, code, fix, format string, args ...any) {
	name := text(r, c.names)
	if c.bad[name] || len(c.errs) == maxReports {
		return
	}
	c.bad[name] = true
	c.errs = append(c.errs, yamldoc.Errorf(c.locate(name), "", code, fix, "%s", fmt.Sprintf(format, args...)))
}

// locate finds a field in the condition: where it is written as it would be
// printed, which it mostly is, or else at the beginning.
func (c *checker) locate(name string) yamldoc.Pos {
	from := 0
	for range maxHits {
		i := strings.Index(c.src[from:], name)
		if i < 0 {
			break
		}
		i += from
		end := i + len(name)
		if (i == 0 || !isIdent(c.src[i-1]) && c.src[i-1] != '.') && (end == len(c.src) || !isIdent(c.src[end])) && !inQuotes(c.src[:i]) {
			line := strings.LastIndexByte(c.src[:i], '\n')
			s := source{pos: c.pos}
			return s.at(1+strings.Count(c.src[:i], "\n"), utf8.RuneCountInString(c.src[line+1:i]))
		}
		from = i + 1
	}
	return c.pos
}

// inQuotes reports whether a text ends inside quotes.
func inQuotes(src string) bool {
	var quote byte
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		}
	}
	return quote != 0
}
