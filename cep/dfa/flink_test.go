package dfa_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/rhost/rhost/cep/dfa"
	"github.com/rhost/rhost/cep/engine"
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
	Within  *struct {
		MS   int64
		Kind string
	}
	Skip struct {
		Strategy, Element string
		Throw             bool `json:"throw_on_miss"`
	}
	Events       []map[string]any
	TimeAdvances []struct {
		After int `json:"after_events"`
		T     int64
	} `json:"time_advances"`
	FinalTime        *int64       `json:"final_time"`
	EmitTimeouts     bool         `json:"emit_timeouts"`
	Named            []flinkMatch `json:"expected_named"`
	ExpectedTimeouts []flinkMatch `json:"expected_timeouts"`
	ExpectedError    string       `json:"expected_error"`
}

type flinkStep struct {
	Name, Contiguity, Inner string
	Where, Until            []any
	Times                   []*int
	TimesWithin             int64 `json:"times_within_ms"`
	Greedy, Optional        bool
	Group                   []flinkStep
}

type flinkMatch struct {
	Trigger  any
	Deadline int64
	M        map[string][]int
}

// The cases that fit this engine come out as Flink has them.
func TestFlinkCases(t *testing.T) {
	raw, err := os.ReadFile(flinkCases)
	if err != nil {
		t.Skipf("the shared cases are not here: %v", err)
	}
	fit := 0
	for line := range strings.Lines(string(raw)) {
		var c flinkCase
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		tr := new(flinkTranslation)
		e, err := dfa.Compile(tr.pattern(&c), tr.traits, tr.policy(&c))
		if err != nil {
			continue
		}
		fit++
		t.Run(c.ID, func(t *testing.T) { (&flinkRun{c: &c, tr: tr, s: e.New()}).play(t) })
	}
	assert.Positive(t, fit)
	t.Logf("%d cases fit", fit)
}

// flinkTranslation turns a case's pattern into steps.
type flinkTranslation struct {
	names  []string
	conds  []any
	traits engine.Traits
}

func (tr *flinkTranslation) pattern(c *flinkCase) []engine.Step {
	steps := tr.steps(c.Pattern)
	if c.Within != nil && c.Within.Kind != "first_and_last" {
		steps[len(steps)-1].Wait = time.Duration(c.Within.MS) * time.Millisecond
	}
	return steps
}

func (tr *flinkTranslation) policy(c *flinkCase) engine.Policy {
	pol := engine.Policy{Emit: engine.Ordered, OnTimeout: c.EmitTimeouts, Skip: engine.Skip{Strict: c.Skip.Throw}}
	pol.Skip.Elem = slices.Index(tr.names, c.Skip.Element)
	pol.Skip.Kind = map[string]engine.SkipKind{
		"no_skip": engine.NoSkip, "skip_past_last": engine.PastLast, "skip_to_next": engine.ToNext,
		"skip_to_first": engine.ToFirst, "skip_to_last": engine.ToLast,
	}[c.Skip.Strategy]
	if c.Within != nil && c.Within.Kind == "first_and_last" {
		pol.Within = time.Duration(c.Within.MS) * time.Millisecond
	}
	return pol
}

