package sigma_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/sigma"
)

// rule gives a rule around a detection.
func rule(detection string) string {
	return "title: T\nlogsource: {product: linux}\ndetection:\n" + detection
}

func convert(t testing.TB, m *sigma.Mapping, src string) ([]sigma.Converted, []sigma.Problem) {
	t.Helper()
	i := sigma.New(m)
	_ = i.Add("f.yml", []byte(src)) // what is wrong is among the problems
	return i.Convert()
}

// What cannot be converted is told with its place, the reason and the remedy.
func TestProblems(t *testing.T) {
	const base = "title: B\nname: b\nlogsource: {product: linux}\ndetection: {s: {a: b}, condition: s}\n---\ntitle: B2\nname: b2\nlogsource: {product: linux}\ndetection: {s: {a: c}, condition: s}\n---\ntitle: C\n"
	for _, c := range []struct{ name, src, want string }{
		{"yaml", "title: [", `f.yml:1:8: title: YAML does not read this as a text`},
		{"anchor", rule("  a: &x {b: c}\n  condition: a"), "f.yml:4:6: a: anchors (&x) are not taken here; if it is a text, quote it: a: '&x {b: c}'"},
		{"no map", "- a", "f.yml:1:1: a Sigma rule is a map of keys, not a list; start with title:"},
		{"neither", "title: T", "f.yml:1:1: T: detection: the document has neither a detection nor a correlation; add one of them"},
		{"action", "action: global\ntitle: T", "f.yml:1:9: T: action: action: global, repeat and reset are not part of Sigma any more; write each rule out"},
		{"no condition", rule("  a: {b: c}"), "f.yml:4:3: T: condition: the detection has no condition; name the selection: condition: selection"},
		{"unknown selection", rule("  sel: {b: c}\n  condition: sell"), `f.yml:5:14: T: condition: there is no selection sell; did you mean sel?`},
		{"no such pattern", rule("  sel: {b: c}\n  condition: 1 of filter_*"), "f.yml:5:14: T: condition: no selection is meant by filter_*; name selections that exist"},
		{"end", rule("  sel: {b: c}\n  condition: sel and"), "f.yml:5:14: T: condition: the condition ends too early; write the name of a selection"},
		{"bracket", rule("  sel: {b: c}\n  condition: (sel"), "f.yml:5:14: T: condition: a bracket is not closed; close it"},
		{"two operands", rule("  sel: {b: c}\n  condition: sel sel"), `f.yml:5:14: T: condition: "sel" is not expected here; write and or or before it`},
		{"quantifier", rule("  sel: {b: c}\n  condition: some of sel"), `f.yml:5:14: T: condition: "some" of is not known; write 1, all or any`},
		{"too many", rule("  sel: {b: c}\n  condition: 2 of them"), `f.yml:5:14: T: condition: 2 of 1 selections cannot hold; write all`},
		{"deep", rule("  sel: {b: c}\n  condition: " + strings.Repeat("(", 40) + "sel" + strings.Repeat(")", 40)), "f.yml:5:14: T: condition: more than 24 brackets and nots in one another; flatten it"},
		{"modifier", rule("  sel: {b|contain: c}\n  condition: sel"), "f.yml:4:9: T: contain: there is no modifier contain; did you mean contains?"},
		{"week", rule("  sel: {b|week: 3}\n  condition: sel"), "f.yml:4:9: T: week: conditions cannot work out the week of a date; use day or month, or compare with a date"},
		{"comparisons", rule("  sel: {b|re|cidr: c}\n  condition: sel"), "f.yml:4:9: T: modifiers: two of the modifiers ask for different comparisons; use one of them"},
		{"flag alone", rule("  sel: {b|i: c}\n  condition: sel"), "f.yml:4:9: T: i: the modifier belongs behind re; write re|i"},
		{"mixed", rule("  sel: {b|startswith|cidr: 10.0.0.0/8}\n  condition: sel"), "f.yml:4:9: T: modifiers: contains, startswith and endswith do not go with the other comparison; leave one of them out"},
		{"lookahead", rule("  sel:\n    b|re: 'a(?=b)'\n  condition: sel"), "f.yml:5:11: T: re: the regular expression is not one that runs in linear time (invalid or unsupported Perl syntax: `(?=`); write it without lookarounds, backreferences and possessive or atomic groups"},
		{"long regexp", rule("  sel:\n    b|re: '" + strings.Repeat("a", 1100) + "'\n  condition: sel"), "f.yml:5:11: T: re: the regular expression has 1100 bytes; the limit is 1024; split it into several values"},
		{"network", rule("  sel: {b|cidr: 10.0.0.0/33}\n  condition: sel"), `f.yml:4:17: T: cidr: "10.0.0.0/33" is no network; write it as in 10.0.0.0/8 or 2001:db8::/32`},
		{"number", rule("  sel: {b|lt: many}\n  condition: sel"), `f.yml:4:15: T: lt, lte, gt, gte: "many" is no number; write a number`},
		{"exists", rule("  sel: {b|exists: maybe}\n  condition: sel"), `f.yml:4:19: T: exists: "maybe" is neither true nor false; write true or false`},
		{"placeholder", rule("  sel: {b|expand: '%admins%'}\n  condition: sel"), "f.yml:4:19: T: %admins%: the mapping does not know this placeholder; say under placeholders: of the mapping what it stands for: admins: [VALUE, …]"},
		{"wildcard in base64", rule("  sel: {b|base64: 'a*'}\n  condition: sel"), `f.yml:4:19: T: base64: a value with wildcards cannot be encoded; write \* and \? for the characters`},
		{"short offset", rule("  sel: {b|base64offset: 'ab'}\n  condition: sel"), `f.yml:4:25: T: base64offset: a value of 2 bytes leaves no characters of its own; use base64, or a longer value`},
		{"bytes", rule("  sel: {b|utf16: 'ab'}\n  condition: sel"), `f.yml:4:18: T: utf16: the encoded value is no text; add base64 or base64offset behind it`},
		{"dashes", rule("  sel: {b|windash: ' -a -b -c -d -e -f -g'}\n  condition: sel"), `f.yml:4:20: T: windash: the value has too many dashes; split the value into several with contains|all`},
		{"map value", rule("  sel: {b: {c: d}}\n  condition: sel"), "f.yml:4:12: T: value: a value cannot be a map; write a text, a number or null"},
		{"null keyword", rule("  sel: ['|contains': [~]]\n  condition: sel"), "f.yml:4:23: T: keywords: null cannot be searched for; leave it out"},
		{"empty list", rule("  sel: {b: []}\n  condition: sel"), "f.yml:4:12: T: value: the list of values is empty; write a value, or null"},
		{"too long", rule("  sel:\n    a|contains|all: [" + strings.Repeat(strings.Repeat("x", 90)+",", 200) + "y]\n    b: " + strings.Repeat("z", 16300) + "\n  condition: not sel"), "f.yml:4:3: T: detection: the condition would have"},
		{"near", rule("  sel: {b: c}\n  timeframe: 5m\n  condition: sel | near other"), `f.yml:6:14: T: condition: the aggregation "near other" cannot be converted: near has no order of events to it; write a temporal correlation; write a correlation of its own, with event_count or value_count`},
		{"no timeframe", rule("  sel: {b: c}\n  condition: sel | count() > 5"), `f.yml:5:14: T: condition: the aggregation "count() > 5" cannot be converted: the detection has no timeframe; write a correlation of its own, with event_count or value_count`},
		{"unknown rule", "title: C\ncorrelation: {type: temporal, rules: [x, y], timespan: 5m}", "f.yml:2:38: C: correlation.rules: there is no rule with the name or id x among the imported files; import the rule's file together with this one"},
		{"type", base + "correlation: {type: odd, rules: [b], timespan: 5m}", `f.yml:12:14: C: correlation.type: "odd" is no type of correlation; write event_count, value_count, temporal or temporal_ordered`},
		{"timespan", base + "correlation: {type: temporal, rules: [b, b2], timespan: soon}", `f.yml:12:57: C: correlation.timespan: "soon" is no time span; write it as in 30s, 5m, 2h or 1d`},
		{"count without number", base + "correlation: {type: event_count, rules: [b], timespan: 5m}", "f.yml:12:14: C: correlation.condition: says no number; add condition: {gte: 10}"},
		{"values without field", base + "correlation: {type: value_count, rules: [b], timespan: 5m, condition: {gte: 2}}", "f.yml:12:14: C: correlation.condition.field: is missing; name the field"},
		{"one rule", base + "correlation: {type: temporal, rules: [b], timespan: 5m}", "f.yml:12:38: C: correlation.rules: a temporal correlation needs two rules; use event_count for one rule"},
		{"fewer", base + "correlation: {type: temporal, rules: [b, b2], timespan: 5m, condition: {lt: 2}}", "f.yml:12:72: C: correlation.condition: that fewer rules have matched is known only when time is over, and a pattern ends with an event; write gte with the number of rules, or leave it out"},
		{"alias", base + "correlation: {type: temporal, rules: [b, b2], timespan: 5m, aliases: {k: {b: x}}, group-by: [k]}", "f.yml:12:74: C: correlation.aliases.k: does not say which field of b2 is meant; add b2: FIELD"},
		{"key", base + "correlation: {type: temporal, rules: [b, b2], timespan: 5m, groupby: [k]}", "f.yml:12:61: C: correlation.groupby: unknown key; did you mean group-by?"},
		{"two keys", base + "correlation: {type: event_count, rules: [b, b2], timespan: 5m, aliases: {k: {b: x, b2: y}}, group-by: [k], condition: {gte: 2}}", "f.yml:12:103: C: correlation.group-by: k is another field in each rule, and a count has one key; count each rule on its own, or give the field one path under fields: of the mapping"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, problems := convert(t, nil, c.src)
			require.NotEmpty(t, problems, "%v", out)
			assert.True(t, strings.HasPrefix(problems[0].String(), c.want), "want %s\ngot  %s", c.want, problems[0])
		})
	}
}

