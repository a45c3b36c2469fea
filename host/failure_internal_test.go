package host

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/connect"
)

// stepsOf lists the actions of a rule as "step/attempt status", undo marked.
func (l *liveHost) stepsOf(rule string) []string {
	l.t.Helper()
	var list []string
	for _, a := range l.actions(api.Query{Rule: rule}) {
		name := a.Step
		if a.Undo {
			name = "undo " + name
		}
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s/%d %s", name, a.Attempt, a.Status)))
	}
	return list
}

func TestStepFailsAndRecovers(t *testing.T) {
	app := newApp(t, map[string]string{
		"rules/r.yaml": `
rule: flaky
when: type == "t"
do: [{run: flaky, retry: {max: 5, backoff: 1ms..4ms}}]
`,
		"plugins/flaky.lua": `
function invoke(call)
  assert(rhost.emit("never"))
  if call.attempt < 3 then rhost.retry("not yet") end
  return {attempt = call.attempt}
end`,
	})
	l := app.open()
	l.runCore()
	l.send(ev("t", 0, `{}`))
	l.settle()
	assert.Equal(t, []string{"flaky/1 retry", "flaky/2 retry", "flaky/3 ok", "/0 done"}, l.stepsOf("flaky"))
	assert.Len(t, l.eventIDs(), 2, "an attempt that failed emits nothing")
	assert.Empty(t, l.letters())
	assert.EqualValues(t, 2, l.lane.counts.load().Failed)
}

// undoApp fails its third step for good until the state says otherwise.
var undoApp = map[string]string{
	"rules/r.yaml": `
rule: deal
when: type == "deal"
do:
  - {id: one, run: do, with: {step: one}, undo: {run: do, with: {step: undo-one}}}
  - {id: two, run: do, with: {step: two}, undo: {run: do, with: {step: undo-two}}}
  - {id: three, run: do, with: {step: three}}
---
rule: mend
when: type == "mend"
do: [{run: do, with: {step: mend}}]
`,
	"plugins/do.lua": `
function invoke(call)
  local step = call.with.step
  if step == "three" and not rhost.state.get("mended") then rhost.fail("out of order") end
  if step == "mend" then rhost.state.set("mended", true) end
  return {key = call.key}
end`,
}

func TestPermanentFailureIsUndone(t *testing.T) {
	app := newApp(t, undoApp)
	l := app.open()
	l.runCore()
	l.send(ev("deal", 0, `{}`), ev("deal", 1, `{}`))
	l.settle()
	got := l.actions(api.Query{})
	require.Len(t, got, 12)
	perDeal := make(map[string][]string)
	keys := make(map[string]string)
	for _, a := range got {
		name := a.Step
		if a.Undo {
			name = "undo " + name
		}
		perDeal[a.Execution] = append(perDeal[a.Execution], name+" "+a.Status)
		if a.Step == "one" && !a.Undo {
			keys[a.Execution] = string(a.Out)
		}
	}
	for _, steps := range perDeal {
		assert.Equal(t, []string{"one ok", "two ok", "three failed", "undo two ok", "undo one ok", " compensated"}, steps)
	}
	letters := l.letters()
	require.Len(t, letters, 2)
	assert.Equal(t, "compensated", letters[0].Status)
	assert.Contains(t, letters[0].Reason, "three: ")
	assert.Contains(t, letters[0].Reason, "out of order")
	assert.Equal(t, uint64(2), l.lane.counts.load().DeadLetters)

	// One is dropped and the other redriven, the host stopped in between without
	// notice: what an operator was told has happened stays so.
	require.NoError(t, l.api().Drop(t.Context(), letters[0].ID))
	l.end()
	l.stop()
	l = app.open()
	l.runCore()
	left := l.letters()
	require.Len(t, left, 1, "the drop survives")
	assert.Equal(t, letters[1].ID, left[0].ID)
	l.send(ev("mend", 2, `{}`))
	l.settle()
	require.NoError(t, l.api().Redrive(t.Context(), left[0].ID))
	assert.Empty(t, l.letters(), "what was redriven is no dead letter any more")
	l.end()
	l.stop()
	l = app.open()
	l.runCore()
	l.settle()
	assert.Empty(t, l.letters())
	var after []string
	for _, a := range l.actions(api.Query{}) {
		if a.Execution == letters[1].ID {
			after = append(after, a.Step+" "+a.Status)
			if a.Step == "one" && !a.Undo && len(after) > 6 {
				assert.NotEqual(t, keys[a.Execution], string(a.Out), "what was undone happens anew, under a new key")
			}
		}
	}
	assert.Equal(t, []string{"one ok", "two ok", "three ok", " done"}, after[6:])

	for _, id := range []string{letters[0].ID, letters[1].ID, "nobody", ""} {
		assert.ErrorIs(t, l.api().Drop(t.Context(), id), api.ErrNotFound, id)
		assert.ErrorIs(t, l.api().Redrive(t.Context(), id), api.ErrNotFound, id)
	}
}

