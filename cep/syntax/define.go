package syntax

import (
	"slices"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// definition is one entry of `define`.
type definition struct {
	name     string
	pos      yamldoc.Pos // of the name
	cond     string
	condPos  yamldoc.Pos
	repeat   Link
	optional bool
	used     bool
}

// define reads the definitions of elements.
func (r *reader) define(when *yamldoc.Node) []*definition {
	n := when.Get("define")
	if n == nil || n.Kind == yamldoc.Null {
		return nil
	}
	if n.Kind != yamldoc.Map {
		r.fail(n.Pos, "when.define", CodeType, "write NAME: CONDITION below it", "must be a map, not %s", n.Kind)
		return nil
	}
	var list []*definition
	for _, e := range n.Keys {
		key := join("when.define", e.Key)
		if msg, fix := badElement(e.Key); msg != "" {
			r.fail(e.Pos, key, CodeName, fix, "%s", msg)
		}
		list = append(list, r.definition(e, key))
	}
	return list
}

func (r *reader) definition(e yamldoc.Entry, key string) *definition {
	d := &definition{name: e.Key, pos: e.Pos, repeat: Then}
	if e.Value.Kind != yamldoc.Map {
		d.cond, d.condPos = r.condition(e.Value, key)
		return d
	}
	r.keys(e.Value, key, elementKeys())
	if where := e.Value.Get("where"); where != nil {
		d.cond, d.condPos = r.condition(where, join(key, "where"))
	} else if e.Value.Get("pattern") == nil {
		r.fail(e.Value.Pos, join(key, "where"), CodeRequired, "write where: CONDITION; where: true takes every event", "is missing")
	}
	if r.choice(e.Value, key, "repeat", repeatNames(), "any") == 1 {
		d.repeat = Next
	}
	if o := e.Value.Get("optional"); o != nil {
		if o.Kind != yamldoc.Bool {
			r.fail(o.Pos, join(key, "optional"), CodeType, "write true or false", "must be true or false, not %s", o.Kind)
		} else {
			d.optional = o.Bool()
		}
	}
	return d
}

// join gives each unit of the pattern its condition.
func (r *reader) join(w *When, definitions []*definition) {
	var names []string
	for _, d := range definitions {
		names = append(names, d.name)
	}
	for i := range w.Pattern.Units {
		u := &w.Pattern.Units[i]
		at := slices.Index(names, u.Name)
		if at < 0 {
			fix := "add " + u.Name + ": CONDITION under define"
			if guess := yamldoc.Suggest(u.Name, names); strings.HasPrefix(guess, "did you mean") {
				fix = guess
			}
			r.fail(u.Pos, "when.pattern", CodeElement, fix, "the element %s is not defined", u.Name)
			continue
		}
		d := definitions[at]
		d.used = true
		u.Cond, u.CondPos = d.cond, d.condPos
		if d.repeat == Next {
			u.Repeat = Next
		}
		if d.optional {
			if u.Link.Negative() {
				r.fail(d.pos, join("when.define", d.name), CodeNot, "remove optional: true", "a `not` element cannot be optional")
			}
			u.Optional = true
		}
	}
	w.Pattern.fill()
	for _, d := range definitions {
		if !d.used {
			r.fail(d.pos, join("when.define", d.name), CodeElement, "use it in the pattern or remove it", "the pattern does not use %s", d.name)
		}
	}
}

// check applies the rules that need the whole pattern.
func (r *reader) check(w *When) {
	units := w.Pattern.Units
	states := 0
	for i, u := range units {
		n := u.Max
		if n == Unbounded {
			n = u.Min
		}
		states += n
		if u.Link.Negative() && i > 0 && units[i-1].Optional {
			r.fail(u.Pos, "when.pattern", CodeNot, "make "+units[i-1].Name+" required, or write two rules",
				"`not %s` follows the optional element %s", u.Name, units[i-1].Name)
		}
	}
	if states > MaxStates {
		r.fail(w.TextPos, "when.pattern", CodeStates, "repeat fewer times, or count with count(x) in a condition",
			"the pattern needs %d states; the limit is %d", states, MaxStates)
	}
	if len(units) > 0 && units[len(units)-1].Link == ThenNot && w.Within == 0 {
		last := units[len(units)-1]
		r.fail(last.Pos, "when.pattern", CodeWithin, "add within: 10m, or let another element follow",
			"a pattern that ends with `then not %s` needs within, or it would wait for ever", last.Name)
	}
}

// badElement says why a name cannot be an element's, and the fix.
func badElement(name string) (msg, fix string) {
	if !isName(name) {
		return "an element's name is of letters, digits and _, and does not start with a digit", "rename it, for example e1"
	}
	if slices.Contains(Reserved(), name) {
		return name + " cannot be an element: the word has a meaning in conditions or patterns", "rename it, for example " + name + "_1"
	}
	return "", ""
}

func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// Reserved lists the words that cannot name an element: attributes, words of
// CEL and its functions, words of patterns, and what templates see.
func Reserved() []string {
	return []string{
		"id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time", "data", "ext",
		"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if",
		"import", "let", "loop", "package", "namespace", "return", "var", "void", "while",
		"first", "last", "count", "sum", "avg", "min", "max", "lower", "cidr", "has", "size", "matches",
		"contains", "startsWith", "endsWith", "timestamp", "duration", "string", "double", "int", "bool", "dyn",
		"all", "exists", "exists_one", "map", "filter",
		"next", "then", "any", "not", "event", "steps", "vars", "tenant", "table",
	}
}
