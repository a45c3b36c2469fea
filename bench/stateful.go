package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/automaton"
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/event"
)

// chainTypes is how many types of events there are; a, b, c and d are the first.
const chainTypes = 20

// flink holds what was recorded of Apache Flink's CEP library, events a second.
var flink = struct{ window100, window2000, three float64 }{22_000, 22, 420_000} //nolint:gochecknoglobals // a constant

// statefulSuite feeds patterns through the matcher. Beside ours run a plain
// automaton, and the engine nfa where the compiler chose another one: it keeps
// every partial match by itself, too. That one is fed without a matcher around it
// and knows beforehand which conditions an event meets.
func statefulSuite(context.Context, options) ([]measure, func() error, error) {
	var list []measure
	for _, w := range []int{100, 500, 2000, 20_000} {
		some, err := chainMeasures(w)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, some...)
	}
	list = append(list,
		measure{name: "Flink, a then any b …, window 100", unit: "events/s", recorded: flink.window100},
		measure{name: "Flink, a then any b …, window 2,000", unit: "events/s", recorded: flink.window2000, base: "Flink, a then any b …, window 100"},
		measure{name: "Flink, a then b then c", unit: "events/s", recorded: flink.three},
		plainMeasure("plain automaton, a then b then c", &plainNFA{kinds: []string{"t0", "t1", "t2"}, within: time.Minute}, newTraffic(chainTypes, 0), 1000),
	)
	for _, c := range []struct {
		name, rule, base string
		kinds, keys      int
	}{
		{"a then b then c", ruleABC, "Flink, a then b then c", chainTypes, 0},
		{"a then b then c, by 64 keys", ruleABC + "  by: data.key\n", "Flink, a then b then c", chainTypes, 64},
		{"fail{5,} then ok, by 64 keys", ruleFail, "nfa alone, fail{5,} then ok", 10, 64},
		{"fail{5,} then ok of the last user, by 64 keys", ruleFailUser, "nfa alone, fail{5,} then ok", 10, 64},
	} {
		m, err := ruleMeasure(c.name, c.rule, newTraffic(c.kinds, c.keys), 1000)
		if err != nil {
			return nil, nil, err
		}
		m.base = c.base
		list = append(list, m)
	}
	for _, n := range []int{10, 100, 1000} {
		for _, ask := range []string{"count(a) > 100000", "sum(a.data.v) < 0", "avg(a.data.v) < 0"} {
			m, err := askMeasure(ask, n)
			if err != nil {
				return nil, nil, err
			}
			list = append(list, m)
		}
	}
	fail := engine.Step{Cond: 2, Min: 5, Max: -1, Repeat: engine.Then}
	for _, c := range []struct {
		name  string
		steps []engine.Step
		kinds int
		keys  int
	}{
		{"nfa alone, a then b then c", []engine.Step{{Elem: 0, Cond: 1}, {Elem: 1, Cond: 2, Link: engine.Then}, {Elem: 2, Cond: 3, Link: engine.Then}}, chainTypes, 1},
		{"nfa alone, fail{5,} then ok", []engine.Step{fail, {Elem: 1, Cond: 1, Link: engine.Then}}, 10, 64},
	} {
		b, err := newBelt(c.steps, engine.Policy{Within: time.Minute}, c.kinds, c.keys)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, measure{name: c.name, unit: "events/s", fn: b.rate})
	}
	return list, nothing, nil
}

const (
	ruleABC = `rule: abc
when:
  pattern: a then b then c
  define: {a: type == "t0", b: type == "t1", c: type == "t2"}
  within: 1m
`
	ruleFail = `rule: fail-ok
when:
  pattern: fail{5,} then ok
  define: {fail: type != "t0", ok: type == "t0"}
  by: data.key
  within: 1m
`
	ruleFailUser = `rule: fail-ok-user
when:
  pattern: fail{5,} then ok
  define: {fail: type != "t0", ok: type == "t0" && data.user == last(fail).data.user}
  by: data.key
  within: 1m
`
)

