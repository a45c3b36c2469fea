package sigma_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/sigma"
	"github.com/rhost/rhost/yamldoc"
)

// The mapping of the property tests: every event, fields under odd names,
// nested, and under two paths.
const plainMapping = `
dots: path
fields:
  two: [data.f1, data.f2]
  odd: data["odd name"]
placeholders:
  names: [k1, 'a*', '4?']
`

func plainPaths(_ *yamldoc.Node, field string) [][]string {
	switch field {
	case "two":
		return [][]string{{"f1"}, {"f2"}}
	case "odd":
		return [][]string{{"odd name"}}
	}
	return [][]string{strings.Split(field, ".")}
}

func everySource(*yamldoc.Node, map[string]any) bool { return true }

var (
	propFields = []string{"f1", "f2", "two", "odd", "n.x", "c-uri"}
	// K with a bar is KELVIN SIGN, whose lower case is k; ſ is a letter that
	// regular expressions fold to s and lower() does not.
	propRunes = []string{"a", "B", "k", "K", "\u212a", "ſ", "s", "é", "É", "İ", "ß", "4", "6", "0", ".", "-", "/", " ", `\`, "'", "*", "?", "e", "t"}
	propTexts = []string{
		"", "4", "46", "4.5", "-1", "1e+21", "04", "4.0", "true", "false", "TRUE", "null", "abc", `a\b`, `a\\b`, `\`, `\\`, `*`, `?`, `**`,
		" -a", " /a -b", "a–b", "10.1.2.3", "10.1.2", "::1", "::ffff:10.1.2.3", "2001:db8::1", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8:9", "010.1.2.3",
		"2025-12-06 21:11:02.632", "2025-12-06T05:09:00Z", "2025-12-06", "1999-01-31T23:59", "QUJD", "YmFy", "YQBiAGMA", "é", "K", "a*b", "a?c",
	}
)

func drawText(t *rapid.T, label string) string {
	if rapid.Bool().Draw(t, label+" known") {
		return rapid.SampledFrom(propTexts).Draw(t, label)
	}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(propRunes), 0, 6).Draw(t, label), "")
}

func yamlQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// drawEvent makes an event whose fields are of every type, or missing.
func drawEvent(t *rapid.T, values []string) map[string]any {
	data := make(map[string]any)
	value := func(name string) (any, bool) {
		switch rapid.IntRange(0, 12).Draw(t, "type of "+name) {
		case 0:
			return nil, false
		case 1:
			return nil, true
		case 2:
			return rapid.Bool().Draw(t, name), true
		case 3, 4:
			return rapid.SampledFrom([]float64{0, 4, 46, 4.5, -1, 1e21, 1, 5, 460, 0.4}).Draw(t, name), true
		case 5:
			return rapid.SampledFrom([]any{[]any{}, []any{""}, []any{"a"}, map[string]any{}, map[string]any{"": 1.0}, map[string]any{"x": "a"}}).Draw(t, name), true
		case 6, 7, 8:
			// Something close to what the rule looks for.
			s := rapid.SampledFrom(values).Draw(t, name)
			s = strings.NewReplacer("*", rapid.SampledFrom([]string{"", "a", "ab"}).Draw(t, "star"), "?", rapid.SampledFrom([]string{"", "a", "é"}).Draw(t, "quest")).Replace(s)
			switch rapid.IntRange(0, 3).Draw(t, "case") {
			case 0:
				s = strings.ToUpper(s)
			case 1:
				s = strings.ToLower(s)
			}
			return drawAffix(t) + s + drawAffix(t), true
		default:
			return drawText(t, name), true
		}
	}
	for _, name := range []string{"f1", "f2", "odd name", "c-uri"} {
		if v, ok := value(name); ok {
			data[name] = v
		}
	}
	switch rapid.IntRange(0, 5).Draw(t, "n") {
	case 0:
	case 1:
		data["n"] = rapid.SampledFrom([]any{nil, "x", "", 4.0, true, []any{}, []any{"x"}, map[string]any{}}).Draw(t, "n odd")
	default:
		inner := map[string]any{"y": 1.0}
		if v, ok := value("n.x"); ok {
			inner["x"] = v
		}
		data["n"] = inner
	}
	return map[string]any{"type": "e", "data": data}
}

func drawAffix(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "", "x", " ", "4"}).Draw(t, "affix")
}

// drawField makes one entry of a selection, as YAML.
func drawField(t *rapid.T, seen *[]string) (key, value string) {
	field := rapid.SampledFrom(propFields).Draw(t, "field")
	list := func(draw func(i int) string) string {
		n := rapid.IntRange(1, 3).Draw(t, "values")
		var out []string
		for i := range n {
			out = append(out, draw(i))
		}
		if n == 1 && rapid.Bool().Draw(t, "single") {
			return out[0]
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	text := func(int) string {
		s := drawText(t, "value")
		*seen = append(*seen, s)
		return yamlQuote(s)
	}
	plain := func(int) string {
		s := strings.NewReplacer("*", "", "?", "", `\`, "").Replace(drawText(t, "value")) + "abc"
		*seen = append(*seen, s)
		return yamlQuote(s)
	}
	scalar := func(i int) string {
		switch rapid.IntRange(0, 5).Draw(t, "sort") {
		case 0:
			return rapid.SampledFrom([]string{"4", "46", "4.5", "-1", "1e21", "0", "0.40", "0x2E"}).Draw(t, "number")
		case 1:
			return rapid.SampledFrom([]string{"true", "false", "True"}).Draw(t, "truth")
		case 2:
			return "null"
		}
		return text(i)
	}
	from := func(options ...string) func(int) string {
		return func(int) string { return rapid.SampledFrom(options).Draw(t, "value") }
	}
	mods := ""
	add := func(options ...string) { mods += rapid.SampledFrom(options).Draw(t, "modifier") }
	switch rapid.IntRange(0, 13).Draw(t, "kind") {
	case 0, 1:
		add("", "", "|cased", "|neq", "|all")
		value = list(scalar)
	case 2, 3:
		add("|contains", "|startswith", "|endswith")
		add("", "", "|all", "|cased", "|neq", "|all|cased")
		value = list(text)
	case 4:
		add("", "|contains", "|startswith", "|endswith")
		mods += "|windash"
		add("", "|all", "|cased")
		value = list(text)
	case 5:
		mods = "|re"
		add("", "|i", "|m", "|s", "|i|s")
		add("", "|all", "|neq")
		value = list(from("'a'", `'^4'`, `'^[0-9.]+$'`, `'k.$'`, `'^$'`, `'(a|b)?'`, `'^\s'`, `'t?r[tu]'`, `'^a.c$'`, `'[^4]'`, `'e'`))
	case 6:
		mods = "|cidr"
		add("", "|neq")
		value = list(from("10.0.0.0/8", "10.1.2.3/32", "'::/0'", "'2001:db8::/32'", "'::ffff:0:0/96'", "0.0.0.0/0", "10.1.2.3"))
	case 7:
		mods = "|exists"
		value = from("true", "false")(0)
	case 8:
		add("|lt", "|lte", "|gt", "|gte")
		add("", "|neq")
		value = list(from("4", "4.5", "-1", "46", "'4'", "0"))
	case 9:
		mods = "|fieldref"
		add("", "|startswith", "|endswith", "|contains", "|cased", "|neq")
		value = from(propFields...)(0)
	case 10:
		add("", "|wide", "|utf16le", "|utf16be", "|utf16")
		add("|base64", "|base64offset")
		add("", "|contains", "|contains|cased")
		value = list(plain)
	case 11:
		add("|minute", "|hour", "|day", "|month", "|year")
		add("", "|lt", "|gte", "|gt", "|lte", "|neq")
		value = list(from("5", "9", "11", "12", "6", "21", "2025", "1999", "31"))
	case 12:
		mods = "|expand"
		add("", "|contains", "|endswith|all")
		value = list(from("'%names%'", "'x%names%'", "'%names%%names%'"))
	default:
		return yamlQuote(rapid.SampledFrom([]string{"|all", "|contains", "|cased"}).Draw(t, "keyword modifier")), list(text)
	}
	return yamlQuote(field + mods), value
}

func drawSelection(t *rapid.T, seen *[]string) string {
	one := func() string {
		entries := make(map[string]string)
		var keys []string
		for range rapid.IntRange(1, 3).Draw(t, "fields") {
			k, v := drawField(t, seen)
			if _, ok := entries[k]; !ok {
				keys = append(keys, k)
			}
			entries[k] = v
		}
		var out []string
		for _, k := range keys {
			out = append(out, k+": "+entries[k])
		}
		return "{" + strings.Join(out, ", ") + "}"
	}
	switch rapid.IntRange(0, 5).Draw(t, "selection") {
	case 0:
		return "[" + one() + ", " + one() + "]"
	case 1:
		s := drawText(t, "keyword")
		*seen = append(*seen, s)
		return "[" + yamlQuote(s) + ", " + one() + "]"
	default:
		return one()
	}
}

func drawCondition(t *rapid.T, depth int) string {
	if depth == 0 || rapid.IntRange(0, 2).Draw(t, "leaf") == 0 {
		return rapid.SampledFrom([]string{
			"sel_a", "sel_b", "_other", "1 of sel_*", "all of sel_*", "1 of them", "all of them", "any of *", "2 of *", "not sel_a", "NOT 1 of sel_*",
		}).Draw(t, "operand")
	}
	a, b := drawCondition(t, depth-1), drawCondition(t, depth-1)
	switch rapid.IntRange(0, 4).Draw(t, "operator") {
	case 0:
		return a + " and " + b
	case 1:
		return a + " or " + b
	case 2:
		return "not (" + a + " OR " + b + ")"
	case 3:
		return "(" + a + " or " + b + ") and not (" + b + ")"
	default:
		return a + " and not " + strings.TrimPrefix(b, "not ")
	}
}

// What is converted decides every event as the reference does, whatever the
// selections, modifiers and types.
func TestAgreesWithReference(t *testing.T) {
	m, err := sigma.ParseMapping("mapping.yaml", []byte(plainMapping))
	require.NoError(t, err)
	named := map[string][]string{"names": {"k1", "a*", "4?"}}
	checks := 0
	rapid.Check(t, func(t *rapid.T) {
		if checks++; checks > 12 && os.Getenv("RHOST_SOAK") == "" {
			return // compiling is what takes the time
		}
		var docs []*yamldoc.Node
		var rules []*cep.Rule
		var texts, names []string
		seen := []string{"a"}
		for n := range 6 {
			src := fmt.Sprintf("title: rule %d\nlogsource: {}\ndetection:\n  sel_a: %s\n  sel_b: %s\n  _other: %s\n  condition: %s\n",
				n, drawSelection(t, &seen), drawSelection(t, &seen), drawSelection(t, &seen), drawCondition(t, 2))
			i := sigma.New(m)
			require.NoError(t, i.Add("rule.yml", []byte(src)), src)
			out, problems := i.Convert()
			if len(problems) == 1 && strings.Contains(problems[0].Why, "bytes or more") || len(out) == 1 && strings.Contains(string(out[0].YAML), "\n  pattern: ") {
				continue // longer than a condition may be
			}
			require.Empty(t, problems, src)
			parsed, err := cep.ParseRules("rule", out[0].YAML)
			require.NoError(t, err, "%s\n%s", src, out[0].YAML)
			names = append(names, "rule-"+strconv.Itoa(n))
			docs, rules = append(docs, parseDoc(t, []byte(src))), append(rules, parsed...)
			texts = append(texts, src+string(out[0].YAML))
		}
		p, err := cep.Compile(rules)
		require.NoError(t, err, texts)
		s := cep.NewStream(p, cep.Options{})
		for e := range 12 {
			ev := drawEvent(t, seen)
			line, err := json.Marshal(ev)
			require.NoError(t, err)
			matches, err := s.Line(e+1, line, nil)
			require.NoError(t, err)
			got := make(map[string]bool)
			for _, m := range matches {
				got[m.Rule.Name] = true
			}
			for n, doc := range docs {
				want := reference{doc: doc, event: ev, source: everySource, paths: plainPaths, named: named}.decide()
				require.Equal(t, want, got[names[n]], "%s\n%s", line, texts[n])
			}
		}
	})
}
