package eventlog_test

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

func TestRefusals(t *testing.T) {
	l, stop := open(t, eventlog.Config{Dir: t.TempDir(), MaxFrame: 10_000})
	c := l.Committer()
	fits := make([]byte, 9_880)
	_, err := c.Commit(t.Context(), []eventlog.Record{{Kind: eventlog.Event, Body: fits}})
	require.NoError(t, err)
	for _, tt := range []struct {
		name string
		recs []eventlog.Record
		want string
	}{
		{"nothing", nil, "there are no records"},
		{"no kind", []eventlog.Record{record("a", 0, "x"), {}}, "record 1: it has no kind"},
		{"long tenant", []eventlog.Record{record(string(fits[:256]), 0, "x")}, "its tenant has 256 bytes, more than 255"},
		{"long key", []eventlog.Record{{Kind: eventlog.Checkpoint, Key: string(fits[:5000])}}, "its key has 5000 bytes, more than 4096"},
		{"too large", []eventlog.Record{{Kind: eventlog.Event, Body: make([]byte, 10_000)}}, "too large for one frame: 1 records take 10042 bytes, at most 9928 fit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.Commit(t.Context(), tt.recs)
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, err = c.Commit(t.Context(), []eventlog.Record{{Kind: eventlog.Event, Body: make([]byte, 10_000)}})
	require.ErrorIs(t, err, eventlog.ErrTooLarge)
	assert.Len(t, all(t, l), 1)
	stop()
	_, err = c.Commit(t.Context(), []eventlog.Record{record("a", 0, "x")})
	require.ErrorIs(t, err, eventlog.ErrClosed)
	require.Error(t, c.Run(t.Context()), "run twice")
}

// TestFullQueue: with nobody committing, the queue takes what it may, and
// TryCommit refuses the rest at once.
func TestFullQueue(t *testing.T) {
	for _, c := range []eventlog.Config{{MaxQueue: 3}, {MaxQueueBytes: 3 * 200}} {
		c.Dir = t.TempDir()
		l, err := eventlog.Open(t.Context(), c)
		require.NoError(t, err)
		var g errgroup.Group
		for range 3 {
			g.Go(func() error {
				_, err := l.Committer().TryCommit(context.Background(), []eventlog.Record{record("a", 0, string(make([]byte, 130)))})
				return err
			})
		}
		require.Eventually(t, func() bool { return l.Stats().Queue == 3 }, time.Second, time.Millisecond)
		_, err = l.Committer().TryCommit(t.Context(), []eventlog.Record{record("a", 0, string(make([]byte, 130)))})
		require.ErrorIs(t, err, eventlog.ErrFull)
		require.ErrorContains(t, err, "3 commits of")
		assert.Equal(t, uint64(1), l.Stats().Refused)

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		_, err = l.Committer().Commit(ctx, []eventlog.Record{record("a", 0, "withdrawn")})
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, eventlog.ErrUncertain)

		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		require.NoError(t, l.Committer().Run(ctx), "it commits what is queued and ends")
		require.NoError(t, g.Wait())
		assert.Len(t, all(t, l), 3, "and not what was withdrawn")
		assert.Zero(t, l.Stats().Queue)
		assert.Zero(t, l.Stats().QueueBytes)
		require.NoError(t, l.Close())
	}
}

func TestCloseAnswersTheQueue(t *testing.T) {
	l, err := eventlog.Open(t.Context(), eventlog.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	var g errgroup.Group
	for range 10 {
		g.Go(func() error {
			_, err := l.Committer().Commit(context.Background(), []eventlog.Record{record("a", 0, "x")})
			if !errors.Is(err, eventlog.ErrClosed) {
				return errors.Join(errors.New("want ErrClosed"), err)
			}
			return nil
		})
	}
	require.Eventually(t, func() bool { return l.Stats().Queue == 10 }, time.Second, time.Millisecond)
	require.NoError(t, l.Close())
	require.NoError(t, g.Wait())
}

// TestFramesFill: commits that wait together share frames, none of which is
// larger than it may be; a commit is never divided.
func TestFramesFill(t *testing.T) {
	l, err := eventlog.Open(t.Context(), eventlog.Config{Dir: t.TempDir(), MaxFrame: 10_000})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	var g errgroup.Group
	for i := range 100 {
		g.Go(func() error {
			body := string(make([]byte, 500+i))
			_, err := l.Committer().Commit(context.Background(), []eventlog.Record{record("a", 0, body), record("a", 0, body)})
			return err
		})
	}
	require.Eventually(t, func() bool { return l.Stats().Queue == 100 }, time.Second, time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, l.Committer().Run(ctx))
	require.NoError(t, g.Wait())
	require.NoError(t, l.Read(t.Context(), eventlog.Position{}, func(f *eventlog.Frame) error {
		assert.LessOrEqual(t, len(f.Records), 16)
		for i := 0; i < len(f.Records); i += 2 {
			assert.Len(t, f.Records[i+1].Body, len(f.Records[i].Body))
		}
		return nil
	}))
	s := l.Stats()
	assert.Equal(t, uint64(200), s.Records)
	assert.LessOrEqual(t, s.Bytes/s.Frames, uint64(10_000))
	assert.LessOrEqual(t, s.Frames, uint64(20))
	assert.Equal(t, uint64(100), s.Commit.Count)
	assert.Equal(t, s.Frames, s.Sync.Count)
}

// TestStampsNeverGoBack: whatever the clock does, also across a restart.
func TestStampsNeverGoBack(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var now atomic.Int64
	c := eventlog.Config{Dir: t.TempDir(), Now: func() time.Time { return time.Unix(0, now.Load()) }}
	l, stop := open(t, c)
	for i, tt := range []struct{ clock, want time.Duration }{
		{0, 0}, {time.Second, time.Second}, {-time.Hour, time.Second}, {2 * time.Second, 2 * time.Second}, {time.Second, 2 * time.Second},
	} {
		now.Store(start.Add(tt.clock).UnixNano())
		if i == 4 {
			stop()
			l, stop = open(t, c)
		}
		commit(t, l, record("a", uint32(i), "x"))
		recs := all(t, l)
		assert.Equal(t, start.Add(tt.want), recs[i].Ingest, "step %d", i)
	}
}

// TestDedupWindow: a key is forgotten with time and with records, before and
// after a restart alike.
func TestDedupWindow(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	c := eventlog.Config{
		Dir: t.TempDir(), DedupWindow: time.Minute, DedupRecords: 10,
		Now: func() time.Time { return time.Unix(0, now.Load()) },
	}
	l, stop := open(t, c)
	keyed := func(id string) eventlog.Record {
		r := record("acme", 0, id)
		r.Dedup = eventlog.DedupKeyOf("acme", "src", id)
		return r
	}
	known := func(id string) bool { return commit(t, l, keyed(id)).Duplicates != nil }
	restart := func() {
		stop()
		l, stop = open(t, c)
	}
	assert.False(t, known("a"))
	for range 8 {
		commit(t, l, record("acme", 0, "other"))
	}
	restart()
	assert.True(t, known("a"), "nine records")
	commit(t, l, record("acme", 0, "other"), record("acme", 0, "other"), record("acme", 0, "other"))
	restart()
	assert.False(t, known("a"), "pushed out by records")
	now.Add(int64(59 * time.Second))
	assert.True(t, known("a"))
	now.Add(int64(2 * time.Second))
	assert.False(t, known("a"), "too old")
	assert.True(t, known("a"))
}

// TestLostAnswers has a log whose answers mostly come too late. Whatever is
// answered holds; what is not is stored once or not at all; and the log goes on.
func TestLostAnswers(t *testing.T) {
	for _, timeout := range []time.Duration{time.Microsecond, 100 * time.Microsecond, 300 * time.Microsecond} {
		t.Run(timeout.String(), func(t *testing.T) { lostAnswers(t, timeout) })
	}
}

func lostAnswers(t *testing.T, timeout time.Duration) {
	t.Helper()
	c := eventlog.Config{Dir: t.TempDir(), AckTimeout: timeout}
	l, stop := open(t, c)
	var mu sync.Mutex
	acked := map[uint64]bool{}
	var g errgroup.Group
	for w := range uint64(4) {
		g.Go(func() error {
			for i := range uint64(40) {
				n := w<<32 | i
				_, err := l.Committer().Commit(context.Background(), numbered(n))
				if err != nil && !errors.Is(err, eventlog.ErrUncertain) {
					return err
				}
				mu.Lock()
				acked[n] = err == nil
				mu.Unlock()
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
	stop()
	c.AckTimeout = 0
	l, _ = open(t, c)
	commit(t, l, numbered(1<<40)...)
	stored := map[uint64]int{}
	for i, r := range all(t, l) {
		require.Equal(t, uint64(i+1), r.LaneSeq)
		stored[binary.BigEndian.Uint64(r.Body)]++
	}
	for n, times := range stored {
		assert.Equal(t, 1, times, "%x", n)
	}
	unsure, late := 0, 0
	for n, ok := range acked {
		if ok {
			assert.Equal(t, 1, stored[n], "%x", n)
			continue
		}
		unsure++
		late += stored[n]
	}
	t.Logf("%d acknowledged; %d not, of which %d are stored", len(acked)-unsure, unsure, late)
}