// chainMeasures are a then any b then any c then any d, of which d never comes, in
// a window of so many events, one a millisecond.
func chainMeasures(window int) ([]measure, error) {
	rule := func(name, define string) string {
		return fmt.Sprintf("rule: %s\nwhen:\n  pattern: a then any b then any c then any d\n  define: {%s, d: type == \"d\"}\n  within: %dms\n  skip: none\n  limit: {runs: 1000000}\n", name, define, window)
	}
	size := number(float64(window))
	first := func(what string) string { return fmt.Sprintf("%s, window %s", what, number(100)) }
	name := fmt.Sprintf("a then any b then any c then any d, window %s", size)
	m, err := ruleMeasure(name, rule("chain", `a: type == "t0", b: type == "t1", c: type == "t2"`), newTraffic(chainTypes, 0), 2*window)
	if err != nil {
		return nil, err
	}
	dense, err := ruleMeasure("every event a, b or c, window "+size, rule("dense", `a: type == "t0", b: type == "t1", c: type == "t2"`), newTraffic(3, 0), 2*window)
	if err != nil {
		return nil, err
	}
	if window > 100 {
		m.base, dense.base = first("a then any b then any c then any d"), first("every event a, b or c")
	}
	list := []measure{m, dense}
	if window > 2000 {
		return list, nil // the others would have 1.7e8 partial matches
	}
	plain := plainMeasure("plain automaton, window "+size, &plainNFA{
		kinds: []string{"t0", "t1", "t2", "d"}, any: true, within: time.Duration(window) * time.Millisecond,
	}, newTraffic(chainTypes, 0), 2*window)
	var steps []engine.Step
	for i := range 4 {
		steps = append(steps, engine.Step{Elem: i, Cond: engine.Cond(i + 1), Link: engine.Any})
	}
	steps[3].Cond = chainTypes + 1 // which no event meets
	pol := engine.Policy{
		Within: time.Duration(window) * time.Millisecond, Limit: 1 << 20, MaxRuns: 1 << 30, Skip: engine.Skip{Kind: engine.NoSkip},
	}
	b, err := newBelt(steps, pol, chainTypes, 1)
	if err != nil {
		return nil, err
	}
	b.warm = 2 * window
	nfa := measure{name: "nfa alone, window " + size, unit: "events/s", fn: b.rate}
	if window > 100 {
		plain.base, nfa.base = first("plain automaton"), first("nfa alone")
	}
	return append(list, plain, nfa), nil
}

// askMeasure is an event whose condition asks of all that a loop has bound, in each
// of the partial matches that n events have left open: of every start, one for each
// way to end the loop. It completes none.
func askMeasure(ask string, n int) (measure, error) {
	p, err := programOf(fmt.Sprintf("rule: asks\nwhen:\n  pattern: a+ then b\n  define: {a: type == \"t0\", b: 'type == \"t1\" && %s'}\n  within: 1h\n  skip: none\n", ask))
	if err != nil {
		return measure{}, err
	}
	m := cep.NewMatcher(p, cep.Options{Tenant: "default"})
	at, seq := time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC), uint64(0)
	var matches []cep.Match
	feed := func(kind string) {
		seq++
		ev := event.Event{ID: "ev", Source: "/bench", Type: kind, Data: fmt.Appendf(nil, `{"key":"k1","user":"u1","v":%d}`, seq)}
		matches = m.Feed(&ev, cep.Position{Seq: seq}, at, matches[:0])
	}
	return measure{name: fmt.Sprintf("a+ then b, b: %s, %s bound", ask, number(float64(n))), unit: "events/s", fn: func(_ context.Context, d time.Duration) (float64, error) {
		for range n - int(seq) {
			feed("t0")
		}
		return rate(d, func() error { feed("t1"); return nil })
	}}, nil
}

// traffic is events in memory, fed one after the other and again, with a clock
// that goes on by a millisecond each.
type traffic struct {
	events []event.Event
	at     time.Time
	n      uint64
}

// newTraffic makes events of so many types, of so many keys; 0: without payload.
func newTraffic(kinds, keys int) *traffic {
	r := rand.New(rand.NewPCG(1, 2)) // the same events in every run
	t := &traffic{events: make([]event.Event, matchEvents), at: time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)}
	for i := range t.events {
		t.events[i] = event.Event{ID: fmt.Sprint("ev-", i), Source: "/bench", Type: fmt.Sprint("t", r.IntN(kinds))}
		if keys > 0 {
			t.events[i].Data = fmt.Appendf(nil, `{"key":"k%d","user":"u%d","v":%d}`, r.IntN(keys), r.IntN(3), i)
		}
	}
	return t
}

