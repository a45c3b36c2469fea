package eventlogtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

func (s *suite) runLog(t *testing.T) {
	c := eventlog.Config{}
	l, stop := s.open(t, c)
	r := l.RunLog()
	assert.Zero(t, r.Tail())
	first := []eventlog.RunRecord{{Kind: 1, Key: "k", Body: []byte("a")}, {Kind: 200, Body: []byte{}}}
	seq, err := r.Append(t.Context(), first)
	require.NoError(t, err)
	assert.Equal(t, uint64(1), seq)
	var g errgroup.Group
	for i := range 10 {
		g.Go(func() error {
			_, err := r.Append(context.Background(), []eventlog.RunRecord{{Kind: 2, Key: fmt.Sprint(i)}})
			return err
		})
	}
	require.NoError(t, g.Wait())
	stop()

	l, _ = s.open(t, c)
	r = l.RunLog()
	assert.Equal(t, uint64(11), r.Tail())
	read := func(from uint64) (seqs []uint64, recs []eventlog.RunRecord) {
		require.NoError(t, r.Replay(t.Context(), from, func(seq uint64, rs []eventlog.RunRecord) error {
			seqs, recs = append(seqs, seq), append(recs, rs...)
			return nil
		}))
		return seqs, recs
	}
	seqs, recs := read(0)
	assert.Equal(t, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, seqs)
	assert.Equal(t, first, recs[:2])
	seqs, _ = read(11)
	assert.Equal(t, []uint64{11}, seqs)
	seqs, _ = read(12)
	assert.Nil(t, seqs)
	require.ErrorIs(t, r.Replay(t.Context(), 13, nil), eventlog.ErrOutside)
	require.ErrorIs(t, r.Replay(t.Context(), 1, func(uint64, []eventlog.RunRecord) error { return errStop }), errStop)
	seq, err = r.Append(t.Context(), first)
	require.NoError(t, err)
	assert.Equal(t, uint64(12), seq)
	assert.Equal(t, uint64(12), l.Stats().RunTail)
}

func (s *suite) runLogRefusals(t *testing.T) {
	l, stop := s.open(t, eventlog.Config{MaxFrame: 5000})
	for _, tt := range []struct {
		name string
		recs []eventlog.RunRecord
		want string
	}{
		{"nothing", nil, "there are no records"},
		{"no kind", []eventlog.RunRecord{{Kind: 1}, {}}, "record 1 has no kind"},
		{"too large", []eventlog.RunRecord{{Kind: 1, Body: make([]byte, 4933)}}, "too large for one frame: 1 records take 5001 bytes, at most 5000 fit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := l.RunLog().Append(t.Context(), tt.recs)
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, err := l.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1, Body: make([]byte, 4932)}})
	require.NoError(t, err)
	stop()
	_, err = l.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1}})
	require.ErrorIs(t, err, eventlog.ErrClosed)
}

// release: what was released is gone, for those who read now and after a
// start, clean or not; and the log goes on.
func (s *suite) release(t *testing.T) {
	c := eventlog.Config{}
	l, stop := s.open(t, c)
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
	stop()

	l, stop = s.open(t, c)
	check(l, 32)
	require.NoError(t, l.Release(t.Context(), frame(100), 100))
	assert.Equal(t, frame(33), l.First(), "the last frame stays")
	assert.Equal(t, uint64(33), l.RunLog().First())
	stop()
	l, _ = s.open(t, c)
	assert.Len(t, all(t, l), 1)
}

