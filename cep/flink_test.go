package cep_test

import (
	"encoding/json"
	"fmt"
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
// of them. They run here through rule text, translated mechanically.
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
		Element  string `json:"element"`
		Throw    bool   `json:"throw_on_miss"`
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
	ExpectedError    string       `json:"expected_error"`

	names  []string // of the elements, in order
	groups int      // named so far

	everyWait bool // write a wait of the last element as one of all
}

type flinkStep struct {
	Name        string      `json:"name"`
	Contiguity  string      `json:"contiguity"`
	Inner       string      `json:"inner"`
	Where       []any       `json:"where"`
	Until       []any       `json:"until"`
	Times       []*int      `json:"times"`
	TimesWithin int64       `json:"times_within_ms"`
	Greedy      bool        `json:"greedy"`
	Optional    bool        `json:"optional"`
	Group       []flinkStep `json:"group"`
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
	run := 0
	for line := range strings.Lines(string(raw)) {
		var c flinkCase
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		require.NoError(t, json.Unmarshal([]byte(line), &struct {
			Events *[]json.RawMessage `json:"events"`
		}{&c.Data}))
		run++
		t.Run(c.ID, func(t *testing.T) { c.check(t) })
		if c.Within != nil && c.Within.Kind != "first_and_last" {
			// Where the wait is for the last element alone, a wait for all of them
			// that lasts as long gives the same matches.
			c.everyWait = true
			t.Run(c.ID+"/gap", func(t *testing.T) { c.check(t) })
		}
	}
	assert.Equal(t, 90, run)
}

// element is the name an element or group has in the rule.
func (c *flinkCase) element(name string) string {
	return fmt.Sprintf("e%d", slices.Index(c.names, name))
}

// name numbers the elements in the order of the pattern.
func (c *flinkCase) name(steps []flinkStep) {
	for _, s := range steps {
		if s.Group != nil {
			c.name(s.Group)
		} else {
			c.names = append(c.names, s.Name)
		}
	}
}

// sequence writes steps as a pattern, and their definitions.
func (c *flinkCase) sequence(steps []flinkStep, define *strings.Builder) string {
	var pattern strings.Builder
	words := map[string]string{
		"next": "next", "followedBy": "then", "followedByAny": "then any", "notNext": "next not", "notFollowedBy": "then not",
	}
	for i, s := range steps {
		if i > 0 {
			pattern.WriteString(" " + words[s.Contiguity] + " ")
		}
		if s.Group != nil {
			c.groups++
			name := fmt.Sprintf("g%d", c.groups)
			inner := c.sequence(s.Group, define)
			fmt.Fprintf(define, "    %s: {pattern: '%s'%s}\n", name, inner, c.longHand(s))
			pattern.WriteString(name)
		} else {
			pattern.WriteString(c.element(s.Name))
			fmt.Fprintf(define, "    %s: {where: '%s'%s}\n", c.element(s.Name), c.cel(s.Where), c.longHand(s))
		}
		if s.Times != nil {
			most := ""
			if s.Times[1] != nil {
				most = fmt.Sprint(*s.Times[1])
			}
			fmt.Fprintf(&pattern, "{%d,%s}", *s.Times[0], most)
		}
	}
	return pattern.String()
}

// longHand writes the keys of a definition besides its condition.
func (c *flinkCase) longHand(s flinkStep) string {
	var b strings.Builder
	if repeat := map[string]string{"strict": "next", "any": "any"}[s.Inner]; repeat != "" {
		b.WriteString(", repeat: " + repeat)
	}
	if s.Optional {
		b.WriteString(", optional: true")
	}
	if s.Greedy {
		b.WriteString(", greedy: true")
	}
	if s.Until != nil {
		fmt.Fprintf(&b, ", until: '%s'", c.cel(s.Until))
	}
	if s.TimesWithin != 0 {
		fmt.Fprintf(&b, ", gap: %dms", s.TimesWithin)
	}
	return b.String()
}

// rule writes the case as a rule document; its elements are called e0, e1, …
func (c *flinkCase) rule() string {
	c.names, c.groups = nil, 0
	c.name(c.Pattern)
	var define strings.Builder
	pattern := c.sequence(c.Pattern, &define)
	within := ""
	if c.Within != nil && c.Within.Kind == "first_and_last" {
		within = fmt.Sprintf("  within: %dms\n", c.Within.MS)
	} else if c.Within != nil && c.everyWait {
		within = fmt.Sprintf("  within: {gap: %dms}\n", c.Within.MS)
	} else if c.Within != nil {
		last := c.element(c.Pattern[len(c.Pattern)-1].Name) // Flink bounds the wait for the last element alone
		text := strings.Replace(define.String(), "    "+last+": {", fmt.Sprintf("    %s: {wait: %dms, ", last, c.Within.MS), 1)
		define.Reset()
		define.WriteString(text)
	}
	rule := fmt.Sprintf("rule: case\nwhen:\n  pattern: %s\n  define:\n%s  emit: ordered\n%s", pattern, define.String(), within)
	onMiss := ""
	if c.Skip.Throw {
		onMiss = ", on_miss: error"
	}
	switch c.Skip.Strategy {
	case "no_skip":
		rule += "  skip: none\n"
	case "skip_to_next":
		rule += "  skip: to-next\n"
	case "skip_to_first":
		rule += fmt.Sprintf("  skip: {to-first: %s%s}\n", c.element(c.Skip.Element), onMiss)
	case "skip_to_last":
		rule += fmt.Sprintf("  skip: {to-last: %s%s}\n", c.element(c.Skip.Element), onMiss)
	}
	if c.EmitTimeouts {
		rule += "  on_timeout: emit\n"
	}
	return rule
}

// cel writes a prefix expression as a condition.
func (c *flinkCase) cel(x any) string {
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
	elem := func() string { return c.element(fmt.Sprint(expr[1])) }
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
	case "first":
		return fmt.Sprintf("first(%s).data.%s", elem(), expr[2])
	case "count":
		return fmt.Sprintf("count(%s)", elem())
	default:
		return fmt.Sprintf("(%s %s %s)", arg(1), infix[op], arg(2))
	}
}

func (c *flinkCase) check(t *testing.T) {
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
	if c.ExpectedError != "" {
		require.Len(t, s.Matcher().Stopped(), 1)
		return
	}
	assert.Empty(t, s.Matcher().Stopped())
	assert.Equal(t, c.want(c.ExpectedNamed, "trigger"), matches, c.rule())
	if c.EmitTimeouts && !c.everyWait { // the waits of other elements run out as well
		assert.Equal(t, c.want(c.ExpectedTimeouts, "deadline"), timeouts, c.rule())
	}
}

func (c *flinkCase) show(head string, bind []cep.Binding) string {
	for _, b := range bind {
		for _, name := range c.names {
			if b.Element == c.element(name) {
				head += " " + name
			}
		}
		for _, ev := range b.Events {
			head += " " + ev.ID
		}
	}
	return head
}

func (c *flinkCase) want(ms []flinkMatch, what string) []string {
	var lines []string
	for _, m := range ms {
		line := fmt.Sprint(what, " ", m.Trigger)
		if what == "deadline" {
			line = fmt.Sprint(what, " ", m.Deadline)
		}
		for _, name := range c.names {
			if ids := m.M[name]; len(ids) > 0 {
				line += " " + name
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
