package cep

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// filled opens something for every key in a state of the rule, and gives the bytes
// that it says it has beside those it was measured to take: without the events.
func filled(t *testing.T, rule, want string, keys, each int) (said, took float64) {
	rules, err := ParseRules("r.yaml", []byte(rule))
	require.NoError(t, err)
	p, err := Compile(rules)
	require.NoError(t, err)
	pl := p.places.at(0).plan
	require.Equal(t, want, pl.engine.Plan().Engine, pl.choice)
	ins := make([]engine.Input, keys*each)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range ins {
		at = at.Add(time.Millisecond)
		ev := &event.Event{Type: fmt.Sprint("t", i/keys), Data: fmt.Appendf(nil, `{"k":"key-%07d","x":%d,"u":"user%d"}`, i%keys, i, i%7)}
		ins[i] = engine.Input{Ev: ev, Order: uint64(i + 1), At: at}
		ins[i].Hold()
	}
	before := liveHeap()
	s, turn, key := pl.engine.New(), engine.Turn{}, []byte(nil)
	for i := range ins {
		ev := &predicate.Event{Ev: ins[i].Ev}
		turn.In, turn.Truth = &ins[i], engine.Truth{Known: ^uint64(0)}
		for c, pred := range pl.preds {
			if bit := uint64(1) << c; pred.Correlated() {
				turn.Truth.Known &^= bit
			} else if pred.Eval(ev, nil) == predicate.True {
				turn.Truth.True |= bit
			}
		}
		turn.Values = turn.Values[:0]
		for _, f := range pl.values {
			turn.Values = append(turn.Values, ev.Ev.Get(f.path))
		}
		turn.Conds = failing{}
		key = appendKeyPart(key[:0], ev.Ev.Get(event.PathOf("data", "k")))
		s.Feed(&turn, key)
		require.Empty(t, turn.Out)
	}
	turn = engine.Turn{}
	took = liveHeap() - before
	size := s.Size()
	require.Equal(t, keys, size.Keys)
	runtime.KeepAlive(ins)
	return float64(size.Bytes) / float64(keys), took / float64(keys)
}

// failing is conditions that no run meets.
type failing struct{}

func (failing) Holds(engine.Cond, engine.Bindings) bool { return false }

func liveHeap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// What states say they hold is about what they take, whatever the engine and the
// number of keys. RHOST_SOAK=1 goes up to 100,000.
func TestSizesAreAboutRight(t *testing.T) {
	for _, tt := range []struct {
		engine, when string
		each         int
	}{
		{"dfa", `{pattern: "a then b then c", define: {a: 'type == "t0"', b: 'type == "t1"', c: 'type == "t9"'}, within: 10h, by: data.k}`, 1},
		{"dfa", `{pattern: "a then b then c", define: {a: 'type == "t0"', b: 'type == "t1"', c: 'type == "t9"'}, by: data.k}`, 2},
		{"dfa", `{pattern: "a{2,} then c", define: {a: 'type != "t9"', c: 'type == "t9"'}, within: 10h, by: data.k}`, 8},
		{"cea", `{pattern: "a then any b then any c", define: {a: 'type == "t0"', b: 'type == "t1"', c: 'type == "t9"'}, within: 10h, skip: none, by: data.k}`, 1},
		{"cea", `{pattern: "a then any b then any c", define: {a: 'type != "t9"', b: 'type != "t9"', c: 'type == "t9"'}, within: 10h, skip: none, by: data.k}`, 8},
		{"nfa", `{pattern: "a then b then c", define: {a: 'type == "t0"', b: 'type == "t1"', c: 'type == "t9" && data.u == a.data.u'}, within: 10h, by: data.k}`, 1},
		{"nfa", `{pattern: "a then b then c", define: {a: 'type == "t0"', b: 'type == "t1"', c: 'type == "t9" && data.x > a.data.x'}, by: data.k}`, 2},
		{"nfa", `{pattern: "a{2,} then c", define: {a: 'type != "t9"', c: 'type == "t9" && data.u == last(a).data.u'}, within: 10h, by: data.k}`, 8},
		{"nfa", `{pattern: "a{2,} then c", define: {a: 'type != "t9"', c: 'type == "t9" && sum(a.data.x) > data.x'}, within: 10h, skip: none, by: data.k}`, 8},
		{"window", `{window: tumbling 10h, let: {n: "count()", ms: "avg(data.x)"}, having: "n < 0", by: data.k}`, 1},
		{"window", `{window: sliding 10h every 1h, let: {n: "count()", ms: "max(data.x)"}, having: "n < 0", by: data.k}`, 2},
		{"window", `{window: tumbling 10h, let: {p: "quantile(data.x, 0.9)", d: "distinct(data.u)", t: "topk(data.u, 3)"}, having: "p < 0", by: data.k}`, 4},
		{"window", `{window: tumbling 10h, let: {p: "quantile(data.x, 0.9)", d: "distinct(data.x)", m: "max(data.u)", t: "last(data.u)"}, having: "p < 0", by: data.k}`, 70},
	} {
		sizes := []int{max(500, 4000/tt.each)}
		if os.Getenv("RHOST_SOAK") != "" && tt.each <= 8 {
			sizes = []int{10_000, 100_000}
		}
		for _, keys := range sizes {
			said, took := filled(t, "rule: r\nwhen: "+tt.when+"\n", tt.engine, keys, tt.each)
			t.Logf("%-7s %7d keys, %d events each: says %4.0f B, took %4.0f B: %+.0f %%", tt.engine, keys, tt.each, said, took, 100*(said/took-1))
			assert.InEpsilon(t, took, said, 0.4, "%s, %d keys, %d events each", tt.when, keys, tt.each)
		}
	}
}
