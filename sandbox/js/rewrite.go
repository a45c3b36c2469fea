package js

import (
	"fmt"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/token"
	"github.com/dop251/goja/unistring"
)

// The functions that rewritten scripts call. Their names hold a NUL, so that no
// script can name them; a script finds them as parameters of the function that
// its text becomes the body of, and not among its globals.
const (
	fnCharge = "\x00charge" // (n): pay for region n
	fnText   = "\x00text"   // (v): pay for v if it is a string; gives v
	fnString = "\x00string" // (v): v as a string, paid for
	fnKey    = "\x00key"    // (k): k is about to name a property; gives k
	fnWrite  = "\x00write"  // (o, k): o[k] is about to be written; gives k
	fnLength = "\x00length" // (n): a length is about to be set; gives n
	fnItems  = "\x00items"  // (v): v is about to be spread item by item; gives v
	fnFields = "\x00fields" // (v): v is about to be spread key by key; gives v
	fnRest   = "\x00rest"   // (v, …): pay for what rest patterns collected; gives the first
	fnInner  = "\x00inner"  // (v): an iterator over v that knows how deep it is nested
)

func hidden() []string {
	return []string{fnCharge, fnText, fnString, fnKey, fnWrite, fnLength, fnItems, fnFields, fnRest, fnInner}
}

// Prices in bytes; nominal, about what the interpreter allocates.
const (
	objectBytes   = 160
	propertyBytes = 48
	arrayBytes    = 64
	itemBytes     = 16
	functionBytes = 200
	classBytes    = 600
	regexBytes    = 300
	textBytes     = 32
	frameBytes    = 40 // of a captured stack
	yieldBytes    = 64
	promiseBytes  = 2 << 10 // with the functions and the job that belong to one
	promiseFuel   = 40
	maxDense      = 4096 + 1 // items that the interpreter allocates at once for a far index
)

// region is a stretch of a script that is paid for as a whole on entry: the body
// of a function without its inner functions and loops, or the body of a loop.
type region struct {
	fuel, bytes int64
	// deep marks regions that may capture the stack, by making or catching an
	// error: they pay for its depth.
	deep bool
}

// rewriter puts the calls into a script's tree.
type rewriter struct {
	*facts
	regions []region
	at      []int // regions being filled, innermost last
	problem error // why the script cannot be rewritten
	pos     file.Idx
}

// refuse keeps the first reason.
func (r *rewriter) refuse(at ast.Node, format string, args ...any) {
	if r.problem == nil {
		r.problem = fmt.Errorf(format, args...)
		r.pos = at.Idx0()
	}
}

// pay adds to the innermost region.
func (r *rewriter) pay(fuel, bytes int64) {
	reg := &r.regions[r.at[len(r.at)-1]]
	reg.fuel += fuel
	reg.bytes += bytes
}

func (r *rewriter) deepen() { r.regions[r.at[len(r.at)-1]].deep = true }

// enter begins a region and gives the call that pays for it.
func (r *rewriter) enter(at file.Idx) ast.Expression {
	n := len(r.regions)
	r.regions = append(r.regions, region{fuel: 1})
	r.at = append(r.at, n)
	return r.call(fnCharge, at, &ast.NumberLiteral{Idx: at, Value: int64(n)})
}

func (r *rewriter) leave() { r.at = r.at[:len(r.at)-1] }

func (r *rewriter) call(fn string, at file.Idx, args ...ast.Expression) ast.Expression {
	return &ast.CallExpression{
		Callee:           &ast.Identifier{Name: unistring.NewFromString(fn), Idx: at},
		LeftParenthesis:  at,
		ArgumentList:     args,
		RightParenthesis: at,
	}
}

func statement(e ast.Expression) ast.Statement { return &ast.ExpressionStatement{Expression: e} }

// program rewrites a whole script into one expression: a function of the hidden
// functions that runs the script and returns what it exports as invoke.
func (r *rewriter) program(prg *ast.Program, invoke string) {
	const at = file.Idx(1)
	charge := r.enter(at)
	body := append([]ast.Statement{statement(charge)}, r.statements(prg.Body)...)
	r.leave()
	body = append(body, &ast.ReturnStatement{Return: at, Argument: &ast.Identifier{Name: unistring.NewFromString(invoke), Idx: at}})
	params := &ast.ParameterList{Opening: at, Closing: at}
	for _, name := range hidden() {
		params.List = append(params.List, &ast.Binding{Target: &ast.Identifier{Name: unistring.NewFromString(name), Idx: at}})
	}
	prg.Body = []ast.Statement{statement(&ast.FunctionLiteral{
		Function: at, ParameterList: params, DeclarationList: prg.DeclarationList,
		Body: &ast.BlockStatement{LeftBrace: at, List: body, RightBrace: at},
	})}
	prg.DeclarationList = nil
}

