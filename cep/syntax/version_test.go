package syntax_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/syntax"
)

func TestVersionIgnoresSpelling(t *testing.T) {
	version := func(src string) string {
		t.Helper()
		rules, err := syntax.Parse("r.yaml", []byte(src))
		require.NoError(t, err, src)
		require.Len(t, rules, 1)
		return rules[0].Version
	}
	base := version("rule: a\nwhen:\n  pattern: x{0,1} then y\n  within: 60s\n  define: {x: type == \"x\", y: true}\ndo:\n  - {run: p, with: {n: 5}}\n")
	same := map[string]string{
		"comments and space": "# c\n\nrule:   a # c\nwhen:\n    pattern: \"x?   then y\"\n    within: 1m\n    define:\n        y: true\n        x: |\n          type ==\n             \"x\"\ndo: [{with: {\"n\": 5}, run: p}]\n",
		"order and defaults": "do: [{run: p, with: {n: 5}}]\nmode: live\npriority: normal\nwhen:\n  skip: past-last\n  emit: immediate\n  limit: {runs: 1000}\n  define: {y: true, x: 'type == \"x\"'}\n  pattern: x? then y\n  within: 1m\nrule: a\n",
	}
	for name, src := range same {
		assert.Equal(t, base, version(src), name)
	}
	grouped := version("rule: g\nwhen: {pattern: '(a then b){2} then c', within: {gap: 5s}, define: {a: data.a, b: data.b, c: data.c}}\n")
	assert.Equal(t, grouped, version("rule: g\nwhen: {pattern: '((a) then (b)){2,2} then (c)', define: {a: {where: data.a, wait: 5s}, b: {where: data.b, wait: 5000ms}, c: {wait: 5s, where: data.c}}}\n"),
		"brackets and gaps")
	for _, change := range [][2]string{
		{"rule: a", "rule: b"},
		{"type == \"x\"", "type == \" x\""},
		{"60s", "61s"},
		{"then y", "next y"},
		{"n: 5", "n: \"5\""},
		{"run: p", "run: q"},
		{"y: true", "y: {where: true, optional: true}"},
	} {
		src := strings.Replace("rule: a\nwhen:\n  pattern: x{0,1} then y\n  within: 60s\n  define: {x: type == \"x\", y: true}\ndo:\n  - {run: p, with: {n: 5}}\n", change[0], change[1], 1)
		assert.NotEqual(t, base, version(src), change)
	}
}