func (t *traffic) next() *event.Event {
	t.n++
	t.at = t.at.Add(time.Millisecond)
	return &t.events[t.n%uint64(len(t.events))]
}

// ruleMeasure feeds a matcher of one rule; warm events come before the first
// measure. The name tells the engine that the compiler chose.
func ruleMeasure(name, rule string, t *traffic, warm int) (measure, error) {
	p, err := programOf(rule)
	if err != nil {
		return measure{}, err
	}
	plan, ok := p.Plan(p.Rules()[0].Name)
	if !ok {
		return measure{}, errors.New("the rule has no plan")
	}
	m := cep.NewMatcher(p, cep.Options{Tenant: "default"})
	var matches []cep.Match
	feed := func() error { //nolint:unparam // as rate takes it
		ev := t.next()
		matches = m.Feed(ev, cep.Position{Seq: t.n}, t.at, matches[:0])
		return nil
	}
	return measure{name: name, unit: "events/s " + plan.Engine, fn: func(_ context.Context, d time.Duration) (float64, error) {
		for ; warm > 0; warm-- {
			if err := feed(); err != nil {
				return 0, err
			}
		}
		return rate(d, feed)
	}}, nil
}

func programOf(text string) (*cep.Program, error) {
	rules, err := cep.ParseRules("bench.yaml", []byte(text))
	if err != nil {
		return nil, err
	}
	return cep.Compile(rules)
}

// belt shows an automaton one event after another, of random types and keys. An
// event of type i meets condition i and, unless it is the first, condition 2 of a
// loop as well.
type belt struct {
	state engine.State
	turn  engine.Turn
	in    engine.Input
	ev    event.Event
	now   time.Time
	truth []uint64
	keys  [][]byte
	warm  int
}

func newBelt(steps []engine.Step, pol engine.Policy, kinds, keys int) (*belt, error) {
	n, err := automaton.Compile(steps, engine.Traits{})
	if err != nil {
		return nil, err
	}
	m, err := automaton.NewMachine(n, pol)
	if err != nil {
		return nil, err
	}
	b := &belt{
		state: m.New(), now: time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC),
		ev: event.Event{ID: "ev-1000", Source: "/bench", Type: "t"}, warm: 1000,
	}
	for i := range keys {
		b.keys = append(b.keys, fmt.Append(nil, "key-", i))
	}
	r := rand.New(rand.NewPCG(1, 2))
	b.truth = make([]uint64, matchEvents)
	for i := range b.truth {
		cond := engine.Cond(1 + r.IntN(kinds))
		if steps[0].Max < 0 && cond > 1 {
			cond = steps[0].Cond // whatever is not the first type is a failure
		}
		b.truth[i] = cond.Bit()
	}
	return b, nil
}

func (b *belt) next() error {
	b.now = b.now.Add(time.Millisecond)
	for {
		at, ok := b.state.Deadline()
		if !ok || at.After(b.now) {
			break
		}
		b.state.Expire(&b.turn, b.now)
	}
	n := b.in.Order + 1
	b.in = engine.Input{Ev: &b.ev, Order: n, At: b.now, Pos: engine.Position{Seq: n}}
	b.turn.In, b.turn.Truth = &b.in, engine.Truth{Known: ^uint64(0), True: b.truth[n%uint64(len(b.truth))]}
	b.state.Feed(&b.turn, b.keys[n*7919%uint64(len(b.keys))])
	clear(b.turn.Out)
	b.turn.Out = b.turn.Out[:0]
	if b.turn.Overflow > 0 {
		return errors.New("the automaton refused partial matches")
	}
	return b.turn.Err
}

// rate is events a second. When the automaton is slow, the events that come before
// may take longer than d.
func (b *belt) rate(_ context.Context, d time.Duration) (float64, error) {
	for ; b.warm > 0; b.warm-- {
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	return rate(d, b.next)
}
