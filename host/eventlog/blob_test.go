package eventlog_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
)

// TestDamagedBlob: a blob with a damaged part is refused until it is stored anew.
func TestDamagedBlob(t *testing.T) {
	c := eventlog.Config{Dir: t.TempDir()}
	l, stop := open(t, c)
	ctx := t.Context()
	big := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	digest := eventlog.BlobDigest(big)
	require.NoError(t, l.PutBlob(ctx, digest, big))
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
	got, err := l.GetBlob(ctx, digest)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(big, got))
}