func (tr *flinkTranslation) steps(in []flinkStep) (out []engine.Step) {
	links := map[string]engine.Link{"followedBy": engine.Then, "notFollowedBy": engine.Then, "followedByAny": engine.Any}
	inner := map[string]engine.Link{"relaxed": engine.Then, "any": engine.Any}
	for _, f := range in {
		s := engine.Step{
			Link: links[f.Contiguity], Not: strings.HasPrefix(f.Contiguity, "not"), Optional: f.Optional,
			Greedy: f.Greedy, Repeat: inner[f.Inner], Gap: time.Duration(f.TimesWithin) * time.Millisecond,
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

func (tr *flinkTranslation) cond(expr []any) engine.Cond {
	if expr == nil {
		return engine.None
	}
	tr.conds = append(tr.conds, expr)
	c := engine.Cond(len(tr.conds))
	b, _ := json.Marshal(expr)
	for _, word := range []string{`"sum"`, `"count"`, `"first"`} {
		if strings.Contains(string(b), word) {
			tr.traits.Correlated |= c.Bit()
		}
	}
	return c
}

// evalFlink evaluates a condition that looks at one event.
func evalFlink(x any, e map[string]any) any {
	expr, ok := x.([]any)
	if !ok {
		if s, ok := x.(string); ok {
			if v, there := e[s]; there {
				return v
			}
		}
		return x
	}
	arg := func(i int) any { return evalFlink(expr[i], e) }
	num := func(i int) float64 { f, _ := arg(i).(float64); return f }
	switch expr[0] {
	case "true":
		return true
	case "eq":
		return arg(1) == expr[2]
	case "contains":
		return strings.Contains(fmt.Sprint(arg(1)), fmt.Sprint(expr[2]))
	case "prefix":
		return strings.HasPrefix(fmt.Sprint(arg(1)), fmt.Sprint(expr[2]))
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
		return e["class"] == expr[1]
	case "+":
		return num(1) + num(2)
	}
	panic(fmt.Sprint("no operator ", expr[0]))
}

// flinkRun feeds a state as Flink's operator feeds its NFA.
type flinkRun struct {
	c                 *flinkCase
	tr                *flinkTranslation
	s                 engine.State
	turn              engine.Turn
	now               time.Time
	matches, timeouts []string
}

func (r *flinkRun) play(t *testing.T) {
	for i, e := range r.c.Events {
		at, _ := e["t"].(float64)
		r.advance(time.UnixMilli(int64(at)).UTC())
		r.feed(i, e)
		for _, a := range r.c.TimeAdvances {
			if a.After == i+1 {
				r.advance(time.UnixMilli(a.T).UTC())
			}
		}
	}
	if r.c.FinalTime != nil {
		r.advance(time.UnixMilli(*r.c.FinalTime).UTC())
	}
	if r.c.ExpectedError != "" {
		require.ErrorIs(t, r.turn.Err, engine.ErrMiss)
	} else {
		require.NoError(t, r.turn.Err)
	}
	assert.Equal(t, flinkLines(r.c.Named, false), r.matches)
	if r.c.EmitTimeouts {
		assert.Equal(t, flinkLines(r.c.ExpectedTimeouts, true), r.timeouts)
	}
}

func (r *flinkRun) feed(i int, e map[string]any) {
	if r.turn.Err != nil {
		return
	}
	r.turn.Truth = engine.Truth{Known: ^uint64(0)}
	for c, expr := range r.tr.conds {
		if evalFlink(expr, e) == true {
			r.turn.Truth.True |= engine.Cond(c + 1).Bit()
		}
	}
	r.turn.In = &engine.Input{Ev: new(event.Event), Pos: engine.Position{Seq: uint64(i)}, Order: uint64(i + 1), At: r.now}
	r.s.Feed(&r.turn, nil)
	r.collect()
}

func (r *flinkRun) advance(to time.Time) {
	for r.turn.Err == nil {
		at, ok := r.s.Deadline()
		if !ok || at.After(to) {
			break
		}
		r.s.Expire(&r.turn, to)
		r.collect()
	}
	if to.After(r.now) {
		r.now = to
	}
}

func (r *flinkRun) collect() {
	for _, d := range r.turn.Out {
		m := flinkMatch{M: map[string][]int{}, Trigger: "time", Deadline: d.Deadline.UnixMilli()}
		for _, p := range d.Pairs {
			m.M[r.tr.names[p.Elem]] = append(m.M[r.tr.names[p.Elem]], int(p.Held.Pos.Seq))
		}
		if d.Outcome == engine.Complete {
			m.Trigger = d.Trigger.Pos.Seq
		}
		if d.Outcome == engine.TimedOut {
			r.timeouts = append(r.timeouts, flinkLines([]flinkMatch{m}, true)...)
		} else {
			r.matches = append(r.matches, flinkLines([]flinkMatch{m}, false)...)
		}
	}
	r.turn.Out = r.turn.Out[:0]
	sort.Strings(r.matches)
	sort.Strings(r.timeouts)
}

func flinkLines(ms []flinkMatch, timeouts bool) (lines []string) {
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
