package eventlog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// TestRelease: what was released is gone, for those who read now and after a
// start, clean or not; and the log goes on.
func TestRelease(t *testing.T) {
	c := eventlog.Config{Dir: filepath.Join(t.TempDir(), "log")}
	l, stop := open(t, c)
	assert.Equal(t, frame(1), l.First())
	require.NoError(t, l.Release(t.Context(), frame(9), 9), "an empty log")
	fill(t, l, 30)
	require.NoError(t, l.Release(t.Context(), eventlog.Position{Frame: 11, Index: 5}, 21))
	check := func(l *eventlog.Log, frames int) {
		assert.Equal(t, frame(11), l.First())
		assert.Equal(t, uint64(21), l.RunLog().First())
		recs := all(t, l)
		require.Len(t, recs, frames-10)
		assert.Equal(t, uint64(11), recs[0].LaneSeq)
		var runs []uint64
		see := func(seq uint64, _ []eventlog.RunRecord) error {
			runs = append(runs, seq)
			return nil
		}
		require.NoError(t, l.RunLog().Replay(t.Context(), 0, see))
		require.Len(t, runs, frames-20)
		assert.Equal(t, uint64(21), runs[0])
		require.NoError(t, l.RunLog().Replay(t.Context(), 21, see))
		require.ErrorIs(t, l.RunLog().Replay(t.Context(), 20, see), eventlog.ErrOutside)
		err := l.Read(t.Context(), frame(10), nil)
		require.ErrorIs(t, err, eventlog.ErrOutside)
		require.ErrorContains(t, err, "follow from 10.0: outside the log, which starts at 11")
		fill(t, l, 1)
		assert.Equal(t, frame(uint64(frames+1)), l.Tail())
	}
	check(l, 30)
	require.NoError(t, l.Release(t.Context(), frame(3), 3), "less than before")
	check(l, 31)
	killed := copyOf(t, c.Dir)
	stop()

	l, _ = open(t, c)
	check(l, 32)
	l, stop = open(t, eventlog.Config{Dir: killed})
	check(l, 32)
	require.NoError(t, l.Release(t.Context(), frame(100), 100))
	assert.Equal(t, frame(33), l.First(), "the last frame stays")
	assert.Equal(t, uint64(33), l.RunLog().First())
	stop()
	l, _ = open(t, eventlog.Config{Dir: killed})
	assert.Len(t, all(t, l), 1)
}

// TestReleaseKeepsWhatOpeningNeeds: a quiet lane's last sequence, and the keys of
// duplicates, are found after a release of everything.
func TestReleaseKeepsWhatOpeningNeeds(t *testing.T) {
	c := eventlog.Config{Dir: t.TempDir(), DedupRecords: 20}
	l, stop := open(t, c)
	commit(t, l, record("quiet", 7, "once"))
	fill(t, l, 10)
	require.NoError(t, l.Release(t.Context(), frame(100), 100))
	assert.Equal(t, frame(1), l.First(), "it alone names the quiet lane")
	assert.Equal(t, uint64(10), l.RunLog().First())
	stop()

	l, stop = open(t, c)
	fill(t, l, 1) // names the lanes that were found
	require.NoError(t, l.Release(t.Context(), frame(100), 100))
	assert.Equal(t, frame(12), l.First())
	keyed := record("acme", 0, "keyed")
	keyed.Dedup = eventlog.DedupKeyOf("acme", "src", "1")
	commit(t, l, keyed)
	fill(t, l, 5)
	require.NoError(t, l.Release(t.Context(), frame(100), 100))
	assert.Equal(t, frame(12), l.First(), "the quiet lane again, and the key behind it")
	stop()

	l, stop = open(t, c)
	assert.NotNil(t, commit(t, l, keyed).Duplicates)
	fill(t, l, 1)
	require.NoError(t, l.Release(t.Context(), frame(100), 100))
	assert.Equal(t, frame(13), l.First(), "the key")
	fill(t, l, 20)
	assert.Nil(t, commit(t, l, keyed).Duplicates, "forgotten by now")
	stop()

	l, _ = open(t, c)
	assert.Equal(t, uint64(2), commitAndRead(t, l, record("quiet", 7, "again")).LaneSeq)
}

// commitAndRead returns the record as it was stored.
func commitAndRead(t *testing.T, l *eventlog.Log, r eventlog.Record) (got eventlog.Record) {
	t.Helper()
	at := commit(t, l, r).Last
	require.NoError(t, l.Read(t.Context(), at, func(f *eventlog.Frame) error {
		got = f.Records[0]
		return nil
	}))
	return got
}

// TestDamageAboveTheFloor: a stream that starts later than what was released is
// damaged, and says so.
func TestDamageAboveTheFloor(t *testing.T) {
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
	_, err = eventlog.Open(t.Context(), eventlog.Config{Dir: killed, DedupWindow: -1})
	require.ErrorContains(t, err, "stream EV, frame 1: the stream starts with frame 3")
}

func TestSince(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := start
	l, _ := open(t, eventlog.Config{Dir: t.TempDir(), Now: func() time.Time { return now }})
	at, err := l.Since(t.Context(), start)
	require.NoError(t, err)
	assert.Equal(t, frame(1), at)
	for i := range 50 {
		now = start.Add(time.Duration(i) * time.Minute)
		fill(t, l, 1)
	}
	for _, tt := range []struct {
		at      time.Duration
		ev, run uint64
	}{
		{-time.Hour, 1, 1},
		{0, 1, 1},
		{10 * time.Minute, 10, 11},
		{10*time.Minute + 1, 11, 12},
		{49 * time.Minute, 49, 50},
		{time.Hour, 50, 51},
	} {
		ev, err := l.Since(t.Context(), start.Add(tt.at))
		require.NoError(t, err)
		assert.Equal(t, frame(tt.ev), ev, "%v", tt.at)
		run, err := l.RunLog().Since(t.Context(), start.Add(tt.at))
		require.NoError(t, err)
		assert.Equal(t, tt.run, run, "%v", tt.at)
	}
}

func TestSnapshots(t *testing.T) {
	c := eventlog.Config{Dir: t.TempDir()}
	l, stop := open(t, c)
	newest := func(n int) (bodies []string) {
		list, err := l.Snapshots().Newest(t.Context(), n)
		require.NoError(t, err)
		for _, s := range list {
			require.NoError(t, s.Err)
			assert.Equal(t, string(s.Body), fmt.Sprintf("snapshot %d", s.Number))
			assert.WithinDuration(t, time.Now(), s.At, time.Minute)
			bodies = append(bodies, string(s.Body))
		}
		return bodies
	}
	assert.Empty(t, newest(3))
	for i := range 20 {
		require.NoError(t, l.Snapshots().Append(t.Context(), fmt.Appendf(nil, "snapshot %d", i+1)))
	}
	assert.Equal(t, []string{"snapshot 20", "snapshot 19"}, newest(2))
	stop()
	l, _ = open(t, c)
	assert.Len(t, newest(100), eventlog.NotesKept)
	require.NoError(t, l.Snapshots().Append(t.Context(), []byte("snapshot 21")))
	assert.Equal(t, []string{"snapshot 21", "snapshot 20"}, newest(2))
	require.NoError(t, l.Snapshots().Append(t.Context(), make([]byte, eventlog.MaxSnapshot)))
	require.ErrorIs(t, l.Snapshots().Append(t.Context(), make([]byte, eventlog.MaxSnapshot+1)), eventlog.ErrTooLarge)
	require.ErrorContains(t, l.Snapshots().Append(t.Context(), nil), "the record is empty")
}
