package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
)

// allocSuite counts allocations, over many events, after enough of them that all
// buffers have grown.
func allocSuite(context.Context, options) ([]measure, func() error, error) {
	p, err := compileRules(1000, condition)
	if err != nil {
		return nil, nil, err
	}
	lines := eventLines(1000)
	events, err := parseLines(lines)
	if err != nil {
		return nil, nil, err
	}
	foreign, near := events[1], events[100]
	foreign.Type = "other"
	near.Data = []byte(`{"user":"nobody","ip":"203.0.113.77","port":30000,"method":"password","geo":{"country":"NL","asn":64496}}`)
	near.Type = "auth.t0"

	list := []measure{
		{name: "an event that no rule wants", unit: "allocs", fn: feeding(p, same(foreign))},
		{name: "an event that one condition of one rule refuses", unit: "allocs", fn: feeding(p, same(near))},
		{name: "an event that no rule wants, from JSON", unit: "allocs", fn: streaming(p, lines[1])},
	}
	more, err := patternAllocs()
	return append(list, more...), nothing, err
}

// patternAllocs are of events that meet something open. Binding an event copies
// it, which is what allocates.
func patternAllocs() ([]measure, error) {
	abc, err := programOf(strings.Replace(ruleABC, "within: 1m", "within: 500us", 1) + "  by: data.key\n")
	if err != nil {
		return nil, err
	}
	wait, err := programOf(ruleABC + "  by: data.key\n")
	if err != nil {
		return nil, err
	}
	any3, err := programOf("rule: any3\nwhen:\n  pattern: a then any b then any c\n  define: {a: type == \"t0\", b: type == \"t1\", c: type == \"t2\"}\n  by: data.key\n  within: 1m\n")
	if err != nil {
		return nil, err
	}
	fail, err := programOf(ruleFail)
	if err != nil {
		return nil, err
	}
	window, err := programOf("rule: window\nwhen:\n  window: tumbling 1h\n  by: data.key\n  let: {n: \"count()\", v: \"avg(data.v)\"}\n  having: n < 0\n")
	if err != nil {
		return nil, err
	}
	of := func(kind string) event.Event {
		return event.Event{ID: "ev-1", Source: "/bench", Type: kind, Data: []byte(`{"key":"k1","user":"u1","v":17}`)}
	}
	return []measure{
		{name: "an event of a key that waits for another (dfa)", unit: "allocs", fn: feeding(wait, after(of("t0"), of("t7")))},
		{name: "an event of a key that waits for another (cea)", unit: "allocs", fn: feeding(any3, after(of("t0"), of("t7")))},
		{name: "an event that takes a partial match on: a, b of a then b then c (dfa)", unit: "allocs", fn: feeding(abc, inTurn(of("t0"), of("t1")))},
		{name: "an event that a loop binds: fail{5,} then ok (dfa)", unit: "allocs", fn: feeding(fail, same(of("t5")))},
		{name: "an event that a window counts and averages", unit: "allocs", fn: feeding(window, same(of("t5")))},
		{name: "a copy of that event, for comparison", unit: "allocs", fn: cloning(of("t5"))},
	}, nil
}

func same(ev event.Event) func(int) *event.Event { return func(int) *event.Event { return &ev } }

func after(first, then event.Event) func(int) *event.Event {
	return func(n int) *event.Event {
		if n == 0 {
			return &first
		}
		return &then
	}
}

func inTurn(events ...event.Event) func(int) *event.Event {
	return func(n int) *event.Event { return &events[n%len(events)] }
}

const (
	allocWarm   = 20_000
	allocEvents = 200_000
)

// feeding counts for events fed to a matcher. Time goes on by a microsecond an
// event, so that partial matches run out of time and room comes free.
func feeding(p *cep.Program, next func(n int) *event.Event) func(context.Context, time.Duration) (float64, error) {
	return func(context.Context, time.Duration) (float64, error) {
		m := cep.NewMatcher(p, cep.Options{Tenant: "default"})
		at := time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)
		var matches []cep.Match
		return allocs(func(n int) error {
			at = at.Add(time.Microsecond)
			matches = m.Feed(next(n), cep.Position{Seq: uint64(n)}, at, matches[:0])
			if len(matches) > 0 {
				return fmt.Errorf("event %d matched", n)
			}
			return nil
		})
	}
}

func streaming(p *cep.Program, line []byte) func(context.Context, time.Duration) (float64, error) {
	return func(context.Context, time.Duration) (float64, error) {
		s := cep.NewStream(p, cep.Options{Tenant: "default"})
		return allocs(func(n int) error {
			_, err := s.Line(n, line, nil)
			return err
		})
	}
}

func cloning(ev event.Event) func(context.Context, time.Duration) (float64, error) {
	return func(context.Context, time.Duration) (float64, error) {
		var kept [64]event.Event
		return allocs(func(n int) error {
			kept[n%len(kept)] = ev.Clone()
			return nil
		})
	}
}

func allocs(fn func(n int) error) (float64, error) {
	var before, now runtime.MemStats
	for n := range allocWarm + allocEvents {
		if n == allocWarm {
			runtime.ReadMemStats(&before)
		}
		if err := fn(n); err != nil {
			return 0, err
		}
	}
	runtime.ReadMemStats(&now)
	return float64(now.Mallocs-before.Mallocs) / allocEvents, nil
}
