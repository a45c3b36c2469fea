package predicate

import (
	"slices"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/rhost/rhost/event"
)

// chain takes fields and constant indices off an expression: what they are
// applied to, and the steps in order.
func chain(e celast.Expr) (base celast.Expr, steps []event.Step) {
	defer func() { slices.Reverse(steps) }()
	for {
		switch e.Kind() {
		case celast.SelectKind:
			if e.AsSelect().IsTestOnly() {
				return e, steps
			}
			steps = append(steps, event.Step{Key: e.AsSelect().FieldName(), Index: -1})
			e = e.AsSelect().Operand()
		case celast.CallKind:
			st, ok := indexOf(e)
			if !ok {
				return e, steps
			}
			steps = append(steps, st)
			e = e.AsCall().Args()[0]
		default:
			return e, steps
		}
	}
}

// indexOf gives the step of x["key"] or x[0].
func indexOf(e celast.Expr) (event.Step, bool) {
	c := e.AsCall()
	if c.FunctionName() != operators.Index || c.Args()[1].Kind() != celast.LiteralKind {
		return event.Step{}, false
	}
	var f float64
	switch v := c.Args()[1].AsLiteral().(type) {
	case types.String:
		return event.Step{Key: string(v), Index: -1}, true
	case types.Int:
		f = float64(v)
	case types.Double:
		f = float64(v)
	default:
		return event.Step{}, false
	}
	if f < 0 || f > 1<<30 || !isWhole(f) {
		return event.Step{}, false
	}
	return event.Step{Index: int(f)}, true
}

// joinSteps gives the path from an attribute along the steps; ok is false when
// the attribute does not exist or has no such fields.
func joinSteps(attr string, steps []event.Step) (p event.Path, ok bool) {
	p = event.PathOf(attr)
	for _, st := range steps {
		if st.Index >= 0 {
			p = p.At(st.Index)
		} else {
			p = p.Field(st.Key)
		}
	}
	p, err := event.ParsePath(p.String())
	return p, err == nil
}

// fieldPath is joinSteps for steps that begin with the attribute.
func fieldPath(steps []event.Step) (event.Path, bool) {
	if len(steps) == 0 || steps[0].Index >= 0 {
		return event.Path{}, false
	}
	return joinSteps(steps[0].Key, steps[1:])
}