// releaseKeepsWhatOpeningNeeds: a quiet lane's last sequence, and the keys of
// duplicates, are found after a release of everything.
func (s *suite) releaseKeepsWhatOpeningNeeds(t *testing.T) {
	c := eventlog.Config{DedupRecords: 20}
	l, stop := s.open(t, c)
	commit(t, l, record("quiet", 7, "once"))
	fill(t, l, 10)
	require.NoError(t, l.Release(t.Context(), frame(100), 100))
	assert.Equal(t, frame(1), l.First(), "it alone names the quiet lane")
	assert.Equal(t, uint64(10), l.RunLog().First())
	stop()

	l, stop = s.open(t, c)
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

	l, stop = s.open(t, c)
	assert.NotNil(t, commit(t, l, keyed).Duplicates)
	fill(t, l, 1)
	require.NoError(t, l.Release(t.Context(), frame(100), 100))
	assert.Equal(t, frame(13), l.First(), "the key")
	fill(t, l, 20)
	assert.Nil(t, commit(t, l, keyed).Duplicates, "forgotten by now")
	stop()

	l, _ = s.open(t, c)
	assert.Equal(t, uint64(2), commitAndRead(t, l, record("quiet", 7, "again")).LaneSeq)
}

func (s *suite) since(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := start
	l, _ := s.open(t, eventlog.Config{Now: func() time.Time { return now }})
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

func (s *suite) snapshots(t *testing.T) {
	c := eventlog.Config{}
	l, stop := s.open(t, c)
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
	l, _ = s.open(t, c)
	assert.Len(t, newest(100), eventlog.NotesKept)
	require.NoError(t, l.Snapshots().Append(t.Context(), []byte("snapshot 21")))
	assert.Equal(t, []string{"snapshot 21", "snapshot 20"}, newest(2))
	require.NoError(t, l.Snapshots().Append(t.Context(), make([]byte, eventlog.MaxSnapshot)))
	require.ErrorIs(t, l.Snapshots().Append(t.Context(), make([]byte, eventlog.MaxSnapshot+1)), eventlog.ErrTooLarge)
	require.ErrorContains(t, l.Snapshots().Append(t.Context(), nil), "the record is empty")
}

func (s *suite) editions(t *testing.T) {
	l, stop := s.open(t, eventlog.Config{})
	next := func(newest []byte) ([]byte, error) { return append(newest, 'x'), nil }
	for range 10 {
		require.NoError(t, l.Editions().Append(t.Context(), next))
	}
	stop()
	l, _ = s.open(t, eventlog.Config{})
	list, err := l.Editions().Newest(t.Context(), 100)
	require.NoError(t, err)
	require.Len(t, list, eventlog.NotesKept)
	assert.Equal(t, "xxxxxxxxxx", string(list[0].Body), "each is made of the one before")
	assert.Equal(t, uint64(10), list[0].Number)
	assert.WithinDuration(t, time.Now(), list[0].At, time.Minute)
	no := errors.New("no")
	require.ErrorIs(t, l.Editions().Append(t.Context(), func([]byte) ([]byte, error) { return nil, no }), no)
	require.ErrorContains(t, l.Editions().Append(t.Context(), func([]byte) ([]byte, error) { return nil, nil }), "the record is empty")
	require.ErrorIs(t, l.Editions().Append(t.Context(), func([]byte) ([]byte, error) { return make([]byte, eventlog.MaxEdition+1), nil }), eventlog.ErrTooLarge)
	list, err = l.Editions().Newest(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, uint64(10), list[0].Number, "nothing of it is stored")
}

func (s *suite) deleteBlob(t *testing.T) {
	l, _ := s.open(t, eventlog.Config{})
	ctx := t.Context()
	require.NoError(t, l.DeleteBlob(ctx, eventlog.BlobDigest(nil), eventlog.AnyBlob), "there is no stream yet")
	digests, _, err := l.Blobs(ctx)
	require.NoError(t, err)
	assert.Empty(t, digests)
	big, small := make([]byte, 2_000_000), []byte("small")
	for _, b := range [][]byte{big, small} {
		require.NoError(t, l.PutBlob(ctx, eventlog.BlobDigest(b), b))
	}
	digests, _, err = l.Blobs(ctx)
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{eventlog.BlobDigest(big), eventlog.BlobDigest(small)}, digests)
	for range 2 {
		require.NoError(t, l.DeleteBlob(ctx, eventlog.BlobDigest(big), eventlog.AnyBlob))
		_, err = l.GetBlob(ctx, eventlog.BlobDigest(big))
		require.ErrorIs(t, err, eventlog.ErrNotFound)
	}
	digests, _, err = l.Blobs(ctx)
	require.NoError(t, err)
	assert.Equal(t, []string{eventlog.BlobDigest(small)}, digests)
	require.NoError(t, l.PutBlob(ctx, eventlog.BlobDigest(big), big))
	got, err := l.GetBlob(ctx, eventlog.BlobDigest(big))
	require.NoError(t, err)
	assert.Len(t, got, len(big))
	require.ErrorContains(t, l.DeleteBlob(ctx, "x", eventlog.AnyBlob), "the digest is not")
}

