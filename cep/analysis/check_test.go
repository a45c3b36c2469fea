package analysis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/event"
)

func program(t testing.TB, text string) *cep.Program {
	t.Helper()
	rules, err := cep.ParseRules("r.yaml", []byte(text))
	require.NoError(t, err)
	p, err := cep.Compile(rules)
	require.NoError(t, err)
	return p
}

// found gives the code and what is said of each warning.
func found(t testing.TB, text string) []string {
	t.Helper()
	var list []string
	for _, w := range analysis.Check(program(t, text)) {
		assert.Contains(t, analysis.Codes(), w.Code)
		assert.NotEmpty(t, w.Fix, w.Code)
		assert.NotZero(t, w.Pos.Line, w.Code)
		list = append(list, w.Code+" "+w.Rule+": "+w.What)
	}
	return list
}

func TestConditions(t *testing.T) {
	for _, c := range []struct{ cond, want string }{
		{`type == "a" && type == "b"`, `check-never r: event: no event meets the condition: type == "a" and type == "b" exclude each other`},
		{`type == "a" && data.x == 1 && data.x == 2`, `check-never r: event: no event meets the condition: data.x == 1 and data.x == 2 exclude each other`},
		{`data.x > 5 && data.x < 3`, `data.x > 5 and data.x < 3`},
		{`data.x > 3 && data.x < 5`, ``},
		{`data.x > 3 && data.x <= 3`, `exclude each other`},
		{`data.x >= 3 && data.x <= 3 && data.x != 3`, `check-never`},
		{`data.x == "a" && data.x > 3`, `exclude each other`},
		{`data.x.startsWith("ab") && data.x.startsWith("ac")`, `exclude each other`},
		{`data.x.startsWith("ab") && data.x == "ac"`, `exclude each other`},
		{`data.x.startsWith("b") && data.x < "b"`, `exclude each other`},
		{`data.x.endsWith(".exe") && data.x.endsWith(".dll")`, `exclude each other`},
		{`data.x.endsWith("b.exe") && data.x.endsWith(".exe")`, ``},
		{`data.x.startsWith("abc") && !data.x.contains("bc")`, `check-never`},
		{`lower(data.x).contains("a") && !lower(data.x).contains("a")`, `check-condition r: event: lower(data.x).contains("a") && !lower(data.x).contains("a") is never true`},
		{`cidr(data.ip, "10.0.0.0/8") && cidr(data.ip, "192.168.0.0/16")`, `exclude each other`},
		{`cidr(data.ip, "10.0.0.0/8") && cidr(data.ip, "10.1.0.0/16")`, ``},
		{`cidr(data.ip, "10.1.0.0/16") && !cidr(data.ip, "10.0.0.0/8")`, `check-never`},
		{`!has(data.x) && data.x == 1`, ``}, // has(data.x) is false without a payload, and a test by itself
		{`has(data.x) || !has(data.x)`, ``}, // unknown where data.x cannot be
		{`type != "a" || type != "b"`, `check-always`},
		{`data.x != 1 || data.x != 2`, ``}, // not where it is missing
		{`type == "a" || (type == "b" && type == "c")`, `check-dead r: event: the alternative type == "b" && type == "c" can never hold here`},
		{`type == "a" && (data.x == 1 || type == "b")`, `the alternative type == "b" can never hold here`},
		{`data.x in [1, 2] && data.x in [3, 4]`, `exclude each other`},
		{`data.x in [1, 2] && data.x in [2, 3]`, ``},
		{`data.x + 1 > 2`, ``},
		{`true`, ``},
		{`true || type == "a"`, `check-condition r: event: true || type == "a" is always true`},
	} {
		t.Run(c.cond, func(t *testing.T) {
			got := strings.Join(found(t, "rule: r\nwhen: '"+c.cond+"'\n"), "\n")
			if c.want == "" {
				assert.Empty(t, got)
			} else {
				assert.Contains(t, got, c.want)
			}
		})
	}
}

