package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
)

// sharedSuite follows many rules that begin alike: so many failures, then what only
// one of them waits for. Beside them run rules that differ in a limit nothing comes
// near to, and therefore share nothing.
func sharedSuite(context.Context, options) ([]measure, func() error, error) {
	var list []measure
	for _, c := range []struct{ rules, every int }{{1, 200}, {100, 200}, {1000, 200}, {1000, 10}} {
		for _, alone := range []bool{false, true} {
			s, err := newSiblings(c.rules, c.every, alone)
			if err != nil {
				return nil, nil, err
			}
			list = append(list, s.measures()...)
		}
	}
	return list, nothing, nil
}

// siblings are rules that begin alike.
type siblings struct {
	program *cep.Program
	rules   int
	every   int // one event of so many completes a match, of each rule in turn
	alone   bool

	heap, snapshot float64 // from the last run
}

func newSiblings(n, every int, alone bool) (*siblings, error) {
	var b strings.Builder
	for i := range n {
		limit := 1000
		if alone {
			limit += i
		}
		fmt.Fprintf(&b, `---
rule: r%d
when:
  pattern: fail{5} then ok
  define: {fail: type == "fail", ok: 'type == "ok" && data.code == %d && data.user == last(fail).data.user'}
  by: data.key
  within: 1m
  limit: {runs: %d}
`, i, i, limit)
	}
	p, err := programOf(b.String())
	if err != nil {
		return nil, err
	}
	plan, _ := p.Plan("r0")
	if want := !alone && n > 1; (plan.Shared != nil) != want || plan.Engine != "nfa" {
		return nil, fmt.Errorf("%d rules, alone %v: the plan is %+v", n, alone, plan.Shared)
	}
	return &siblings{program: p, rules: n, every: every, alone: alone}, nil
}

func (s *siblings) measures() []measure {
	name := func(what, how string) string {
		return fmt.Sprintf("%s rules, a match in %d events, %s: %s", number(float64(s.rules)), s.every, how, what)
	}
	list := []measure{
		{name: "events", unit: "events/s nfa", fn: s.run},
		{name: "heap of what is open", unit: "B", fn: s.gave(&s.heap)},
		{name: "snapshot", unit: "B", fn: s.gave(&s.snapshot)},
	}
	for i := range list {
		m := &list[i]
		if what := m.name; s.alone {
			m.name = name(what, "each by itself")
		} else {
			m.name, m.base = name(what, "shared"), name(what, "each by itself")
		}
	}
	return list
}

func (s *siblings) gave(v *float64) func(context.Context, time.Duration) (float64, error) {
	return func(context.Context, time.Duration) (float64, error) { return *v, nil }
}

// run opens something for every key, notes what it takes, and gives the rate of
// what comes then.
func (s *siblings) run(_ context.Context, d time.Duration) (float64, error) {
	const keys, warm = 64, 64 * 20
	m := cep.NewMatcher(s.program, cep.Options{Tenant: "default"})
	t := newTraffic(chainTypes, keys)
	for i := range t.events {
		e := &t.events[i]
		kind, code := "fail", ""
		if i%s.every == 0 {
			kind, code = "ok", fmt.Sprintf(`,"code":%d`, i/s.every%s.rules)
		}
		*e = event.Event{ID: e.ID, Source: e.Source, Type: kind, Data: append(e.Data[:len(e.Data)-1:len(e.Data)-1], code+"}"...)}
	}
	var matches []cep.Match
	feed := func() error {
		matches = m.Feed(t.next(), cep.Position{Seq: t.n}, t.at, matches[:0])
		return nil
	}
	before := heap()
	for range warm {
		if err := feed(); err != nil {
			return 0, err
		}
	}
	s.heap, s.snapshot = heap()-before, float64(len(m.AppendSnapshot(nil)))
	return rate(d, feed)
}
