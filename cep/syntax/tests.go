package syntax

import (
	"fmt"
	"strconv"

	"github.com/rhost/rhost/yamldoc"
)

// tests reads the list under `tests`.
func (r *reader) tests(n *yamldoc.Node) []Test {
	if n == nil || n.Kind == yamldoc.Null {
		return nil
	}
	if n.Kind != yamldoc.List {
		r.fail(n.Pos, "tests", CodeType, "write `- {given: events.ndjson, expect: {matches: 1}}` below it", "must be a list, not %s", n.Kind)
		return nil
	}
	var tests []Test
	for i, item := range n.Items {
		tests = append(tests, r.test(item, fmt.Sprintf("tests[%d]", i)))
	}
	return tests
}

func (r *reader) test(n *yamldoc.Node, key string) Test {
	t := Test{Pos: n.Pos}
	if n.Kind != yamldoc.Map {
		r.fail(n.Pos, key, CodeType, "write {given: …, expect: {matches: 1}}", "must be a map, not %s", n.Kind)
		return t
	}
	r.keys(n, key, testKeys())
	r.given(n, key, &t)
	expect := n.Get("expect")
	switch {
	case expect == nil:
		r.fail(n.Pos, join(key, "expect"), CodeRequired, "write expect: {matches: 1}", "is missing")
	case expect.Kind != yamldoc.Map:
		r.fail(expect.Pos, join(key, "expect"), CodeType, "write {matches: 1}", "must be a map, not %s", expect.Kind)
	default:
		key = join(key, "expect")
		r.keys(expect, key, expectKeys())
		if m := expect.Get("matches"); m == nil {
			r.fail(expect.Pos, join(key, "matches"), CodeRequired, "write {matches: 1}", "is missing")
		} else {
			t.Expect.Matches = r.count(m, join(key, "matches"), 0)
		}
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

// count reads a whole number of at least least.
func (r *reader) count(n *yamldoc.Node, key string, least int) int {
	i, err := strconv.Atoi(n.Text)
	if f := n.Float(); err != nil && n.Kind == yamldoc.Number && f == float64(int32(f)) {
		i, err = int(f), nil // 1_000 and 1e3
	}
	if n.Kind != yamldoc.Number || err != nil || i < least || i > maxCount {
		r.fail(n.Pos, key, CodeValue, fmt.Sprintf("write a whole number from %d to %d", least, maxCount), "%q is none", n.Text)
		return least
	}
	return i
}

// maxCount bounds every number of a rule.
const maxCount = 1_000_000_000
