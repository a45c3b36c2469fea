package predicate

import (
	"errors"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Template is a text with `${…}` in it, compiled.
type Template struct{}

// Vars is what a template can see when it is evaluated.
type Vars struct {
	Event *event.Event              // the trigger; nil when time triggered
	Bind  map[string][]*event.Event // events by element; unbound elements are absent
	Steps map[string]any            // results of earlier steps by id: {"out": …, "error": …}, JSON-like
}

// CompileTemplate compiles text, whose first character is at pos. Its errors
// are yamldoc.Errors.
func (s *Set) CompileTemplate(scope Scope, text string, pos yamldoc.Pos) (*Template, error) {
	return nil, errors.New("templates are not compiled yet")
}

// Eval gives the value of a template that is one whole `${…}`, and text for
// any other. The value is JSON-like: nil, bool, int64, float64, string, []any or
// map[string]any, where a number without a fraction is an int64.
func (t *Template) Eval(v Vars) (any, error) { return nil, nil }
