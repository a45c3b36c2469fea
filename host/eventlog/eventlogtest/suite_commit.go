package eventlogtest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

func (s *suite) commitAndReadBack(t *testing.T) {
	c := eventlog.Config{}
	began := time.Now()
	l, stop := s.open(t, c)
	t.Logf("open: %v", time.Since(began))
	assert.Equal(t, eventlog.Position{}, l.Tail())

	res := commit(t, l, record("acme", 0, "a"), record("acme", 1, "b"), record("beta", 0, "c"), record("acme", 0, "d"))
	assert.Equal(t, eventlog.Position{Frame: 1, Index: 3}, res.Last)
	assert.Nil(t, res.Duplicates)
	assert.Equal(t, res.Last, l.Tail())
	rev := eventlog.Record{Kind: eventlog.Revision, Flags: 7, Tenant: "acme", Key: "sha256:12"}
	assert.Equal(t, eventlog.Position{Frame: 2}, commit(t, l, rev).Last)
	live := all(t, l)
	stop()

	began = time.Now()
	l, _ = s.open(t, c)
	t.Logf("open again: %v", time.Since(began))
	assert.Equal(t, eventlog.Position{Frame: 2}, l.Tail())
	commit(t, l, record("acme", 0, "e"), record("beta", 0, "f"))
	recs := all(t, l)
	require.Len(t, recs, 7)
	assert.Equal(t, []string{"a", "b", "c", "d", "", "e", "f"}, bodies(recs))
	for i, want := range []uint64{1, 1, 1, 2, 3, 4, 2} {
		assert.Equal(t, want, recs[i].LaneSeq, "record %d", i)
		if i > 0 {
			assert.False(t, recs[i].Ingest.Before(recs[i-1].Ingest))
		}
	}
	assert.Equal(t, "sha256:12", recs[4].Key)
	assert.Equal(t, eventlog.Flags(7), recs[4].Flags)
	for i, r := range live {
		r.Body, recs[i].Body = append([]byte{}, r.Body...), append([]byte{}, recs[i].Body...)
		assert.Equal(t, r, recs[i], "live and stored")
	}
}

func (s *suite) duplicatesAreAcceptedOnce(t *testing.T) {
	c := eventlog.Config{}
	l, stop := s.open(t, c)
	keyed := func(id string) eventlog.Record {
		r := record("acme", 0, id)
		r.Dedup = eventlog.DedupKeyOf("acme", "src", id)
		return r
	}
	commit(t, l, keyed("1"), keyed("2"))
	res := commit(t, l, keyed("2"), keyed("3"), keyed("3"), record("acme", 0, "x"))
	assert.Equal(t, []int{0, 2}, res.Duplicates)
	assert.Equal(t, eventlog.Position{Frame: 2, Index: 1}, res.Last)
	res = commit(t, l, keyed("1"))
	assert.Equal(t, []int{0}, res.Duplicates)
	assert.Equal(t, eventlog.Position{Frame: 1}, res.Last, "where it was stored first")
	stop()

	l, _ = s.open(t, c)
	res = commit(t, l, keyed("3"), keyed("4"))
	assert.Equal(t, []int{0}, res.Duplicates, "after a restart")
	assert.Equal(t, []string{"1", "2", "3", "x", "4"}, bodies(all(t, l)))
}

