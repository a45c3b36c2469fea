package host

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/workflow"
)

// crashApp has all that recovery is about: a sequence with a key, state by
// compare-and-set, events emitted by a plugin and by a step, rules that act on
// those, and matches too large for one batch.
var crashApp = map[string]string{
	"rules/a.yaml": `
rule: burst
when: {pattern: 'fail{3}', define: {fail: type == "login" && data.ok == false}, by: data.user, skip: past-last}
do:
  - run: count
    with: {user: "${fail[0].data.user}"}
  - emit: {type: user.locked, data: {user: "${fail[0].data.user}", n: "${steps.count.out.n}"}}
---
rule: locked
when: type == "user.locked"
do:
  - run: count
    with: {user: "locked ${event.data.user}"}
---
rule: told
when: type == "counted"
`,
	"rules/b.yaml": bigRules(6),
	"plugins/count.lua": `
function invoke(call)
  local key = "n/" .. call.with.user
  local n, version = rhost.state.get(key)
  if n == nil then n, version = 0, 0 end
  n = n + 1
  assert(rhost.state.cas(key, version, n))
  assert(rhost.emit("counted", {user = call.with.user, n = n}))
  return {n = n, key = call.key}
end`,
}

// bigRules are rules whose executions keep the whole of a large event: a few of
// them together are more than one batch holds.
func bigRules(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\nrule: big%d\nwhen: type == \"big\"\ndo: [{emit: {type: seen}}]\n", i)
	}
	return b.String()
}

func crashEvents() []event.Event {
	var list []event.Event
	for i := range 8 {
		list = append(list, ev("login", i, fmt.Sprintf(`{"user":%q,"ok":false}`, []string{"anna", "ben"}[i%2])))
	}
	list = append(list, ev("big", 8, `{"text":"`+strings.Repeat("x", 110_000)+`"}`))
	return append(list, ev("login", 9, `{"user":"anna","ok":false}`), ev("login", 10, `{"user":"anna","ok":false}`))
}

// outcome is what a crash must not change. Where an event lies in the log may
// change, and with it the id of a match: names are made of rules and of events
// from outside.
type outcome struct {
	Matches []string
	Steps   map[string]string // execution and step: how it ended
	Events  map[string]int
	State   map[string]string
}

func outcomeOf(l *liveHost) outcome {
	l.t.Helper()
	names := make(map[string]string) // of executions and matches
	eventName := func(id string) string {
		x, rest, emitted := strings.Cut(id, "/")
		if !emitted {
			return id
		}
		require.Contains(l.t, names, x, "an event was emitted without a cause on record")
		return names[x] + "/" + rest
	}
	o := outcome{Steps: make(map[string]string), Events: make(map[string]int), State: l.values()}
	for _, m := range decodeAll[struct {
		Rule, ID string
		Bind     map[string][]string
	}](l.t, l.matches()) {
		var bound []string
		for _, ids := range m.Bind {
			for _, id := range ids {
				bound = append(bound, eventName(id))
			}
		}
		name := m.Rule + "(" + strings.Join(bound, " ") + ")"
		names[m.ID], names[workflow.ExecutionID(m.ID)] = name, name
		o.Matches = append(o.Matches, name)
	}
	slices.Sort(o.Matches)
	for _, a := range l.actions(api.Query{}) {
		name := names[a.Match] + "/" + a.Step
		assert.NotContains(l.t, o.Steps, name, "recorded twice")
		o.Steps[name] = a.Status
	}
	for id, n := range l.eventIDs() {
		o.Events[eventName(id)] += n
	}
	return o
}

// recording is everything a log holds, and how EV stood at each frame of RUN.
type recording struct {
	ev    [][]eventlog.Record
	run   [][]eventlog.RunRecord
	blobs map[string][]byte
}

