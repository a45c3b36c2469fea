package predicate

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Template is a text with `${…}` in it, compiled. It is immutable and may be
// evaluated by any number of goroutines at once.
type Template struct {
	pieces []piece
	names  []string // of the scope's elements
	refs   Refs
}

// piece is a literal text, or an expression.
type piece struct {
	text string // the literal, or the source between the braces
	pos  yamldoc.Pos
	prog cel.Program // nil for a literal
}

// Vars is what a template can see when it is evaluated. Nothing in it is
// changed or kept.
type Vars struct {
	Event  *event.Event              // the trigger; nil when time triggered
	Bind   map[string][]*event.Event // events by element; unbound elements are absent
	Values map[string]any            // by the names of Scope.Values, JSON-like
	Steps  map[string]any            // results of earlier steps by id: {"out": …, "error": …}, JSON-like
}

// Refs is what a template reads.
type Refs struct {
	Event    bool     // the trigger
	Elements []string // in the order met
	Steps    []string // ids, in the order met
	AllSteps bool     // also steps that the text does not name
}

// Refs tells what the template reads, so that what is missing can be reported
// before anything runs.
func (t *Template) Refs() Refs { return t.refs }

// Constant reports whether the template has no `${…}` at all.
func (t *Template) Constant() bool {
	for _, p := range t.pieces {
		if p.prog != nil {
			return false
		}
	}
	return true
}

// CompileTemplate compiles text, whose first character is at pos. A scope's
// Under must be NoElement. `$${` stands for the characters `${`. Errors are
// yamldoc.Errors.
func (s *Set) CompileTemplate(scope Scope, text string, pos yamldoc.Pos) (*Template, error) {
	scope.Under = NoElement
	t := &Template{}
	for _, e := range scope.Elements {
		t.names = append(t.names, e.Name)
	}
	parts, err := splitTemplate(text, pos)
	if err != nil {
		return nil, yamldoc.Errors{err}
	}
	var errs yamldoc.Errors
	for _, p := range parts {
		if !p.expr {
			t.pieces = append(t.pieces, piece{text: p.text, pos: p.pos})
			continue
		}
		if err := s.expression(t, scope, p); err != nil {
			errs = append(errs, err...)
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return t, nil
}

// expression compiles one `${…}` into t.
func (s *Set) expression(t *Template, scope Scope, p part) yamldoc.Errors {
	in, err := s.read(scope, p.text, p.pos)
	if err != nil {
		return asErrors(p.pos, err)
	}
	prog, err := in.plan(in.ast.Expr())
	if err != nil {
		return asErrors(p.pos, err)
	}
	t.pieces = append(t.pieces, piece{p.text, p.pos, prog})
	t.refs.Event = t.refs.Event || in.usesEvent
	t.refs.AllSteps = t.refs.AllSteps || in.wholeSteps
	for _, i := range in.usedElems {
		t.refs.Elements = addOnce(t.refs.Elements, scope.Elements[i].Name)
	}
	for _, id := range in.usedSteps {
		t.refs.Steps = addOnce(t.refs.Steps, id)
	}
	return nil
}

func asErrors(pos yamldoc.Pos, err error) yamldoc.Errors {
	if errs, ok := err.(yamldoc.Errors); ok { //nolint:errorlint // the parser of this package returns it bare
		return errs
	}
	return yamldoc.Errors{yamldoc.Errorf(pos, "", CodeConstant, "correct the constant", "%v", err)}
}

func addOnce[T comparable](list []T, s T) []T {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// Eval gives the value of a template that is one whole `${…}`, and text for
// any other. The value is JSON-like: nil, bool, int64, float64, string, []any or
// map[string]any, where a number without a fraction is an int64, and times and
// durations are texts. What is missing or of the wrong type is an error that
// names the expression.
func (t *Template) Eval(v Vars) (any, error) {
	vars := &templateVars{Vars: v, names: t.names}
	if len(t.pieces) == 1 && t.pieces[0].prog != nil {
		return t.pieces[0].eval(vars)
	}
	var b strings.Builder
	for _, p := range t.pieces {
		if p.prog == nil {
			b.WriteString(p.text)
			continue
		}
		x, err := p.eval(vars)
		if err != nil {
			return nil, err
		}
		s, err := display(x)
		if err != nil {
			return nil, p.fail("%v", err)
		}
		if b.Len()+len(s) > MaxText {
			return nil, p.fail("the text grows beyond %d bytes", MaxText)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func (p piece) eval(vars *templateVars) (any, error) {
	out, _, err := p.prog.Eval(vars)
	if err != nil {
		return nil, p.fail("%s", vars.explain(err))
	}
	x, err := plain(out)
	if err != nil {
		return nil, p.fail("%v", err)
	}
	return x, nil
}

func (p piece) fail(format string, args ...any) error {
	return yamldoc.Errorf(p.pos, "${"+p.text+"}", CodeTemplate, "", format, args...)
}

// display writes a value inside a longer text.
func display(x any) (string, error) {
	switch x := x.(type) {
	case nil:
		return "null", nil
	case string:
		return x, nil
	case bool:
		return strconv.FormatBool(x), nil
	case int64:
		return strconv.FormatInt(x, 10), nil
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64), nil
	}
	b, err := json.Marshal(x)
	return string(b), err
}
