package cea_test

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

	"github.com/rhost/rhost/cep/cea"
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/event"
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
	Events       []flinkEvent
	EmitTimeouts bool         `json:"emit_timeouts"`
	Named        []flinkMatch `json:"expected_named"`
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
	Trigger any
	M       map[string][]int
}

// The cases that this engine can follow come out as Flink has them.
func TestFlinkCases(t *testing.T) {
	raw, err := os.ReadFile(flinkCases)
	if err != nil {
		t.Skipf("the shared cases are not here: %v", err)
	}
	ours := 0
	refused := make(map[string]int)
	for line := range strings.Lines(string(raw)) {
		var c flinkCase
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		tr := new(flinkTranslation)
		steps, pol := tr.steps(c.Pattern), tr.policy(&c)
		if c.Within != nil && c.Within.Kind != "first_and_last" {
			steps[len(steps)-1].Wait = time.Duration(c.Within.MS) * time.Millisecond
		}
		e, err := cea.Compile(steps, engine.Traits{Correlated: tr.correlated}, pol)
		if err != nil {
			refused[err.Error()]++
			continue
		}
		ours++
		t.Run(c.ID, func(t *testing.T) { assert.Equal(t, wantLines(c.Named), tr.run(e, c.Events)) })
	}
	t.Logf("%d cases followed; others: %v", ours, refused)
	assert.GreaterOrEqual(t, ours, 40)
}

func wantLines(ms []flinkMatch) []string {
	lines := []string{}
	for _, m := range ms {
		parts := []string{}
		for name, ids := range m.M {
			parts = append(parts, fmt.Sprintf("%s%v", name, ids))
		}
		sort.Strings(parts)
		lines = append(lines, fmt.Sprint("trigger ", m.Trigger, " ")+strings.Join(parts, " "))
	}
	sort.Strings(lines)
	return lines
}

// flinkTranslation turns a case's pattern into steps.
type flinkTranslation struct {
	names      []string
	conds      [][]any
	correlated uint64
}

func (tr *flinkTranslation) policy(c *flinkCase) engine.Policy {
	pol := engine.Policy{Emit: engine.Ordered, OnTimeout: c.EmitTimeouts}
	pol.Skip = engine.Skip{Strict: c.Skip.Throw, Elem: slices.Index(tr.names, c.Skip.Element)}
	pol.Skip.Kind = map[string]engine.SkipKind{
		"no_skip": engine.NoSkip, "skip_past_last": engine.PastLast, "skip_to_next": engine.ToNext,
		"skip_to_first": engine.ToFirst, "skip_to_last": engine.ToLast,
	}[c.Skip.Strategy]
	if c.Within != nil && c.Within.Kind == "first_and_last" {
		pol.Within = time.Duration(c.Within.MS) * time.Millisecond
	}
	return pol
}

func (tr *flinkTranslation) steps(in []flinkStep) []engine.Step {
	links := map[string]engine.Link{
		"next": engine.Next, "notNext": engine.Next, "followedBy": engine.Then,
		"notFollowedBy": engine.Then, "followedByAny": engine.Any,
	}
	inner := map[string]engine.Link{"strict": engine.Next, "relaxed": engine.Then, "any": engine.Any}
	var out []engine.Step
	for _, f := range in {
		s := engine.Step{
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

func (tr *flinkTranslation) cond(expr []any) engine.Cond {
	if expr == nil {
		return engine.None
	}
	tr.conds = append(tr.conds, expr)
	c := engine.Cond(len(tr.conds))
	text := fmt.Sprint(expr)
	for _, word := range []string{"[sum ", "[count ", "[first "} {
		if strings.Contains(text, word) {
			tr.correlated |= c.Bit()
		}
	}
	return c
}

// run gives the matches of a case, sorted.
func (tr *flinkTranslation) run(e engine.Engine, events []flinkEvent) []string {
	s := e.New()
	var turn engine.Turn
	for i, ev := range events {
		now := time.UnixMilli(ev.T).UTC()
		for at, ok := s.Deadline(); ok && !at.After(now); at, ok = s.Deadline() {
			s.Expire(&turn, now)
		}
		turn.Truth = engine.Truth{Known: ^uint64(0)}
		for c, expr := range tr.conds {
			if evalFlink(expr, ev) == true {
				turn.Truth.True |= engine.Cond(c + 1).Bit()
			}
		}
		turn.In = &engine.Input{Ev: new(event.Event), Pos: engine.Position{Seq: uint64(i)}, Order: uint64(i + 1), At: now}
		s.Feed(&turn, nil)
	}
	var ms []flinkMatch
	for _, d := range turn.Out {
		m := flinkMatch{Trigger: d.Trigger.Pos.Seq, M: make(map[string][]int)}
		for _, p := range d.Pairs {
			m.M[tr.names[p.Elem]] = append(m.M[tr.names[p.Elem]], int(p.Held.Pos.Seq))
		}
		ms = append(ms, m)
	}
	return wantLines(ms)
}

func evalFlink(x any, e flinkEvent) any {
	expr, ok := x.([]any)
	if !ok {
		return x
	}
	field := func(name any) any {
		return map[any]any{"name": e.Name, "price": e.Price, "volume": e.Volume, "id": float64(e.ID)}[name]
	}
	value := func(i int) float64 {
		if f, ok := field(expr[i]).(float64); ok {
			return f
		}
		f, _ := evalFlink(expr[i], e).(float64)
		return f
	}
	switch expr[0] {
	case "true":
		return true
	case "class":
		return e.Class == expr[1]
	case "eq":
		return field(expr[1]) == expr[2]
	case "contains":
		return strings.Contains(fmt.Sprint(field(expr[1])), fmt.Sprint(expr[2]))
	case "prefix":
		return strings.HasPrefix(fmt.Sprint(field(expr[1])), fmt.Sprint(expr[2]))
	case "gt":
		return value(1) > value(2)
	case "ge":
		return value(1) >= value(2)
	case "lt":
		return value(1) < value(2)
	case "le":
		return value(1) <= value(2)
	case "and":
		return evalFlink(expr[1], e) == true && evalFlink(expr[2], e) == true
	case "or":
		return evalFlink(expr[1], e) == true || evalFlink(expr[2], e) == true
	}
	panic(fmt.Sprint("no operator ", expr[0]))
}