// record reads a log that has come to rest.
func record(t *testing.T, log *eventlog.Log) *recording {
	t.Helper()
	rec := &recording{blobs: make(map[string][]byte)}
	keep := func(digest string) {
		b, err := log.GetBlob(t.Context(), digest)
		require.NoError(t, err)
		rec.blobs[digest] = b
	}
	require.NoError(t, log.Read(t.Context(), eventlog.Position{}, func(f *eventlog.Frame) error {
		for _, r := range f.Records {
			if r.Kind == eventlog.Revision {
				keep(r.Key)
			}
		}
		rec.ev = append(rec.ev, f.Records)
		return nil
	}))
	require.NoError(t, log.RunLog().Replay(t.Context(), 0, func(_ uint64, recs []eventlog.RunRecord) error {
		for _, r := range recs {
			if r.Kind&runIndirect != 0 {
				keep(string(r.Body))
			}
		}
		rec.run = append(rec.run, recs)
		return nil
	}))
	return rec
}

// cuts are the least and the most frames of EV that a crash right after the
// first n frames of RUN can leave: all that RUN speaks of, and no event whose
// cause is not in RUN yet.
func (r *recording) cuts(t *testing.T, n int) (least, most int) {
	t.Helper()
	causes := make(map[string]uint64) // of emitted events: the frame of RUN
	forwarded := uint64(0)
	for i, recs := range r.run[:n] {
		for k := range recs {
			switch recs[k].Kind {
			case runProgress:
				pos, err := decodeProgress(recs[k].Body)
				require.NoError(t, err)
				least = max(least, int(pos.Frame))
			case runForwarded:
				to, err := decodeForwarded(recs[k].Body)
				require.NoError(t, err)
				forwarded = max(forwarded, to)
			case runFlow:
				rec, err := workflow.DecodeRecord(recs[k].Body)
				require.NoError(t, err)
				if rec.Succeeded == nil {
					continue
				}
				for e := range rec.Succeeded.Effects {
					causes[rec.EffectID(e)] = uint64(i + 1)
				}
			default: // of no event
			}
		}
	}
	for ; most < len(r.ev); most++ {
		for _, rec := range r.ev[most] {
			if rec.Kind != eventlog.Event {
				continue
			}
			e, _, err := event.DecodeBinary(rec.Body)
			require.NoError(t, err)
			if !strings.HasPrefix(e.Source, "/rhost/rules/") {
				continue
			}
			cause, known := causes[e.ID]
			if !known {
				return least, most
			}
			if cause <= forwarded {
				least = max(least, most+1)
			}
		}
	}
	return least, most
}

// restore writes what a crash left into a new data folder.
func (r *recording) restore(t *testing.T, data string, run, evFrames int) {
	t.Helper()
	log, err := eventlog.Open(t.Context(), eventlog.Config{Dir: filepath.Join(data, "log")})
	require.NoError(t, err)
	for digest, b := range r.blobs {
		require.NoError(t, log.PutBlob(t.Context(), digest, b))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { assert.NoError(t, log.Committer().Run(ctx)) })
	for _, recs := range r.ev[:evFrames] {
		_, err := log.Committer().Commit(ctx, slices.Clone(recs))
		require.NoError(t, err)
	}
	for _, recs := range r.run[:run] {
		_, err := log.RunLog().Append(ctx, recs)
		require.NoError(t, err)
	}
	cancel()
	done.Wait()
	require.NoError(t, log.Close())
}

// TestCrashAfterEachCommit stops a host, on paper, after commits of RUN, with as
// little and as much of EV as there can be by then, and lets it go on: the end is
// always that of the run nobody interrupted.
func TestCrashAfterEachCommit(t *testing.T) {
	app := newApp(t, crashApp)
	l := app.open()
	l.runCore()
	events := crashEvents()
	for part := range slices.Chunk(events, 3) { // so that RUN has many frames
		l.send(part...)
		l.settle()
	}
	l.settle()
	want := outcomeOf(l)
	rec := record(t, l.log)
	l.stop()
	require.NotEmpty(t, want.State)
	require.Greater(t, len(rec.run), 10)

	cuts := rand.Perm(len(rec.run) + 1)
	if os.Getenv("RHOST_SOAK") == "" {
		cuts = cuts[:10] // others each time; the name of a subtest says where it cut
	}
	for _, n := range cuts {
		least, most := rec.cuts(t, n)
		for _, frames := range slices.Compact([]int{least, most}) {
			t.Run(fmt.Sprintf("run %d of %d, ev %d of %d", n, len(rec.run), frames, len(rec.ev)), func(t *testing.T) {
				t.Parallel()
				again := &testApp{t: t, dir: app.dir, data: shortDir(t)}
				rec.restore(t, again.data, n, frames)
				l := again.open()
				l.runCore()
				l.send(events...) // what was accepted before is accepted once
				l.settle()
				assert.Equal(t, want, outcomeOf(l))
			})
		}
	}
}

