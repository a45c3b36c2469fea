package syntax

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/yamldoc"
)

// A Test is one entry of `tests:`: events, and what the rule makes of them.
type Test struct {
	Given   string      // file of events, relative to the rule file; "" when Events are given
	Events  [][]byte    // inline events, each as JSON; nil when Given names a file
	Advance time.Time   // after the events, time goes on until then; zero: it stops at the last event
	Expect  Expect      //
	Pos     yamldoc.Pos //
}

// Expect is what a Test asserts.
type Expect struct {
	Matches  int // number of matches of this rule; any number when negative
	Timeouts int // number of its timeouts; any number when negative

	// Bind is what each match has bound, in the order of matches, without elements
	// that have nothing; nil when it is not asserted.
	Bind [][]Bound
}

// Bound is an element and the ids of the events bound to it. The Bounds of a match
// are sorted by element.
type Bound struct {
	Element string
	Events  []string
}

// tests reads the list under `tests`.
func (r *reader) tests(n *yamldoc.Node, w *When) []Test {
	if n == nil || n.Kind == yamldoc.Null {
		return nil
	}
	if n.Kind != yamldoc.List {
		r.fail(n.Pos, "tests", CodeType, "write `- {given: events.ndjson, expect: {matches: 1}}` below it", "must be a list, not %s", n.Kind)
		return nil
	}
	var tests []Test
	for i, item := range n.Items {
		tests = append(tests, r.test(item, fmt.Sprintf("tests[%d]", i), w))
	}
	return tests
}

func (r *reader) test(n *yamldoc.Node, key string, w *When) Test {
	t := Test{Pos: n.Pos, Expect: Expect{Matches: -1, Timeouts: -1}}
	if n.Kind != yamldoc.Map {
		r.fail(n.Pos, key, CodeType, "write {given: …, expect: {matches: 1}}", "must be a map, not %s", n.Kind)
		return t
	}
	r.keys(n, key, testKeys())
	r.given(n, key, &t)
	if advance := n.Get("advance"); advance != nil {
		t.Advance = r.time(advance, join(key, "advance"))
	}
	expect := n.Get("expect")
	key = join(key, "expect")
	switch {
	case expect == nil:
		r.fail(n.Pos, key, CodeRequired, "write expect: {matches: 1}", "is missing")
	case expect.Kind != yamldoc.Map:
		r.fail(expect.Pos, key, CodeType, "write {matches: 1}", "must be a map, not %s", expect.Kind)
	default:
		r.expect(expect, key, &t.Expect, w)
	}
	return t
}

// expect reads what a test asserts. Whoever says what matches bind says how many
// there are.
func (r *reader) expect(n *yamldoc.Node, key string, e *Expect, w *When) {
	r.keys(n, key, expectKeys())
	matches, timeouts, bind := n.Get("matches"), n.Get("timeouts"), entry(n, "bind")
	if matches == nil && timeouts == nil && bind == nil {
		r.fail(n.Pos, join(key, "matches"), CodeRequired, "write {matches: 1}", "is missing")
	}
	if timeouts != nil {
		e.Timeouts = r.count(timeouts, join(key, "timeouts"), 0)
	}
	if bind != nil {
		e.Bind = r.bind(bind.Value, join(key, "bind"), w)
		e.Matches = len(e.Bind)
	}
	if matches == nil {
		return
	}
	e.Matches = r.count(matches, join(key, "matches"), 0)
	if bind != nil && e.Matches != len(e.Bind) {
		r.fail(bind.Pos, join(key, "bind"), CodeValue, "list what every match binds, or leave out matches", "has %d matches, and matches says %d", len(e.Bind), e.Matches)
	}
}

// bind reads what one match binds, or each of several.
func (r *reader) bind(n *yamldoc.Node, key string, w *When) [][]Bound {
	if n.Kind != yamldoc.List {
		return [][]Bound{r.match(n, key, w)}
	}
	matches := [][]Bound{}
	for i, item := range n.Items {
		matches = append(matches, r.match(item, fmt.Sprintf("%s[%d]", key, i), w))
	}
	return matches
}

func (r *reader) match(n *yamldoc.Node, key string, w *When) []Bound {
	if n.Kind != yamldoc.Map {
		r.fail(n.Pos, key, CodeType, "write {a: ev-1, b: [ev-2, ev-3]}, or a list of such", "must be a map, not %s", n.Kind)
		return nil
	}
	bound := []Bound{}
	for _, e := range n.Keys {
		key := join(key, e.Key)
		if at := w.Pattern.Index(e.Key); at < 0 || w.Pattern.Elems[at].Negative {
			r.fail(e.Pos, key, CodeElement, "name an element that the rule binds", "nothing is ever bound to %s", clip(e.Key))
			continue
		}
		items := []*yamldoc.Node{e.Value}
		if e.Value.Kind == yamldoc.List {
			items = e.Value.Items
		}
		b := Bound{Element: r.own(e.Key, e.Pos)}
		for _, item := range items {
			b.Events = append(b.Events, r.scalar(item, key))
		}
		if len(b.Events) > 0 {
			bound = append(bound, b)
		}
	}
	slices.SortFunc(bound, func(a, b Bound) int { return strings.Compare(a.Element, b.Element) })
	return bound
}

const timeFormat = time.RFC3339Nano

func (r *reader) time(n *yamldoc.Node, key string) time.Time {
	t, err := time.Parse(timeFormat, n.Text)
	if err != nil || t.IsZero() {
		r.fail(n.Pos, key, CodeValue, "write a time such as 2026-01-02T15:04:05Z", "%s is none", spelled(n))
	}
	return t
}

// given reads the name of a file, or events.
func (r *reader) given(n *yamldoc.Node, key string, t *Test) {
	key = join(key, "given")
	given := n.Get("given")
	switch {
	case given == nil:
		r.fail(n.Pos, key, CodeRequired, "name a file of events, or list them", "is missing")
	case given.Kind == yamldoc.List:
		t.Events = [][]byte{}
		for i, item := range given.Items {
			if item.Kind != yamldoc.Map {
				r.fail(item.Pos, fmt.Sprintf("%s[%d]", key, i), CodeType, `write {type: order.created, data: {total: 5}}`, "an event is a map, not %s", item.Kind)
				continue
			}
			t.Events = append(t.Events, appendJSON(nil, item))
		}
	default:
		t.Given = r.scalar(given, key)
	}
}
