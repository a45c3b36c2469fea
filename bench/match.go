package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
)

const (
	matchEvents = 1 << 15
	matchTypes  = 20
)

// matchSuite feeds events as JSON to rules over four fields of the payload and
// the type, of which one event in a hundred meets one.
func matchSuite(_ context.Context, o options) ([]measure, func() error, error) {
	program, err := compileRules(o.rules, condition)
	if err != nil {
		return nil, nil, err
	}
	lines := eventLines(o.rules)
	count, err := newCounting(o.rules, condition)
	if err != nil {
		return nil, nil, err
	}
	naive := newByType(o.rules)
	if err := agree(program, lines, count, naive); err != nil {
		return nil, nil, err
	}
	stream := cep.NewStream(program, cep.Options{Tenant: "default"})
	var matches []cep.Match
	var ev event.Event
	const base = "counting algorithm, JSON in"
	return []measure{
		{name: "JSON in, matches out", unit: "events/s", base: base, fn: over(lines, func(line []byte, n int) error {
			matches, err = stream.Line(n, line, matches[:0])
			return err
		})},
		{name: base, unit: "events/s", fn: over(lines, func(line []byte, _ int) error {
			_, err := count.matchLine(line, &ev)
			return err
		})},
		{name: "encoding/json, rules by type", unit: "events/s", base: base, fn: over(lines, func(line []byte, _ int) error {
			_, err := naive.match(line)
			return err
		})},
		{name: "parsed before, matches out", unit: "events/s", base: base, fn: parsedRate(program, lines)},
		{name: "parsing alone", unit: "events/s", base: base, fn: over(lines, func(line []byte, _ int) error {
			ev, err = event.Parse(line)
			return err
		})},
	}, nothing, nil
}

// condition is that of rule i: the type and four fields, one of them an equality
// that differs from rule to rule.
func condition(i int) string {
	return fmt.Sprintf(`type == "auth.t%d" && data.port == %d && data.user != "nobody" && data.geo.country in ["NL", "DE"] && data.method == "password"`, i%matchTypes, 30_000+i)
}

// eventLines are events of 300 bytes; the port of one in a hundred is a rule's.
func eventLines(rules int) [][]byte {
	lines := make([][]byte, matchEvents)
	for i := range lines {
		port, kind := 30_000+rules+i, i%matchTypes
		if i%100 == 0 {
			rule := i / 100 * 7919 % rules
			port, kind = 30_000+rule, rule%matchTypes
		}
		ev := sampleEvent()
		ev.Type = fmt.Sprint("auth.t", kind)
		ev.Data = fmt.Appendf(nil, `{"user":"user%d","ip":"203.0.113.%d","port":%d,"host":"web-17","method":"password","session":"c81f0a6e","geo":{"country":"NL","asn":64496},"tags":["ssh","external"]}`, i%500, i%256, port)
		lines[i] = ev.AppendJSON(nil)
	}
	return lines
}

// compileRules compiles rules of one condition each, in documents of ten thousand.
func compileRules(n int, condition func(i int) string) (*cep.Program, error) {
	var rules []*cep.Rule
	for from := 0; from < n; from += documentRules {
		some, err := cep.ParseRules("bench.yaml", document(from, min(from+documentRules, n), condition))
		if err != nil {
			return nil, err
		}
		rules = append(rules, some...)
	}
	return cep.Compile(rules)
}

const documentRules = 10_000

// document is the YAML of some rules.
func document(from, to int, condition func(i int) string) []byte {
	var b []byte
	for i := from; i < to; i++ {
		b = fmt.Appendf(b, "rule: r%d\nwhen: '%s'\n---\n", i, condition(i))
	}
	return b
}

// over measures how many lines a second fn takes. The place in the lines is kept
// from one run to the next.
func over(lines [][]byte, fn func(line []byte, n int) error) func(context.Context, time.Duration) (float64, error) {
	n := 0
	return func(_ context.Context, d time.Duration) (float64, error) {
		return rate(d, func() error {
			n++
			return fn(lines[n%len(lines)], n)
		})
	}
}

// rate calls fn for as long as d and gives the calls a second. It looks at the
// clock seldom, but often enough for what takes milliseconds.
func rate(d time.Duration, fn func() error) (float64, error) {
	start := time.Now()
	for n, next := 1, 1; ; n++ {
		if err := fn(); err != nil {
			return 0, err
		}
		if n < next {
			continue
		}
		took := time.Since(start)
		if took >= d {
			return float64(n) / took.Seconds(), nil
		}
		next = n + min(n, int(float64(n)/took.Seconds()/1000)+1) // about every millisecond
	}
}

// parsedRate leaves out the parsing of the envelope, which the log's binary form
// does without; the fields are still scanned in the payload's JSON.
func parsedRate(p *cep.Program, lines [][]byte) func(context.Context, time.Duration) (float64, error) {
	events := make([]event.Event, 0, len(lines))
	m := cep.NewMatcher(p, cep.Options{Tenant: "default"})
	var matches []cep.Match
	n := 0
	return func(_ context.Context, d time.Duration) (float64, error) {
		for len(events) < len(lines) {
			ev, err := event.Parse(lines[len(events)])
			if err != nil {
				return 0, err
			}
			events = append(events, ev)
		}
		return rate(d, func() error {
			n++
			ev := &events[n%len(events)]
			matches = m.Feed(ev, cep.Position{Seq: uint64(n)}, ev.Time, matches[:0])
			return nil
		})
	}
}

// byType is how rules are matched without thought: decode the event, and try all
// rules of its type.
type byType struct{ rules map[string][]float64 } // the ports

func newByType(n int) *byType {
	b := &byType{make(map[string][]float64)}
	for i := range n {
		kind := fmt.Sprint("auth.t", i%matchTypes)
		b.rules[kind] = append(b.rules[kind], float64(30_000+i))
	}
	return b
}

func (b *byType) match(line []byte) (hits int, err error) {
	var ev struct {
		Type string         `json:"type"`
		Data map[string]any `json:"data"`
	}
	if err := json.Unmarshal(line, &ev); err != nil {
		return 0, err
	}
	for _, port := range b.rules[ev.Type] {
		if ev.Data["port"] != port || ev.Data["user"] == "nobody" || ev.Data["method"] != "password" {
			continue
		}
		geo, _ := ev.Data["geo"].(map[string]any)
		if geo["country"] == "NL" || geo["country"] == "DE" {
			hits++
		}
	}
	return hits, nil
}

// agree makes sure that what is compared does the same work.
func agree(p *cep.Program, lines [][]byte, c *counting, b *byType) error {
	s := cep.NewStream(p, cep.Options{Tenant: "default"})
	var matches []cep.Match
	for i, line := range lines[:2000] {
		ev, err := event.Parse(line)
		if err != nil {
			return err
		}
		if matches, err = s.Line(i+1, line, matches[:0]); err != nil {
			return err
		}
		naive, err := b.match(line)
		if err != nil {
			return err
		}
		want := 0
		if i%100 == 0 {
			want = 1
		}
		if counted := len(c.match(&ev)); len(matches) != want || counted != want || naive != want {
			return fmt.Errorf("event %d must match %d rules: ours says %d, counting %d, by type %d", i, want, len(matches), counted, naive)
		}
	}
	return nil
}
