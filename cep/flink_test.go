package cep_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
)

// flinkCases is a shared set of patterns, events and what Flink CEP's NFA makes
// of them. They run here through rule text, as far as the grammar of this release
// goes; package automaton runs all of them on the automaton itself.
const flinkCases = "../../shared/data/cep_cases.jsonl"

type flinkCase struct {
	ID      string      `json:"id"`
	Pattern []flinkStep `json:"pattern"`
	Within  *struct {
		MS   int64  `json:"ms"`
		Kind string `json:"kind"`
	} `json:"within"`
	Skip struct {
		Strategy string `json:"strategy"`
	} `json:"skip"`
	Events []struct {
		T  int64 `json:"t"`
		ID int   `json:"id"`
	} `json:"events"`
	Data         []json.RawMessage `json:"-"` // the events as they are
	TimeAdvances []struct {
		After int   `json:"after_events"`
		T     int64 `json:"t"`
	} `json:"time_advances"`
	FinalTime        *int64       `json:"final_time"`
	EmitTimeouts     bool         `json:"emit_timeouts"`
	ExpectedNamed    []flinkMatch `json:"expected_named"`
	ExpectedTimeouts []flinkMatch `json:"expected_timeouts"`
}

type flinkStep struct {
	Name        string          `json:"name"`
	Contiguity  string          `json:"contiguity"`
	Inner       string          `json:"inner"`
	Where       []any           `json:"where"`
	Until       []any           `json:"until"`
	Times       []*int          `json:"times"`
	TimesWithin int64           `json:"times_within_ms"`
	Greedy      bool            `json:"greedy"`
	Optional    bool            `json:"optional"`
	Group       json.RawMessage `json:"group"`
}

type flinkMatch struct {
	Trigger  any              `json:"trigger"`
	Deadline int64            `json:"deadline"`
	M        map[string][]int `json:"m"`
}

func TestFlinkCasesThroughRules(t *testing.T) {
	raw, err := os.ReadFile(flinkCases)
	if err != nil {
		t.Skipf("the shared cases are not here: %v", err)
	}
	run, left := 0, map[string][]string{}
	for line := range strings.Lines(string(raw)) {
		var c flinkCase
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		require.NoError(t, json.Unmarshal([]byte(line), &struct {
			Events *[]json.RawMessage `json:"events"`
		}{&c.Data}))
		if why := c.outOfScope(); why != "" {
			left[why] = append(left[why], c.ID)
			continue
		}
		run++
		t.Run(c.ID, func(t *testing.T) { c.check(t) })
	}
	t.Logf("%d cases ran", run)
	for _, why := range slices.Sorted(maps.Keys(left)) {
		t.Logf("%d not, for %s: %s", len(left[why]), why, strings.Join(left[why], " "))
	}
	assert.Equal(t, 20, run)
}

// outOfScope names the first construct of a case that the grammar of this
// release does not have.
func (c flinkCase) outOfScope() string {
	for _, s := range c.Pattern {
		switch {
		case s.Group != nil:
			return "groups"
		case s.Contiguity == "followedByAny" || s.Inner == "any":
			return "any"
		case s.Greedy:
			return "greedy"
		case s.Until != nil:
			return "until"
		case s.TimesWithin != 0:
			return "gap"
		}
	}
	switch {
	case c.Skip.Strategy != "no_skip" && c.Skip.Strategy != "skip_past_last":
		return "skip to an element"
	case c.Within != nil && c.Within.Kind != "first_and_last":
		return "wait"
	}
	return ""
}

// rule writes the case as a rule document; its elements are called e0, e1, …
func (c flinkCase) rule() string {
	var pattern, define strings.Builder
	words := map[string]string{"next": "next", "followedBy": "then", "notNext": "next not", "notFollowedBy": "then not"}
	for i, s := range c.Pattern {
		if i > 0 {
			pattern.WriteString(" " + words[s.Contiguity] + " ")
		}
		fmt.Fprintf(&pattern, "e%d", i)
		if s.Times != nil {
			most := ""
			if s.Times[1] != nil {
				most = fmt.Sprint(*s.Times[1])
			}
			fmt.Fprintf(&pattern, "{%d,%s}", *s.Times[0], most)
		}
		fmt.Fprintf(&define, "    e%d: {where: '%s'", i, c.cel(s.Where))
		if s.Inner == "strict" {
			define.WriteString(", repeat: next")
		}
		if s.Optional {
			define.WriteString(", optional: true")
		}
		define.WriteString("}\n")
	}
	rule := fmt.Sprintf("rule: case\nwhen:\n  pattern: %s\n  define:\n%s  emit: ordered\n", pattern.String(), define.String())
	if c.Skip.Strategy == "no_skip" {
		rule += "  skip: none\n"
	}
	if c.Within != nil {
		rule += fmt.Sprintf("  within: %dms\n", c.Within.MS)
	}
	if c.EmitTimeouts {
		rule += "  on_timeout: emit\n"
	}
	return rule
}

