package syntax

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhost/rhost/yamldoc"
)

// definition is one entry of `define`: an element with its condition, or a group
// with its pattern.
type definition struct {
	name string
	pos  yamldoc.Pos // of the name

	key     string // that holds the text which has the name; for one without definition
	cond    string
	condPos yamldoc.Pos

	grouped    bool // it has a pattern instead of a condition
	pattern    string
	patternPos yamldoc.Pos

	long *yamldoc.Node // the long form; nil for a bare condition
	term Term          // what it says
	used bool          // the pattern has it
	open bool          // its own pattern is being read
}

// definitions is all of `define`, by name.
type definitions struct {
	list   []*definition // in the order written
	absent []*definition // made up for names of the pattern that have none
	byName map[string]*definition
}

func (d *definitions) find(name string) *definition { return d.byName[name] }

func (d *definitions) add(def *definition) *definition {
	if d.byName == nil {
		d.byName = make(map[string]*definition)
	}
	d.byName[def.name] = def
	return def
}

// missing reports the names that the pattern has and that are not defined.
func (d *definitions) missing(r *reader) {
	for _, def := range d.absent {
		if msg, fix := badElement(def.name); msg != "" {
			r.fail(def.pos, def.key, CodeName, fix, "%s", msg)
			continue
		}
		r.fail(def.pos, def.key, CodeElement, d.guess(r, def.name), "the element %s is not defined", clip(def.name))
	}
}

// guess is the fix for a name without definition. Of the shortest names each looks
// like the other.
func (d *definitions) guess(r *reader, name string) string {
	fix := "add " + clip(name) + ": CONDITION under define"
	if len(name) < 3 || len(d.list) > maxGuesses || r.full() {
		return fix
	}
	var names []string
	for _, def := range d.list {
		names = append(names, def.name)
	}
	if guess := yamldoc.Suggest(name, names); strings.HasPrefix(guess, "did you mean") {
		return guess
	}
	return fix
}

// maxGuesses bounds the names that are compared with one that is wrong.
const maxGuesses = 200

// unused reports the definitions that the pattern does not have.
func (d *definitions) unused(r *reader) {
	for _, def := range d.list {
		if !def.used {
			r.fail(def.pos, join("when.define", def.name), CodeElement, "use it in the pattern or remove it", "the pattern does not use %s", def.name)
		}
	}
}

// define reads the definitions of elements.
func (r *reader) define(when *yamldoc.Node) *definitions {
	defs := new(definitions)
	n := when.Get("define")
	if n == nil || n.Kind == yamldoc.Null {
		return defs
	}
	if n.Kind != yamldoc.Map {
		r.fail(n.Pos, "when.define", CodeType, "write NAME: CONDITION below it", "must be a map, not %s", n.Kind)
		return defs
	}
	for _, e := range n.Keys {
		key := join("when.define", e.Key)
		if msg, fix := badElement(e.Key); msg != "" {
			r.fail(e.Pos, key, CodeName, fix, "%s", msg)
		}
		defs.list = append(defs.list, defs.add(r.definition(e, key)))
	}
	return defs
}

func (r *reader) definition(e yamldoc.Entry, key string) *definition {
	d := &definition{name: e.Key, pos: e.Pos, term: once()}
	n := e.Value
	if n.Kind != yamldoc.Map {
		d.cond, d.condPos = r.condition(n, key)
		return d
	}
	d.long = n
	where, pattern := n.Get("where"), entry(n, "pattern")
	switch {
	case where != nil && pattern != nil:
		r.fail(pattern.Pos, join(key, "pattern"), CodeValue, "keep one of them", "an element has a condition and a group has a pattern, not both")
		return d
	case pattern != nil:
		d.grouped = true
		r.groupKeys(n, key)
		d.pattern, d.patternPos = r.patternText(pattern.Value, join(key, "pattern"))
	case where != nil:
		r.keys(n, key, elementKeys())
		d.cond, d.condPos = r.condition(where, join(key, "where"))
	default:
		r.keys(n, key, elementKeys())
		r.fail(n.Pos, join(key, "where"), CodeRequired, "write where: CONDITION; where: true takes every event", "is missing")
	}
	r.longForm(n, key, &d.term)
	return d
}

// groupKeys refuses greedy by name, which elements have and groups do not.
func (r *reader) groupKeys(n *yamldoc.Node, key string) {
	known := groupKeys()
	if greedy := entry(n, "greedy"); greedy != nil {
		r.fail(greedy.Pos, join(key, "greedy"), CodeKey, "leave it out, or make elements of the group greedy", "a group cannot be greedy")
		known.known = append(known.known, "greedy")
	}
	r.keys(n, key, known)
}

// longForm reads what elements and groups have in common.
func (r *reader) longForm(n *yamldoc.Node, key string, t *Term) {
	t.Repeat = [...]Link{Then, Next, Any}[r.choice(n, key, "repeat", repeatNames())]
	t.Greedy = r.truth(n, key, "greedy")
	t.Optional = r.truth(n, key, "optional")
	if until := n.Get("until"); until != nil {
		t.Until, t.UntilPos = r.condition(until, join(key, "until"))
	}
	t.Gap = r.span(n.Get("gap"), join(key, "gap"))
	t.Wait = r.span(n.Get("wait"), join(key, "wait"))
}

// truth reads a true or false; false when it is absent.
func (r *reader) truth(n *yamldoc.Node, under, key string) bool {
	v := n.Get(key)
	if v == nil {
		return false
	}
	if v.Kind != yamldoc.Bool {
		r.fail(v.Pos, join(under, key), CodeType, "write true or false", "must be true or false, not %s", v.Kind)
	}
	return v.Bool()
}

// span reads a time span above zero; 0 when it is absent.
func (r *reader) span(n *yamldoc.Node, key string) time.Duration {
	if n == nil {
		return 0
	}
	text := r.scalar(n, key)
	if text == "" {
		return 0
	}
	d, err := yamldoc.ParseDuration(text)
	if err != nil || d <= 0 {
		r.fail(n.Pos, key, CodeValue, "write a time span such as 30s, 5m, 2h or 7d", "%q is none", clip(text))
		return 0
	}
	return d
}

// badElement says why a name cannot be an element's, and the fix.
func badElement(name string) (msg, fix string) {
	switch {
	case len(name) > MaxElement:
		return "an element's name has at most " + strconv.Itoa(MaxElement) + " characters", "shorten it"
	case !isName(name):
		return "an element's name is of letters, digits and _, and does not start with a digit", "rename it, for example e1"
	case slices.Contains(Reserved(), name):
		return name + " cannot be an element: the word has a meaning in conditions or patterns", "rename it, for example " + name + "_1"
	}
	return "", ""
}

// MaxElement bounds the name of an element, in bytes.
const MaxElement = 200

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
