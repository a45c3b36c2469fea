package predicate

import (
	"slices"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/rhost/rhost/event"
)

// compiler turns a checked tree into nodes. What it has no node for becomes one
// that runs in the interpreter: the smallest condition around it, so that the
// rest of the rule stays fast and can be indexed.
type compiler struct {
	set *Set
	src *source
	err error // the first constant that has no value
}

// truth compiles a condition; it always succeeds, if need be by interpreting.
func (c *compiler) truth(e celast.Expr) truth {
	if t := c.compiled(e); t != nil {
		return t
	}
	return c.interpret(e)
}

// compiled is truth without the interpreter: nil when there is no node for e.
func (c *compiler) compiled(e celast.Expr) truth {
	switch e.Kind() {
	case celast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok {
			return constTruth{TriOf(bool(b))}
		}
		return nil
	case celast.SelectKind:
		if e.AsSelect().IsTestOnly() {
			return c.presence(e.AsSelect())
		}
	case celast.CallKind:
		if t, ok := c.operator(e.AsCall()); ok {
			return t
		}
	default:
	}
	v := c.value(e)
	if v == nil {
		return nil
	}
	return c.test(v, test{op: OpTrue})
}

// operator compiles calls that give a truth; ok is false for other calls, which
// may still give one as a value.
func (c *compiler) operator(call celast.CallExpr) (t truth, ok bool) {
	args := call.Args()
	switch name := call.FunctionName(); name {
	case operators.LogicalAnd:
		return &andNode{c.flat(name, args)}, true
	case operators.LogicalOr:
		return &orNode{c.flat(name, args)}, true
	case operators.LogicalNot:
		return &notNode{c.truth(args[0])}, true
	case operators.Conditional:
		if t := c.lenient(args); t != nil {
			return t, true
		}
		if c.src.mayBeBool(args[1]) && c.src.mayBeBool(args[2]) {
			return &ifTruth{c.truth(args[0]), c.truth(args[1]), c.truth(args[2])}, true
		}
		return nil, false
	case operators.In:
		return c.member(args[0], args[1]), true
	case "contains", "startsWith", "endsWith", "matches":
		if call.IsMemberFunction() {
			args = append([]celast.Expr{call.Target()}, args...)
		}
		return c.stringTest(opNamed(name), args[0], args[1]), true
	case "cidr":
		return c.stringTest(OpCIDR, args[0], args[1]), true
	default:
		if o, comparison := comparisonOf(name); comparison {
			return c.relate(o, args[0], args[1]), true
		}
		return nil, false
	}
}

// flat gives the operands of a chain of && or ||.
func (c *compiler) flat(operator string, args []celast.Expr) []truth {
	var kids []truth
	for _, a := range args {
		if a.Kind() == celast.CallKind && a.AsCall().FunctionName() == operator {
			kids = append(kids, c.flat(operator, a.AsCall().Args())...)
		} else {
			kids = append(kids, c.truth(a))
		}
	}
	return kids
}

// presence compiles has(x.y).
func (c *compiler) presence(sel celast.SelectExpr) truth {
	base, steps := chain(sel.Operand())
	if l := c.lookup(sel.Operand()); l != nil {
		return &lookupHas{*l, sel.FieldName()}
	}
	r, steps, ok := c.origin(base, steps)
	if !ok {
		return nil
	}
	steps = append(slices.Clone(steps), event.Step{Key: sel.FieldName(), Index: -1})
	path, ok := fieldPath(steps)
	if !ok {
		return nil
	}
	n := &hasNode{value: r, parent: r}
	n.value.field = c.set.intern(path)
	if r.whose == underTest {
		n.atom = c.set.atom(n.value.field, test{op: OpHas})
		if len(steps) == 1 || steps[0].Key == "ext" {
			return n.atom // the event itself is there, so that this is never unknown
		}
	}
	if len(steps) > 1 && steps[0].Key != "ext" {
		parent, ok := fieldPath(steps[:len(steps)-1])
		if !ok {
			return nil
		}
		n.parent.field = field{index: -1, path: parent}
	}
	return n
}

// lenient recognises what has(data.x) was made into, and makes one node of it.
func (c *compiler) lenient(args []celast.Expr) truth {
	for _, a := range args[:2] {
		if a.Kind() != celast.SelectKind || !a.AsSelect().IsTestOnly() {
			return nil
		}
	}
	payload, of := args[0].AsSelect(), args[1].AsSelect().Operand()
	base, steps := chain(of)
	if payload.FieldName() != "data" || args[2].Kind() != celast.LiteralKind || args[2].AsLiteral() != types.False {
		return nil
	}
	n, ok := c.presence(args[1].AsSelect()).(*hasNode)
	if !ok || n.parent.field.path != event.PathOf("data") || !c.sameEvent(payload.Operand(), base, steps) {
		return nil
	}
	n.lenient = true
	return n
}

// sameEvent reports whether the event of has(event.data) is the one that a chain
// to its payload starts in.
func (c *compiler) sameEvent(of, base celast.Expr, steps []event.Step) bool {
	ofBase, ofSteps := chain(of)
	x, _, ok := c.origin(ofBase, append(slices.Clone(ofSteps), event.Step{Key: "data", Index: -1}))
	y, _, ok2 := c.origin(base, steps)
	return ok && ok2 && x == y
}