// cel writes a prefix expression as a condition.
func (c flinkCase) cel(x any) string {
	expr, ok := x.([]any)
	if !ok {
		if s, ok := x.(string); ok && (s == "price" || s == "volume") {
			return "data." + s
		}
		b, _ := json.Marshal(x)
		return string(b)
	}
	if expr == nil {
		return `type == "e"`
	}
	arg := func(i int) string { return c.cel(expr[i]) }
	elem := func() string {
		return fmt.Sprintf("e%d", slices.IndexFunc(c.Pattern, func(s flinkStep) bool { return s.Name == expr[1] }))
	}
	infix := map[string]string{"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "and": "&&", "or": "||", "+": "+"}
	switch op := fmt.Sprint(expr[0]); op {
	case "true":
		return `type == "e"`
	case "eq":
		if s, ok := expr[1].(string); ok {
			return fmt.Sprintf("data.%s == %s", s, arg(2))
		}
		return fmt.Sprintf("%s == %s", arg(1), arg(2))
	case "contains":
		return fmt.Sprintf("data.%s.contains(%s)", expr[1], arg(2))
	case "prefix":
		return fmt.Sprintf("data.%s.startsWith(%s)", expr[1], arg(2))
	case "class":
		return fmt.Sprintf(`data.class == "%s"`, expr[1])
	case "sum":
		return fmt.Sprintf("sum(%s.data.%s)", elem(), expr[2])
	case "count":
		return fmt.Sprintf("count(%s)", elem())
	default:
		return fmt.Sprintf("(%s %s %s)", arg(1), infix[op], arg(2))
	}
}

func (c flinkCase) check(t *testing.T) {
	t.Helper()
	rules, err := cep.ParseRules("case.yaml", []byte(c.rule()))
	require.NoError(t, err, c.rule())
	p, err := cep.Compile(rules)
	require.NoError(t, err, c.rule())
	s := cep.NewStream(p, cep.Options{})
	var ms []cep.Match
	n := 0
	line := func(text string) {
		n++
		ms, err = s.Line(n, []byte(text), ms)
		require.NoError(t, err)
	}
	for i, e := range c.Events {
		at := time.UnixMilli(e.T).UTC().Format(time.RFC3339Nano)
		line(fmt.Sprintf(`{"type":"e","id":"%d","time":"%s","data":%s}`, e.ID, at, c.Data[i]))
		for _, a := range c.TimeAdvances {
			if a.After == i+1 {
				line(fmt.Sprintf(`{"watermark":"%s"}`, time.UnixMilli(a.T).UTC().Format(time.RFC3339Nano)))
			}
		}
	}
	if c.FinalTime != nil {
		ms = s.AdvanceTo(time.UnixMilli(*c.FinalTime), ms)
	}
	var matches, timeouts []string
	for i := range ms {
		if m := &ms[i]; m.Timeout {
			timeouts = append(timeouts, c.show(fmt.Sprint("deadline ", m.Deadline.UnixMilli()), m.Bind))
		} else {
			matches = append(matches, c.show("trigger "+m.Trigger, m.Bind))
		}
	}
	sort.Strings(matches)
	sort.Strings(timeouts)
	assert.Equal(t, c.want(c.ExpectedNamed, "trigger"), matches, c.rule())
	if c.EmitTimeouts {
		assert.Equal(t, c.want(c.ExpectedTimeouts, "deadline"), timeouts, c.rule())
	}
}

func (c flinkCase) show(head string, bind []cep.Binding) string {
	for _, b := range bind {
		for i, s := range c.Pattern {
			if b.Element == fmt.Sprint("e", i) {
				head += " " + s.Name
			}
		}
		for _, ev := range b.Events {
			head += " " + ev.ID
		}
	}
	return head
}

func (c flinkCase) want(ms []flinkMatch, what string) []string {
	var lines []string
	for _, m := range ms {
		line := fmt.Sprint(what, " ", m.Trigger)
		if what == "deadline" {
			line = fmt.Sprint(what, " ", m.Deadline)
		}
		for _, s := range c.Pattern {
			if ids := m.M[s.Name]; len(ids) > 0 {
				line += " " + s.Name
				for _, id := range ids {
					line += fmt.Sprint(" ", id)
				}
			}
		}
		lines = append(lines, line)
	}
	sort.Strings(lines)
	return lines
}