// keysOf watches which commands are started, under which idempotency keys.
func keysOf(l *liveHost) func() map[string][]string {
	var mu sync.Mutex
	keys := make(map[string][]string)
	start := l.lane.start
	l.lane.start = func(cmd workflow.Command) bool {
		mu.Lock()
		id := commandID(cmd.Execution, cmd.Step, cmd.Undo)
		keys[id] = append(keys[id], cmd.Key)
		mu.Unlock()
		return start(cmd)
	}
	return func() map[string][]string {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(keys)
	}
}

// TestStoppedWithoutDrain stops the parts of a host dead while events pour in,
// again and again. Nothing accepted is lost, nothing is recorded twice, and an
// action that runs again has the key it had before.
func TestStoppedWithoutDrain(t *testing.T) {
	app := newApp(t, crashApp)
	var events []event.Event
	for i := range 300 {
		events = append(events, ev("login", i/10, fmt.Sprintf(`{"user":"u%d","ok":false}`, i%50)))
		events[i].ID = fmt.Sprint("e", i)
	}
	calm := newApp(t, crashApp).open()
	calm.runCore()
	calm.send(events...)
	calm.settle()
	want := outcomeOf(calm)
	calm.stop()

	keys := make(map[string]string)
	for round := 0; round < len(events); {
		l := app.open()
		started := keysOf(l)
		l.runCore()
		for until := min(len(events), round+1+rand.IntN(200)); round < until; round++ {
			l.send(events[round])
		}
		if rand.IntN(2) == 0 {
			require.NoError(t, l.lane.snapshotNow(t.Context()))
		}
		l.end() // at whatever the lane is doing
		l.stop()
		for id, list := range started() {
			for _, key := range list {
				if before, ok := keys[id]; ok {
					assert.Equal(t, before, key, "key of %s", id)
				}
				keys[id] = key
			}
		}
	}
	l := app.open()
	l.runCore()
	l.settle()
	got := outcomeOf(l)
	assert.Equal(t, want.Matches, got.Matches)
	assert.Equal(t, want.Steps, got.Steps)
	assert.Equal(t, want.Events, got.Events)
	assert.Equal(t, want.State, got.State)
}

// TestLoopOfRules lets two rules trigger each other: the chain ends at the depth
// that is allowed, also where the events are too large for a history.
func TestLoopOfRules(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "kept as blobs": maxPayload} {
		t.Run(name, func(t *testing.T) {
			app := newApp(t, map[string]string{"rules/r.yaml": `
rule: ping
when: type == "ping"
do: [{emit: {type: pong, data: {text: "${event.data.text}"}}}]
---
rule: pong
when: type == "pong"
do: [{emit: {type: ping, data: {text: "${event.data.text}"}}}]
`})
			l := app.open()
			l.runCore()
			text, err := json.Marshal(strings.Repeat("x", size))
			require.NoError(t, err)
			l.send(ev("ping", 0, fmt.Sprintf(`{"text":%s}`, text)))
			require.Eventually(t, func() bool { return l.lane.counts.matches.Load() > maxDepth }, patience, time.Millisecond)
			l.settle()
			assert.Len(t, l.matches(), maxDepth+1, "the event from outside and %d that follow", maxDepth)
			assert.Len(t, l.eventIDs(), maxDepth+1)
		})
	}
}
