package predicate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	celenv "cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// The bounds on one condition or template, against rules written to hurt.
const (
	MaxSource  = 16 << 10 // bytes of a condition (see also MaxDirect) or of one ${…}
	MaxNesting = 64       // brackets inside brackets
	MaxPattern = 1 << 10  // bytes of a regular expression
	MaxText    = 4 << 20  // bytes of what a template with text around its ${…} gives

	maxDepth    = 200     // levels of the syntax tree
	maxNodes    = 20_000  // nodes of the syntax tree, macros expanded
	maxCost     = 200_000 // of one evaluation in the interpreter, in cel-go's units
	maxRecovery = 8       // syntax errors shown for one condition
)

// eventType is the CEL type of an event.
const eventType = "rhost.Event"

// Conditions see the elements under names of their position, which no rule can
// write, so that one environment serves the rules of every scope. An element is
// there twice: as the event itself, and as the list of what is bound to it.
func singleName(elem int) string { return fmt.Sprintf("@e%d", elem) }
func listName(elem int) string   { return fmt.Sprintf("@l%d", elem) }

// parseHidden reads "@e3" and "@l3".
func parseHidden(name string) (elem int, list, ok bool) {
	if len(name) < 3 || name[0] != '@' || name[1] != 'e' && name[1] != 'l' {
		return 0, false, false
	}
	n, err := strconv.Atoi(name[2:])
	return n, name[1] == 'l', err == nil
}

// unhide puts the names of elements back into a text of ours or cel-go's.
func unhide(text string, names []string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	for i, name := range slices.Backward(names) { // @e12 before @e1
		text = strings.NewReplacer(singleName(i), name, listName(i), name).Replace(text)
	}
	return text
}

// newEnv builds the CEL environment for scopes of at most elements elements. It
// knows one type of number, the double, as JSON does: integer literals are
// promoted before the check, and every function that CEL defines on integers is
// declared here on doubles.
func newEnv(elements int) (*cel.Env, error) {
	reg, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("build the registry of CEL types: %w", err)
	}
	object := types.NewObjectType(eventType)
	opts := []cel.EnvOption{
		cel.CustomTypeAdapter(reg),
		cel.CustomTypeProvider(provider{reg}),
		cel.ParserExpressionSizeLimit(MaxSource),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserErrorRecoveryLimit(maxRecovery),
		cel.ExpressionNodeLimit(maxNodes),
		cel.StdLib(cel.StdLibSubset(&celenv.LibrarySubset{IncludeFunctions: standard(), DisableMacros: true})),
		cel.Variable("type", cel.StringType),
		cel.Variable("source", cel.StringType),
		cel.Variable("subject", cel.StringType),
		cel.Variable("id", cel.StringType),
		cel.Variable("time", cel.TimestampType),
		cel.Variable("data", cel.DynType),
		cel.Variable("ext", cel.MapType(cel.StringType, cel.DynType)),
		cel.Macros(hasMacro(), cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro, cel.MapMacro, cel.MapFilterMacro, cel.FilterMacro),
		cel.Variable(selfName, object),
		cel.Variable(eventName, object),
		cel.Variable(tablesName, cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable(stepsName, cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable(valuesName, cel.MapType(cel.StringType, cel.DynType)),
	}
	for i := range elements {
		opts = append(opts, cel.Variable(singleName(i), object), cel.Variable(listName(i), cel.ListType(object)))
	}
	opts = append(opts, library()...)
	env, err := cel.NewCustomEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("build the CEL environment: %w", err)
	}
	return env, nil
}

// The other hidden names.
const (
	selfName   = "@self"   // in a condition: the event under test as a whole, for has(subject)
	tablesName = "@table"  // in a condition: the lookup tables
	eventName  = "@event"  // in a template: the trigger
	stepsName  = "@steps"  // in a template: results of earlier steps
	valuesName = "@values" // in a template: what Scope.Values name
)

// hasMacro is CEL's has(x.y), and has(subject) for the attributes of the event
// under test, which CEL takes for plain variables.
func hasMacro() cel.Macro {
	return cel.GlobalMacro("has", 1, func(h cel.MacroExprFactory, _ celast.Expr, args []celast.Expr) (celast.Expr, *cel.Error) {
		switch arg := args[0]; {
		case arg.Kind() == celast.SelectKind:
			return presenceTest(h, arg.AsSelect()), nil
		case arg.Kind() == celast.IdentKind && slices.Contains(attributes(), arg.AsIdent()):
			return h.NewPresenceTest(h.NewIdent(selfName), arg.AsIdent()), nil
		}
		return nil, h.NewError(args[0].ID(), badHas)
	})
}

