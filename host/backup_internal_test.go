package host

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/connect"
	"github.com/rhost/rhost/host/eventlog"
)

// busyApp counts events in a state that every step changes, and emits an event for
// each, which is counted in turn.
var busyApp = map[string]string{
	"rhost.yaml": "tenant: busy\n",
	"rules/r.yaml": `
rule: count
when: type == "t"
do: [{run: count, with: {key: n}}, {run: say}]
---
rule: tally
when: type == "counted"
do: [{run: count, with: {key: m}}]
---
rule: pair
when: {pattern: a then b, define: {a: type == "t" && data.k == 0, b: type == "t" && data.k == 1}}
`,
	"plugins/count.lua": `
function invoke(call)
  local n, version = rhost.state.get(call.with.key)
  if n == nil then n, version = 0, 0 end
  assert(rhost.state.cas(call.with.key, version, n + 1))
  return {n = n + 1}
end`,
	"plugins/say.lua": `
function invoke(call)
  assert(rhost.emit("counted", {of = call.event.id}))
  return {}
end`,
}

// busy sends events i in from, from+1, … until stopped, in batches with a cursor as
// a source does, and returns how many were accepted.
func (l *liveHost) busy(from int, stop <-chan struct{}) (sent int, err error) {
	sink := intake{l.admit, "feed"}
	for sent = from; ; {
		select {
		case <-stop:
			return sent, nil
		default:
		}
		var events []event.Event
		for range 5 {
			events = append(events, ev("t", sent, fmt.Sprintf(`{"k":%d}`, sent%3)))
			sent++
		}
		b := connect.Batch{Events: events, Cursor: fmt.Appendf(nil, "%d", sent)}
		if err := sink.Submit(l.t.Context(), b); err != nil {
			return sent, err
		}
	}
}

// matchesUpTo gives the ids of the matches that RUN has up to a frame, in order.
func matchesUpTo(t *testing.T, log *eventlog.Log, last uint64) (ids []string) {
	t.Helper()
	require.NoError(t, log.RunLog().Replay(t.Context(), 0, func(seq uint64, recs []eventlog.RunRecord) error {
		for _, r := range recs {
			if seq <= last && r.Kind == runMatch {
				ids = append(ids, r.Key)
			}
		}
		return nil
	}))
	return ids
}

// A backup taken under load, restored elsewhere, is the host as it was at one
// moment: what it had decided stays so, what it had accepted is decided, and nothing
// happens twice.
func TestBackupUnderLoad(t *testing.T) {
	app := newApp(t, busyApp)
	l := app.open()
	l.runCore()
	stop := make(chan struct{})
	var load errgroup.Group
	load.Go(func() error {
		_, err := l.busy(0, stop)
		return err
	})
	out := filepath.Join(t.TempDir(), "backup")
	var last *BackupResult
	for i := range 3 {
		require.Eventually(t, func() bool { return len(l.ids()) > 20*(i+1) }, patience, time.Millisecond)
		var err error
		last, err = Backup(t.Context(), Options{App: app.dir, Data: app.data, Version: "test"}, out, nil)
		require.NoError(t, err)
		assert.Equal(t, i+1, last.Manifest.Number)
		assert.Greater(t, last.Added.Frames, uint64(0))
	}
	close(stop)
	require.NoError(t, load.Wait())
	ev, run := last.Manifest.Stream("EV"), last.Manifest.Stream("RUN")
	require.Len(t, ev.Segments, 3, "each backup adds what is new")
	want := matchesUpTo(t, l.log, run.Last)
	l.end()
	l.stop()

	rep, err := VerifyBackup(t.Context(), out, nil)
	require.NoError(t, err)
	assert.Empty(t, rep.Problems)

	there := &testApp{t: t, dir: filepath.Join(t.TempDir(), "app"), data: filepath.Join(shortDir(t), "data")}
	_, data, err := Restore(t.Context(), RestoreOptions{From: out, App: there.dir, Data: there.data})
	require.NoError(t, err)
	assert.Equal(t, there.data, data)
	for name := range busyApp {
		assert.FileExists(t, filepath.Join(there.dir, name))
	}

	// As it was at the tail.
	was, now := app.open(), there.open()
	defer was.stop()
	assert.Equal(t, run.Last, now.log.RunLog().Tail())
	assert.Equal(t, ev.Last, now.log.Tail().Frame)
	assert.Equal(t, want, matchesUpTo(t, now.log, run.Last))
	assert.Equal(t, was.lane.origin, now.lane.origin)
	assert.Equal(t, cursorAt(t, was.log, ev.Last), now.lane.cursors["feed"])
	was.end = func() {}
	was.ended <- nil

	// Run on, it does what was left to do, once.
	now.runCore()
	now.settle()
	var accepted int
	for id, n := range now.eventIDs() {
		assert.Equal(t, 1, n, id)
		accepted++
	}
	counted := 0
	for _, a := range now.actions(api.Query{Status: "ok"}) {
		if a.Step == "count" {
			counted++
		}
	}
	assert.Equal(t, accepted, counted, "every event is counted once")
	values := now.values()
	half := accepted / 2
	assert.Equal(t, 2*half, accepted, "every t has its counted")
	assert.Equal(t, map[string]string{"n": fmt.Sprintf("%d at %d", half, half), "m": fmt.Sprintf("%d at %d", half, half)}, values)
	assert.Empty(t, now.letters())
}

// cursorAt is the newest cursor of the source feed up to a frame of EV.
func cursorAt(t *testing.T, log *eventlog.Log, last uint64) (cursor []byte) {
	t.Helper()
	require.NoError(t, log.Read(t.Context(), eventlog.Position{}, func(f *eventlog.Frame) error {
		for i := range f.Records {
			if r := &f.Records[i]; f.Seq <= last && r.Kind == eventlog.Checkpoint && r.Key == "feed" {
				cursor = r.Body
			}
		}
		return nil
	}))
	return cursor
}