func TestRules(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"same", `
rule: a
when: data.x == 1 && type == "t"
---
rule: b
when: type == "t" && data.x == 1
do: [{run: p}]`, "check-same b: waits for the same as a (r.yaml:2:1)"},
		{"covered", `
rule: wide
when: type == "t" && data.n > 5
do: [{run: p}]
---
rule: narrow
when: type == "t" && data.n > 10 && data.user == "root"
do: [{run: q}]`, "check-covered narrow: each of its events matches wide (r.yaml:2:1) as well"},
		{"shadowed", `
rule: wide
when: type in ["t", "u"]
do: [{run: p, with: {a: 1}}]
---
rule: narrow
when: type == "t" && data.n > 10
do: [{run: p, with: {a: 1}}]`, "check-shadowed narrow: adds nothing: each of its events matches wide (r.yaml:2:1), which does the same"},
		{"one of several", `
rule: wide
when: data.user == "root" || data.n > 5
do: [{run: p}]
---
rule: narrow
when: type == "t" && data.n > 10`, "check-covered narrow"},
		{"the later covers", `
rule: wide
when: type == "t" && data.n > 10
---
rule: other
when: type == "t" && data.n > 5`, "check-shadowed wide: adds nothing: each of its events matches other"},
		{"covered, and says something else", `
rule: wide
when: type == "t"
---
rule: narrow
severity: high
when: type == "t" && data.n > 10`, "check-covered narrow"},
		{"apart", `
rule: a
when: type == "t" && data.n > 10
---
rule: b
when: type == "t" && data.m > 5`, ""},
		{"effects", `
rule: a
when: type == "t"
do: [{run: level, with: {to: 1}}]
---
rule: b
when: type == "t"
do: [{run: level, with: {to: 2}}]`, "check-effects b: a (r.yaml:4:6), which matches the same events, runs level with other arguments"},
		{"files", `
rule: a
when: type == "t"
do: [{file: {delete: {path: "${event.data.path}"}}}]
---
rule: b
when: type == "t"
do: [{file: {copy: {from: "${event.data.path}", to: /x}}}]`, "does delete where this does copy, to ${event.data.path}"},
		{"loop", `
rule: a
when: type == "x"
do: [{emit: {type: y, data: {level: 2}}}]
---
rule: b
when: type == "y" && data.level > 1
do: [{emit: {type: x}}]`, "check-loop a: rules cause each other in a loop: a → b → a"},
		{"its own", `
rule: a
when: type.startsWith("x")
do: [{emit: {type: x.y}}]`, "check-loop a: its own events make it match again"},
		{"no loop by data", `
rule: a
when: type == "x"
do: [{emit: {type: y, data: {level: 1}}}]
---
rule: b
when: type == "y" && data.level > 1
do: [{emit: {type: x}}]`, ""},
		{"no loop by a field it lacks", `
rule: a
when: type == "x" && data.by == "hand"
do: [{emit: {type: x, data: {n: "${event.data.n}"}}}]`, ""},
		{"impossible", `
rule: a
when:
  pattern: a then b
  define: {a: type == "a", b: type == "b" && data.x > 5 && data.x < 3}
  within: 1m`, "check-pattern a: no events complete the pattern a then b"},
		{"optional and impossible", `
rule: a
when:
  pattern: a then b? then c
  define: {a: type == "a", b: type == "b" && data.x > 5 && data.x < 3, c: type == "c"}
  within: 1m`, "check-never a: b: no event meets"},
		{"no within", `
rule: a
when:
  pattern: a then b
  define: {a: type == "a", b: type == "b"}
  by: data.ip`, "check-within a: the pattern may wait for ever for its end, for each data.ip"},
		{"loop without within", `
rule: a
when:
  pattern: a+ then b
  define: {a: type == "a", b: type == "b"}`, "check-within a: the pattern repeats without a bound"},
		{"limit", `
rule: a
when:
  pattern: a{20} then b
  define: {a: type == "a", b: type == "b"}
  within: 1m
  limit: {runs: 10, full: drop-oldest}`, "check-limit a: a must come 20 times, and only the last 10 are kept"},
		{"not", `
rule: a
when:
  pattern: a then not b then c
  define: {a: type == "a", b: type == "c" && data.x == 1, c: type == "c"}
  within: 1m`, "check-not a: not b forbids nothing"},
		{"having", `
rule: a
when: {window: tumbling 1m, let: {n: count()}, having: n > 5 && n < 3}`, "check-never a: having: no event meets the condition"},
		{"count window", `
rule: a
when: {window: count 10, by: data.ip, let: {n: count()}}`, "check-keys a: each data.ip keeps its unfinished window for ever"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(found(t, c.text), "\n")
			if c.want == "" {
				assert.Empty(t, got)
			} else {
				assert.Contains(t, got, c.want)
			}
		})
	}
}

// What is said never to complete does not: the limit drops the first event.
func TestLimitHolds(t *testing.T) {
	p := program(t, `
rule: a
when:
  pattern: a{20} then b
  define: {a: type == "a", b: type == "b"}
  within: 1m
  limit: {runs: 10, full: drop-oldest}`)
	m := cep.NewMatcher(p, cep.Options{})
	var matches []cep.Match
	for i := range 200 {
		ev := event.Event{ID: fmt.Sprint(i), Type: "a"}
		if i%30 == 29 {
			ev.Type = "b"
		}
		matches = m.Feed(&ev, cep.Position{Seq: uint64(i) + 1}, time.Time{}, matches)
	}
	assert.Empty(t, matches)
}

func TestManyRules(t *testing.T) {
	var b strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&b, "---\nrule: r%d\nwhen: type == \"t%d\" && data.n > %d && data.host == \"h%d\"\ndo: [{emit: {type: t%d}}]\n", i, i%7, i, i%500, (i+1)%7)
	}
	p := program(t, b.String())
	began := time.Now()
	list := analysis.Check(p)
	t.Logf("%d warnings in %v", len(list), time.Since(began))
	assert.NotEmpty(t, list)
}

// Conditions written to take long are given up on, not thought through.
func TestHostileConditions(t *testing.T) {
	repeat := func(n int, sign, format string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i))
		}
		return strings.Join(parts, sign)
	}
	for name, cond := range map[string]string{
		"a long list against many alternatives": `data.x in [` + repeat(20_000, ",", `"v#"`) + `] && (` + repeat(2000, " || ", `data.x == "v#"`) + `)`,
		"many exceptions":                       repeat(3000, " && ", `data.x != #`),
		"many choices":                          repeat(700, " && ", `(data.x# == # || data.x == #)`),
		"many pieces":                           repeat(3000, " && ", `data.x.contains("#")`),
	} {
		t.Run(name, func(t *testing.T) {
			assert.Empty(t, found(t, "rule: r\nwhen: '"+cond+"'\n"))
		})
	}
}
