package syntax

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// when reads what makes the rule match: a bare condition, or a map.
func (r *reader) when(n *yamldoc.Node) When {
	w := When{Pos: n.Pos, Limit: Limit{Runs: DefaultRuns}}
	if n.Kind != yamldoc.Map {
		r.bare(&w, n, "when")
		return w
	}
	for _, t := range laterTriggers() {
		if e := entry(n, t); e != nil {
			// The other keys belong to that trigger; nothing can be said of them.
			r.later(e.Pos, join("when", t), t)
			return w
		}
	}
	r.keys(n, "when", whenKeys())
	condition, pattern := entry(n, "condition"), entry(n, "pattern")
	switch {
	case condition != nil && pattern != nil:
		r.fail(pattern.Pos, "when.pattern", CodeValue, "keep one of them", "a rule has a condition or a pattern, not both")
	case condition != nil:
		r.bare(&w, condition.Value, "when.condition")
		if d := entry(n, "define"); d != nil {
			r.fail(d.Pos, "when.define", CodeKey, "leave it out, or write a pattern", "a bare condition has no elements to define")
		}
	case pattern == nil:
		r.fail(n.Pos, "when", CodeRequired, "write condition: CEL, or pattern: with define:", "has neither a condition nor a pattern")
	}
	w.By = r.by(n.Get("by"))
	w.Within = r.within(n.Get("within"))
	w.Skip = r.skip(n)
	w.Emit = Emit(r.choice(n, "when", "emit", emitNames()))
	if n.Get("on_timeout") != nil {
		r.choice(n, "when", "on_timeout", timeoutNames())
		w.OnTimeout = true
		if n.Get("within") == nil {
			r.fail(entry(n, "on_timeout").Pos, "when.on_timeout", CodeWithin, "add within: 10m", "needs within: without it nothing times out")
		}
	}
	w.Limit = r.limit(n.Get("limit"))
	if pattern != nil && condition == nil {
		r.pattern(&w, pattern.Value, n)
	}
	return w
}

func entry(n *yamldoc.Node, key string) *yamldoc.Entry {
	i := slices.IndexFunc(n.Keys, func(e yamldoc.Entry) bool { return e.Key == key })
	if i < 0 {
		return nil
	}
	return &n.Keys[i]
}

// bare reads a bare condition.
func (r *reader) bare(w *When, n *yamldoc.Node, key string) {
	cond, pos := r.condition(n, key)
	w.TextPos = pos
	w.Pattern.Units = []Unit{{Name: BareName, Link: Begin, Min: 1, Max: 1, Repeat: Then, Cond: cond, CondPos: pos, Pos: n.Pos}}
	w.Pattern.fill()
}

// condition gives a CEL text and where its first character stands.
func (r *reader) condition(n *yamldoc.Node, key string) (string, yamldoc.Pos) {
	text, err := n.PlainText()
	if err != nil {
		for _, e := range flatten(err) {
			e.Key = key
			r.errs = append(r.errs, e)
		}
		return "", n.Pos
	}
	pos := r.textPos(n)
	if n.Kind == yamldoc.Number || strings.TrimSpace(text) == "" {
		r.fail(pos, key, CodeType, `write a condition, such as type == "order.created"`, "%q is no condition", text)
	}
	return strings.TrimRight(text, " \n"), pos
}

func flatten(err error) yamldoc.Errors {
	if e, ok := err.(*yamldoc.Error); ok { //nolint:errorlint // yamldoc returns it bare
		return yamldoc.Errors{e}
	}
	return asErrors(err)
}

// textPos gives the place of a scalar's first character: behind the quote, or
// in the line below the `|`.
func (r *reader) textPos(n *yamldoc.Node) yamldoc.Pos {
	pos := n.Pos
	switch n.Style {
	case yamldoc.Quoted:
		pos.Col++
	case yamldoc.Literal:
		// The indentation is what a line has in the file and not in the text.
		for i, line := range strings.Split(n.Text, "\n") {
			at := pos.Line + i // the index of the line behind pos.Line, plus i
			if strings.TrimSpace(line) == "" || at >= len(r.lines) {
				continue
			}
			pos.Col = 1 + indent(r.lines[at]) - indent(line)
			break
		}
		pos.Line++
	default:
	}
	return pos
}