// A record that a source cannot read is a dead letter, once, whatever is
// submitted again, and until somebody drops it.
func TestBadRecords(t *testing.T) {
	app := newApp(t, map[string]string{"rules/r.yaml": "rule: bad\nwhen: type == \"rhost.source.bad_record\"\n"})
	l := app.open()
	l.runCore()
	sink := intake{l.admit, "feed"}
	bad := func(n int) connect.BadRecord {
		return connect.BadRecord{Position: fmt.Sprintf("a.log:%d", n), Reason: "no JSON", Raw: []byte("\xff{")}
	}
	batch := connect.Batch{
		Events: []event.Event{ev("ok", 1, `{}`), ev("rhost.forged", 2, `{}`)},
		Bad:    []connect.BadRecord{bad(3), bad(4)}, Cursor: []byte("4"),
	}
	require.NoError(t, sink.Submit(t.Context(), batch))
	require.NoError(t, sink.Submit(t.Context(), batch))
	l.settle()
	check := func(want ...string) []DeadLetter {
		t.Helper()
		letters := l.letters()
		var got []string
		for _, d := range letters {
			assert.Equal(t, "record", d.Kind)
			assert.Equal(t, "feed", d.Source)
			got = append(got, d.Reason)
		}
		assert.ElementsMatch(t, want, got)
		return letters
	}
	reserved := `rhost.forged-2: type "rhost.forged": ` + ErrReserved.Error()
	letters := check("a.log:3: no JSON", "a.log:4: no JSON", reserved)
	assert.Len(t, l.matches(), 3, "rules see them")
	assert.Contains(t, string(letters[0].Detail), "\ufffd{")
	assert.ErrorIs(t, l.api().Redrive(t.Context(), letters[0].ID), api.ErrNotFound, "there is nothing to run")
	require.NoError(t, l.api().Drop(t.Context(), letters[0].ID))
	l.end()
	l.stop()
	l = app.open()
	l.runCore()
	l.settle()
	assert.Equal(t, []byte("4"), l.lane.cursors["feed"])
	assert.Len(t, l.letters(), 2, "the drop survives")
	assert.ErrorIs(t, l.api().Drop(t.Context(), letters[0].ID), api.ErrNotFound)
}

// TestNoUpdateIsLost lets many executions count on one key at once.
func TestNoUpdateIsLost(t *testing.T) {
	const n = 100
	app := newApp(t, map[string]string{
		"rules/r.yaml": "rule: count\nwhen: type == \"t\"\ndo: [{run: count}]\n",
		"plugins/count.lua": `
function invoke(call)
  local n, version = rhost.state.get("n")
  if n == nil then n, version = 0, 0 end
  assert(rhost.state.cas("n", version, n + 1))
  return {n = n + 1}
end`,
	})
	l := app.open()
	l.runCore()
	var events []event.Event
	for i := range n {
		events = append(events, ev("t", i, `{}`))
	}
	l.send(events...)
	l.settle()
	for _, d := range l.letters() {
		assert.Fail(t, "a dead letter", d.Reason)
	}
	assert.Equal(t, map[string]string{"n": fmt.Sprintf("%d at %d", n, n)}, l.values())
	seen := make(map[string]bool)
	for _, a := range l.actions(api.Query{Status: "ok"}) {
		assert.False(t, seen[string(a.Out)], "%s twice", a.Out)
		seen[string(a.Out)] = true
	}
	assert.Len(t, seen, n)
}