// origin tells which event a chain starts in, and gives its steps from the
// attribute on.
func (c *compiler) origin(base celast.Expr, steps []event.Step) (fieldRef, []event.Step, bool) {
	if base.Kind() == celast.CallKind {
		call := base.AsCall()
		name := call.FunctionName()
		if name != "first" && name != "last" {
			return fieldRef{}, nil, false
		}
		elem, _, ok := elementOf(call.Args()[0])
		r := fieldRef{whose: theFirst, elem: elem, list: true}
		if name == "last" {
			r.whose = theLast
		}
		return r, steps, ok
	}
	if base.Kind() != celast.IdentKind {
		return fieldRef{}, nil, false
	}
	elem, list, ok := elementOf(base)
	switch {
	case ok && !list:
		return fieldRef{whose: theFirst, elem: elem}, steps, true
	case ok && len(steps) > 0 && steps[0].Index >= 0:
		return fieldRef{whose: theNth, elem: elem, n: steps[0].Index, list: true}, steps[1:], true
	case base.AsIdent() == selfName:
		return fieldRef{}, steps, true
	case ok || !slices.Contains(attributes(), base.AsIdent()):
		return fieldRef{}, nil, false
	}
	return fieldRef{}, append([]event.Step{{Key: base.AsIdent(), Index: -1}}, steps...), true
}

// elementOf reads an element's hidden name.
func elementOf(e celast.Expr) (elem int, list, ok bool) {
	if e.Kind() != celast.IdentKind {
		return 0, false, false
	}
	return parseHidden(e.AsIdent())
}

// ref compiles a field; nil when e is none.
func (c *compiler) ref(e celast.Expr) *fieldRef {
	base, steps := chain(e)
	r, steps, ok := c.origin(base, steps)
	if !ok {
		return nil
	}
	path, ok := fieldPath(steps)
	if !ok || path.String() == "ext" {
		return nil
	}
	r.field = c.set.intern(path)
	return &r
}

// relate compiles a comparison.
func (c *compiler) relate(o Op, l, r celast.Expr) truth {
	if c.src.isDuration(l) || c.src.isDuration(r) {
		x, y := c.span(l), c.span(r)
		if x == nil || y == nil {
			return nil
		}
		return &spanNode{o, x, y}
	}
	x, y := c.value(l), c.value(r)
	if x == nil || y == nil {
		return nil
	}
	if k, ok := x.(constValue); ok {
		if _, both := y.(constValue); !both {
			return c.test(y, test{op: o.flip(), lit: k.v})
		}
	}
	if k, ok := y.(constValue); ok {
		return c.test(x, test{op: o, lit: k.v})
	}
	return &relateNode{o, x, y}
}

// member compiles `in`.
func (c *compiler) member(elem, in celast.Expr) truth {
	v := c.value(elem)
	if v == nil {
		return nil
	}
	if in.Kind() == celast.ListKind {
		list, ok := c.constants(in.AsList().Elements())
		if !ok {
			return nil
		}
		return c.test(v, test{op: OpIn, set: newValueSet(list)})
	}
	if name, ok := tableOf(in); ok {
		return &memberOfTable{v, name}
	}
	container := c.value(in)
	if container == nil {
		return nil
	}
	return &memberNode{v, container}
}

func (c *compiler) constants(list []celast.Expr) ([]event.Value, bool) {
	values := make([]event.Value, 0, len(list))
	for _, e := range list {
		k, ok := c.value(e).(constValue)
		if !ok {
			return nil, false
		}
		values = append(values, k.v)
	}
	return values, true
}

// stringTest compiles the tests that texts can pass.
func (c *compiler) stringTest(o Op, subject, arg celast.Expr) truth {
	l, r := c.value(subject), c.value(arg)
	if l == nil || r == nil {
		return nil
	}
	k, constant := r.(constValue)
	if !constant {
		if o == OpMatches || o == OpCIDR {
			return nil
		}
		return &stringNode{o, l, r}
	}
	t := test{op: o, lit: k.v}
	switch o {
	case OpMatches:
		re, err := newPattern(t.lit.Str())
		if err != nil {
			return nil
		}
		t.re = re
	case OpCIDR:
		net, ok := parsePrefix(t.lit.Str())
		if !ok {
			return nil
		}
		t.net = &net
	default:
	}
	return c.test(l, t)
}

// test applies a test to a value: as an atom when the value is a field of the
// event under test, in lower case when the value is lower(…) of something.
func (c *compiler) test(v value, t test) truth {
	if call, ok := v.(*callValue); ok && call.fn.name == "lower" && t.op != OpTrue && t.op != OpCIDR {
		t.fold = true
		v = call.a
	}
	if r, ok := v.(*fieldRef); ok && r.whose == underTest {
		return c.set.atom(r.field, t)
	}
	return &testNode{v, t}
}

func comparisonOf(name string) (Op, bool) {
	i := slices.Index([]string{
		operators.Equals, operators.NotEquals, operators.Less,
		operators.LessEquals, operators.Greater, operators.GreaterEquals,
	}, name)
	return Op(max(i, 0)), i >= 0
}

func opNamed(name string) Op {
	for _, o := range []Op{OpPrefix, OpSuffix, OpContains} {
		if o.String() == name {
			return o
		}
	}
	return OpMatches
}

// types of the checked tree

func (s *source) typeOf(e celast.Expr) *types.Type { return s.ast.GetType(e.ID()) }

func (s *source) isBool(e celast.Expr) bool { return s.typeOf(e).Kind() == types.BoolKind }
func (s *source) mayBeBool(e celast.Expr) bool {
	return s.isBool(e) || s.typeOf(e).Kind() == types.DynKind
}
func (s *source) isTime(e celast.Expr) bool     { return s.typeOf(e).Kind() == types.TimestampKind }
func (s *source) isDuration(e celast.Expr) bool { return s.typeOf(e).Kind() == types.DurationKind }
