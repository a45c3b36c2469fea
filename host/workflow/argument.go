package workflow

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rhost/rhost/yamldoc"
)

// Compiler turns a YAML string that holds `${…}` into a Template. The host
// passes in one that knows the rule's elements. Its errors carry positions.
type Compiler interface {
	Template(n *yamldoc.Node) (Template, error)
}

// Template is a compiled string. It is safe for concurrent use.
//
// A Template that also has the method StepRefs, which returns the ids of the
// steps whose results it reads, lets Parse refuse one that reads a step which
// has not run by then.
type Template interface {
	// Eval gives a JSON-like value: nil, bool, float64, string, []any or
	// map[string]any. The same Env gives the same value. A value that is unknown
	// is an error that says which.
	Eval(env Env) (any, error)
}

// Env is what templates see.
type Env struct {
	// Match is what the engine was given for the execution's match; this package
	// does not look inside.
	Match any
	// Steps holds, by step id, {"out": …} of the steps that succeeded and
	// {"error": {"kind": …, "message": …}} of those that failed.
	Steps map[string]any
}

// argument is one node of a step's arguments.
type argument interface {
	eval(env Env) (any, error)
}

// constant is an argument without templates beneath it.
type constant struct{ value any }

func (c constant) eval(Env) (any, error) { return c.value, nil }

// dynamic is a string with `${…}`.
type dynamic struct {
	pos  yamldoc.Pos
	tmpl Template
}

func (d dynamic) eval(env Env) (any, error) {
	v, err := d.tmpl.Eval(env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.pos, err)
	}
	return v, nil
}

// array is a YAML list with a template somewhere beneath it.
type array []argument

func (a array) eval(env Env) (any, error) {
	out := make([]any, len(a))
	var errs []error
	for i, item := range a {
		v, err := item.eval(env)
		out[i] = v
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}

// object is a YAML map with a template somewhere beneath it.
type object []field

type field struct {
	key   string
	value argument
}

func (o object) eval(env Env) (any, error) {
	out := make(map[string]any, len(o))
	var errs []error
	for _, f := range o {
		v, err := f.value.eval(env)
		out[f.key] = v
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}

// newObject folds an object of constants into one constant.
func newObject(fields []field) argument {
	values := make(map[string]any, len(fields))
	for _, f := range fields {
		c, ok := f.value.(constant)
		if !ok {
			return object(fields)
		}
		values[f.key] = c.value
	}
	return constant{values}
}

// newList folds a list of constants into one constant.
func newList(items []argument) argument {
	values := make([]any, len(items))
	for i, a := range items {
		c, ok := a.(constant)
		if !ok {
			return array(items)
		}
		values[i] = c.value
	}
	return constant{values}
}

// maxArgs is how large the evaluated arguments of a step may be. They are
// written to the log with each attempt.
const maxArgs = 512 << 10

// evalJSON evaluates a and encodes the value. A nil argument gives nil.
func evalJSON(a argument, env Env) (json.RawMessage, error) {
	if a == nil {
		return nil, nil
	}
	v, err := a.eval(env)
	if err != nil {
		return nil, err
	}
	b, err := marshal(v)
	if err != nil {
		return nil, fmt.Errorf("arguments cannot be written as JSON: %w", err)
	}
	if len(b) > maxArgs {
		return nil, fmt.Errorf("arguments of %d bytes are too large; at most %d are allowed", len(b), maxArgs)
	}
	return b, nil
}
