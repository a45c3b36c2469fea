package host

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi/manifest"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	w "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// batching is the guest of wasmtest with a manifest that says whether it takes batches.
func batching(t *testing.T, takes bool) string {
	t.Helper()
	src, err := manifest.Embed(w.Batching(), fmt.Appendf(nil, `{"name":"p","version":"1","abi":"rhost.v1","batch":%t,"capabilities":{"emit":{},"state":{}}}`, takes))
	require.NoError(t, err)
	return string(src)
}

// crowdEvents are calls of all sorts, some of which trap.
func crowdEvents(n int) (list []event.Event) {
	for i := range n {
		mark := strings.Repeat("#", i%10)
		switch {
		case i%97 == 50:
			mark += string(rune(w.BatchTraps))
		case i%11 == 3:
			mark += string(rune(w.BatchFails))
		case i%7 == 2:
			mark += string(rune(w.BatchWrites))
		}
		list = append(list, ev("go", i, `{"mark":"`+mark+`"}`))
	}
	return list
}

// TestBatchesInAHost runs an app whose plugin takes batches, and the same app whose
// plugin takes none: every match ends the same way, and state and events are the same.
func TestBatchesInAHost(t *testing.T) {
	run := func(takes bool) (ends map[string]string, seen int, state map[string]string) {
		a := newApp(t, map[string]string{
			"rules/r.yaml": callRule + "---\nrule: twin\nwhen: type == \"go\"\ndo: [{run: p, id: other}]\n",
			"rhost.yaml":   "plugins: {p: {limits: {deadline: 1m}}}\n",
		})
		a.write("plugins/p.wasm", batching(t, takes))
		l := a.start()
		events := crowdEvents(400)
		for len(events) > 0 {
			l.send(events[:100]...)
			events = events[100:]
		}
		l.settle()
		ends = make(map[string]string)
		fuel := int64(0)
		for _, act := range l.actions(api.Query{}) {
			if act.Step == "" {
				continue
			}
			id := act.Match + " " + act.Step
			require.Empty(t, ends[id], "ended once")
			ends[id] = fmt.Sprint(act.Status, " ", string(act.Out), " ", act.Error)
			fuel += act.Fuel
			assert.Positive(t, act.Fuel)
		}
		for id := range l.eventIDs() {
			if !strings.HasPrefix(id, "go-") {
				seen++
			}
		}
		stats := l.calls.Stats()
		assert.Equal(t, uint64(800), stats.Ended)
		assert.Equal(t, takes, stats.Batched > 0, "%d calls went together", stats.Batched)
		return ends, seen, l.values()
	}
	single, seenSingle, stateSingle := run(false)
	batch, seenBatch, stateBatch := run(true)
	require.Len(t, single, 800)
	assert.Equal(t, single, batch)
	assert.Equal(t, seenSingle, seenBatch)
	assert.Equal(t, stateSingle, stateBatch)
}

// TestBatchesAndRecords keeps calls that are recorded apart, so that each can be run
// again by itself.
func TestBatchesAndRecords(t *testing.T) {
	a := newApp(t, map[string]string{"rules/r.yaml": callRule, "rhost.yaml": recordCalls})
	a.write("plugins/p.wasm", batching(t, true))
	l := a.start()
	l.send(crowdEvents(60)...)
	l.settle()
	l.stop()
	list := a.replayed(CallQuery{}, nil)
	require.Len(t, list, 60)
	for _, r := range list {
		assert.Equal(t, ReplaySame, r.Outcome, r.Reason)
	}
}