// A host does not wait for retries that are due later before it serves.
func TestReadyBeforeLateRetries(t *testing.T) {
	app := newApp(t, map[string]string{
		"rules/r.yaml":      "rule: later\nwhen: type == \"t\"\ndo: [{run: later, retry: {max: 1, backoff: 24h, jitter: none}}]\n",
		"plugins/later.lua": `function invoke(call) rhost.retry("later") end`,
	})
	l := app.open()
	l.runCore()
	l.send(ev("t", 0, `{}`))
	require.Eventually(t, func() bool { return len(l.stepsOf("later")) == 1 }, patience, time.Millisecond)
	l.end()
	l.stop()
	l = app.start()
	l.send(ev("t", 1, `{}`))
	require.Eventually(t, func() bool { return len(l.stepsOf("later")) == 2 }, patience, time.Millisecond)
}

// Outputs, matches and payloads that no frame has room for are recorded and read
// back like any other.
func TestLargeRecords(t *testing.T) {
	const n = 5000
	app := newApp(t, map[string]string{
		"rules/r.yaml": `
rule: many
when: {pattern: 'a{1,} then b', define: {a: type == "a", b: type == "b"}, skip: past-last}
do: [{run: large, with: {n: "${count(a)}"}}]
`,
		"plugins/large.lua": `function invoke(call) return {n = call.with.n, text = string.rep("<", 256 * 1024 - 100)} end`,
	})
	l := app.open()
	l.runCore()
	var events []event.Event
	for i := range n {
		events = append(events, ev("a", i, fmt.Sprintf(`{"i":%d,"text":%q}`, i, strings.Repeat("x", 50))))
	}
	for part := range slices.Chunk(events, 1000) {
		l.send(part...)
	}
	l.send(ev("b", n, `{}`), ev("c", n+1, `{}`))
	l.settle()
	check := func() {
		ids := l.ids()
		require.Len(t, ids, 1)
		raw, err := l.api().Match(t.Context(), ids[0])
		require.NoError(t, err)
		var m MatchRecord
		require.NoError(t, json.Unmarshal(raw, &m))
		var line struct{ Bind map[string][]string }
		require.NoError(t, json.Unmarshal(m.Line, &line))
		assert.Len(t, line.Bind["a"], n)
		done := l.actions(api.Query{Status: "ok"})
		require.Len(t, done, 1)
		var out struct {
			N    int
			Text string
		}
		require.NoError(t, json.Unmarshal(done[0].Out, &out))
		assert.Equal(t, n, out.N)
		assert.Equal(t, strings.Repeat("<", 256*1024-100), out.Text)
	}
	check()
	l.end()
	l.stop()
	l = app.open()
	l.runCore()
	l.settle()
	check()
	l.send(ev("a", n+2, `{}`), ev("b", n+3, `{}`))
	l.settle()
	assert.Len(t, l.ids(), 2, "the lane goes on")
}

// Whoever asks a lane that has ended is told so.
func TestAskAfterTheEnd(t *testing.T) {
	app := newApp(t, undoApp)
	l := app.open()
	l.runCore()
	l.end()
	<-l.lane.done
	assert.ErrorIs(t, l.api().Drop(t.Context(), "x"), api.ErrUnavailable)
	assert.ErrorIs(t, l.lane.untilQuiet(t.Context()), errLaneStopped)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Error(t, l.lane.ask(ctx, func() { assert.Fail(t, "the lane has ended") }))
}
