package eventlog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

// running runs the committer of l until the test ends or stop is called.
func running(tb testing.TB, l *eventlog.Log) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return l.Committer().Run(ctx) })
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			assert.NoError(tb, g.Wait())
			assert.NoError(tb, l.Close())
		}
	}
	tb.Cleanup(stop)
	return stop
}

func startEngine(tb testing.TB, c eventlog.EngineConfig) (e *eventlog.Engine, stop func()) {
	tb.Helper()
	e, err := eventlog.StartEngine(tb.Context(), c)
	require.NoError(tb, err)
	stop = func() { assert.NoError(tb, e.Close()) }
	tb.Cleanup(stop) // after those of the logs
	return e, stop
}

// TestGroups: several groups write to one engine at the same time and know
// nothing of each other. What one removes of its blobs the others keep.
func TestGroups(t *testing.T) {
	t.Parallel()
	const groups, commits = 3, 60
	same := eventlog.BlobDigest([]byte("in all groups"))
	dir := filepath.Join(t.TempDir(), "log")
	for round := range 2 {
		e, stopEngine := startEngine(t, eventlog.EngineConfig{Dir: dir})
		var g errgroup.Group
		for group := range groups {
			l, err := e.Open(t.Context(), group, eventlog.Config{})
			require.NoError(t, err)
			stop := running(t, l)
			assert.Equal(t, uint64(round*commits), l.Tail().Frame)
			g.Go(func() error {
				defer stop()
				for i := range commits {
					if _, err := l.Committer().Commit(context.Background(), []eventlog.Record{record("acme", 0, fmt.Sprintf("%d/%d", group, round*commits+i))}); err != nil {
						return err
					}
					if _, err := l.RunLog().Append(context.Background(), []eventlog.RunRecord{{Kind: 1, Key: fmt.Sprint(group)}}); err != nil {
						return err
					}
				}
				return l.PutBlob(context.Background(), same, []byte("in all groups"))
			})
		}
		require.NoError(t, g.Wait())
		stopEngine()
	}
	e, _ := startEngine(t, eventlog.EngineConfig{Dir: dir})
	for group := range groups {
		l, err := e.Open(t.Context(), group, eventlog.Config{})
		require.NoError(t, err)
		running(t, l)
		recs := all(t, l)
		require.Len(t, recs, 2*commits)
		for i, r := range recs {
			assert.Equal(t, fmt.Sprintf("%d/%d", group, i), string(r.Body))
			assert.Equal(t, uint64(i+1), r.LaneSeq)
		}
		assert.Equal(t, uint64(2*commits), l.RunLog().Tail())
		digests, _, err := l.Blobs(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{same}, digests, "group %d, after those before have removed theirs", group)
		require.NoError(t, l.DeleteBlob(t.Context(), same, eventlog.AnyBlob))
		_, err = l.GetBlob(t.Context(), same)
		require.ErrorIs(t, err, eventlog.ErrNotFound)
	}
	_, err := e.Open(t.Context(), 10_000, eventlog.Config{})
	require.ErrorContains(t, err, "open group 10000: it is outside 0 to 9999")
}

// TestDamageInAGroup: the witness of each group finds what went missing in it,
// before the engine is started.
func TestDamageInAGroup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	e, _ := startEngine(t, eventlog.EngineConfig{Dir: dir})
	for group := range 2 {
		l, err := e.Open(t.Context(), group, eventlog.Config{})
		require.NoError(t, err)
		running(t, l)
		for range 10 {
			commit(t, l, record("acme", 0, strings.Repeat("x", 200)))
		}
	}
	killed := copyOf(t, dir)
	file := blockFile(killed, "EV-1")
	edit(t, file, func(b []byte) []byte { return b[:len(b)-20] })
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	for range 2 {
		_, err = eventlog.Open(t.Context(), eventlog.Config{Dir: killed})
		require.ErrorContains(t, err, "stream EV-1, frame 10: the stream ends with frame 9, yet frame 10 had been stored")
	}
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, before, after)
}
