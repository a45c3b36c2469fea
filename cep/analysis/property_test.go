package analysis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/event"
)

// test draws a test of one of few fields against one of few constants, so that
// tests exclude and imply each other often.
func test(t *rapid.T) string {
	field := rapid.SampledFrom([]string{"data.x", "data.y", "data.x.z", "subject"}).Draw(t, "field")
	number := fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "number"))
	word := `"` + rapid.SampledFrom([]string{"", "a", "ab", "abc", "b", "bc", "B", "10.0.0.1", "10.1.0.0"}).Draw(t, "word") + `"`
	net := `"` + rapid.SampledFrom([]string{"10.0.0.0/8", "10.1.0.0/16", "10.0.0.1", "192.168.0.0/16", "::/0", "::ffff:10.0.0.0/104"}).Draw(t, "net") + `"`
	low := strings.ToLower(word)
	return rapid.SampledFrom([]string{
		field + " == " + number, field + " != " + number, field + " < " + number, field + " >= " + number, field + " > " + number, field + " <= " + number,
		field + " == " + word, field + " != " + word, field + " < " + word, field + " >= " + word,
		field + " in [" + number + ", " + word + "]", field + ".startsWith(" + word + ")", field + ".endsWith(" + word + ")",
		field + ".contains(" + word + ")", "lower(" + field + ") == " + low, "lower(" + field + ").startsWith(" + low + ")",
		"lower(" + field + ").contains(" + low + ")", "cidr(" + field + ", " + net + ")", "has(data.x)", field + " == true", "data.y", field + " == null",
		field + ".matches(" + word + ")",
		"type == " + word, "type != " + word, "type in [" + word + `, "a"]`, "type.startsWith(" + word + ")",
	}).Draw(t, "test")
}

func condition(t *rapid.T, depth int) string {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		if rapid.IntRange(0, 3).Draw(t, "not") == 0 {
			return "!(" + test(t) + ")"
		}
		return test(t)
	}
	sign := rapid.SampledFrom([]string{" && ", " && ", " || "}).Draw(t, "sign")
	return "(" + condition(t, depth-1) + sign + condition(t, depth-1) + ")"
}

var values = []string{
	"0", "1", "2", "3", "1.5", "-1", `""`, `"a"`, `"ab"`, `"abc"`, `"b"`, `"bc"`, `"B"`, `"ABC"`, `"xabcx"`, `"10.0.0.1"`, `"10.1.0.0"`, `"::ffff:10.1.2.3"`, `"fe80::1"`,
	"true", "false", "null", "[]", `{"z":1}`, `{"z":"ab"}`, `{"z":null}`,
}

func drawEvent(t *rapid.T) event.Event {
	ev := event.Event{ID: "e", Type: rapid.SampledFrom([]string{"a", "ab", "abc", "b", "B", "x"}).Draw(t, "type")}
	if rapid.Bool().Draw(t, "subject") {
		ev.Subject = rapid.SampledFrom([]string{"a", "ab", "b", "bc"}).Draw(t, "text")
	}
	var fields []string
	for _, name := range []string{"x", "y"} {
		if rapid.IntRange(0, 4).Draw(t, "has") > 0 {
			fields = append(fields, `"`+name+`":`+rapid.SampledFrom(values).Draw(t, name))
		}
	}
	if len(fields) > 0 {
		ev.Data = []byte("{" + strings.Join(fields, ",") + "}")
	}
	return ev
}

// What is called never is never, what is called always is always, and a rule that
// is called covered never matches without the other: no event of very many shows
// otherwise.
func TestNeverIsNever(t *testing.T) {
	said := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		text := "rule: a\nwhen: '" + condition(t, 2) + "'\n---\nrule: b\nwhen: '" + condition(t, 2) + "'\n"
		rules, err := cep.ParseRules("r.yaml", []byte(text))
		if err != nil {
			t.Skip("no rule was drawn: ", err)
		}
		p, err := cep.Compile(rules)
		if err != nil {
			t.Skip("no rule was drawn, but such as an order of what has none: ", err)
		}
		never, always, covered := make(map[string]bool), make(map[string]bool), make(map[string]string)
		for _, w := range analysis.Check(p) {
			said[w.Code]++
			switch w.Code {
			case analysis.CodeNever:
				never[w.Rule] = true
			case analysis.CodeAlways:
				always[w.Rule] = true
			case analysis.CodeCovered, analysis.CodeShadowed:
				covered[w.Rule] = w.Rules[0]
			case analysis.CodeSame:
				covered[w.Rule], covered[w.Rules[0]] = w.Rules[0], w.Rule
			}
		}
		if len(never)+len(always)+len(covered) == 0 {
			return
		}
		m := cep.NewMatcher(p, cep.Options{})
		for i := range 60 {
			ev := drawEvent(t)
			met := make(map[string]bool)
			for _, match := range m.Feed(&ev, cep.Position{Seq: uint64(i) + 1}, time.Time{}, nil) {
				met[match.Rule.Name] = true
			}
			for _, rule := range []string{"a", "b"} {
				switch {
				case never[rule] && met[rule]:
					t.Fatalf("%s was said never to match, and matches %s\n%s", rule, ev.AppendJSON(nil), text)
				case always[rule] && !met[rule]:
					t.Fatalf("%s was said always to match, and does not match %s\n%s", rule, ev.AppendJSON(nil), text)
				case met[rule] && covered[rule] != "" && !met[covered[rule]]:
					t.Fatalf("%s was said to be covered, and only it matches %s\n%s", rule, ev.AppendJSON(nil), text)
				}
			}
		}
	})
	for _, code := range []string{analysis.CodeNever, analysis.CodeShadowed} {
		require.NotZero(t, said[code], "the property says something only if %s is found", code)
	}
	t.Log(said)
}

// A pattern that is called impossible gives no match.
func TestImpossibleIsImpossible(t *testing.T) {
	said := 0
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.SampledFrom([]string{
			"a then b", "a next b", "a then b? then c", "a then (b | c)", "a then not b then c", "a then any b then c", "a{2} then b", "(a then b){1,2} then c", "a & b", "a next not b then c",
		}).Draw(t, "pattern")
		text := "rule: r\nwhen:\n  pattern: " + pattern + "\n  within: 1h\n  define:\n"
		for _, name := range []string{"a", "b", "c"} {
			if strings.Contains(pattern, name+" ") || strings.Contains(pattern, name+"?") || strings.HasSuffix(strings.TrimRight(pattern, ")"), name) || strings.Contains(pattern, name+")") || strings.Contains(pattern, name+"{") {
				text += "    " + name + ": '" + condition(t, 1) + "'\n"
			}
		}
		rules, err := cep.ParseRules("r.yaml", []byte(text))
		if err != nil {
			t.Skip("no rule was drawn: ", err)
		}
		p, err := cep.Compile(rules)
		if err != nil {
			t.Skip("no rule was drawn: ", err)
		}
		impossible := false
		for _, w := range analysis.Check(p) {
			impossible = impossible || w.Code == analysis.CodePattern
		}
		if !impossible {
			return
		}
		said++
		m := cep.NewMatcher(p, cep.Options{})
		for i := range 40 {
			ev := drawEvent(t)
			if matches := m.Feed(&ev, cep.Position{Seq: uint64(i) + 1}, time.Time{}, nil); len(matches) > 0 {
				t.Fatalf("a pattern was said never to complete, and does\n%s", text)
			}
		}
	})
	require.NotZero(t, said)
}
