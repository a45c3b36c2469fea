package predicate

import (
	"slices"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// rewrite turns the parsed tree into one the environment can check: integer
// literals become doubles, elements get their hidden names, the functions over
// elements get lists and paths as arguments. It also judges the constants that
// only fail when they are used: patterns, networks, times.
func (s *source) rewrite() {
	r := rewriter{source: s, fac: celast.NewExprFactory()}
	r.walk(s.ast.Expr())
}

type rewriter struct {
	*source
	fac   celast.ExprFactory
	local []string // variables of the macros around
}

func (r *rewriter) walk(e celast.Expr) {
	switch e.Kind() {
	case celast.LiteralKind:
		r.promote(e)
	case celast.IdentKind:
		r.ident(e)
	case celast.SelectKind:
		r.step(e.AsSelect().Operand(), e.AsSelect().FieldName())
		r.table(e.AsSelect().Operand())
		r.walk(e.AsSelect().Operand())
	case celast.CallKind:
		r.call(e)
	case celast.ListKind:
		for _, item := range e.AsList().Elements() {
			r.walk(item)
		}
	case celast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.walk(entry.AsMapEntry().Key())
			r.walk(entry.AsMapEntry().Value())
		}
	case celast.StructKind:
		r.fail(e.ID(), CodeUndefined, "compare the fields one by one", "%s{…} cannot be built here", e.AsStruct().TypeName())
	case celast.ComprehensionKind:
		r.macro(e)
	default:
	}
}

// promote makes an integer literal the double it stands for.
func (r *rewriter) promote(e celast.Expr) {
	var f float64
	var exact bool
	switch v := e.AsLiteral().(type) {
	case types.Int:
		f = float64(v)
		exact = int64(v) >= -1<<53 && int64(v) <= 1<<53
	case types.Uint:
		f = float64(v)
		exact = v <= 1<<53
	case types.Bytes:
		r.fail(e.ID(), CodeType, "write a text without the b before it", "bytes are not supported; events have none")
		return
	default:
		return
	}
	if !exact {
		r.fail(e.ID(), CodeConstant, "numbers are doubles, exact up to 2^53; compare longer identifiers as texts",
			"the integer cannot be told from its neighbours")
		return
	}
	e.SetKindCase(r.fac.NewLiteral(e.ID(), types.Double(f)))
}

// ident replaces the name of an element.
func (r *rewriter) ident(e celast.Expr) {
	name := e.AsIdent()
	if slices.Contains(r.local, name) {
		return
	}
	if i := r.scope.index(name); i >= 0 {
		r.element(e, i, r.scope.Elements[i].Repeated)
		return
	}
	if slices.Contains(r.scope.Values, name) {
		r.value(e, name)
		return
	}
	if name == "table" {
		r.fail(e.ID(), CodeUndefined, `write data.ip in table.NAME, or table.NAME[data.host]`, "table alone is no table")
		return
	}
	if r.scope.Under != NoElement {
		return
	}
	switch name {
	case selfName:
		r.fail(e.ID(), CodeUndefined, "write has(event.subject), or name the element: has(ELEMENT.subject)", "an attribute alone belongs to no event here")
	case "event":
		r.usesEvent = true
		e.SetKindCase(r.fac.NewIdent(e.ID(), eventName))
	case "steps":
		r.wholeSteps = true
		e.SetKindCase(r.fac.NewIdent(e.ID(), stepsName))
	case "type", "source", "subject", "id", "time", "data", "ext":
		r.fail(e.ID(), CodeUndefined, "write event."+name+", or name the element: ELEMENT."+name, "%s alone belongs to no event here", name)
	}
}

// value makes e the field that a name of the scope stands for.
func (r *rewriter) value(e celast.Expr, name string) {
	const fresh = 1 << 40 // no expression that was parsed has such an id
	root := "data"
	if r.scope.Under == NoElement {
		root = valuesName
	}
	e.SetKindCase(r.fac.NewSelect(e.ID(), r.fac.NewIdent(fresh+e.ID(), root), name))
}

// element makes e the element with that index, as an event or as a list.
func (r *rewriter) element(e celast.Expr, i int, list bool) {
	el := r.scope.Elements[i]
	switch {
	case el.Negative:
		r.fail(e.ID(), CodeUndefined, "refer to an element that is bound", "%s is a `not` element, to which no event is ever bound", el.Name)
		return
	case i == r.scope.Under && !el.Repeated:
		r.fail(e.ID(), CodeUndefined, "write data.x, not "+el.Name+".data.x: the event under test needs no name",
			"%s is the element under test", el.Name)
		return
	case r.scope.Under != NoElement && i > r.scope.Under:
		r.fail(e.ID(), CodeUndefined, "move the comparison into the condition of "+el.Name, "%s comes later in the pattern and is not bound yet", el.Name)
		return
	}
	r.elements = true
	if !slices.Contains(r.usedElems, i) {
		r.usedElems = append(r.usedElems, i)
	}
	name := singleName(i)
	if list {
		name = listName(i)
	}
	e.SetKindCase(r.fac.NewIdent(e.ID(), name))
}

