package js

import "github.com/dop251/goja/ast"

// visit calls f for n and for every node below it, parents first. Nil nodes are
// left out. f may change a node it is given, but not the tree above it.
func visit(n ast.Node, f func(ast.Node)) {
	if isNil(n) {
		return
	}
	f(n)
	for _, c := range children(n) {
		visit(c, f)
	}
}

// isNil also finds the nil pointers that hide in an interface.
func isNil(n ast.Node) bool {
	switch n := n.(type) {
	case nil:
		return true
	case *ast.BlockStatement:
		return n == nil
	case *ast.CatchStatement:
		return n == nil
	case *ast.FunctionLiteral:
		return n == nil
	case *ast.Identifier:
		return n == nil
	case *ast.ParameterList:
		return n == nil
	}
	return false
}

// children lists the nodes directly below n, nil ones included.
func children(n ast.Node) []ast.Node {
	if c, ok := statementChildren(n); ok {
		return c
	}
	return expressionChildren(n)
}

func list[T ast.Node](items []T, more ...ast.Node) []ast.Node {
	out := make([]ast.Node, 0, len(items)+len(more))
	for _, i := range items {
		out = append(out, i)
	}
	return append(out, more...)
}

func statementChildren(n ast.Node) ([]ast.Node, bool) {
	switch n := n.(type) {
	case *ast.Program:
		return list(n.Body), true
	case *ast.BlockStatement:
		return list(n.List), true
	case *ast.CaseStatement:
		return list(n.Consequent, n.Test), true
	case *ast.CatchStatement:
		return []ast.Node{n.Parameter, n.Body}, true
	case *ast.DoWhileStatement:
		return []ast.Node{n.Body, n.Test}, true
	case *ast.ExpressionStatement:
		return []ast.Node{n.Expression}, true
	case *ast.ForInStatement:
		return []ast.Node{n.Into, n.Source, n.Body}, true
	case *ast.ForOfStatement:
		return []ast.Node{n.Into, n.Source, n.Body}, true
	case *ast.ForStatement:
		return []ast.Node{n.Initializer, n.Test, n.Update, n.Body}, true
	case *ast.IfStatement:
		return []ast.Node{n.Test, n.Consequent, n.Alternate}, true
	case *ast.LabelledStatement:
		return []ast.Node{n.Statement}, true
	case *ast.ReturnStatement:
		return []ast.Node{n.Argument}, true
	case *ast.SwitchStatement:
		return list(n.Body, n.Discriminant), true
	case *ast.ThrowStatement:
		return []ast.Node{n.Argument}, true
	case *ast.TryStatement:
		return []ast.Node{n.Body, n.Catch, n.Finally}, true
	case *ast.VariableStatement:
		return list(n.List), true
	case *ast.LexicalDeclaration:
		return list(n.List), true
	case *ast.WhileStatement:
		return []ast.Node{n.Test, n.Body}, true
	case *ast.WithStatement:
		return []ast.Node{n.Object, n.Body}, true
	case *ast.FunctionDeclaration:
		return []ast.Node{n.Function}, true
	case *ast.ClassDeclaration:
		return []ast.Node{n.Class}, true
	case *ast.ForLoopInitializerExpression:
		return []ast.Node{n.Expression}, true
	case *ast.ForLoopInitializerVarDeclList:
		return list(n.List), true
	case *ast.ForLoopInitializerLexicalDecl:
		return list(n.LexicalDeclaration.List), true
	case *ast.ForIntoVar:
		return []ast.Node{n.Binding}, true
	case *ast.ForDeclaration:
		return []ast.Node{n.Target}, true
	case *ast.ForIntoExpression:
		return []ast.Node{n.Expression}, true
	}
	return nil, false
}

func expressionChildren(n ast.Node) []ast.Node {
	switch n := n.(type) {
	case *ast.ArrayLiteral:
		return list(n.Value)
	case *ast.ArrayPattern:
		return list(n.Elements, n.Rest)
	case *ast.AssignExpression:
		return []ast.Node{n.Left, n.Right}
	case *ast.AwaitExpression:
		return []ast.Node{n.Argument}
	case *ast.BinaryExpression:
		return []ast.Node{n.Left, n.Right}
	case *ast.Binding:
		return []ast.Node{n.Target, n.Initializer}
	case *ast.BracketExpression:
		return []ast.Node{n.Left, n.Member}
	case *ast.CallExpression:
		return list(n.ArgumentList, n.Callee)
	case *ast.ConditionalExpression:
		return []ast.Node{n.Test, n.Consequent, n.Alternate}
	case *ast.DotExpression:
		return []ast.Node{n.Left}
	case *ast.PrivateDotExpression:
		return []ast.Node{n.Left}
	case *ast.OptionalChain:
		return []ast.Node{n.Expression}
	case *ast.Optional:
		return []ast.Node{n.Expression}
	case *ast.FunctionLiteral:
		return []ast.Node{n.ParameterList, n.Body}
	case *ast.ArrowFunctionLiteral:
		return []ast.Node{n.ParameterList, n.Body}
	case *ast.ExpressionBody:
		return []ast.Node{n.Expression}
	case *ast.ParameterList:
		return list(n.List, n.Rest)
	case *ast.ClassLiteral:
		return list(n.Body, n.SuperClass)
	case *ast.FieldDefinition:
		return []ast.Node{n.Key, n.Initializer}
	case *ast.MethodDefinition:
		return []ast.Node{n.Key, n.Body}
	case *ast.ClassStaticBlock:
		return []ast.Node{n.Block}
	case *ast.NewExpression:
		return list(n.ArgumentList, n.Callee)
	case *ast.ObjectLiteral:
		return list(n.Value)
	case *ast.ObjectPattern:
		return list(n.Properties, n.Rest)
	case *ast.PropertyShort:
		return []ast.Node{&n.Name, n.Initializer}
	case *ast.PropertyKeyed:
		return []ast.Node{n.Key, n.Value}
	case *ast.SpreadElement:
		return []ast.Node{n.Expression}
	case *ast.SequenceExpression:
		return list(n.Sequence)
	case *ast.TemplateLiteral:
		return list(n.Expressions, n.Tag)
	case *ast.UnaryExpression:
		return []ast.Node{n.Operand}
	case *ast.YieldExpression:
		return []ast.Node{n.Argument}
	}
	return nil
}
