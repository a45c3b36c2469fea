package js

import (
	"slices"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// replace rewrites the expression at e, if there is one.
func (r *rewriter) replace(e *ast.Expression) {
	if *e != nil {
		*e = r.expression(*e)
	}
}

// expression rewrites an expression and what is below it. Every node is a unit
// of fuel, paid by the region it stands in.
func (r *rewriter) expression(e ast.Expression) ast.Expression {
	r.pay(1, 0)
	switch e := e.(type) {
	case *ast.Identifier:
		if e.Name == "arguments" { // an object as long as the call has arguments
			return r.call(fnItems, e.Idx, e)
		}
	case *ast.FunctionLiteral:
		r.function(e)
	case *ast.ArrowFunctionLiteral:
		r.arrow(e)
	case *ast.ClassLiteral:
		r.class(e)
	case *ast.AssignExpression:
		return r.assign(e)
	case *ast.BinaryExpression:
		return r.binary(e)
	case *ast.BracketExpression:
		r.replace(&e.Left)
		r.member(e)
	case *ast.TemplateLiteral:
		r.template(e)
	case *ast.ArrayLiteral:
		r.pay(0, arrayBytes+itemBytes*int64(len(e.Value)))
		if r.items(e.Value) {
			return r.call(fnItems, e.LeftBracket, e) // for what iterators gave
		}
	case *ast.ObjectLiteral:
		r.object(e)
	case *ast.CallExpression:
		r.replace(&e.Callee)
		r.items(e.ArgumentList)
		if id, ok := e.Callee.(*ast.Identifier); ok && errorName(id.Name.String()) {
			r.deepen()
		}
	case *ast.NewExpression:
		r.pay(0, objectBytes)
		if isIdent(e.Callee, "Promise") {
			r.pay(promiseFuel, promiseBytes)
		}
		r.deepen()
		r.replace(&e.Callee)
		r.items(e.ArgumentList)
	case *ast.UnaryExpression:
		if e.Operator == token.INCREMENT || e.Operator == token.DECREMENT {
			r.target(e.Operand)
		} else {
			r.replace(&e.Operand)
		}
	case *ast.RegExpLiteral:
		r.pay(8, regexBytes)
	default:
		r.simple(e)
	}
	return e
}

// simple rewrites the expressions that only hold others.
func (r *rewriter) simple(e ast.Expression) {
	switch e := e.(type) {
	case *ast.AwaitExpression:
		r.pay(promiseFuel, promiseBytes)
		r.replace(&e.Argument)
	case *ast.YieldExpression:
		r.pay(4, yieldBytes)
		r.replace(&e.Argument)
		if e.Delegate {
			r.pay(4, objectBytes)
			e.Argument = r.call(fnInner, e.Argument.Idx0(), e.Argument)
		}
	case *ast.ConditionalExpression:
		r.replace(&e.Test)
		r.replace(&e.Consequent)
		r.replace(&e.Alternate)
	case *ast.DotExpression:
		r.replace(&e.Left)
	case *ast.PrivateDotExpression:
		r.replace(&e.Left)
	case *ast.OptionalChain:
		r.replace(&e.Expression)
	case *ast.Optional:
		r.replace(&e.Expression)
	case *ast.SequenceExpression:
		for i := range e.Sequence {
			r.replace(&e.Sequence[i])
		}
	case *ast.ArrayPattern, *ast.ObjectPattern:
		r.target(e)
	}
}

// errorName reports whether calling something of this name may make an error,
// which captures the stack.
func errorName(name string) bool {
	return len(name) >= 5 && name[len(name)-5:] == "Error"
}

// items rewrites arguments or the items of an array, and reports whether some of
// them are spread.
func (r *rewriter) items(list []ast.Expression) (spread bool) {
	for i, e := range list {
		if s, ok := e.(*ast.SpreadElement); ok {
			spread = true
			r.replace(&s.Expression)
			s.Expression = r.call(fnItems, s.Expression.Idx0(), s.Expression)
			continue
		}
		r.replace(&list[i])
	}
	return spread
}

func (r *rewriter) object(e *ast.ObjectLiteral) {
	r.pay(int64(len(e.Value)), objectBytes+propertyBytes*int64(len(e.Value)))
	for _, p := range e.Value {
		switch p := p.(type) {
		case *ast.PropertyShort:
			r.replace(&p.Initializer)
		case *ast.PropertyKeyed:
			r.key(&p.Key, p.Computed)
			r.replace(&p.Value)
		case *ast.SpreadElement:
			r.replace(&p.Expression)
			p.Expression = r.call(fnFields, p.Expression.Idx0(), p.Expression)
		}
	}
}

// maxParts is how many operands of + are put together before the text is paid
// for; what they make on the way is garbage of at most that many texts.
const maxParts = 8

// binary rewrites an operator. A sum that may be a text is paid for once it is
// there; in a chain of sums that happens at the end and every maxParts operands.
func (r *rewriter) binary(e *ast.BinaryExpression) ast.Expression {
	if e.Operator != token.PLUS {
		r.replace(&e.Left)
		r.replace(&e.Right)
		return e
	}
	// The chain is walked from its innermost sum outwards, without recursion:
	// scripts that were made by programs hold long ones.
	chain := []*ast.BinaryExpression{e}
	for {
		left, ok := chain[len(chain)-1].Left.(*ast.BinaryExpression)
		if !ok || left.Operator != token.PLUS {
			break
		}
		r.pay(1, 0)
		chain = append(chain, left)
	}
	inner := chain[len(chain)-1]
	number := r.isNumber(inner.Left)
	r.replace(&inner.Left)
	var sum ast.Expression
	for i, n := range slices.Backward(chain) {
		if sum != nil {
			n.Left = sum
		}
		number = number && r.isNumber(n.Right)
		r.replace(&n.Right)
		sum = n
		if !number && (i == 0 || (len(chain)-i)%maxParts == 0) {
			sum = r.call(fnText, n.Idx0(), n)
		}
	}
	return sum
}

func (r *rewriter) template(e *ast.TemplateLiteral) {
	r.pay(int64(len(e.Elements)), textBytes)
	r.replace(&e.Tag)
	for i := range e.Expressions {
		r.replace(&e.Expressions[i])
		if e.Tag == nil {
			e.Expressions[i] = r.call(fnString, e.Expressions[i].Idx0(), e.Expressions[i])
		}
	}
}

// assign rewrites an assignment.
func (r *rewriter) assign(e *ast.AssignExpression) ast.Expression {
	number := r.isNumber(e)
	r.target(e.Left)
	rest := rests(e.Left)
	r.replace(&e.Right)
	if dot, ok := e.Left.(*ast.DotExpression); ok && dot.Identifier.Name == "length" && !compound(e.Operator) {
		e.Right = r.call(fnLength, e.Right.Idx0(), e.Right)
	}
	switch {
	case len(rest) > 0:
		return r.call(fnRest, e.Idx0(), append([]ast.Expression{e}, rest...)...)
	case e.Operator == token.PLUS && !number:
		return r.call(fnText, e.Idx0(), e)
	}
	return e
}

// target rewrites what is written to: a variable, a property or a pattern.
func (r *rewriter) target(t ast.Expression) {
	switch t := t.(type) {
	case *ast.DotExpression:
		r.pay(1, propertyBytes)
		r.replace(&t.Left)
	case *ast.PrivateDotExpression:
		r.pay(1, propertyBytes)
		r.replace(&t.Left)
	case *ast.BracketExpression:
		r.write(t)
	case *ast.AssignExpression: // a pattern's target with a default
		r.target(t.Left)
		r.replace(&t.Right)
	case *ast.Binding:
		r.target(t.Target)
		r.replace(&t.Initializer)
	case *ast.ArrayPattern:
		r.pay(2, 0)
		for _, el := range t.Elements {
			if el != nil {
				r.target(el)
			}
		}
		r.restOnly(t.Rest)
	case *ast.ObjectPattern:
		r.pay(2, 0)
		for _, p := range t.Properties {
			switch p := p.(type) {
			case *ast.PropertyShort:
				r.replace(&p.Initializer)
			case *ast.PropertyKeyed:
				if p.Computed {
					r.replace(&p.Key)
					p.Key = r.guardKey(p.Key)
				}
				r.target(p.Value)
			}
		}
		r.restOnly(t.Rest)
	default:
		r.pay(1, 0)
	}
}

// restOnly rewrites the target of a rest. It has to be something that can be
// read again, to be paid for.
func (r *rewriter) restOnly(rest ast.Expression) {
	if rest == nil {
		return
	}
	switch rest.(type) {
	case *ast.Identifier, *ast.ArrayPattern, *ast.ObjectPattern:
		r.target(rest)
	default:
		r.refuse(rest, "the rest of a pattern can only be put into a variable here")
	}
}

// member rewrites the key of a property that is read.
func (r *rewriter) member(e *ast.BracketExpression) {
	r.replace(&e.Member)
	e.Member = r.guardKey(e.Member)
}

// guardKey makes a key known to the host before it is used, unless it is clear
// which it is or that it is a number.
func (r *rewriter) guardKey(key ast.Expression) ast.Expression {
	switch key.(type) {
	case *ast.StringLiteral, *ast.NumberLiteral:
		return key
	}
	if r.isNumber(key) {
		return key
	}
	return r.call(fnKey, key.Idx0(), key)
}

// write rewrites a property that is written under a computed key. What a write
// costs depends on the object, which is computed twice for that where computing
// it does nothing else.
func (r *rewriter) write(e *ast.BracketExpression) {
	r.pay(1, 0)
	again := r.repeat(e.Left)
	r.replace(&e.Left)
	if _, ok := e.Member.(*ast.StringLiteral); ok {
		r.pay(1, propertyBytes)
		return
	}
	r.replace(&e.Member)
	if again == nil {
		again = &ast.NullLiteral{Idx: e.Idx0(), Literal: "null"}
	}
	e.Member = r.call(fnWrite, e.Member.Idx0(), again, e.Member)
}

// repeat copies an expression that may be computed twice; nil when it may not.
func (r *rewriter) repeat(e ast.Expression) ast.Expression {
	switch e := e.(type) {
	case *ast.Identifier:
		return &ast.Identifier{Name: e.Name, Idx: e.Idx}
	case *ast.ThisExpression:
		return &ast.ThisExpression{Idx: e.Idx}
	case *ast.NumberLiteral:
		return e
	case *ast.StringLiteral:
		return e
	case *ast.DotExpression:
		if left := r.repeat(e.Left); left != nil {
			return &ast.DotExpression{Left: left, Identifier: e.Identifier}
		}
	case *ast.BracketExpression:
		left, member := r.repeat(e.Left), r.repeat(e.Member)
		if left != nil && member != nil {
			return &ast.BracketExpression{
				Left: left, Member: r.guardKey(member),
				LeftBracket: e.LeftBracket, RightBracket: e.RightBracket,
			}
		}
	}
	return nil
}

// restOf gives the variables that a declaration collects a rest into.
func restOf(s ast.Statement) []ast.Expression {
	switch s := s.(type) {
	case *ast.VariableStatement:
		return restIn(s.List)
	case *ast.LexicalDeclaration:
		return restIn(s.List)
	}
	return nil
}

func restIn(list []*ast.Binding) (out []ast.Expression) {
	for _, b := range list {
		out = append(out, rests(b.Target)...)
	}
	return out
}

// rests finds the variables that the rests inside a pattern are put into.
func rests(target ast.Expression) (out []ast.Expression) {
	switch t := target.(type) {
	case *ast.Binding:
		return rests(t.Target)
	case *ast.AssignExpression:
		return rests(t.Left)
	case *ast.ArrayPattern:
		for _, el := range t.Elements {
			out = append(out, rests(el)...)
		}
		return append(out, restTarget(t.Rest)...)
	case *ast.ObjectPattern:
		for _, p := range t.Properties {
			if k, ok := p.(*ast.PropertyKeyed); ok {
				out = append(out, rests(k.Value)...)
			}
		}
		return append(out, restTarget(t.Rest)...)
	}
	return nil
}

func restTarget(rest ast.Expression) []ast.Expression {
	if id, ok := rest.(*ast.Identifier); ok {
		return []ast.Expression{&ast.Identifier{Name: id.Name, Idx: id.Idx}}
	}
	return rests(rest)
}
