package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/event"
)

// keysSuite opens a partial match, or a window, for each of many keys, and then
// feeds events of random keys. Every engine has a rule of the same shape, that is
// never complete.
func keysSuite(context.Context, options) ([]measure, func() error, error) {
	var list []measure
	for _, e := range []struct{ engine, when string }{
		{"dfa", "pattern: a then b then c\n  define: {a: type == \"t0\", b: type == \"t1\", c: type == \"t99\"}\n  within: %s"},
		{"cea", "pattern: a then any b then any c\n  define: {a: type == \"t0\", b: type == \"t1\", c: type == \"t99\"}\n  within: %s\n  skip: none"},
		{"nfa", "pattern: a then b then c\n  define: {a: type == \"t0\", b: type == \"t1\", c: type == \"t99\" && data.user == a.data.user}\n  within: %s"},
		{"window", "window: tumbling %s\n  where: type == \"t0\"\n  let: {n: \"count()\", ms: \"avg(data.ms)\"}\n  having: \"n < 0\""},
	} {
		for _, n := range []int{1, 10_000, 1_000_000} {
			// The bound on time keeps about four starts of a key open.
			within := time.Duration(4*chainTypes*n) * time.Millisecond
			p, err := programOf("rule: keys\nwhen:\n  " + fmt.Sprintf(e.when, within) + "\n  by: data.key\n")
			if err != nil {
				return nil, nil, err
			}
			if plan, ok := p.Plan("keys"); !ok || plan.Engine != e.engine {
				return nil, nil, fmt.Errorf("the rule for the engine %s got %s: %s", e.engine, plan.Engine, plan.Why)
			}
			k := &keyed{program: p, keys: n, holds: e.engine != "window"}
			name := func(what string) string { return fmt.Sprintf("%s, keys: %s: %s", e.engine, number(float64(n)), what) }
			once := n >= 1_000_000
			list = append(list, measure{name: name("events"), unit: "events/s", fn: k.run, once: once})
			if n > 1 {
				list = append(list,
					measure{name: name("heap of a key, with an event it holds"), unit: "B", fn: k.gave(&k.heap), once: true},
					measure{name: name("heap of a key, without"), unit: "B", fn: k.gave(&k.state), once: true},
					measure{name: name("what Stats says of that"), unit: "B", fn: k.gave(&k.stats), once: true})
			}
		}
	}
	return list, nothing, nil
}

// keyed is a rule and how many keys it follows.
type keyed struct {
	program *cep.Program
	keys    int
	holds   bool // each key holds an event

	heap, state, stats float64 // bytes of a key, from the last run
}

func (k *keyed) gave(v *float64) func(context.Context, time.Duration) (float64, error) {
	return func(context.Context, time.Duration) (float64, error) { return *v, nil }
}

// run opens something for every key, notes what it takes, and gives the rate of
// what comes then.
func (k *keyed) run(_ context.Context, d time.Duration) (float64, error) {
	m := cep.NewMatcher(k.program, cep.Options{Tenant: "default"})
	f := newKeyEvents()
	at, n := time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC), uint64(0)
	var matches []cep.Match
	feed := func(kind, key int) {
		n++
		at = at.Add(time.Millisecond)
		matches = m.Feed(f.event(kind, key), cep.Position{Seq: n}, at, matches[:0])
	}
	before := heap()
	for key := range k.keys {
		feed(0, key)
	}
	k.heap = (heap() - before) / float64(k.keys)
	held := m.Stats()
	if held.Keys != k.keys || len(held.Rules) != 1 {
		return 0, fmt.Errorf("%d keys have something open, and not %d", held.Keys, k.keys)
	}
	k.stats, k.state = float64(held.Rules[0].Bytes)/float64(k.keys), k.heap
	if k.holds {
		k.state -= heldEvent()
	}
	r := rand.New(rand.NewPCG(1, 2))
	return rate(d, func() error {
		feed(r.IntN(chainTypes), r.IntN(k.keys))
		return nil
	})
}

// heldEvent is what one event takes that a partial match holds.
func heldEvent() float64 {
	const n = 10_000
	f, kept := newKeyEvents(), make([]*engine.Held, n)
	before := heap()
	for i := range kept {
		in := engine.Input{Ev: f.event(0, i)}
		kept[i] = in.Hold()
	}
	size := (heap() - before) / n
	runtime.KeepAlive(kept)
	return size
}

// keyEvents makes events of 300 bytes in one buffer, written over for each: who
// keeps one has to copy it.
type keyEvents struct {
	ev    event.Event
	kinds [chainTypes]string
}

const keyAt = len(`{"key":"k`)

func newKeyEvents() *keyEvents {
	f := &keyEvents{ev: *sampleEvent()}
	f.ev.Data = []byte(`{"key":"k0000000","user":"postgres","ip":"203.0.113.77","ms":331,"host":"web-17","method":"password","session":"c81f0a6e","geo":{"country":"NL","asn":64496}}`)
	for i := range f.kinds {
		f.kinds[i] = fmt.Sprint("t", i)
	}
	return f
}

func (f *keyEvents) event(kind, key int) *event.Event {
	f.ev.Type = f.kinds[kind]
	for i := keyAt + 6; i >= keyAt; i-- {
		f.ev.Data[i] = byte('0' + key%10)
		key /= 10
	}
	return &f.ev
}
