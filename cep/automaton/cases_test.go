package automaton

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// flinkCases is a shared set of patterns, events and what Flink CEP's NFA makes
// of them.
const flinkCases = "../../../shared/data/cep_cases.jsonl"

type flinkCase struct {
	ID      string
	Pattern []flinkStep
	Within  *flinkWithin
	Skip    struct {
		Strategy, Element string
		Throw             bool `json:"throw_on_miss"`
	}
	Events       []flinkEvent
	TimeAdvances []struct {
		After int `json:"after_events"`
		T     int64
	} `json:"time_advances"`
	FinalTime        *int64 `json:"final_time"`
	EmitTimeouts     bool   `json:"emit_timeouts"`
	ExpectedNamed    []flinkMatch
	ExpectedTimeouts []flinkMatch `json:"expected_timeouts"`
	ExpectedError    string       `json:"expected_error"`
}

type flinkWithin struct {
	MS   int64
	Kind string
}

type flinkStep struct {
	Name, Contiguity, Inner string
	Where, Until            []any
	Times                   []*int
	TimesWithin             int64 `json:"times_within_ms"`
	Greedy, Optional        bool
	Group                   []flinkStep
}

type flinkEvent struct {
	T             int64
	Name, Class   string
	ID            int
	Price, Volume float64
}

type flinkMatch struct {
	Trigger  any
	Deadline int64
	M        map[string][]int
}

// UnmarshalJSON reads a case, whose keys use underscores.
func (m *flinkCase) UnmarshalJSON(b []byte) error {
	type plain flinkCase
	raw := struct {
		*plain
		Named []flinkMatch `json:"expected_named"`
	}{plain: (*plain)(m)}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	m.ExpectedNamed = raw.Named
	return nil
}

func TestFlinkCases(t *testing.T) {
	raw, err := os.ReadFile(flinkCases)
	if err != nil {
		t.Skipf("the shared cases are not here: %v", err)
	}
	n := 0
	for line := range strings.Lines(string(raw)) {
		var c flinkCase
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		n++
		t.Run(c.ID, func(t *testing.T) { runFlink(t, c) })
	}
	t.Logf("%d cases", n)
}

func runFlink(t *testing.T, c flinkCase) {
	t.Helper()
	tr := &flinkTranslation{}
	steps := tr.steps(c.Pattern)
	pol := Policy{Emit: Ordered, OnTimeout: c.EmitTimeouts, Skip: Skip{Strict: c.Skip.Throw}}
	pol.Skip.Elem = slices.Index(tr.names, c.Skip.Element)
	pol.Skip.Kind = map[string]SkipKind{
		"no_skip": NoSkip, "skip_past_last": PastLast, "skip_to_next": ToNext,
		"skip_to_first": ToFirst, "skip_to_last": ToLast,
	}[c.Skip.Strategy]
	if c.Within != nil {
		if d := time.Duration(c.Within.MS) * time.Millisecond; c.Within.Kind == "first_and_last" {
			pol.Within = d
		} else {
			steps[len(steps)-1].Wait = d
		}
	}
	nfa, err := Compile(steps, Traits{Correlated: tr.correlated, Whole: tr.correlated})
	require.NoError(t, err)
	m, err := NewMachine(nfa, pol)
	require.NoError(t, err)

	s := &flinkRun{m: m, tr: tr, conds: tr.conds, events: c.Events}
	for i, e := range c.Events {
		s.feed(i, e)
		for _, a := range c.TimeAdvances {
			if a.After == i+1 {
				s.advance(at(a.T))
			}
		}
	}
	if c.FinalTime != nil {
		s.advance(at(*c.FinalTime))
	}
	if c.ExpectedError != "" {
		require.ErrorIs(t, s.err, ErrMiss)
	} else {
		require.NoError(t, s.err)
	}
	assert.Equal(t, wantLines(c.ExpectedNamed, false), s.matches, nfa.String())
	if c.EmitTimeouts {
		assert.Equal(t, wantLines(c.ExpectedTimeouts, true), s.timeouts)
	}
}

func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func wantLines(ms []flinkMatch, timeouts bool) []string {
	var lines []string
	for _, m := range ms {
		head := fmt.Sprint("trigger ", m.Trigger)
		if timeouts {
			head = fmt.Sprint("deadline ", m.Deadline)
		}
		var parts []string
		for name, ids := range m.M {
			parts = append(parts, fmt.Sprintf("%s%v", name, ids))
		}
		sort.Strings(parts)
		lines = append(lines, head+" "+strings.Join(parts, " "))
	}
	sort.Strings(lines)
	return lines
}

// flinkTranslation turns a case's pattern into steps.
type flinkTranslation struct {
	names      []string
	conds      []func(e flinkEvent, bound func(name string) []flinkEvent) bool
	correlated uint64
}

func (tr *flinkTranslation) steps(in []flinkStep) []Step {
	links := map[string]Link{"next": Next, "notNext": Next, "followedBy": Then, "notFollowedBy": Then, "followedByAny": Any}
	inner := map[string]Link{"strict": Next, "relaxed": Then, "any": Any}
	var out []Step
	for _, f := range in {
		s := Step{
			Link: links[f.Contiguity], Not: strings.HasPrefix(f.Contiguity, "not"),
			Optional: f.Optional, Greedy: f.Greedy, Repeat: inner[f.Inner],
			Gap: time.Duration(f.TimesWithin) * time.Millisecond,
		}
		if f.Times != nil {
			s.Min, s.Max = *f.Times[0], -1
			if f.Times[1] != nil {
				s.Max = *f.Times[1]
			}
		}
		if f.Group != nil {
			s.Group = tr.steps(f.Group)
		} else {
			s.Elem = len(tr.names)
			tr.names = append(tr.names, f.Name)
			s.Cond = tr.cond(f.Where)
		}
		s.Until = tr.cond(f.Until)
		out = append(out, s)
	}
	return out
}