// Everything that a rule can say is part of its version.
func TestVersionHoldsEverything(t *testing.T) {
	const base = `rule: r
mode: live
when:
  pattern: g{2,} then any (a | b) next c+ then not d then e
  by: data.x
  within: 1m
  skip: {to-last: c}
  score: data.s
  define:
    g: {pattern: h & i, repeat: next, until: data.stop, gap: 5s}
    h: data.h
    i: {where: data.i, wait: 2s}
    a: data.a
    b: data.b
    c: {where: data.c, greedy: true}
    d: data.d
    e: data.e
`
	windows := `rule: r
when: {window: tumbling 1m, where: data.w, let: {n: "count()", m: "sum(data.y)"}, having: n > 5}
`
	schedules := `rule: r
when: {schedule: 0 3 * * *, timezone: UTC, missed: all, dst: skip}
`
	states := `rule: r
when: {state: data.z, above: 1, tolerance: 0.5, for: 1m, where: data.w}
`
	tests := `rule: r
when: {condition: data.c, score: 0.5, at_least: 0.25}
tests: [{given: a.ndjson, advance: "2026-01-01T00:00:00Z", expect: {timeouts: 1, bind: [{event: x}]}}]
`
	seen := map[string]string{}
	check := func(src string) {
		t.Helper()
		rules, err := syntax.Parse("r.yaml", []byte(src))
		require.NoError(t, err, src)
		assert.Empty(t, seen[rules[0].Version], src)
		seen[rules[0].Version] = src
	}
	for src, changes := range map[string][][2]string{
		base: {
			{"mode: live", "on_change: keep"},
			{"mode: live", "on_change: drain"},
			{"{2,}", "{3,}"},
			{"then any (a", "then (a"},
			{"(a | b)", "(a & b)"},
			{"(a | b)", "(a then b)"},
			{"(a | b)", "(a | b)?"},
			{"next c+", "next c{2,}"},
			{"within: 1m", "within: {gap: 1m}"},
			{"to-last: c", "to-first: c"},
			{"to-last: c", "to-last: e"},
			{"to-last: c", "to-last: c, on_miss: error"},
			{"skip: {to-last: c}", "skip: to-next"},
			{"score: data.s", "score: data.t"},
			{"score: data.s", "score: data.s\n  at_least: 0.5"},
			{"h & i", "h | i"},
			{"repeat: next, until", "repeat: any, until"},
			{"data.stop", "data.halt"},
			{"gap: 5s", "gap: 6s"},
			{"wait: 2s", "wait: 3s"},
			{"greedy: true", "greedy: false"},
			{"e: data.e", "e: {where: data.e, wait: 1m}"},
		},
		windows:   {{"tumbling 1m", "tumbling 2m"}, {"data.w", "data.v"}, {"count()", "count(data.y)"}, {"n: \"count()\", m: \"sum(data.y)\"", "m: \"sum(data.y)\", n: \"count()\""}, {"n > 5", "n > 6"}},
		schedules: {{"0 3", "1 3"}, {"UTC", "Europe/Berlin"}, {"all", "none"}, {"dst: skip", "dst: once"}},
		states:    {{"data.z", "data.y"}, {"above: 1", "below: 1"}, {"above: 1", "above: 2"}, {"above: 1", "between: [1, 2]"}, {"0.5", "0.4"}, {"1m", "2m"}, {"data.w", "data.v"}},
		tests:     {{"at_least: 0.25", "at_least: 0.2"}, {"score: 0.5", "score: 0.6"}, {"-01T", "-02T"}, {"timeouts: 1", "timeouts: 2"}, {"event: x", "event: y"}, {"[{event: x}]", "[{event: x}, {}]"}},
		"rule: r\nwhen: {state: data.z, equals: 1}\n": {{"1}", "'1'}"}, {"1}", "true}"}, {"equals", "differs"}, {"equals: 1", "changes: true"}, {"equals: 1", "matches: '1'"}, {"equals: 1", "matches: '2'"}},
	} {
		check(src)
		for _, c := range changes {
			require.Contains(t, src, c[0])
			check(strings.Replace(src, c[0], c[1], 1))
		}
	}
}

// Two patterns have one shape when only their conditions differ.
func TestShape(t *testing.T) {
	const base = "rule: r\nwhen:\n  pattern: a{2,} then g\n  define: {a: {where: data.a, until: data.u}, g: {pattern: b then c}, b: data.b, c: data.c}\n"
	shape := func(src string) string {
		rules, err := syntax.Parse("r.yaml", []byte(src))
		require.NoError(t, err, src)
		return rules[0].When.Pattern.Shape()
	}
	want := shape(base)
	for _, c := range []struct {
		from, to string
		same     bool
	}{
		{"data.a", "data.x", true},
		{"data.u", "data.x", true},
		{"then g", "then  (g)", true},
		{"a{2,}", "a+", false},
		{"then g", "then any g", false},
		{"b then c", "b next c", false},
		{", until: data.u", "", false},
		{", until", ", repeat: any, until", false},
		{", until", ", greedy: true, until", false},
		{", until", ", gap: 1s, until", false},
		{", until", ", wait: 1s, until", false},
		{"b then c}", "b then c, optional: true}", false},
	} {
		require.Contains(t, base, c.from)
		assert.Equal(t, c.same, want == shape(strings.Replace(base, c.from, c.to, 1)), "%s for %s", c.to, c.from)
	}
}
