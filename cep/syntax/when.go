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

// plain is the Details of a rule that is one bare condition.
var plain = newDetails() //nolint:gochecknoglobals // shared by all such rules, and never changed

func newDetails() *Details { return &Details{SkipTo: -1, Limit: Limit{Runs: DefaultRuns}} }

// when reads what makes the rule match: a bare condition, or a map.
func (r *reader) when(n *yamldoc.Node) When {
	if n.Kind != yamldoc.Map {
		return When{Pattern: r.bare(n, "when"), Details: plain}
	}
	w := When{Details: newDetails()}
	for _, t := range laterTriggers() {
		if e := entry(n, t); e != nil {
			// The other keys belong to that trigger; nothing can be said of them.
			r.later(e.Pos, join("when", t), t)
			return w
		}
	}
	at := r.trigger(n)
	if at == nil {
		return w
	}
	w.By = r.by(n.Get("by"))
	r.score(n, w.Details)
	switch at.Key {
	case "condition":
		w.Pattern = r.bare(at.Value, "when.condition")
	case "pattern":
		r.timing(n, &w)
		r.pattern(&w, at.Value, n)
	case "window":
		w.Window = r.window(at.Value, n)
	case "schedule":
		w.Schedule = r.schedule(at.Value, n)
	case "state":
		w.State = r.state(at.Value, n)
	}
	return w
}

// trigger finds the one key that says what the rule waits for, and refuses keys
// that do not go with it.
func (r *reader) trigger(n *yamldoc.Node) *yamldoc.Entry {
	var found *yamldoc.Entry
	var with []string
	for _, t := range triggers() {
		e := entry(n, t.key)
		switch {
		case e == nil:
		case found == nil:
			found, with = e, t.with
		default:
			r.fail(e.Pos, join("when", t.key), CodeValue, "keep one of them", "a rule has a %s or a %s, not both", found.Key, t.key)
			return nil
		}
	}
	if found == nil {
		r.keys(n, "when", whenKeys())
		r.fail(n.Pos, "when", CodeRequired, "write condition: CEL, or pattern: with define:", "has neither a condition nor a pattern, window, schedule or state")
		return nil
	}
	r.keysOf(n, found.Key, with)
	return found
}

// keysOf reports the keys that do not go with a trigger, or do not exist.
func (r *reader) keysOf(n *yamldoc.Node, trigger string, with []string) {
	known, all := append([]string{trigger}, with...), whenKeys().known
	for _, e := range n.Keys {
		switch {
		case slices.Contains(known, e.Key) || r.full():
		case slices.Contains(all, e.Key):
			r.fail(e.Pos, join("when", e.Key), CodeKey, "leave it out; what goes with "+trigger+" is "+strings.Join(with, ", "),
				"does not go with %s", trigger)
		default:
			r.fail(e.Pos, join("when", e.Key), CodeKey, yamldoc.Suggest(e.Key, known), "unknown key")
		}
	}
}

func entry(n *yamldoc.Node, key string) *yamldoc.Entry {
	i := slices.IndexFunc(n.Keys, func(e yamldoc.Entry) bool { return e.Key == key })
	if i < 0 {
		return nil
	}
	return &n.Keys[i]
}

// single is the sequence of a bare condition, which all of them share.
var single = []Term{{Min: 1, Max: 1, Repeat: Then}} //nolint:gochecknoglobals // never changed

// bare reads a bare condition.
func (r *reader) bare(n *yamldoc.Node, key string) Pattern {
	cond, pos := r.condition(n, key)
	return Pattern{Seq: single, Elems: []Element{{Name: BareName, Cond: cond, CondPos: pos, Pos: n.Pos}}}
}

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

// score reads how sure a match is, and how sure it must be.
func (r *reader) score(n *yamldoc.Node, d *Details) {
	score := n.Get("score")
	if score != nil {
		// A number is a score, too: the same for every match.
		d.Score, d.ScorePos = r.expression(score, "when.score", "write CEL that gives a number from 0 to 1")
	}
	least := entry(n, "at_least")
	if least == nil {
		return
	}
	d.AtLeast = r.number(least.Value, "when.at_least")
	if d.AtLeast < 0 || d.AtLeast > 1 {
		r.fail(least.Value.Pos, "when.at_least", CodeValue, "write a number from 0 to 1", "%s is out of bounds", clip(least.Value.Text))
	}
	if score == nil {
		r.fail(least.Pos, "when.at_least", CodeRequired, "add score: CEL", "needs a score to compare with")
	}
}

