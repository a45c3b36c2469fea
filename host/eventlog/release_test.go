package eventlog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
)

// fill commits n records to l, one a frame, and as many run frames.
func fill(t *testing.T, l *eventlog.Log, n int) {
	t.Helper()
	for range n {
		commit(t, l, record("acme", 0, strings.Repeat("x", 200)))
		_, err := l.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1, Body: make([]byte, 100)}})
		require.NoError(t, err)
	}
}

func frame(seq uint64) eventlog.Position { return eventlog.Position{Frame: seq} }

// TestDamageAboveTheFloor: a stream that starts later than what was released is
// damaged, and says so.
func TestDamageAboveTheFloor(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	l, stop := open(t, eventlog.Config{Dir: dir, DedupWindow: -1})
	big := record("acme", 0, strings.Repeat("x", 900_000))
	for range 20 { // several block files
		commit(t, l, big)
	}
	require.NoError(t, l.Release(t.Context(), frame(3), 0))
	assert.Equal(t, frame(3), l.First())
	killed := copyOf(t, dir)
	stop()
	blocks, err := filepath.Glob(filepath.Join(killed, "jetstream", "$G", "streams", "EV", "msgs", "*.blk"))
	require.NoError(t, err)
	require.Greater(t, len(blocks), 2)
	edit(t, blockFile(killed, "EV"), func([]byte) []byte { return nil })
	_, err = eventlog.Open(t.Context(), eventlog.Config{Dir: killed, DedupWindow: -1})
	var corrupt *eventlog.CorruptError
	require.ErrorAs(t, err, &corrupt)
	assert.Equal(t, uint64(3), corrupt.Seq)
	require.ErrorContains(t, err, "the stream starts with frame")

	// Without the record of the release nothing at the start may be missing.
	_, stop = open(t, eventlog.Config{Dir: dir, DedupWindow: -1})
	killed = copyOf(t, dir)
	stop()
	require.NoError(t, os.RemoveAll(filepath.Join(killed, "jetstream", "$G", "streams", "SNAP")))
	l, stop = open(t, eventlog.Config{Dir: killed, DedupWindow: -1})
	assert.Equal(t, frame(3), l.First(), "the witness knows as well")
	stop()
	require.NoError(t, os.Remove(filepath.Join(killed, "witness")))
	_, err = eventlog.Open(t.Context(), eventlog.Config{Dir: killed, DedupWindow: -1})
	require.ErrorContains(t, err, "stream EV, frame 1: the stream starts with frame 3")
}

// TestReleaseAndKill: a kill after a release is survived, whatever the engine has
// made of its files.
func TestReleaseAndKill(t *testing.T) {
	t.Parallel()
	c := eventlog.Config{Dir: filepath.Join(t.TempDir(), "log"), DedupWindow: -1}
	l, stop := open(t, c)
	for round := range uint64(4) {
		fill(t, l, 10)
		require.NoError(t, l.Release(t.Context(), frame(10*round+7), 10*round+9))
		killed := copyOf(t, c.Dir)
		stop()
		c.Dir = killed
		l, stop = open(t, c)
		assert.Equal(t, frame(10*round+7), l.First())
		assert.Equal(t, 10*round+9, l.RunLog().First())
		assert.Len(t, all(t, l), 4)
	}
}
