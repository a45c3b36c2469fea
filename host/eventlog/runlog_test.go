package eventlog_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

func TestRunLog(t *testing.T) {
	c := eventlog.Config{Dir: t.TempDir()}
	l, stop := open(t, c)
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

	l, _ = open(t, c)
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

func TestRunLogRefusals(t *testing.T) {
	l, stop := open(t, eventlog.Config{Dir: t.TempDir(), MaxFrame: 5000})
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

func TestBlobs(t *testing.T) {
	c := eventlog.Config{Dir: t.TempDir()}
	l, stop := open(t, c)
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

	l, stop = open(t, c)
	got, err := l.GetBlob(ctx, digest)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(big, got))
	got, err = l.GetBlob(ctx, eventlog.BlobDigest(nil))
	require.NoError(t, err)
	assert.Empty(t, got)
	stop()

	blocks, err := filepath.Glob(filepath.Join(c.Dir, "jetstream", "$G", "streams", "BLOB", "msgs", "*.blk"))
	require.NoError(t, err)
	require.NotEmpty(t, blocks)
	b, err := os.ReadFile(blocks[0])
	require.NoError(t, err)
	b[100_000] ^= 1
	require.NoError(t, os.WriteFile(blocks[0], b, 0o600))
	l, _ = open(t, c)
	_, err = l.GetBlob(ctx, digest)
	var corrupt *eventlog.CorruptError
	require.ErrorAs(t, err, &corrupt)
	require.ErrorContains(t, err, "stream BLOB: a part of the blob is missing or unreadable")
	require.NoError(t, l.PutBlob(ctx, digest, big), "put again")
	got, err = l.GetBlob(ctx, digest)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(big, got))
}
