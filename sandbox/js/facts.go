package js

import (
	"math/big"
	"slices"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// facts are what the rewriter knows of a script as a whole.
type facts struct {
	// names are the property names that stand in the script in any form: behind a
	// dot, as a text, as a key.
	names map[string]bool
	// idents are the identifiers, wherever they stand.
	idents map[string]bool
	// numeric are the variables that hold nothing but numbers. A name is judged
	// for the whole script at once: all variables of that name, or none.
	numeric map[string]bool
	// bound are the identifiers that the script declares or assigns.
	bound map[string]bool

	values map[string][]ast.Expression // what is assigned to each name
	other  map[string]bool             // names that get values from elsewhere
	bigint bool                        // a literal such as 1n
	math   int                         // mentions of Math that are not calls of its functions
}

func collect(prg *ast.Program) *facts {
	f := &facts{
		names: make(map[string]bool), idents: make(map[string]bool), numeric: make(map[string]bool),
		bound: make(map[string]bool), values: make(map[string][]ast.Expression), other: make(map[string]bool),
	}
	visit(prg, f.node)
	f.settle()
	return f
}

func (f *facts) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.Identifier:
		f.idents[n.Name.String()] = true
		if n.Name == "Math" {
			f.math++
		}
	case *ast.CallExpression:
		if dot, ok := n.Callee.(*ast.DotExpression); ok && isIdent(dot.Left, "Math") {
			f.math--
		}
	case *ast.DotExpression:
		f.names[n.Identifier.Name.String()] = true
	case *ast.StringLiteral:
		f.names[n.Value.String()] = true
	case *ast.TemplateLiteral:
		for _, e := range n.Elements {
			f.names[e.Parsed.String()] = true
		}
	case *ast.PropertyShort:
		f.names[n.Name.Name.String()] = true
	case *ast.NumberLiteral:
		_, big := n.Value.(*big.Int)
		f.bigint = f.bigint || big
	default:
		f.binding(n)
	}
}

// binding notes where variables get their values.
func (f *facts) binding(n ast.Node) {
	switch n := n.(type) {
	case *ast.VariableStatement:
		f.declare(n.List)
	case *ast.LexicalDeclaration:
		f.declare(n.List)
	case *ast.ForLoopInitializerVarDeclList:
		f.declare(n.List)
	case *ast.ForLoopInitializerLexicalDecl:
		f.declare(n.LexicalDeclaration.List)
	case *ast.AssignExpression:
		f.assign(n)
	case *ast.UnaryExpression:
		if id, ok := n.Operand.(*ast.Identifier); ok && (n.Operator == token.INCREMENT || n.Operator == token.DECREMENT) {
			f.bound[id.Name.String()] = true // a number, whatever it was
		}
	case *ast.FunctionLiteral:
		if n.Name != nil {
			f.foreign(n.Name)
		}
		f.parameters(n.ParameterList)
	case *ast.ArrowFunctionLiteral:
		f.parameters(n.ParameterList)
	case *ast.ClassLiteral:
		if n.Name != nil {
			f.foreign(n.Name)
		}
	case *ast.CatchStatement:
		f.foreign(n.Parameter)
	case *ast.ForIntoVar:
		f.foreign(n.Binding.Target)
	case *ast.ForDeclaration:
		f.foreign(n.Target)
	case *ast.ForIntoExpression:
		f.foreign(n.Expression)
	}
}

func (f *facts) declare(list []*ast.Binding) {
	for _, b := range list {
		id, ok := b.Target.(*ast.Identifier)
		if !ok {
			f.foreign(b.Target)
			continue
		}
		f.bound[id.Name.String()] = true
		if b.Initializer != nil {
			f.values[id.Name.String()] = append(f.values[id.Name.String()], b.Initializer)
		}
	}
}

func (f *facts) parameters(p *ast.ParameterList) {
	for _, b := range p.List {
		f.foreign(b.Target)
	}
	f.foreign(p.Rest)
}

