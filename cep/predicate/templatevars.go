package predicate

import (
	"fmt"
	"math"
	"strings"

	"cel.dev/cel-go/interpreter"

	"github.com/rhost/rhost/event"
)

// templateVars are the variables of a template in the interpreter.
type templateVars struct {
	Vars
	names []string
}

func (v *templateVars) Parent() interpreter.Activation { return nil }

func (v *templateVars) ResolveName(name string) (any, bool) {
	switch name {
	case eventName:
		if v.Event == nil {
			return nil, false
		}
		return eventMap(v.Event), true
	case stepsName:
		return widen(v.Steps), true
	case valuesName:
		return widen(v.Values), true
	}
	elem, list, ok := parseHidden(name)
	if !ok || elem >= len(v.names) {
		return nil, false
	}
	bound := v.Bind[v.names[elem]]
	if !list {
		if len(bound) == 0 {
			return nil, false
		}
		return eventMap(bound[0]), true
	}
	all := make([]any, len(bound))
	for i, e := range bound {
		all[i] = eventMap(e)
	}
	return all, true
}

// explain says what cel-go's error means for the author of a template.
func (v *templateVars) explain(err error) string {
	msg := unhide(err.Error(), v.names)
	if key, ok := strings.CutPrefix(msg, "no such key: "); ok {
		return key + " is missing"
	}
	if name, ok := strings.CutPrefix(msg, "no such attribute(s): "); ok {
		if name == eventName {
			return "there is no trigger event: the match came from the clock"
		}
		return name + " is not bound in this match"
	}
	if strings.HasPrefix(msg, "no such overload") {
		return "a value has the wrong type (" + msg + ")"
	}
	return msg
}

// widen copies a JSON-like value with every number as a double, the one type of
// number that expressions know.
func widen(x any) any {
	switch x := x.(type) {
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, v := range x {
			m[k] = widen(v)
		}
		return m
	case []any:
		l := make([]any, len(x))
		for i, v := range x {
			l[i] = widen(v)
		}
		return l
	case nil, bool, string, float64:
		return x
	}
	if v := event.ValueOf(x); v.Kind() != event.Missing {
		return v.Any()
	}
	return fmt.Sprint(x)
}

// whole gives a number as JSON should print it.
func whole(f float64) (any, error) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return nil, fmt.Errorf("%v is not a number that JSON can write", f)
	case isWhole(f):
		return int64(f), nil
	}
	return f, nil
}