// step notes the ids in steps.ID and steps["ID"], which a workflow wants to know
// beforehand.
func (r *rewriter) step(of celast.Expr, id string) {
	if of.Kind() != celast.IdentKind || of.AsIdent() != "steps" || r.scope.Under != NoElement || slices.Contains(r.local, "steps") {
		return
	}
	r.usedSteps = addOnce(r.usedSteps, id)
	of.SetKindCase(r.fac.NewIdent(of.ID(), stepsName))
}

// table replaces the name of the lookup tables in table.NAME and table["NAME"].
func (r *rewriter) table(of celast.Expr) {
	if of.Kind() != celast.IdentKind || of.AsIdent() != "table" || slices.Contains(r.local, "table") {
		return
	}
	if r.scope.Under == NoElement {
		r.fail(of.ID(), CodeUndefined, "look it up in a condition", "lookup tables are not visible here")
	}
	of.SetKindCase(r.fac.NewIdent(of.ID(), tablesName))
}

func (r *rewriter) call(e celast.Expr) {
	c := e.AsCall()
	if st, ok := indexOf(e); ok && st.Index < 0 {
		r.step(c.Args()[0], st.Key)
		r.table(c.Args()[0])
	}
	if c.IsMemberFunction() {
		r.walk(c.Target())
	} else if r.overElement(e) {
		return
	}
	for _, arg := range c.Args() {
		r.walk(arg)
	}
	r.constants(e)
}

// overElement rewrites first(x), last(x), count(x) and the aggregates; it
// reports whether e is one of them.
func (r *rewriter) overElement(e celast.Expr) bool {
	c := e.AsCall()
	name := c.FunctionName()
	agg := aggregateOf(name)
	if agg == aggNone && name != "first" && name != "last" && name != "count" {
		return false
	}
	if len(c.Args()) != 1 {
		r.fail(e.ID(), CodeType, overElementFix(name), "%s takes one argument, not %d", name, len(c.Args()))
		return true
	}
	arg := c.Args()[0]
	root, steps := chain(arg)
	i := -1
	if root.Kind() == celast.IdentKind && !slices.Contains(r.local, root.AsIdent()) {
		i = r.scope.index(root.AsIdent())
	}
	if i < 0 || (agg == aggNone) != (len(steps) == 0) {
		r.fail(arg.ID(), CodeType, overElementFix(name), "%s takes %s", name, overElementArg(agg))
		return true
	}
	if agg == aggNone {
		r.element(arg, i, true)
		return true
	}
	p, ok := fieldPath(steps)
	if !ok {
		r.fail(arg.ID(), CodeUndefined, overElementFix(name), "an event has no such field")
		return true
	}
	if p.String() == "time" {
		if agg == aggSum || agg == aggAvg {
			r.fail(arg.ID(), CodeType, "min, max and count work on times", "%s does not take times", name)
			return true
		}
		name = timeAggregate(agg)
	}
	// The new expressions reuse the numbers of those they stand for, so that
	// errors keep their place.
	rootID := root.ID()
	list := r.fac.NewIdent(arg.ID(), root.AsIdent())
	r.element(list, i, true)
	e.SetKindCase(r.fac.NewCall(e.ID(), name, list, r.fac.NewLiteral(rootID, types.String(p.String()))))
	return true
}

func overElementFix(name string) string {
	if aggregateOf(name) == aggNone {
		return "write " + name + "(x) with the name of an element"
	}
	return "write " + name + "(x.data.price) with the name of an element and a field of it"
}

func overElementArg(agg aggregate) string {
	if agg == aggNone {
		return "the name of an element"
	}
	return "a field of an element"
}

// macro walks a comprehension, whose variables hide nothing.
func (r *rewriter) macro(e celast.Expr) {
	c := e.AsComprehension()
	r.walk(c.IterRange())
	n := len(r.local)
	for _, name := range []string{c.IterVar(), c.IterVar2()} {
		if name == "" {
			continue
		}
		if r.scope.index(name) >= 0 || slices.Contains(attributes(), name) {
			r.fail(e.ID(), CodeUndefined, "give the variable another name", "the variable %s hides what else is called %s", name, name)
		}
		r.local = append(r.local, name)
	}
	r.local = append(r.local, c.AccuVar())
	r.walk(c.AccuInit())
	r.walk(c.LoopCondition())
	r.walk(c.LoopStep())
	r.walk(c.Result())
	r.local = r.local[:n]
}