func (tr *flinkTranslation) cond(expr []any) Cond {
	if expr == nil {
		return None
	}
	tr.conds = append(tr.conds, func(e flinkEvent, bound func(string) []flinkEvent) bool {
		v, _ := evalFlink(expr, e, bound).(bool)
		return v
	})
	c := Cond(len(tr.conds))
	if b, _ := json.Marshal(expr); strings.Contains(string(b), `"sum"`) || strings.Contains(string(b), `"count"`) || strings.Contains(string(b), `"first"`) {
		tr.correlated |= c.Bit()
	}
	return c
}

func field(e flinkEvent, name any) any {
	switch name {
	case "name":
		return e.Name
	case "price":
		return e.Price
	case "volume":
		return e.Volume
	case "id":
		return float64(e.ID)
	}
	panic(fmt.Sprint("no field ", name))
}

func evalFlink(x any, e flinkEvent, bound func(string) []flinkEvent) any {
	expr, ok := x.([]any)
	if !ok {
		if s, ok := x.(string); ok && (s == "price" || s == "volume") {
			return field(e, s)
		}
		return x
	}
	arg := func(i int) any { return evalFlink(expr[i], e, bound) }
	num := func(i int) float64 { return number(arg(i)) }
	switch expr[0] {
	case "true":
		return true
	case "eq":
		if s, ok := expr[1].(string); ok {
			return field(e, s) == expr[2]
		}
		return arg(1) == arg(2)
	case "contains":
		return strings.Contains(fmt.Sprint(field(e, expr[1])), fmt.Sprint(expr[2]))
	case "prefix":
		return strings.HasPrefix(fmt.Sprint(field(e, expr[1])), fmt.Sprint(expr[2]))
	case "gt":
		return num(1) > num(2)
	case "ge":
		return num(1) >= num(2)
	case "lt":
		return num(1) < num(2)
	case "le":
		return num(1) <= num(2)
	case "and":
		return arg(1) == true && arg(2) == true
	case "or":
		return arg(1) == true || arg(2) == true
	case "class":
		return e.Class == expr[1]
	case "+":
		return num(1) + num(2)
	case "sum":
		sum := 0.0
		for _, b := range bound(fmt.Sprint(expr[1])) {
			sum += number(field(b, expr[2]))
		}
		return sum
	case "count":
		return float64(len(bound(fmt.Sprint(expr[1]))))
	case "first":
		return field(bound(fmt.Sprint(expr[1]))[0], expr[2])
	}
	panic(fmt.Sprint("no operator ", expr[0]))
}

func number(x any) float64 {
	f, ok := x.(float64)
	if !ok {
		panic(fmt.Sprint("no number: ", x))
	}
	return f
}

// flinkRun feeds a machine as Flink's operator feeds its NFA.
type flinkRun struct {
	m                 *Machine
	tr                *flinkTranslation
	conds             []func(flinkEvent, func(string) []flinkEvent) bool
	events            []flinkEvent
	now               time.Time
	w                 Worker
	runs              Runs
	cur               flinkEvent
	matches, timeouts []string
	err               error
}

// Holds decides the correlated conditions.
func (s *flinkRun) Holds(c Cond, b Bound) bool {
	return s.conds[c-1](s.cur, func(name string) []flinkEvent {
		var es []flinkEvent
		for _, h := range b.AppendElem(nil, slices.Index(s.tr.names, name)) {
			es = append(es, s.events[h.Pos.Seq])
		}
		return es
	})
}

func (s *flinkRun) feed(i int, e flinkEvent) {
	s.advance(at(e.T))
	if s.err != nil {
		return
	}
	s.cur = e
	t := Truth{Known: ^s.tr.correlated}
	for c, f := range s.conds {
		if bit := Cond(c + 1).Bit(); t.Known&bit != 0 && f(e, nil) {
			t.True |= bit
		}
	}
	in := &Input{Ev: new(event.Event), Pos: Position{Seq: uint64(i)}, Order: uint64(i + 1), At: s.now}
	s.m.Feed(&s.w, &s.runs, in, t, s)
	s.collect()
}

func (s *flinkRun) advance(t time.Time) {
	if t.Before(s.now) || s.err != nil {
		return
	}
	s.now = t
	s.m.Expire(&s.w, &s.runs, t)
	s.collect()
}

func (s *flinkRun) collect() {
	s.err = s.w.Err
	for _, d := range s.w.Out {
		by := map[string][]int{}
		for _, p := range d.Bound.Append(nil) {
			by[s.tr.names[p.Elem]] = append(by[s.tr.names[p.Elem]], int(p.Held.Pos.Seq))
		}
		m := flinkMatch{M: by, Trigger: "time", Deadline: d.Deadline.UnixMilli()}
		if d.Outcome == Complete {
			m.Trigger = d.Trigger.Pos.Seq
		}
		if d.Outcome == TimedOut {
			s.timeouts = append(s.timeouts, wantLines([]flinkMatch{m}, true)...)
		} else {
			s.matches = append(s.matches, wantLines([]flinkMatch{m}, false)...)
		}
	}
	sort.Strings(s.matches)
	sort.Strings(s.timeouts)
}
