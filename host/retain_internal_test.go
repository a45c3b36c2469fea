package host

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

// keeperOf is the keeper of a rig's log, which wants nothing that is older than a
// moment.
func keeperOf(t *testing.T, r *laneRig, held *heldBlobs) *keeper {
	return &keeper{
		config: RetentionConfig{Age: keepAge(time.Nanosecond), Bytes: -1}, log: r.log, size: func(context.Context) (int64, error) { return 0, nil },
		ledger: filepath.Join(t.TempDir(), "plugins.json"), blobs: held, now: time.Now,
	}
}

// keptRig is a rig with its snapshots where a host has them.
func keptRig(t *testing.T, dir string) (*laneRig, *heldBlobs) {
	var held *heldBlobs
	r := rigWith(t, eventlog.Config{Dir: dir, DedupWindow: -1}, time.Now, func(log *eventlog.Log) (blobs, snapshotStore) {
		held = newHeldBlobs(log)
		return held, logSnapshots{held}
	})
	return r, held
}

// lists reads all that is listed from a log whose beginning is gone.
func (r *laneRig) lists(t *testing.T) {
	t.Helper()
	from, run := records{r.log}, r.log.RunLog()
	since, err := run.At(t.Context(), run.First())
	require.NoError(t, err)
	_, err = run.At(t.Context(), run.First()-1)
	require.ErrorIs(t, err, eventlog.ErrOutside)
	for name, list := range map[string]func(context.Context, api.Query) (api.Page, error){"matches": from.matches, "actions": from.actions} {
		for _, q := range []api.Query{{}, {Cursor: 1, Limit: 3}, {Cursor: cursor(2, 0)}} {
			p, err := list(t.Context(), q)
			require.NoError(t, err, name)
			assert.NotEmpty(t, p.Items, name)
			assert.False(t, p.Since.Before(since), "%s: since %v, and the first is of %v", name, p.Since, since)
		}
	}
	var want []json.RawMessage
	want, err = lettersOf(r.flows, r.bad)
	require.NoError(t, err)
	got, err := from.deadLetters(t.Context())
	require.NoError(t, err)
	assert.Equal(t, len(want), len(got), "those from before the log begins are in the snapshot")
}

// TestRelease removes the beginning of a log, as far as snapshots allow, and the
// blobs that only this named. A host that starts again is the same, and what is
// listed begins later.
func TestRelease(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 4))
	dir, n := filepath.Join(shortDir(t), "log"), 0
	r, held := keptRig(t, dir)
	k := keeperOf(t, r, held)
	held.now = func() time.Time { return time.Now().Add(-2 * heldFor) }
	r.run()
	big := ev("b", 0, fmt.Sprintf(`{"u":-1,"text":%q}`, strings.Repeat("x", maxPayload)))
	rules := append(someRules(rnd), RuleFile{Name: "rules/z.yaml", Text: "rule: z\nwhen: type == \"b\" && data.u < 0\ndo: [{run: hold}]\n"})
	r.put(rules)
	first := r.inForce.Load().Digest
	require.NoError(t, (&admission{tenant: r.tenant, log: r.log, now: time.Now}).accept(t.Context(), []event.Event{big}))
	r.settle()
	for range 2 {
		for range 5 {
			r.submit(rnd, &n)
		}
		r.put(append(someRules(rnd), rules[len(rules)-1]))
		require.NoError(t, r.snapshotNow(t.Context()))
	}
	require.NoError(t, k.once(t.Context()))
	assert.EqualValues(t, 1, r.log.RunLog().First(), "there are too few snapshots to rely on")
	for range 3 {
		r.submit(rnd, &n)
		r.settle()
		require.NoError(t, r.snapshotNow(t.Context()))
	}
	r.submit(rnd, &n)
	r.settle()

	require.NoError(t, k.once(t.Context()))
	floor, ok, err := k.floor(t.Context())
	require.NoError(t, err)
	require.True(t, ok)
	assert.Greater(t, r.log.First().Frame, uint64(1))
	assert.LessOrEqual(t, r.log.First().Frame, floor.Frame)
	assert.Greater(t, r.log.RunLog().First(), uint64(1))
	assert.LessOrEqual(t, r.log.RunLog().First(), floor.Run+1)

	orphan, fresh, named := []byte("nobody names this"), []byte("this was just stored"), []byte("a plugin's version")
	for _, b := range [][]byte{orphan, named} {
		require.NoError(t, r.log.PutBlob(t.Context(), eventlog.BlobDigest(b), b))
	}
	held.now = time.Now
	require.NoError(t, held.PutBlob(t.Context(), eventlog.BlobDigest(fresh), fresh))
	require.NoError(t, os.WriteFile(k.ledger, []byte(`{"p":"`+eventlog.BlobDigest(named)+`"}`), 0o600))
	require.NoError(t, k.sweep(t.Context()))
	has := func(digest string) bool {
		_, err := r.log.GetBlob(t.Context(), digest)
		if err != nil {
			require.ErrorIs(t, err, eventlog.ErrNotFound)
		}
		return err == nil
	}
	assert.False(t, has(eventlog.BlobDigest(orphan)))
	assert.True(t, has(eventlog.BlobDigest(named)))
	assert.True(t, has(eventlog.BlobDigest(fresh)))
	assert.False(t, has(first), "the rules that only the beginning of the log had")
	assert.True(t, has(r.inForce.Load().Digest))
	r.lists(t)
	r.crash()

	again, _ := keptRig(t, dir)
	open := 0
	for _, x := range again.actions.open {
		if x.Rule == "z" {
			open++
		}
	}
	assert.Equal(t, 1, open, "an execution that waits since before the log begins")
	again.lists(t)
	again.run()
	again.free()
	again.settle()
	again.crash()
}

