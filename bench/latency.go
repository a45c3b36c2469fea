package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
)

// latencySuite measures single events, from the matcher's Feed to its match, with
// the garbage collector at work as always. Beside ours is what a program without
// rules would do with the same event as it came, in encoding/json.
func latencySuite(context.Context, options) ([]measure, func() error, error) {
	simple, err := newSimple()
	if err != nil {
		return nil, nil, err
	}
	rule, err := newBrute()
	if err != nil {
		return nil, nil, err
	}
	hand, err := newBrute()
	if err != nil {
		return nil, nil, err
	}
	// Once round, so that all addresses are somewhere on their way.
	for range 11 * bruteKeys {
		_, _, err1 := rule.next()
		_, _, err2 := hand.byHand()
		if err := errors.Join(err1, err2); err != nil {
			return nil, nil, err
		}
	}
	return append(
		percentileMeasures("simple, one of 1,000 rules", "by hand, simple", simple.next, simple.byHand),
		percentileMeasures("complex, fail{5,} then ok of the last user, 10,000 keys", "by hand, complex", rule.next, hand.byHand)...,
	), nothing, nil
}

// percentileMeasures are of events that match; next and byHand return how long one
// took, and ok false for events that only lead to one.
func percentileMeasures(name, base string, next, byHand func() (time.Duration, bool, error)) []measure {
	var list []measure
	for _, side := range []struct {
		name, base string
		fn         func() (time.Duration, bool, error)
	}{{name, base, next}, {base, "", byHand}} {
		var h histogram
		take := func(_ context.Context, d time.Duration) (float64, error) {
			h = histogram{}
			for start := time.Now(); time.Since(start) < d; {
				took, matched, err := side.fn()
				if err != nil {
					return 0, err
				}
				if matched {
					h.add(took)
				}
			}
			return h.micros(0.5), nil
		}
		m := measure{name: side.name + ", p50", unit: "µs", fn: take}
		at := func(q float64, what string) measure {
			return measure{name: side.name + what, unit: "µs", fn: func(context.Context, time.Duration) (float64, error) { return h.micros(q), nil }}
		}
		p99, p999 := at(0.99, ", p99"), at(0.999, ", p99.9")
		if side.base != "" {
			m.base, p99.base = side.base+", p50", side.base+", p99"
		}
		list = append(list, m, p99, p999)
	}
	return list
}

// simple is a thousand rules of one event each, and events that meet one.
type simple struct {
	lines   [][]byte
	events  []event.Event
	m       *cep.Matcher
	matches []cep.Match
	n       int
}

func newSimple() (*simple, error) {
	const rules = 1000
	p, err := compileRules(rules, condition)
	if err != nil {
		return nil, err
	}
	s := &simple{m: cep.NewMatcher(p, cep.Options{Tenant: "default"})}
	for i, line := range eventLines(rules) {
		if i%100 == 0 {
			s.lines = append(s.lines, line)
		}
	}
	s.events, err = parseLines(s.lines)
	return s, err
}

func (s *simple) next() (time.Duration, bool, error) {
	s.n++
	ev := &s.events[s.n%len(s.events)]
	start := time.Now()
	s.matches = s.m.Feed(ev, cep.Position{Seq: uint64(s.n)}, ev.Time, s.matches[:0])
	took := time.Since(start)
	if len(s.matches) != 1 {
		return 0, false, fmt.Errorf("%d matches instead of one", len(s.matches))
	}
	return took, true, nil
}

func (s *simple) byHand() (time.Duration, bool, error) {
	s.n++
	line := s.lines[s.n%len(s.lines)]
	start := time.Now()
	var ev struct {
		Type string
		Data struct {
			User, Method string
			Port         int
			Geo          struct{ Country string }
		}
	}
	if err := json.Unmarshal(line, &ev); err != nil {
		return 0, false, err
	}
	d := &ev.Data
	ok := d.Port >= 30_000 && d.User != "nobody" && d.Method == "password" && (d.Geo.Country == "NL" || d.Geo.Country == "DE")
	took := time.Since(start)
	if !ok {
		return 0, false, errors.New("the event meets no rule")
	}
	return took, true, nil
}

// brute is the rule of spec and README: failures of an address, and then a success
// of the user who failed last.
type brute struct {
	m       *cep.Matcher
	matches []cep.Match
	at      time.Time
	n       int
	open    map[string]failures
}

type failures struct {
	n    int
	last string
}

const bruteKeys = 10_000

func newBrute() (*brute, error) {
	p, err := programOf(`rule: brute-force
when:
  pattern: fail{5,} then ok
  define:
    fail: type == "auth.failure"
    ok: type == "auth.success" && data.user == last(fail).data.user
  by: data.ip
  within: 10m
`)
	if err != nil {
		return nil, err
	}
	return &brute{
		m: cep.NewMatcher(p, cep.Options{Tenant: "default"}), open: make(map[string]failures),
		at: time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC),
	}, nil
}

// event is the next one: each address in turn fails ten times and then succeeds,
// while all others are somewhere on that way.
func (b *brute) event() (ev event.Event, last bool) {
	b.n++
	key := b.n % bruteKeys
	step := (b.n/bruteKeys + key) % 11
	ev = event.Event{ID: "0192f1c4-7a3e-7c11-b0a7-5f3d9c1e2a44", Source: "/bench/hosts/web-17", Type: "auth.failure"}
	if step == 10 {
		ev.Type = "auth.success"
	}
	ev.Data = fmt.Appendf(nil, `{"user":"postgres","ip":"10.0.%d.%d","port":33031,"host":"web-17","method":"password","session":"c81f0a6e"}`, key/256, key%256)
	return ev, step == 10
}

func (b *brute) next() (time.Duration, bool, error) {
	ev, last := b.event()
	b.at = b.at.Add(time.Millisecond)
	start := time.Now()
	b.matches = b.m.Feed(&ev, cep.Position{Seq: uint64(b.n)}, b.at, b.matches[:0])
	took := time.Since(start)
	if last && b.n > 11*bruteKeys && len(b.matches) != 1 {
		return 0, false, fmt.Errorf("%d matches instead of one", len(b.matches))
	}
	return took, len(b.matches) == 1, nil
}

func (b *brute) byHand() (time.Duration, bool, error) {
	ev, _ := b.event()
	line := ev.AppendJSON(nil)
	start := time.Now()
	var seen struct {
		Type string
		Data struct{ User, IP string }
	}
	if err := json.Unmarshal(line, &seen); err != nil {
		return 0, false, err
	}
	f, matched := b.open[seen.Data.IP], false
	if seen.Type == "auth.failure" {
		b.open[seen.Data.IP] = failures{f.n + 1, seen.Data.User}
	} else if matched = f.n >= 5 && f.last == seen.Data.User; matched {
		delete(b.open, seen.Data.IP)
	}
	return time.Since(start), matched, nil
}
