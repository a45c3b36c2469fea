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

func timed(pattern, define string) string {
	return "rule: r\nwhen:\n  pattern: " + pattern + "\n  define:\n    " + strings.ReplaceAll(define, "; ", "\n    ") + "\n  within: 1h\n"
}

func timeWarnings(t testing.TB, text string) (list []string) {
	for _, w := range analysis.Check(program(t, text)) {
		if w.Code == analysis.CodeTime {
			list = append(list, w.String())
		}
	}
	return list
}

func TestBoundsOnTimeWithoutEffect(t *testing.T) {
	for _, tt := range []struct{ pattern, define, want string }{
		{"c then a{2}", `a: {where: type == "a", wait: 3s}; c: type == "c"`, `r.yaml:5:29: r: when.define.a.wait: has no effect: a is repeated; write gap, or in the condition (count(a) == 0 || time - last(a).time <= duration("3s"))`},
		{"c then ab", `ab: {pattern: a then b, wait: 3s}; a: type == "a"; b: type == "b"; c: type == "c"`, "r.yaml:5:29: r: when.define.ab.wait: has no effect: ab is several elements; write it on the elements of ab that it is for"},
		{"c then ab{2}", `ab: {pattern: a then b, gap: 3s}; a: type == "a"; b: type == "b"; c: type == "c"`, "r.yaml:5:29: r: when.define.ab.gap: has no effect: ab is several elements; write wait on the element that begins ab"},
		{"a then not b then c", `a: type == "a"; b: {where: type == "b", wait: 2s}; c: type == "c"`, "r.yaml:6:29: r: when.define.b.wait: has no effect: b must not happen, in the middle of the pattern; write it on the element behind the not, or within on the pattern"},
		{"a then b", `a: {where: type == "a", wait: 3s}; b: type == "b"`, "r.yaml:5:29: r: when.define.a.wait: has no effect: no event comes before a; remove it, or write it on what follows"},
		{"a+ then b", `a: {where: type == "a", gap: 3s}; b: type == "b"`, `r.yaml:5:29: r: when.define.a.gap: has no effect: no event comes before a, and its last repetition is not bounded; write in the condition (count(a) == 0 || time - last(a).time <= duration("3s"))`},
		{"c then (a | b){2}", `a: {where: type == "a", wait: 3s}; b: {where: type == "b", wait: 3s}; c: type == "c"`, "r.yaml:5:29: r: when.define.a.wait: has no effect: a stands in alternatives that repeat; write gap on the group that repeats, or in the condition how long ago the event before may be"},

		{"c then a", `a: {where: type == "a", wait: 3s}; c: type == "c"`, ""},
		{"c then a{2}", `a: {where: type == "a", gap: 3s}; c: type == "c"`, ""},
		{"a{3}", `a: {where: type == "a", gap: 3s}`, ""},
		{"a next not b then c", `a: type == "a"; b: {where: type == "b", wait: 2s}; c: type == "c"`, ""},
		{"a then not b", `a: type == "a"; b: {where: type == "b", wait: 2s}`, ""},
		{"(a then b){2}", `a: {where: type == "a", wait: 3s}; b: type == "b"`, ""},
		{"a & b", `a: {where: type == "a", wait: 3s}; b: {where: type == "b", wait: 3s}`, ""},
	} {
		list := timeWarnings(t, timed(tt.pattern, tt.define))
		if tt.want == "" {
			assert.Empty(t, list, tt.pattern)
			continue
		}
		require.NotEmpty(t, list, tt.pattern)
		assert.Equal(t, tt.want, list[0], tt.pattern)
	}
	assert.Empty(t, timeWarnings(t, strings.Replace(timed("a{2} then b", `a: type == "a"; b: type == "b"`), "1h", "{gap: 3s}", 1)), "said of all elements at once")
}

// What is said to have no effect has none: without it, all series of four
// events give the same matches. What is not said to have none has one, for some events.
func TestBoundsOnTimeAreJudgedAsTheyWork(t *testing.T) {
	patterns := []string{
		"X then b", "b then X", "b then X then c", "X{2} then b", "X{3}", "b then X{2}", "X+ then b", "X{2,} then b", "b then X+ then c",
		"b then not X then c", "b next not X then c", "b then not X", "(X then b){2}", "(b then X){2}", "X & b", "b then (X | c)", "b then (X | c){2}",
		"X? then b", "(X then b)", "b then (c then X)",
	}
	for _, pattern := range patterns {
		for _, key := range []string{"wait", "gap"} {
			t.Run(pattern+" "+key, func(t *testing.T) {
				more := "c: type == \"c\""
				if strings.ContainsAny(pattern, "|") {
					more = fmt.Sprintf("c: {where: type == \"c\", %s: 2s}", key)
				}
				with := timed(strings.ReplaceAll(pattern, "X", "a"), fmt.Sprintf("a: {where: type == \"a\", %s: 2s}; b: type == \"b\"; %s", key, more))
				for _, name := range []string{"b", "c"} {
					if !strings.Contains(pattern, name) {
						with = strings.Replace(with, "    "+name+": type == \""+name+"\"\n", "", 1)
					}
				}
				without := strings.ReplaceAll(with, fmt.Sprintf(", %s: 2s", key), "")
				rules, err := cep.ParseRules("r.yaml", []byte(with))
				if err == nil {
					_, err = cep.Compile(rules)
				}
				if err != nil {
					return // it cannot stand there at all
				}
				idle := len(timeWarnings(t, with)) > 0
				p, q := program(t, with), program(t, without)
				differs := false
				for n := 0; n < 81*8 && !differs; n++ {
					differs = played(p, n) != played(q, n)
				}
				assert.Equal(t, idle, !differs)
			})
		}
	}
}

// played gives the matches for the n-th series of four events of three types, each
// one or three seconds after the one before.
func played(p *cep.Program, n int) string {
	m := cep.NewMatcher(p, cep.Options{})
	at := time.Unix(0, 0).UTC()
	var b strings.Builder
	write := func(list []cep.Match) {
		for i := range list {
			fmt.Fprint(&b, "\n", list[i].At)
			for _, e := range list[i].Bind {
				fmt.Fprint(&b, " ", e.Element, e.Positions)
			}
		}
	}
	types, gaps := n/8, n%8*2
	for i := range 4 {
		at = at.Add(time.Duration(1+2*(gaps&1)) * time.Second)
		write(m.Feed(&event.Event{ID: fmt.Sprint(i), Type: string(rune('a' + types%3)), Time: at}, cep.Position{Seq: uint64(i)}, at, nil))
		types, gaps = types/3, gaps/2
	}
	write(m.Advance(at.Add(2*time.Hour), cep.Position{Seq: 100}, nil))
	return b.String()
}