// TestRestartFromSnapshot stops a host in good order: the next start replays nothing,
// and is what a replay of the whole log gives.
func TestRestartFromSnapshot(t *testing.T) {
	app := newApp(t, crashApp)
	l := app.start()
	l.send(crashEvents()...)
	l.settle()
	want := outcomeOf(l)
	l.stop()
	for _, whole := range []bool{false, true} {
		l := app.start(func(o *Options) { o.WholeLog = whole })
		require.NoError(t, l.lane.ask(t.Context(), func() { assert.Equal(t, !whole, l.lane.snaps.latest != nil) }))
		l.settle()
		assert.Equal(t, want, outcomeOf(l))
		raw, err := l.api().Status(t.Context())
		require.NoError(t, err)
		var s Summary
		require.NoError(t, json.Unmarshal(raw, &s))
		require.NotNil(t, s.Log)
		assert.Zero(t, s.Log.Since, "the log is whole")
		assert.Equal(t, whole, s.Log.Snapshot.IsZero())
		l.stop()
	}
}

// A host whose newest snapshot is damaged says so, and starts from the one before.
func TestDamagedSnapshotIsReported(t *testing.T) {
	app := newApp(t, crashApp)
	l := app.start()
	l.send(crashEvents()[:5]...)
	l.settle()
	want := outcomeOf(l)
	require.NoError(t, l.lane.snapshotNow(t.Context()))
	good := l.lane.snaps.latest
	bad := []byte("no snapshot")
	require.NoError(t, l.log.PutBlob(t.Context(), eventlog.BlobDigest(bad), bad))
	note, err := json.Marshal(snapshotNote{Version: noteVersion, Digest: eventlog.BlobDigest(bad), Frame: good.Frame, Index: good.Index, Run: good.Run})
	require.NoError(t, err)
	require.NoError(t, l.log.Snapshots().Append(t.Context(), note))
	require.NoError(t, l.lane.ask(t.Context(), func() { l.lane.snaps.store = nil })) // the end takes no other
	l.stop()
	l = app.start()
	l.noticed("warning", "a snapshot cannot be read")
	var used *snapshotNote
	require.NoError(t, l.lane.ask(t.Context(), func() { used = l.lane.snaps.latest }))
	require.NotNil(t, used)
	assert.Equal(t, good.Digest, used.Digest)
	l.settle()
	assert.Equal(t, want, outcomeOf(l))
}

// An owner that stood still adds the note of an old snapshot last. The newest state is
// used all the same.
func TestNoteOfAnOldSnapshotComesLate(t *testing.T) {
	app := newApp(t, crashApp)
	l := app.start()
	var notes []*snapshotNote
	for _, e := range crashEvents()[:2] {
		l.send(e)
		l.settle()
		require.NoError(t, l.lane.snapshotNow(t.Context()))
		require.NoError(t, l.lane.ask(t.Context(), func() { notes = append(notes, l.lane.snaps.latest) }))
	}
	want := outcomeOf(l)
	late, err := json.Marshal(notes[0])
	require.NoError(t, err)
	require.NoError(t, l.log.Snapshots().Append(t.Context(), late))
	require.NoError(t, l.lane.ask(t.Context(), func() { l.lane.snaps.store = nil })) // the end takes no other
	l.stop()
	l = app.start()
	require.NoError(t, l.lane.ask(t.Context(), func() { assert.Equal(t, notes[1], l.lane.snaps.latest) }))
	assert.Equal(t, want, outcomeOf(l))
}

