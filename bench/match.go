package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

const (
	matchRules  = 1000
	matchEvents = 1 << 16
)

// matchSuite feeds events as JSON to a matcher with a thousand rules over four
// paths, of which one event in a hundred meets one.
func matchSuite(context.Context) ([]measure, func() error, error) {
	program, err := thousandRules()
	if err != nil {
		return nil, nil, err
	}
	linear, err := linearRules()
	if err != nil {
		return nil, nil, err
	}
	lines := eventLines()
	sequences, err := sequenceProgram()
	if err != nil {
		return nil, nil, err
	}
	pairs := sequenceLines()
	return []measure{
		{"1,000 rules, indexed", "events/s", "1,000 rules, one by one", func(_ context.Context, d time.Duration) (float64, error) {
			return feedRate(program, lines, d)
		}},
		{"1,000 rules, one by one", "events/s", "", func(_ context.Context, d time.Duration) (float64, error) {
			return linearRate(linear, lines, d)
		}},
		{"1,000 rules, indexed, parsed before", "events/s", "1,000 rules, one by one", func(_ context.Context, d time.Duration) (float64, error) {
			return parsedRate(program, lines, d)
		}},
		{"parsing alone", "events/s", "", func(_ context.Context, d time.Duration) (float64, error) { return parseRate(lines, d) }},
		{"a then b then c by key, 20 types", "events/s", "", func(_ context.Context, d time.Duration) (float64, error) {
			return feedRate(sequences, pairs, d)
		}},
	}, func() error { return nil }, nil
}

// condition is that of rule i: four paths, one of them an equality that differs
// from rule to rule.
func condition(i int) string {
	return fmt.Sprintf(`type == "auth.failure" && data.port == %d && data.user != "nobody" && data.geo.country in ["NL", "DE"] && data.method == "password"`, 30_000+i)
}

func thousandRules() (*cep.Program, error) {
	var b strings.Builder
	for i := range matchRules {
		fmt.Fprintf(&b, "rule: r%d\nwhen: '%s'\n---\n", i, condition(i))
	}
	rules, err := cep.ParseRules("bench.yaml", []byte(b.String()))
	if err != nil {
		return nil, err
	}
	return cep.Compile(rules)
}

// eventLines are events of 300 bytes; the port of one in a hundred is a rule's.
func eventLines() [][]byte {
	lines := make([][]byte, matchEvents)
	for i := range lines {
		port := 50_000 + i
		if i%100 == 0 {
			port = 30_000 + i%matchRules
		}
		ev := sampleEvent()
		ev.Data = fmt.Appendf(nil, `{"user":"user%d","ip":"203.0.113.%d","port":%d,"host":"web-17","method":"password","session":"c81f0a6e","geo":{"country":"NL","asn":64496},"tags":["ssh","external"]}`, i%500, i%256, port)
		lines[i] = ev.AppendJSON(nil)
	}
	return lines
}

// feedRate is JSON in, matches out. Each round over the lines has a matcher of
// its own, because the time of the events begins again.
func feedRate(p *cep.Program, lines [][]byte, d time.Duration) (float64, error) {
	var m *cep.Matcher
	var matches []cep.Match
	return rate(lines, d, func(i int, ev *event.Event) error {
		if i%len(lines) == 0 {
			m = cep.NewMatcher(p, cep.Options{Tenant: "default"})
		}
		matches = m.Feed(ev, cep.Position{Seq: uint64(i)}, ev.Time, matches[:0])
		return nil
	})
}

// parsedRate leaves out the parsing of the envelope, which the log's binary form
// does without; the fields are still scanned in the payload's JSON.
func parsedRate(p *cep.Program, lines [][]byte, d time.Duration) (float64, error) {
	events := make([]event.Event, len(lines))
	for i, line := range lines {
		ev, err := event.Parse(line)
		if err != nil {
			return 0, err
		}
		events[i] = ev
	}
	m := cep.NewMatcher(p, cep.Options{Tenant: "default"})
	var matches []cep.Match
	start := time.Now()
	for n := 0; ; n++ {
		if n%1024 == 0 && time.Since(start) >= d {
			return float64(n) / time.Since(start).Seconds(), nil
		}
		ev := &events[n%len(events)]
		matches = m.Feed(ev, cep.Position{Seq: uint64(n)}, ev.Time, matches[:0])
	}
}

func parseRate(lines [][]byte, d time.Duration) (float64, error) {
	return rate(lines, d, func(int, *event.Event) error { return nil })
}

func rate(lines [][]byte, d time.Duration, fn func(int, *event.Event) error) (float64, error) {
	start := time.Now()
	n := 0
	for {
		for _, line := range lines {
			if n%1024 == 0 && time.Since(start) >= d {
				return float64(n) / time.Since(start).Seconds(), nil
			}
			ev, err := event.Parse(line)
			if err != nil {
				return 0, err
			}
			if err := fn(n, &ev); err != nil {
				return 0, err
			}
			n++
		}
	}
}

// linear is the same conditions, each compiled as well as ours, tried in turn.
type linear struct {
	set   *event.PathSet
	conds []*predicate.Cond
}

func linearRules() (*linear, error) {
	set := predicate.NewSet()
	l := &linear{}
	scope := predicate.Scope{Elements: []predicate.Element{{Name: "event"}}}
	for i := range matchRules {
		c, err := set.Add(scope, condition(i), yamldoc.Pos{File: "bench"})
		if err != nil {
			return nil, err
		}
		l.conds = append(l.conds, c)
	}
	l.set = event.NewPathSet(set.Paths())
	return l, nil
}

func linearRate(l *linear, lines [][]byte, d time.Duration) (float64, error) {
	var fields []event.Value
	hits := 0
	return rate(lines, d, func(_ int, ev *event.Event) error {
		fields = l.set.Scan(ev, fields[:0])
		seen := predicate.Event{Ev: ev, Fields: fields}
		for _, c := range l.conds {
			if c.Eval(&seen, nil) == predicate.True {
				hits++
			}
		}
		return nil
	})
}

// sequenceProgram is Flink's classical case: three of twenty types in a row.
func sequenceProgram() (*cep.Program, error) {
	rules, err := cep.ParseRules("bench.yaml", []byte(`rule: abc
when:
  pattern: a then b then c
  define: {a: type == "t0", b: type == "t1", c: type == "t2"}
  by: data.key
  within: 1m
`))
	if err != nil {
		return nil, err
	}
	return cep.Compile(rules)
}

func sequenceLines() [][]byte {
	lines := make([][]byte, matchEvents)
	at := time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)
	random := rand.New(rand.NewPCG(1, 2)) // the same lines in every run
	for i := range lines {
		ev := event.Event{
			ID: fmt.Sprint("ev-", i), Source: "/bench", Type: fmt.Sprint("t", random.IntN(20)),
			Time: at.Add(time.Duration(i) * time.Millisecond), Data: fmt.Appendf(nil, `{"key":"k%d","v":%d}`, random.IntN(64), i),
		}
		lines[i] = ev.AppendJSON(nil)
	}
	return lines
}
