package eventlog

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// running opens a log and runs its committer; wait ends the run and returns
// its error.
func running(t *testing.T, c Config) (l *Log, wait func() error) {
	t.Helper()
	c.Dir = t.TempDir()
	l, err := Open(t.Context(), c)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return l.Committer().Run(ctx) })
	t.Cleanup(func() {
		cancel()
		_ = g.Wait() // the test has looked at it when it matters
		assert.NoError(t, l.Close())
	})
	return l, g.Wait
}

func oneRecord(body string) []Record {
	return []Record{{Kind: Event, Tenant: "acme", Body: []byte(body)}}
}

// foreign stores a frame as another process would.
func foreign(t *testing.T, s *stream, out *appender, b []byte) {
	t.Helper()
	require.NoError(t, s.publish(t.Context(), out.tail.seq+1, b))
}

func TestStaleWriterIsFenced(t *testing.T) {
	l, wait := running(t, Config{})
	_, err := l.Committer().Commit(t.Context(), oneRecord("mine"))
	require.NoError(t, err)
	h, marks, recs := sampleEvents()
	h.seq, h.first, h.prev = 2, 1, l.committer.out.tail.crc
	foreign(t, l.events, l.committer.out, encodeEvents(h, marks, recs))
	for range 2 {
		_, err = l.Committer().Commit(t.Context(), oneRecord("too late"))
		require.Error(t, err)
	}
	require.ErrorIs(t, err, ErrClosed, "after the first refusal")
	require.ErrorIs(t, wait(), ErrFenced)
	assert.Equal(t, Position{Frame: 1}, l.Tail())
	st, err := l.events.State(t.Context())
	require.NoError(t, err)
	assert.Equal(t, uint64(2), st.Last)
}

func TestStaleRunLogIsFenced(t *testing.T) {
	l, _ := running(t, Config{})
	h, recs := sampleRun()
	h.seq, h.first, h.prev = 1, 0, 0
	foreign(t, l.run.out.s, l.run.out, appendRunFrame(nil, &h, recs))
	for range 2 {
		_, err := l.RunLog().Append(t.Context(), []RunRecord{{Kind: 1}})
		require.ErrorIs(t, err, ErrFenced)
	}
	assert.Zero(t, l.RunLog().Tail())
}

// TestFullDisk: events are refused first, so that there is room to deal with
// those accepted; both go on when there is room again.
func TestFullDisk(t *testing.T) {
	l, _ := running(t, Config{MinFree: 1000})
	free := int64(1000)
	l.free = func() (int64, bool) { return free, true }
	commit := func() error {
		_, err := l.Committer().Commit(t.Context(), oneRecord("x"))
		return err
	}
	run := func() error {
		_, err := l.RunLog().Append(t.Context(), []RunRecord{{Kind: 1}})
		return err
	}
	require.NoError(t, errors.Join(commit(), run()))
	free = 999
	require.ErrorIs(t, commit(), ErrDiskFull)
	require.ErrorContains(t, commit(), "999 bytes are free in "+l.cfg.Dir)
	require.NoError(t, run())
	require.ErrorIs(t, l.PutBlob(t.Context(), BlobDigest(nil), nil), ErrDiskFull)
	free = 499
	require.ErrorIs(t, run(), ErrDiskFull)
	free = 1000
	require.NoError(t, errors.Join(commit(), run()))
	assert.Equal(t, Position{Frame: 2}, l.Tail())
	assert.Equal(t, uint64(3), l.RunLog().Tail())
}

// TestAdopt: a frame of this process that was stored although its answer got
// lost becomes part of the log before the next one is written.
func TestAdopt(t *testing.T) {
	l, err := Open(t.Context(), Config{Dir: t.TempDir()})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	c := l.committer
	lost := func(body string) {
		q := &request{recs: oneRecord(body), done: make(chan struct{}, 1)}
		c.group = append(c.group[:0], q)
		h := c.out.header()
		b, err := c.build(&h)
		require.NoError(t, err)
		require.NoError(t, c.out.s.publish(t.Context(), h.seq, b))
		c.rollBack()
		c.out.doubt = true
	}
	lost("lost 1")
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { return c.Run(ctx) })
	res, err := c.Commit(t.Context(), oneRecord("next"))
	require.NoError(t, err)
	assert.Equal(t, Position{Frame: 2}, res.Last)
	cancel()
	require.NoError(t, g.Wait())

	var got []string
	require.NoError(t, l.Read(t.Context(), Position{}, func(f *Frame) error {
		for _, r := range f.Records {
			got = append(got, fmt.Sprintf("%d %s", r.LaneSeq, r.Body))
		}
		return nil
	}))
	assert.Equal(t, []string{"1 lost 1", "2 next"}, got)
}