func TestRetentionConfig(t *testing.T) {
	for text, want := range map[string]RetentionConfig{
		"":                                  {keepAge(30 * 24 * time.Hour), 10 << 30, replayFor},
		"retention: {age: 7d, bytes: 1GiB}": {keepAge(7 * 24 * time.Hour), 1 << 30, replayFor},
		"retention: {age: off, bytes: off}": {-1, -1, replayFor},
		"retention: {bytes: 64MiB}":         {keepAge(30 * 24 * time.Hour), 64 << 20, replayFor},
		"retention: {replay: 500ms}":        {keepAge(30 * 24 * time.Hour), 10 << 30, 500 * time.Millisecond},
	} {
		app := newApp(t, map[string]string{"rhost.yaml": text})
		c, err := ReadConfig(app.dir, nil)
		require.NoError(t, err, text)
		assert.Equal(t, want, c.Retention.withDefaults(), text)
	}
	for text, want := range map[string]string{
		"retention: {age: 5s}":     "no age of a minute or more",
		"retention: {age: never}":  "no age of a minute or more",
		"retention: {bytes: 10}":   "no size of 1MiB or more",
		"retention: {days: 7}":     "unknown key",
		"retention: {replay: 1us}": "not between 1ms and 1h",
	} {
		app := newApp(t, map[string]string{"rhost.yaml": text})
		_, err := ReadConfig(app.dir, nil)
		assert.ErrorContains(t, err, want, text)
	}
}

// TestSweepThatStandsStill: an owner that is replaced between its look at who the owner
// is and its deletes leaves alone what the next one has stored meanwhile, whether or not
// that was there already.
func TestSweepThatStandsStill(t *testing.T) {
	m := eventlogtest.New(eventlogtest.Config{})
	open := func(writer uint64, store eventlog.Store) *eventlog.Log {
		log, err := eventlog.OpenStore(t.Context(), store, eventlog.Config{Writer: writer})
		require.NoError(t, err)
		require.NoError(t, log.Claim(t.Context(), fmt.Sprint("node", writer), writer))
		return log
	}
	standing := &standingStore{Store: m.Node().Store(0)}
	stale := open(1, standing)
	var digests []string
	for _, b := range []string{"that the next owner names", "that nobody names"} {
		digests = append(digests, eventlog.BlobDigest([]byte(b)))
		require.NoError(t, stale.PutBlob(t.Context(), digests[len(digests)-1], []byte(b)))
	}
	var owner *eventlog.Log
	standing.before = func() {
		if owner == nil {
			owner = open(2, m.Node().Store(0))
			require.NoError(t, newHeldBlobs(owner).PutBlob(t.Context(), digests[0], []byte("that the next owner names")))
		}
	}
	k := &keeper{log: stale, blobs: newHeldBlobs(stale), now: time.Now}
	require.NoError(t, k.sweep(t.Context()))
	require.NotNil(t, owner, "it was about to delete something")
	_, err := owner.GetBlob(t.Context(), digests[0])
	require.NoError(t, err)
	_, err = owner.GetBlob(t.Context(), digests[1])
	require.ErrorIs(t, err, eventlog.ErrNotFound)
}

// standingStore calls before ahead of each delete of a blob.
type standingStore struct {
	eventlog.Store
	before func()
}

func (s *standingStore) Blobs() eventlog.Blobs { return standingBlobs{s.Store.Blobs(), s} }

type standingBlobs struct {
	eventlog.Blobs
	store *standingStore
}

func (b standingBlobs) Delete(ctx context.Context, name string, mark eventlog.BlobMark) error {
	b.store.before()
	return b.Blobs.Delete(ctx, name, mark)
}

// TestSweepOfAReplacedOwner: an owner that was replaced removes nothing, for it does not
// see what the next one names.
func TestSweepOfAReplacedOwner(t *testing.T) {
	m := eventlogtest.New(eventlogtest.Config{})
	open := func(writer uint64) *eventlog.Log {
		log, err := eventlog.OpenStore(t.Context(), m.Node().Store(0), eventlog.Config{Writer: writer})
		require.NoError(t, err)
		require.NoError(t, log.Claim(t.Context(), fmt.Sprint("node", writer), writer))
		return log
	}
	stale := open(1)
	k := &keeper{log: stale, blobs: newHeldBlobs(stale), now: time.Now}
	left := []byte("that a process left before it could name it")
	require.NoError(t, stale.PutBlob(t.Context(), eventlog.BlobDigest(left), left))
	owner := open(2)
	require.ErrorIs(t, k.sweep(t.Context()), eventlog.ErrFenced)
	_, err := owner.GetBlob(t.Context(), eventlog.BlobDigest(left))
	require.NoError(t, err)
	k = &keeper{log: owner, blobs: newHeldBlobs(owner), now: time.Now}
	require.NoError(t, k.sweep(t.Context()))
	_, err = owner.GetBlob(t.Context(), eventlog.BlobDigest(left))
	require.ErrorIs(t, err, eventlog.ErrNotFound)
}