// statements rewrites a list; one statement may become two.
func (r *rewriter) statements(in []ast.Statement) []ast.Statement {
	out := make([]ast.Statement, 0, len(in))
	for _, s := range in {
		out = append(out, r.statement(s))
		if rest := restOf(s); len(rest) > 0 {
			out = append(out, statement(r.call(fnRest, s.Idx0(), rest...)))
		}
	}
	return out
}

// directives is the number of directives, such as "use strict", that a body
// begins with.
func directives(body []ast.Statement) int {
	for i, s := range body {
		e, ok := s.(*ast.ExpressionStatement)
		if !ok {
			return i
		}
		if _, ok := e.Expression.(*ast.StringLiteral); !ok {
			return i
		}
	}
	return len(body)
}

// block rewrites a body that is a region of its own.
func (r *rewriter) block(b *ast.BlockStatement, first ...ast.Expression) {
	charge := r.enter(b.LeftBrace)
	b.List = r.body(b.List, charge, first)
	r.leave()
}

// body rewrites the statements of a body. The charge and what else comes first
// stand behind its directives.
func (r *rewriter) body(list []ast.Statement, charge ast.Expression, first []ast.Expression) []ast.Statement {
	n := directives(list)
	out := append([]ast.Statement{}, list[:n]...)
	out = append(out, statement(charge))
	for _, e := range first {
		out = append(out, statement(e))
	}
	return append(out, r.statements(list[n:])...)
}

// loop rewrites the body of a loop, and head, which runs with every turn.
func (r *rewriter) loop(body ast.Statement, rest []ast.Expression, head ...*ast.Expression) ast.Statement {
	at := body.Idx0()
	charge := r.enter(at)
	for _, e := range head {
		r.replace(e)
	}
	list := []ast.Statement{statement(charge)}
	if len(rest) > 0 {
		list = append(list, statement(r.call(fnRest, at, rest...)))
	}
	if b, ok := body.(*ast.BlockStatement); ok {
		list = append(list, r.statements(b.List)...)
	} else {
		list = append(list, r.statement(body))
	}
	r.leave()
	return &ast.BlockStatement{LeftBrace: at, List: list, RightBrace: at}
}

// single rewrites a statement that stands alone, as the branch of an if.
func (r *rewriter) single(s ast.Statement) ast.Statement {
	if s == nil {
		return nil
	}
	list := r.statements([]ast.Statement{s})
	if len(list) == 1 {
		return list[0]
	}
	return &ast.BlockStatement{LeftBrace: s.Idx0(), List: list, RightBrace: s.Idx0()}
}

func (r *rewriter) statement(s ast.Statement) ast.Statement {
	r.pay(1, 0)
	switch s := s.(type) {
	case *ast.BlockStatement:
		s.List = r.statements(s.List)
	case *ast.ExpressionStatement:
		r.replace(&s.Expression)
	case *ast.FunctionDeclaration:
		r.function(s.Function)
	case *ast.ClassDeclaration:
		r.class(s.Class)
	case *ast.IfStatement:
		r.replace(&s.Test)
		s.Consequent, s.Alternate = r.single(s.Consequent), r.single(s.Alternate)
	case *ast.LabelledStatement:
		s.Statement = r.statement(s.Statement)
	case *ast.ReturnStatement:
		r.replace(&s.Argument)
	case *ast.ThrowStatement:
		r.replace(&s.Argument)
	case *ast.SwitchStatement:
		r.replace(&s.Discriminant)
		for _, c := range s.Body {
			r.replace(&c.Test)
			c.Consequent = r.statements(c.Consequent)
		}
	case *ast.TryStatement:
		r.try(s)
	case *ast.VariableStatement:
		r.bindings(s.List)
	case *ast.LexicalDeclaration:
		r.bindings(s.List)
	case *ast.WithStatement:
		r.refuse(s, "with is not part of strict JavaScript")
	default:
		r.loopStatement(s)
	}
	return s
}

func (r *rewriter) loopStatement(s ast.Statement) {
	switch s := s.(type) {
	case *ast.WhileStatement:
		s.Body = r.loop(s.Body, nil, &s.Test)
	case *ast.DoWhileStatement:
		s.Body = r.loop(s.Body, nil, &s.Test)
	case *ast.ForStatement:
		var rest []ast.Expression
		switch i := s.Initializer.(type) {
		case *ast.ForLoopInitializerExpression:
			r.replace(&i.Expression)
		case *ast.ForLoopInitializerVarDeclList:
			r.bindings(i.List)
			rest = restIn(i.List)
		case *ast.ForLoopInitializerLexicalDecl:
			r.bindings(i.LexicalDeclaration.List)
			rest = restIn(i.LexicalDeclaration.List)
		}
		s.Body = r.loop(s.Body, rest, &s.Test, &s.Update)
	case *ast.ForOfStatement:
		r.replace(&s.Source)
		rest := r.into(s.Into)
		s.Body = r.loop(s.Body, rest)
	case *ast.ForInStatement:
		r.replace(&s.Source)
		s.Source = r.call(fnFields, s.Source.Idx0(), s.Source)
		rest := r.into(s.Into)
		s.Body = r.loop(s.Body, rest)
	}
}

