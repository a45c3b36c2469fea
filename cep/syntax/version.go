package syntax

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/rhost/rhost/yamldoc"
)

// version is the digest of what a rule says, however it is written: the rule as
// JSON with sorted keys, without what is at its default. A later release adds
// keys, and rules that do not use them keep their version.
func version(r *Rule, do, onFailure *yamldoc.Node) string {
	c := canons.Get().(*canon) //nolint:errcheck // the pool holds nothing else
	defer canons.Put(c)
	c.b = c.b[:0]
	c.rule(r, do, onFailure)
	sum := sha256.Sum256(c.b)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

// canons keeps buffers, of which every document needs one for a moment.
var canons = sync.Pool{New: func() any { return new(canon) }} //nolint:gochecknoglobals // see above

func (c *canon) rule(r *Rule, do, onFailure *yamldoc.Node) {
	c.open('{')
	c.text("description", r.Description)
	c.node("do", do)
	if len(r.Labels) > 0 {
		c.key("labels")
		c.labels(r.Labels)
	}
	if r.Mode != Live {
		c.text("mode", r.Mode.String())
	}
	if r.OnChange != KeepOrDrain {
		c.text("on_change", r.OnChange.String())
	}
	c.node("on_failure", onFailure)
	c.text("owner", r.Owner)
	if r.Priority != Normal {
		c.text("priority", r.Priority.String())
	}
	c.text("rule", r.Name)
	c.text("runbook", r.Runbook)
	c.text("severity", r.Severity)
	if len(r.Tags) > 0 {
		c.key("tags")
		c.texts(r.Tags)
	}
	if len(r.Tests) > 0 {
		c.key("tests")
		c.tests(r.Tests)
	}
	c.key("when")
	c.when(&r.When)
	c.close('}')
}

func (c *canon) when(w *When) {
	c.open('{')
	if w.AtLeast > 0 {
		c.number("at_least", w.AtLeast)
	}
	if len(w.By) > 0 {
		c.key("by")
		c.open('[')
		for _, p := range w.By {
			c.item()
			c.b = appendText(c.b, p.String())
		}
		c.close(']')
	}
	if len(w.Pattern.Elems) > 0 {
		c.key("define")
		c.define(&w.Pattern, true)
	}
	if w.Emit != Immediate {
		c.text("emit", w.Emit.String())
	}
	if w.Limit != (Limit{Runs: DefaultRuns}) {
		c.key("limit")
		c.open('[')
		c.integer(w.Limit.Runs)
		c.item()
		c.b = appendText(c.b, w.Limit.Full.String())
		c.close(']')
	}
	if w.OnTimeout {
		c.text("on_timeout", "emit")
	}
	if w.Text != "" {
		c.text("pattern", w.Pattern.String())
	}
	if s := w.Schedule; s != nil {
		c.key("schedule")
		c.schedule(s)
	}
	c.text("score", squeeze(w.Score))
	if w.Skip != PastLast {
		c.text("skip", c.skip(w))
	}
	if s := w.State; s != nil {
		c.key("state")
		c.state(s)
	}
	if win := w.Window; win != nil {
		c.key("window")
		c.window(win)
	}
	if w.Within > 0 {
		c.text("within", w.Within.String())
	}
	c.close('}')
}

func (c *canon) skip(w *When) string {
	text := w.Skip.String()
	if w.SkipTo >= 0 {
		text += " " + w.Pattern.Elems[w.SkipTo].Name
	}
	if w.Strict {
		text += " or error"
	}
	return text
}

// Shape is all that a pattern says besides conditions, its long forms included.
// Patterns of one shape whose conditions (those of until, too) mean the same, one
// by one, match the same.
func (p Pattern) Shape() string {
	var c canon
	c.b = append(append(c.b, p.String()...), ' ')
	c.define(&p, false)
	return string(c.b)
}

// define lists the elements with their terms, and then the groups that have
// names.
func (c *canon) define(p *Pattern, conditions bool) {
	c.open('[')
	var groups []*Term
	walk(p.Seq, func(t *Term) {
		switch {
		case t.Elem >= 0:
			e := &p.Elems[t.Elem]
			where := ""
			if conditions {
				where = squeeze(e.Cond)
			}
			c.term(t, e.Name, "where", where, conditions)
		case t.Name != "":
			groups = append(groups, t)
		}
	})
	for _, t := range groups {
		var b strings.Builder
		p.several(&b, t)
		c.term(t, t.Name, "pattern", b.String(), conditions)
	}
	c.close(']')
}

// term writes what the long form says of a term. The key of its content is where
// or pattern, of which the one sorts last and the other before repeat.
func (c *canon) term(t *Term, name, key, content string, conditions bool) {
	c.item()
	c.open('{')
	if t.Gap > 0 {
		c.text("gap", t.Gap.String())
	}
	if t.Greedy {
		c.flag("greedy")
	}
	c.text("name", name)
	if t.Optional {
		c.flag("optional")
	}
	if key == "pattern" {
		c.text(key, content)
	}
	if t.Repeat != Then {
		c.text("repeat", t.Repeat.String())
	}
	switch {
	case conditions:
		c.text("until", squeeze(t.Until))
	case t.Until != "":
		c.flag("until")
	}
	if t.Wait > 0 {
		c.text("wait", t.Wait.String())
	}
	if key == "where" {
		c.text(key, content)
	}
	c.close('}')
}

func (c *canon) schedule(s *Schedule) {
	c.open('{')
	c.text("cron", strings.Join(strings.Fields(s.Cron), " "))
	if s.DST != DSTOnce {
		c.text("dst", s.DST.String())
	}
	if s.Missed != MissedOnce {
		c.text("missed", s.Missed.String())
	}
	c.text("timezone", s.Timezone)
	c.close('}')
}

func (c *canon) state(s *State) {
	c.open('{')
	if s.For > 0 {
		c.text("for", s.For.String())
	}
	c.text("state", s.Text)
	c.key("test")
	c.open('[')
	c.item()
	c.b = appendText(c.b, s.Test.String())
	switch s.Test {
	case Above:
		c.float(s.Low)
	case Below:
		c.float(s.High)
	case Between:
		c.float(s.Low)
		c.float(s.High)
	case Equals, Differs:
		c.value(s.Value)
	case Matches:
		c.item()
		c.b = appendText(c.b, s.Regexp)
	case Changes:
	}
	c.close(']')
	if s.Tolerance > 0 {
		c.number("tolerance", s.Tolerance)
	}
	c.text("where", squeeze(s.Where))
	c.close('}')
}

func (c *canon) window(w *Window) {
	c.open('{')
	c.text("having", squeeze(w.Having))
	c.key("let")
	c.open('[')
	for _, l := range w.Let {
		c.item()
		c.texts([]string{l.Name, squeeze(l.Text)})
	}
	c.close(']')
	c.text("where", squeeze(w.Where))
	c.text("window", strings.Join(strings.Fields(w.Text), " "))
	c.close('}')
}

func (c *canon) tests(tests []Test) {
	c.open('[')
	for i := range tests {
		t := &tests[i]
		c.item()
		c.open('{')
		if !t.Advance.IsZero() {
			c.text("advance", t.Advance.UTC().Format(timeFormat))
		}
		if t.Expect.Bind != nil {
			c.key("bind")
			c.bind(t.Expect.Bind)
		}
		if len(t.Events) > 0 {
			c.key("events")
			c.open('[')
			for _, e := range t.Events {
				c.item()
				c.b = append(c.b, e...)
			}
			c.close(']')
		}
		c.text("given", t.Given)
		if t.Expect.Matches >= 0 {
			c.key("matches")
			c.bare(t.Expect.Matches)
		}
		if t.Expect.Timeouts >= 0 {
			c.key("timeouts")
			c.bare(t.Expect.Timeouts)
		}
		c.close('}')
	}
	c.close(']')
}

func (c *canon) bind(matches [][]Bound) {
	c.open('[')
	for _, match := range matches {
		c.item()
		c.open('{')
		for _, b := range match {
			c.key(b.Element)
			c.texts(b.Events)
		}
		c.close('}')
	}
	c.close(']')
}
