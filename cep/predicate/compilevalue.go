package predicate

import (
	"fmt"
	"slices"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/rhost/rhost/event"
)

// value compiles an expression that gives what an event can hold; nil when
// there is no node for it.
func (c *compiler) value(e celast.Expr) value {
	if e.Kind() == celast.LiteralKind {
		if v := valueOf(e.AsLiteral()); v.Kind() != event.Missing {
			return constValue{v}
		}
		return nil
	}
	if r := c.ref(e); r != nil {
		return r
	}
	if l := c.lookup(e); l != nil {
		return l
	}
	switch {
	case e.Kind() == celast.SelectKind && e.AsSelect().IsTestOnly():
		return c.asValue(c.presence(e.AsSelect()))
	case e.Kind() == celast.CallKind && !c.src.isDuration(e):
		return c.callValue(e)
	}
	return nil
}

func (c *compiler) asValue(t truth) value {
	if t == nil {
		return nil
	}
	return &truthValue{t}
}

func (c *compiler) callValue(e celast.Expr) value {
	call := e.AsCall()
	args := call.Args()
	switch name := call.FunctionName(); name {
	case operators.Add, operators.Subtract:
		if c.src.isTime(e) {
			return c.shift(name, args)
		}
		return c.arithmetic(name, args)
	case operators.Multiply, operators.Divide:
		return c.arithmetic(name, args)
	case operators.Negate:
		return c.negate(args[0])
	case operators.Conditional:
		return c.choice(args)
	case "size":
		return c.size(call)
	case "count":
		elem, _, _ := elementOf(args[0])
		return &countValue{elem}
	default:
		if v := c.aggregate(name, args); v != nil {
			return v
		}
		if slices.Contains(timeParts(), name) {
			return c.part(call)
		}
		if fn, ok := findFunction(name); ok && fn.name != "cidr" {
			return c.apply(fn, args)
		}
		if t, ok := c.operator(call); ok {
			return c.asValue(t)
		}
		return nil
	}
}

func (c *compiler) arithmetic(name string, args []celast.Expr) value {
	// With a side that may be a duration, the checker alone cannot tell what
	// comes out; cel-go decides when it runs.
	if c.src.isDuration(args[0]) || c.src.isDuration(args[1]) {
		return nil
	}
	l, r := c.value(args[0]), c.value(args[1])
	if l == nil || r == nil {
		return nil
	}
	return c.fold(&arithmetic{name[1], l, r}, l, r)
}

func (c *compiler) negate(e celast.Expr) value {
	v := c.value(e)
	if v == nil {
		return nil
	}
	return c.fold(&negation{v}, v)
}

// fold works out what depends on constants alone. What then has no value never
// has one, which is a mistake worth telling.
func (c *compiler) fold(n value, from ...value) value {
	for _, v := range from {
		if _, ok := v.(constValue); !ok {
			return n
		}
	}
	v := n.eval(nil, nil)
	if v.Kind() == event.Missing || isNaN(v) {
		c.fail(fmt.Errorf("%s has no value", text(n, nil)))
		return n
	}
	return constValue{v}
}

func (c *compiler) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *compiler) choice(args []celast.Expr) value {
	cond := c.compiled(args[0])
	then, other := c.value(args[1]), c.value(args[2])
	if cond == nil || then == nil || other == nil {
		return nil
	}
	return &ifValue{cond, then, other}
}

func (c *compiler) size(call celast.CallExpr) value {
	arg := call.Target()
	if !call.IsMemberFunction() {
		arg = call.Args()[0]
	}
	if elem, list, ok := elementOf(arg); ok && list {
		return &countValue{elem}
	}
	v := c.value(arg)
	if v == nil {
		return nil
	}
	return &sizeValue{v}
}

func (c *compiler) aggregate(name string, args []celast.Expr) value {
	agg := aggregateOf(name)
	for _, a := range []aggregate{aggMin, aggMax} {
		if name == timeAggregate(a) {
			agg = a
		}
	}
	if agg == aggNone {
		return nil
	}
	elem, _, ok := elementOf(args[0])
	text, isText := args[1].AsLiteral().(types.String)
	p, err := event.ParsePath(string(text))
	if !ok || !isText || err != nil {
		return nil
	}
	return &aggregateValue{agg, elem, c.set.intern(p)}
}

func (c *compiler) apply(fn function, args []celast.Expr) value {
	if len(args) == 1 && c.src.isDuration(args[0]) {
		return nil
	}
	n := &callValue{fn: fn}
	if n.a = c.value(args[0]); n.a == nil {
		return nil
	}
	if len(args) == 1 {
		return c.fold(n, n.a)
	}
	if n.b = c.value(args[1]); n.b == nil {
		return nil
	}
	return c.fold(n, n.a, n.b)
}