// Conditions that would grow without end are given up, and soon.
func TestHostile(t *testing.T) {
	values := "[" + strings.TrimSuffix(strings.Repeat("'a?b?c?d',", 9000), ",") + "]"
	for name, src := range map[string]string{
		"long lists in long conditions": rule("  sel: {b|contains: " + values + "}\n  x: {c: d}\n  condition: " + strings.TrimSuffix(strings.Repeat("(sel or x) and ", 500), "and ")),
		"negations":                     rule("  sel: {b|contains: " + values + "}\n  condition: " + strings.TrimSuffix(strings.Repeat("not sel and ", 600), "and ")),
		"dashes":                        rule("  sel: {b|windash: '" + strings.Repeat(" -a", 5000) + "'}\n  condition: sel"),
		"stars":                         rule("  sel: {b: '" + strings.Repeat("a*", 600) + "'}\n  condition: sel"),
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := convert(t, nil, src)
			assert.NotEmpty(t, problems)
		})
	}
	same := strings.Repeat(rule("  s: {a: b}\n  condition: s\n")+"---\n", 500)
	out, problems := convert(t, nil, same)
	assert.Empty(t, problems)
	names := make(map[string]bool)
	for _, c := range out {
		names[c.Name] = true
	}
	assert.Len(t, names, 500)
}

// A list too long for one condition is spread over the alternatives of a
// pattern, which together hold all of it.
func TestSpread(t *testing.T) {
	var hashes []string
	for n := range 900 {
		hashes = append(hashes, "IMPHASH="+fmt.Sprintf("%020d", n))
	}
	for _, field := range []string{"Hashes|contains", "Hashes"} {
		out, problems := convert(t, nil, rule("  s: {"+field+": ["+strings.Join(hashes, ", ")+"], Image: x}\n  condition: s"))
		require.Empty(t, problems)
		require.Len(t, out, 1)
		text := string(out[0].YAML)
		assert.Contains(t, text, "\n  pattern: part01 | part02")
		for _, h := range hashes {
			assert.Contains(t, text, `"`+strings.ToLower(h)+`"`)
		}
	}
}