// into rewrites the target of a for-in or for-of and gives its rest variables.
func (r *rewriter) into(into ast.ForInto) []ast.Expression {
	switch i := into.(type) {
	case *ast.ForIntoVar:
		r.target(i.Binding.Target)
		return restIn([]*ast.Binding{i.Binding})
	case *ast.ForDeclaration:
		r.target(i.Target)
		return rests(i.Target)
	case *ast.ForIntoExpression:
		r.target(i.Expression)
		return rests(i.Expression)
	}
	return nil
}

// try makes the body of a catch pay for the error that was caught.
func (r *rewriter) try(s *ast.TryStatement) {
	s.Body.List = r.statements(s.Body.List)
	if s.Catch != nil {
		var rest []ast.Expression
		if s.Catch.Parameter != nil {
			r.target(s.Catch.Parameter)
			rest = rests(s.Catch.Parameter)
		}
		if len(rest) > 0 {
			rest = []ast.Expression{r.call(fnRest, s.Catch.Catch, rest...)}
		}
		n := len(r.regions)
		r.block(s.Catch.Body, rest...)
		r.regions[n].deep = true
	}
	if s.Finally != nil {
		s.Finally.List = r.statements(s.Finally.List)
	}
}

func (r *rewriter) bindings(list []*ast.Binding) {
	for _, b := range list {
		r.target(b.Target)
		r.replace(&b.Initializer)
	}
}

// parameters rewrites the list of a function and gives its rest variables.
func (r *rewriter) parameters(p *ast.ParameterList) []ast.Expression {
	rest := restIn(p.List)
	r.bindings(p.List)
	if p.Rest != nil {
		rest = append(rest, restTarget(p.Rest)...)
		r.target(p.Rest)
	}
	if len(rest) == 0 {
		return nil
	}
	return []ast.Expression{r.call(fnRest, p.Opening, rest...)}
}

// function rewrites a function. What its parameters compute belongs to its body,
// which follows them.
func (r *rewriter) function(f *ast.FunctionLiteral) {
	r.pay(1, functionBytes)
	charge := r.enter(f.Body.LeftBrace)
	if f.Async || f.Generator {
		r.deepen()
		r.pay(promiseFuel, promiseBytes)
	}
	first := r.parameters(f.ParameterList)
	f.Body.List = r.body(f.Body.List, charge, first)
	f.Source = "function () { [script] }"
	r.leave()
}

func (r *rewriter) arrow(f *ast.ArrowFunctionLiteral) {
	r.pay(1, functionBytes)
	charge := r.enter(f.Body.Idx0())
	if f.Async {
		r.deepen()
		r.pay(promiseFuel, promiseBytes)
	}
	first := r.parameters(f.ParameterList)
	switch b := f.Body.(type) {
	case *ast.BlockStatement:
		b.List = r.body(b.List, charge, first)
	case *ast.ExpressionBody:
		r.replace(&b.Expression)
		b.Expression = &ast.SequenceExpression{Sequence: append(append([]ast.Expression{charge}, first...), b.Expression)}
	}
	f.Source = "() => { [script] }"
	r.leave()
}

// class rewrites a class. The values of its fields are computed whenever an
// object is made, so each is a region of its own.
func (r *rewriter) class(c *ast.ClassLiteral) {
	r.pay(4, classBytes)
	r.replace(&c.SuperClass)
	c.Source = "class { [script] }"
	for _, el := range c.Body {
		r.pay(1, functionBytes)
		switch el := el.(type) {
		case *ast.FieldDefinition:
			r.key(&el.Key, el.Computed)
			if el.Initializer != nil {
				charge := r.enter(el.Initializer.Idx0())
				r.pay(1, propertyBytes)
				r.replace(&el.Initializer)
				r.leave()
				el.Initializer = &ast.SequenceExpression{Sequence: []ast.Expression{charge, el.Initializer}}
			}
		case *ast.MethodDefinition:
			r.key(&el.Key, el.Computed)
			r.function(el.Body)
		case *ast.ClassStaticBlock:
			r.block(el.Block)
			el.Source = ""
		}
	}
}

// key rewrites the key of a property.
func (r *rewriter) key(key *ast.Expression, computed bool) {
	if computed {
		r.replace(key)
	}
}

// compound reports whether an operator both reads and writes its left side.
func compound(op token.Token) bool { return op != token.ASSIGN }
