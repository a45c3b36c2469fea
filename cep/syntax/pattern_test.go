package syntax_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

// document wraps a pattern in the rule it needs.
func document(pattern string, names []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "rule: r\nwhen:\n  within: 1m\n  pattern: %s\n  define:\n", pattern)
	for _, n := range names {
		fmt.Fprintf(&b, "    %s: type == %q\n", n, n)
	}
	return b.String()
}

func TestPatternUnits(t *testing.T) {
	src := document("a? then b* next c+ then d{3} then not e next f{2,} next not g then h{0,4} then i{0,}",
		strings.Split("abcdefghi", ""))
	rules, err := syntax.Parse("r.yaml", []byte(src))
	require.NoError(t, err)
	type unit struct {
		name     string
		link     syntax.Link
		min, max int
		optional bool
	}
	want := []unit{
		{"a", syntax.Begin, 1, 1, true},
		{"b", syntax.Then, 1, syntax.Unbounded, true},
		{"c", syntax.Next, 1, syntax.Unbounded, false},
		{"d", syntax.Then, 3, 3, false},
		{"e", syntax.ThenNot, 1, 1, false},
		{"f", syntax.Next, 2, syntax.Unbounded, false},
		{"g", syntax.NextNot, 1, 1, false},
		{"h", syntax.Then, 1, 4, true},
		{"i", syntax.Then, 1, syntax.Unbounded, true},
	}
	var got []unit
	for _, u := range rules[0].When.Pattern.Units {
		got = append(got, unit{u.Name, u.Link, u.Min, u.Max, u.Optional})
	}
	assert.Equal(t, want, got)
	assert.Equal(t, 3, rules[0].When.Pattern.Index("d"))
	assert.Equal(t, -1, rules[0].When.Pattern.Index("z"))
}

// Whatever pattern is accepted, its own spelling means the same.
func TestPatternStringParsesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, names := randomPattern(t)
		rules, err := syntax.Parse("r.yaml", []byte(document(text, names)))
		require.NoError(t, err, text)
		first := rules[0].When.Pattern
		rules, err = syntax.Parse("r.yaml", []byte(document(first.String(), names)))
		require.NoError(t, err, first.String())
		second := rules[0].When.Pattern
		for i := range first.Units {
			first.Units[i].Pos, second.Units[i].Pos = yamldoc.Pos{}, yamldoc.Pos{}
			first.Units[i].CondPos, second.Units[i].CondPos = yamldoc.Pos{}, yamldoc.Pos{}
			first.Seq[i].Pos, second.Seq[i].Pos = yamldoc.Pos{}, yamldoc.Pos{}
			first.Elems[i].Pos, second.Elems[i].Pos = yamldoc.Pos{}, yamldoc.Pos{}
			first.Elems[i].CondPos, second.Elems[i].CondPos = yamldoc.Pos{}, yamldoc.Pos{}
		}
		assert.Equal(t, first, second, "%q as %q", text, first)
	})
}

func randomPattern(t *rapid.T) (text string, names []string) {
	optional := false
	for i := range rapid.IntRange(1, 6).Draw(t, "units") {
		name := fmt.Sprintf("e%d", i)
		names = append(names, name)
		links := []string{" then ", " next ", "  then  "}
		if !optional {
			links = append(links, " then not ", " next not ")
		}
		link := ""
		if i > 0 {
			link = rapid.SampledFrom(links).Draw(t, "link")
		}
		quantifiers := []string{"", "?", "*", "+", "{2}", "{2,}", "{1,3}", "{0,3}", "{ 0 , 1 }", "{0,}", "{1}"}
		if strings.Contains(link, "not") {
			quantifiers = quantifiers[:1]
		}
		q := rapid.SampledFrom(quantifiers).Draw(t, "quantifier")
		optional = q == "?" || q == "*" || strings.HasPrefix(q, "{0") || strings.HasPrefix(q, "{ 0")
		text += link + name + q
	}
	return text, names
}

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

func TestCodesAreExplained(t *testing.T) {
	for _, code := range []string{
		syntax.CodeKey, syntax.CodeLater, syntax.CodeRequired, syntax.CodeType, syntax.CodeValue, syntax.CodeName,
		syntax.CodeDuplicate, syntax.CodePattern, syntax.CodeNot, syntax.CodeElement, syntax.CodeWithin, syntax.CodeStates,
	} {
		assert.NotEmpty(t, syntax.Codes()[code], code)
	}
	assert.Len(t, syntax.Codes(), 12)
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		document("a{2,} then not b next c?", []string{"a", "b", "c"}),
		"rule: x\nwhen: type == \"a\"\n---\nrule: y\nwhen: {condition: 'true', by: [data.a]}\n",
		"rule: x\nwhen: {pattern: (a | b){2} then any c & d, define: {}}\ntests: [{given: [{}], expect: {matches: 1e3}}]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		rules, err := syntax.Parse("f.yaml", src)
		if err != nil {
			assert.NotEmpty(t, err.Error())
		}
		for _, r := range rules {
			checkInvariants(t, r)
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"a then b", "(a|b&c){2,3}? then not d", "a{1", "a next any b", "a\u00e9 then", "a then not b{2}", "((((a))))+"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		src := fmt.Sprintf("rule: r\nwhen:\n  within: 1m\n  pattern: %q\n  define: {a: true, b: true, c: true}\n", pattern)
		rules, err := syntax.Parse("f.yaml", []byte(src))
		if err == nil {
			require.Len(t, rules, 1)
			checkInvariants(t, rules[0])
		}
	})
}

// checkInvariants checks what Pattern promises of every rule given out.
func checkInvariants(t *testing.T, r *syntax.Rule) {
	t.Helper()
	require.NotEmpty(t, r.Name)
	require.Len(t, r.Version, 64)
	units := r.When.Pattern.Units
	require.NotEmpty(t, units)
	require.Equal(t, syntax.Begin, units[0].Link)
	seen := map[string]bool{}
	for i, u := range units {
		require.False(t, seen[u.Name], u.Name)
		seen[u.Name] = true
		require.GreaterOrEqual(t, u.Min, 1)
		require.True(t, u.Max == syntax.Unbounded || u.Max >= u.Min)
		require.NotEmpty(t, u.Cond)
		if u.Link.Negative() {
			require.False(t, u.Optional || u.Repeated() || units[i-1].Optional)
		}
	}
	require.GreaterOrEqual(t, r.When.Limit.Runs, 1)
}
