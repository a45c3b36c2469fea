package host

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/workflow"
)

// TestRestoredKeys: a restored host goes on with what was begun under the keys of then,
// and gives out others for what begins later, though its matches have the ids that the
// host before gave to other events at the same places.
func TestRestoredKeys(t *testing.T) {
	app := newApp(t, map[string]string{
		"rules/r.yaml":    "rule: one\nwhen: type == \"t\"\ndo: [{run: say}]\n",
		"plugins/say.lua": "function invoke(call) return {} end",
	})
	old := app.open()
	var mu sync.Mutex
	var before []workflow.Command
	old.lane.start = func(cmd workflow.Command) bool { // it begins, and gets no further
		mu.Lock()
		defer mu.Unlock()
		if n := len(before); n == 0 || before[n-1].Key != cmd.Key {
			before = append(before, cmd)
		}
		return false
	}
	begun := func() int { mu.Lock(); defer mu.Unlock(); return len(before) }
	old.runCore()
	old.send(ev("t", 0, `{}`))
	require.Eventually(t, func() bool { return begun() == 1 }, patience, 1e6)
	out := filepath.Join(t.TempDir(), "backup")
	_, err := Backup(t.Context(), Options{App: app.dir, Data: app.data}, out, nil)
	require.NoError(t, err)
	old.end()
	old.stop()

	// The host before goes on, with another event.
	old = app.open()
	was := keysOf(old)
	old.runCore()
	for i := range 3 {
		old.send(ev("t", 10+i, `{}`))
		old.settle()
	}
	old.end()
	old.stop()
	open := commandID(before[0].Execution, before[0].Step, false)
	assert.Equal(t, []string{before[0].Key}, was()[open])

	there := &testApp{t: t, dir: filepath.Join(t.TempDir(), "app"), data: filepath.Join(shortDir(t), "data")}
	_, _, err = Restore(t.Context(), RestoreOptions{From: out, App: there.dir, Data: there.data})
	require.NoError(t, err)
	now := there.open()
	keys := keysOf(now)
	now.runCore()
	now.send(ev("t", 2, `{}`))
	now.settle()
	assert.Equal(t, was()[open], keys()[open], "what was begun keeps its key")
	require.Len(t, keys(), 2)
	life := ""
	for id, k := range keys() {
		require.Len(t, k, 1)
		if id == open {
			continue
		}
		assert.Contains(t, was(), id, "the host before gave this id to the match of another event")
		parts := strings.Split(k[0], "/")
		require.Len(t, parts, 4)
		assert.Equal(t, now.lane.origin, parts[0])
		life = parts[1]
		for _, old := range was() {
			assert.NotContains(t, old, k[0])
		}
	}
	matches := now.ids()
	now.end()
	now.stop()
	assert.Len(t, matches, 2)

	// So it stays, with a snapshot and without.
	for i, whole := range []bool{false, true} {
		now = there.open(func(o *Options) { o.WholeLog = whole })
		require.Equal(t, life, now.lane.life)
		keys = keysOf(now)
		tail := now.log.Tail()
		now.runCore()
		assert.Equal(t, tail, now.log.Tail(), "it is noted once")
		now.send(ev("t", 20+i, `{}`))
		now.settle()
		require.Len(t, keys(), 1)
		for _, k := range keys() {
			assert.Contains(t, k[0], "/"+life+"/")
		}
		require.NoError(t, now.lane.snapshotNow(t.Context()))
		now.end()
		now.stop()
	}
}