// deleteStoredAgain: what was stored again after the mark of who deletes it stays, and
// stays whole; a log that has claimed the group stores again what it finds.
func (s *suite) deleteStoredAgain(t *testing.T) {
	l, ctx := s.log(t, eventlog.Config{}), t.Context()
	require.NoError(t, l.Claim(ctx, "node", 1))
	big, small := make([]byte, 2_000_000), []byte("small")
	for _, b := range [][]byte{big, small} {
		require.NoError(t, l.PutBlob(ctx, eventlog.BlobDigest(b), b))
	}
	_, mark, err := l.Blobs(ctx)
	require.NoError(t, err)
	require.NoError(t, l.PutBlob(ctx, eventlog.BlobDigest(big), big))
	for _, b := range [][]byte{big, small} {
		require.NoError(t, l.DeleteBlob(ctx, eventlog.BlobDigest(b), mark))
	}
	got, err := l.GetBlob(ctx, eventlog.BlobDigest(big))
	require.NoError(t, err)
	assert.Len(t, got, len(big))
	_, err = l.GetBlob(ctx, eventlog.BlobDigest(small))
	require.ErrorIs(t, err, eventlog.ErrNotFound)
	_, mark, err = l.Blobs(ctx)
	require.NoError(t, err)
	require.NoError(t, l.DeleteBlob(ctx, eventlog.BlobDigest(big), mark))
	_, err = l.GetBlob(ctx, eventlog.BlobDigest(big))
	require.ErrorIs(t, err, eventlog.ErrNotFound)
}

// fill commits n records to l, one a frame, and as many run frames.
func fill(t *testing.T, l *eventlog.Log, n int) {
	t.Helper()
	for range n {
		commit(t, l, record("acme", 0, strings.Repeat("x", 200)))
		_, err := l.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1, Body: make([]byte, 100)}})
		require.NoError(t, err)
	}
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

// blobs are kept by digest and replaced when they are damaged.
func (s *suite) blobs(t *testing.T) {
	l, stop := s.open(t, eventlog.Config{})
	ctx := t.Context()
	big := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	digest := eventlog.BlobDigest(big)
	_, err := l.GetBlob(ctx, digest)
	require.ErrorIs(t, err, eventlog.ErrNotFound)
	for range 2 {
		require.NoError(t, l.PutBlob(ctx, digest, big))
	}
	require.NoError(t, l.PutBlob(ctx, eventlog.BlobDigest(nil), nil), "an empty one")
	require.ErrorContains(t, l.PutBlob(ctx, digest, big[1:]), "the bytes have digest sha256:")
	require.ErrorContains(t, l.PutBlob(ctx, "md5:00", big), `the digest is not "sha256:" and 64 lower-case hexadecimal digits`)
	_, err = l.GetBlob(ctx, eventlog.BlobDigest([]byte("other")))
	require.ErrorIs(t, err, eventlog.ErrNotFound)
	stop()
	require.ErrorIs(t, l.PutBlob(ctx, eventlog.BlobDigest([]byte("x")), []byte("x")), eventlog.ErrClosed)

	l, _ = s.open(t, eventlog.Config{})
	got, err := l.GetBlob(ctx, digest)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(big, got))
	got, err = l.GetBlob(ctx, eventlog.BlobDigest(nil))
	require.NoError(t, err)
	assert.Empty(t, got)
}