func indent(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }

// maxBy bounds the parts of a key.
const maxBy = 16

func (r *reader) by(n *yamldoc.Node) []event.Path {
	if n == nil {
		return nil
	}
	items := []*yamldoc.Node{n}
	if n.Kind == yamldoc.List {
		items = n.Items
	}
	if len(items) == 0 || len(items) > maxBy {
		r.fail(n.Pos, "when.by", CodeValue, "name a field, such as data.ip, or leave the key out", "takes 1 to %d paths, not %d", maxBy, len(items))
		return nil
	}
	var paths []event.Path
	for i, item := range items {
		key := "when.by"
		if n.Kind == yamldoc.List {
			key = fmt.Sprintf("when.by[%d]", i)
		}
		text := r.scalar(item, key)
		if text == "" {
			continue
		}
		p, err := event.ParsePath(text)
		switch {
		case err != nil:
			r.fail(item.Pos, key, CodeValue, "", "%v", err)
		case slices.Contains(paths, p):
			r.fail(item.Pos, key, CodeDuplicate, "remove one of them", "%s is already part of the key", p)
		default:
			paths = append(paths, p)
		}
	}
	return paths
}

func (r *reader) within(n *yamldoc.Node) time.Duration {
	if n == nil {
		return 0
	}
	if n.Kind == yamldoc.Map {
		if e := entry(n, "gap"); e != nil {
			r.later(e.Pos, "when.within.gap", "gap")
			return 0
		}
		r.keys(n, "when.within", keys{known: []string{"gap"}})
		return 0
	}
	text := r.scalar(n, "when.within")
	if text == "" {
		return 0
	}
	d, err := yamldoc.ParseDuration(text)
	if err != nil || d <= 0 {
		r.fail(n.Pos, "when.within", CodeValue, "write a time span such as 30s, 5m, 2h or 7d", "%q is none", text)
		return 0
	}
	return d
}

// skip reads the skip strategy; those that jump come later.
func (r *reader) skip(n *yamldoc.Node) Skip {
	if v := n.Get("skip"); v != nil && v.Kind == yamldoc.Map {
		for _, e := range v.Keys {
			r.later(e.Pos, join("when.skip", e.Key), e.Key)
			return PastLast
		}
	}
	return Skip(r.choice(n, "when", "skip", skipNames(), "to-next", "to-first", "to-last"))
}

func (r *reader) limit(n *yamldoc.Node) Limit {
	l := Limit{Runs: DefaultRuns}
	if n == nil {
		return l
	}
	if n.Kind != yamldoc.Map {
		r.fail(n.Pos, "when.limit", CodeType, "write {runs: 1000, full: reject}", "must be a map, not %s", n.Kind)
		return l
	}
	r.keys(n, "when.limit", limitKeys())
	if runs := n.Get("runs"); runs != nil {
		l.Runs = r.count(runs, "when.limit.runs", 1)
	}
	l.Full = Full(r.choice(n, "when.limit", "full", fullNames()))
	return l
}

// pattern reads the pattern and the definitions of its elements, and joins
// them.
func (r *reader) pattern(w *When, n, when *yamldoc.Node) {
	text, err := n.PlainText()
	if err != nil {
		for _, e := range flatten(err) {
			e.Key = "when.pattern"
			r.errs = append(r.errs, e)
		}
		return
	}
	w.Text, w.TextPos = strings.TrimSpace(text), r.textPos(n)
	w.TextPos.Col += utf8.RuneCountInString(text[:len(text)-len(strings.TrimLeft(text, " "))])
	units, ok := r.parsePattern(w.Text, w.TextPos)
	definitions := r.define(when)
	if !ok {
		return
	}
	w.Pattern.Units = units
	r.join(w, definitions)
	r.check(w)
}