func (f *facts) assign(n *ast.AssignExpression) {
	id, ok := n.Left.(*ast.Identifier)
	if !ok {
		switch n.Left.(type) {
		case *ast.ArrayPattern, *ast.ObjectPattern:
			f.foreign(n.Left)
		}
		return
	}
	name := id.Name.String()
	f.bound[name] = true
	if !arithmetic(n.Operator) { // =, +=, &&=, ||=, ??=
		f.values[name] = append(f.values[name], n.Right)
	}
}

// foreign marks all identifiers of a pattern: their values come from elsewhere.
func (f *facts) foreign(target ast.Node) {
	visit(target, func(n ast.Node) {
		if id, ok := n.(*ast.Identifier); ok {
			f.bound[id.Name.String()] = true
			f.other[id.Name.String()] = true
		}
	})
}

// maxPasses bounds the search of settle; a script that needs more is taken to
// have no numeric variables.
const maxPasses = 20

// settle starts from all names that might be numeric and drops those that get
// something else, until nothing changes.
func (f *facts) settle() {
	for name := range f.bound {
		f.numeric[name] = !f.other[name]
	}
	for range maxPasses {
		var dropped []string
		for name, values := range f.values {
			if f.numeric[name] && slices.ContainsFunc(values, func(v ast.Expression) bool { return !f.isNumber(v) }) {
				dropped = append(dropped, name)
			}
		}
		if len(dropped) == 0 {
			return
		}
		for _, name := range dropped {
			f.numeric[name] = false
		}
	}
	clear(f.numeric)
}

// arithmetic reports whether an operator gives a number whatever it is given.
func arithmetic(op token.Token) bool {
	switch op {
	case token.MINUS, token.MULTIPLY, token.SLASH, token.REMAINDER, token.EXPONENT,
		token.AND, token.OR, token.EXCLUSIVE_OR,
		token.SHIFT_LEFT, token.SHIFT_RIGHT, token.UNSIGNED_SHIFT_RIGHT:
		return true
	default:
		return false
	}
}

// maxLook is how deep isNumber looks into an expression.
const maxLook = 16

// isNumber reports whether an expression can give nothing but a number or
// undefined. There are no big integers: the scripts that write one are refused,
// and BigInt is not there.
func (f *facts) isNumber(e ast.Expression) bool { return f.number(e, maxLook) }

func (f *facts) number(e ast.Expression, look int) bool {
	if look == 0 {
		return false
	}
	look--
	switch e := e.(type) {
	case *ast.NumberLiteral:
		return true
	case *ast.Identifier:
		name := e.Name.String()
		return f.numeric[name] || !f.bound[name] && (name == "undefined" || name == "NaN" || name == "Infinity")
	case *ast.UnaryExpression:
		switch e.Operator {
		case token.PLUS, token.MINUS, token.BITWISE_NOT, token.INCREMENT, token.DECREMENT:
			return true
		default: // !, typeof, void and delete
		}
	case *ast.BinaryExpression:
		return arithmetic(e.Operator) || e.Operator == token.PLUS && f.number(e.Left, look) && f.number(e.Right, look)
	case *ast.AssignExpression:
		return arithmetic(e.Operator) || (e.Operator == token.ASSIGN || e.Operator == token.PLUS) && f.number(e.Left, look) && f.number(e.Right, look)
	case *ast.ConditionalExpression:
		return f.number(e.Consequent, look) && f.number(e.Alternate, look)
	case *ast.CallExpression:
		return f.givesNumber(e.Callee)
	}
	return false
}

// givesNumber knows the functions of the language that return numbers, as long
// as the script cannot have put others in their place.
func (f *facts) givesNumber(callee ast.Expression) bool {
	if f.idents["globalThis"] {
		return false
	}
	switch c := callee.(type) {
	case *ast.Identifier:
		return !f.bound[c.Name.String()] && (c.Name == "Number" || c.Name == "parseInt" || c.Name == "parseFloat")
	case *ast.DotExpression:
		return f.math == 0 && !f.bound["Math"] && isIdent(c.Left, "Math")
	}
	return false
}

func isIdent(e ast.Expression, name string) bool {
	id, ok := e.(*ast.Identifier)
	return ok && id.Name.String() == name
}
