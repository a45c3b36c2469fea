package predicate

import (
	"fmt"
	"strconv"
	"time"

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
		if isPart(name) {
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

// shift compiles a time plus or minus a duration, and a duration plus a time.
func (c *compiler) shift(name string, args []celast.Expr) value {
	at, by := args[0], args[1]
	if c.src.isDuration(at) {
		at, by = by, at
	}
	n := &shifted{sign: 1}
	if name == operators.Subtract {
		n.sign = -1
	}
	if n.time, n.by = c.value(at), c.span(by); n.time == nil || n.by == nil {
		return nil
	}
	return n
}

func isPart(name string) bool {
	for _, p := range timeParts() {
		if p == name {
			return true
		}
	}
	return false
}

// part compiles an accessor of a time or a duration.
func (c *compiler) part(call celast.CallExpr) value {
	name := call.FunctionName()
	if c.src.isDuration(call.Target()) {
		s := c.span(call.Target())
		if s == nil {
			return nil
		}
		return &spanPart{name, s}
	}
	v := c.value(call.Target())
	if v == nil || !c.src.isTime(call.Target()) {
		return nil
	}
	n := &partValue{part: name, of: v, zone: time.UTC}
	if len(call.Args()) == 1 {
		k, ok := c.value(call.Args()[0]).(constValue)
		if !ok {
			return nil
		}
		n.name = k.v.Str()
		zone, err := time.LoadLocation(n.name)
		if err != nil {
			return nil // an offset such as +02:00, which cel-go reads itself
		}
		n.zone = zone
	}
	return n
}

// parseHidden reads "@e3" and "@l3".
func parseHidden(name string) (elem int, list, ok bool) {
	if len(name) < 3 || name[0] != '@' || name[1] != 'e' && name[1] != 'l' {
		return 0, false, false
	}
	n, err := strconv.Atoi(name[2:])
	return n, name[1] == 'l', err == nil
}