// presenceTest is CEL's, except that a field of a payload that is not there is
// absent rather than unknown: has(data.x) becomes has(data) ? has(data.x) : false.
func presenceTest(h cel.MacroExprFactory, sel celast.SelectExpr) celast.Expr {
	test := h.NewPresenceTest(sel.Operand(), sel.FieldName())
	var payload celast.Expr
	switch op := sel.Operand(); {
	case op.Kind() == celast.IdentKind && op.AsIdent() == "data":
		payload = h.NewPresenceTest(h.NewIdent(selfName), "data")
	case op.Kind() == celast.SelectKind && op.AsSelect().FieldName() == "data" && mayBeEvent(op.AsSelect().Operand()):
		payload = h.NewPresenceTest(h.Copy(op.AsSelect().Operand()), "data")
	default:
		return test
	}
	return h.NewCall(operators.Conditional, payload, test, h.NewLiteral(types.False))
}

// mayBeEvent reports whether e is written as elements are: x, x[0], last(x).
func mayBeEvent(e celast.Expr) bool {
	switch e.Kind() {
	case celast.IdentKind:
		return !slices.Contains(attributes(), e.AsIdent())
	case celast.CallKind:
		args := e.AsCall().Args()
		return len(args) > 0 && mayBeEvent(args[0])
	default:
		return false
	}
}

const badHas = "has takes a field"

// standard lists what is taken over from CEL's own library: all that works on
// doubles, strings, booleans, times, lists and maps.
func standard() []*celenv.Function {
	order := func(op, prefix string) *celenv.Function {
		return pick(op, prefix+"_bool", prefix+"_double", prefix+"_string", prefix+"_timestamp", prefix+"_duration")
	}
	return []*celenv.Function{
		pick(operators.LogicalAnd), pick(operators.LogicalOr), pick(operators.LogicalNot),
		pick(operators.NotStrictlyFalse), pick(operators.Conditional),
		pick(operators.Equals), pick(operators.NotEquals), pick(operators.In),
		order(operators.Less, "less"), order(operators.LessEquals, "less_equals"),
		order(operators.Greater, "greater"), order(operators.GreaterEquals, "greater_equals"),
		pick(operators.Add, overloads.AddDouble, overloads.AddString, overloads.AddList,
			overloads.AddDurationDuration, overloads.AddDurationTimestamp, overloads.AddTimestampDuration),
		pick(operators.Subtract, overloads.SubtractDouble, overloads.SubtractDurationDuration,
			overloads.SubtractTimestampTimestamp, overloads.SubtractTimestampDuration),
		pick(operators.Multiply, overloads.MultiplyDouble), pick(operators.Divide, overloads.DivideDouble),
		pick(operators.Negate, overloads.NegateDouble),
		pick(overloads.Contains), pick(overloads.StartsWith), pick(overloads.EndsWith),
	}
}

func pick(name string, ids ...string) *celenv.Function {
	fn := &celenv.Function{Name: name}
	for _, id := range ids {
		fn.Overloads = append(fn.Overloads, &celenv.Overload{ID: id})
	}
	return fn
}

// provider adds the type of events to CEL's own.
type provider struct{ *types.Registry }

func (p provider) FindStructType(name string) (*types.Type, bool) {
	if name == eventType {
		return types.NewTypeTypeWithParam(types.NewObjectType(eventType)), true
	}
	return p.Registry.FindStructType(name)
}

func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	if name == eventType {
		return attributes(), true
	}
	return p.Registry.FindStructFieldNames(name)
}

func (p provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if name != eventType {
		return p.Registry.FindStructFieldType(name, field)
	}
	switch field {
	case "type", "source", "subject", "id":
		return &types.FieldType{Type: types.StringType}, true
	case "time":
		return &types.FieldType{Type: types.TimestampType}, true
	case "data":
		return &types.FieldType{Type: types.DynType}, true
	case "ext":
		return &types.FieldType{Type: types.NewMapType(types.StringType, types.DynType)}, true
	}
	return nil, false
}

// attributes are the fields of an event, in conditions and in paths.
func attributes() []string {
	return []string{"type", "source", "subject", "id", "time", "data", "ext"}
}
