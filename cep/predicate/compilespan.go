package predicate

import (
	"time"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// span compiles a duration; nil when there is no node for it.
func (c *compiler) span(e celast.Expr) span {
	if e.Kind() != celast.CallKind {
		return nil
	}
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case "duration":
		v := c.value(args[0])
		if k, ok := v.(constValue); ok {
			if d, err := time.ParseDuration(k.v.Str()); err == nil {
				return constSpan{d}
			}
		}
		if v == nil {
			return nil
		}
		return &parsedSpan{v}
	case operators.Add:
		return c.sum(args, false)
	case operators.Subtract:
		if c.src.isTime(args[0]) && c.src.isTime(args[1]) {
			l, r := c.value(args[0]), c.value(args[1])
			if l == nil || r == nil {
				return nil
			}
			return &timeSpan{l, r}
		}
		return c.sum(args, true)
	}
	return nil
}

func (c *compiler) sum(args []celast.Expr, back bool) span {
	if !c.src.isDuration(args[0]) || !c.src.isDuration(args[1]) {
		return nil
	}
	l, r := c.span(args[0]), c.span(args[1])
	if l == nil || r == nil {
		return nil
	}
	return &sumSpan{l, r, back}
}

// shift compiles a time plus or minus a duration, and a duration plus a time.
func (c *compiler) shift(name string, args []celast.Expr) value {
	at, by := args[0], args[1]
	if c.src.isDuration(at) {
		at, by = by, at
	}
	n := &shifted{back: name == operators.Subtract}
	if n.time, n.by = c.value(at), c.span(by); n.time == nil || n.by == nil {
		return nil
	}
	return n
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