// timing reads the keys of a pattern besides its elements, except for skip, which
// names one of them.
func (r *reader) timing(n *yamldoc.Node, w *When) {
	if within := n.Get("within"); within == nil || within.Kind != yamldoc.Map {
		w.Within = r.span(within, "when.within")
	}
	w.Emit = Emit(r.choice(n, "when", "emit", emitNames()))
	if timeout := entry(n, "on_timeout"); timeout != nil {
		r.choice(n, "when", "on_timeout", timeoutNames())
		w.OnTimeout = true
		if n.Get("within") == nil {
			r.timeout = timeout
		}
	}
	w.Limit = r.limit(n.Get("limit"))
}

// gap reads within: {gap: 30s}, which bounds the time before every element that
// has no bound of its own.
func (r *reader) gap(n *yamldoc.Node, seq []Term) {
	if n == nil || n.Kind != yamldoc.Map {
		return
	}
	r.keys(n, "when.within", withinKeys())
	var gap time.Duration
	if v := n.Get("gap"); v == nil {
		r.fail(n.Pos, "when.within", CodeRequired, "write {gap: 30s}, or a time span", "says no gap")
	} else {
		gap = r.span(v, "when.within.gap")
	}
	walk(seq, func(t *Term) {
		if t.Elem >= 0 && t.Wait == 0 {
			t.Wait = gap
		}
	})
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

// patternText gives a pattern's text without the blanks around it, and where it
// begins.
func (r *reader) patternText(n *yamldoc.Node, key string) (string, yamldoc.Pos) {
	text, err := n.PlainText()
	if err != nil {
		r.take(err, key)
		return "", n.Pos
	}
	pos := r.textPos(n)
	pos.Col += utf8.RuneCountInString(text[:len(text)-len(strings.TrimLeft(text, " "))])
	return r.own(strings.TrimSpace(text), pos), pos
}

// pattern reads the pattern and the definitions of its elements, and joins
// them.
func (r *reader) pattern(w *When, n, when *yamldoc.Node) {
	before := len(r.errs)
	defs := r.define(when)
	w.Text, w.TextPos = r.patternText(n, "when.pattern")
	if w.Text == "" && len(r.errs) > before {
		return // there is no text to read
	}
	b := &builder{reader: r, defs: defs}
	w.Pattern.Seq = b.parse("when.pattern", w.Text, w.TextPos)
	w.Pattern.Elems = b.elems
	if b.bad {
		return
	}
	defs.missing(r)
	defs.unused(r)
	r.gap(when.Get("within"), w.Pattern.Seq)
	r.skip(when, w)
	r.check(w, defs)
	w.Pattern.flags(w.Pattern.Seq, false, false)
}

// skip reads the skip strategy: a word, or one that names an element.
func (r *reader) skip(n *yamldoc.Node, w *When) {
	v := n.Get("skip")
	if v == nil || v.Kind != yamldoc.Map {
		if v != nil && slices.Contains(skipToNames(), v.Text) {
			r.fail(v.Pos, "when.skip", CodeValue, "write {"+v.Text+": NAME}", "%s names an element", v.Text)
			return
		}
		w.Skip = Skip(r.choice(n, "when", "skip", skipNames()))
		return
	}
	r.keys(v, "when.skip", skipKeys())
	w.Strict = r.choice(v, "when.skip", "on_miss", onMissNames()) == 1
	found := 0
	for i, key := range skipToNames() {
		to := v.Get(key)
		if to == nil {
			continue
		}
		found++
		w.Skip = ToFirst + Skip(i)
		name := r.scalar(to, join("when.skip", key))
		w.SkipTo = w.Pattern.Index(name)
		switch {
		case name == "":
		case w.SkipTo < 0:
			r.fail(to.Pos, join("when.skip", key), CodeElement, "name one of the pattern's elements", "the pattern has no element %s", clip(name))
		case w.Pattern.Elems[w.SkipTo].Negative:
			r.fail(to.Pos, join("when.skip", key), CodeElement, "name an element that happens", "nothing is ever bound to %s", name)
		}
	}
	if found != 1 {
		r.fail(v.Pos, "when.skip", CodeValue, "write {to-first: NAME} or {to-last: NAME}", "names %d elements to skip to", found)
	}
}