func (s *suite) refusals(t *testing.T) {
	l, stop := s.open(t, eventlog.Config{MaxFrame: 10_000})
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

// fullQueue: with nobody committing, the queue takes what it may, and
// TryCommit refuses the rest at once.
func (s *suite) fullQueue(t *testing.T, c eventlog.Config) {
	l := s.log(t, c)
	var g errgroup.Group
	for range 3 {
		g.Go(func() error {
			_, err := l.Committer().TryCommit(context.Background(), []eventlog.Record{record("a", 0, string(make([]byte, 130)))})
			return err
		})
	}
	require.Eventually(t, func() bool { return l.Stats().Queue == 3 }, time.Second, time.Millisecond)
	_, err := l.Committer().TryCommit(t.Context(), []eventlog.Record{record("a", 0, string(make([]byte, 130)))})
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
}

func (s *suite) closeAnswersTheQueue(t *testing.T) {
	l := s.log(t, eventlog.Config{})
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

// framesFill: commits that wait together share frames, none of which is
// larger than it may be; a commit is never divided.
func (s *suite) framesFill(t *testing.T) {
	l := s.log(t, eventlog.Config{MaxFrame: 10_000})
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
	st := l.Stats()
	assert.Equal(t, uint64(200), st.Records)
	assert.LessOrEqual(t, st.Bytes/st.Frames, uint64(10_000))
	assert.LessOrEqual(t, st.Frames, uint64(20))
	assert.Equal(t, uint64(100), st.Commit.Count)
	assert.Equal(t, st.Frames, st.Sync.Count)
}

// stampsNeverGoBack: whatever the clock does, also across a restart.
func (s *suite) stampsNeverGoBack(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var now atomic.Int64
	c := eventlog.Config{Now: func() time.Time { return time.Unix(0, now.Load()) }}
	l, stop := s.open(t, c)
	for i, tt := range []struct{ clock, want time.Duration }{
		{0, 0}, {time.Second, time.Second}, {-time.Hour, time.Second}, {2 * time.Second, 2 * time.Second}, {time.Second, 2 * time.Second},
	} {
		now.Store(start.Add(tt.clock).UnixNano())
		if i == 4 {
			stop()
			l, stop = s.open(t, c)
		}
		commit(t, l, record("a", uint32(i), "x"))
		recs := all(t, l)
		assert.Equal(t, start.Add(tt.want), recs[i].Ingest, "step %d", i)
	}
}

// dedupWindow: a key is forgotten with time and with records, before and
// after a restart alike.
func (s *suite) dedupWindow(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	c := eventlog.Config{
		DedupWindow: time.Minute, DedupRecords: 10,
		Now: func() time.Time { return time.Unix(0, now.Load()) },
	}
	l, stop := s.open(t, c)
	keyed := func(id string) eventlog.Record {
		r := record("acme", 0, id)
		r.Dedup = eventlog.DedupKeyOf("acme", "src", id)
		return r
	}
	known := func() bool { return commit(t, l, keyed("a")).Duplicates != nil }
	restart := func() {
		stop()
		l, stop = s.open(t, c)
	}
	assert.False(t, known())
	for range 8 {
		commit(t, l, record("acme", 0, "other"))
	}
	restart()
	assert.True(t, known(), "nine records")
	commit(t, l, record("acme", 0, "other"), record("acme", 0, "other"), record("acme", 0, "other"))
	restart()
	assert.False(t, known(), "pushed out by records")
	now.Add(int64(59 * time.Second))
	assert.True(t, known())
	now.Add(int64(2 * time.Second))
	assert.False(t, known(), "too old")
	assert.True(t, known())
}

// step drives a committer by hand: nothing happens between the steps.
func (s *suite) step(t *testing.T) {
	l := s.log(t, eventlog.Config{MaxFrame: 10_000, MaxQueue: 3})
	c := l.Committer()
	did, err := c.Step(t.Context())
	require.NoError(t, err)
	assert.False(t, did, "there is nothing to do")
	body := string(make([]byte, 3000))
	var waiting [3]*eventlog.Pending
	for i := range waiting {
		waiting[i], err = c.Submit([]eventlog.Record{record("a", uint32(i), body)})
		require.NoError(t, err)
	}
	_, err = c.Submit([]eventlog.Record{record("a", 0, "x")})
	require.ErrorIs(t, err, eventlog.ErrFull)
	answered := func() (n int) {
		for _, p := range waiting {
			res, done, err := p.Poll()
			require.NoError(t, err)
			if done {
				n++
				assert.NotZero(t, res.Last)
			}
		}
		return n
	}
	for _, want := range []int{0, 2, 3} {
		assert.Equal(t, want, answered(), "two fit one frame")
		did, err = c.Step(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want < 3, did)
	}
	assert.Equal(t, frame(2), l.Tail())
	require.Error(t, c.Run(t.Context()), "it is stepped")

	left, err := c.Submit([]eventlog.Record{record("a", 0, "x")})
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, done, err := left.Poll()
	assert.True(t, done)
	require.ErrorIs(t, err, eventlog.ErrClosed)
	_, err = c.Step(t.Context())
	require.ErrorIs(t, err, eventlog.ErrClosed)
}
