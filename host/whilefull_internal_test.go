package host

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
)

// TestWhileFullDoesNothingTwice: a full disk is waited for, but not when a try before
// may yet arrive.
func TestWhileFullDoesNothingTwice(t *testing.T) {
	both := fmt.Errorf("%w: %w", eventlog.ErrUncertain, eventlog.ErrDiskFull)
	for _, tt := range []struct {
		answers []error
		tries   int
		want    error
	}{
		{[]error{eventlog.ErrDiskFull, nil}, 2, nil},
		{[]error{both, nil}, 1, eventlog.ErrUncertain},
		{[]error{eventlog.ErrDiskFull, both, nil}, 2, eventlog.ErrUncertain},
	} {
		tries := 0
		err := whileFull(t.Context(), simQuiet, func() error {
			tries++
			return tt.answers[tries-1]
		})
		assert.Equal(t, tt.tries, tries)
		assert.ErrorIs(t, err, tt.want)
	}
}

// awaySnapshots cannot reach the blobs of snapshots.
type awaySnapshots struct{ *notesInMemory }

func (awaySnapshots) GetBlob(context.Context, string) ([]byte, error) {
	return nil, fmt.Errorf("%w: no answer", eventlog.ErrUnavailable)
}

// TestSnapshotOutOfReach: servers that do not answer are no reason to take a snapshot
// for unreadable, and to replay all of the log, or ask for a backup.
func TestSnapshotOutOfReach(t *testing.T) {
	dir, notes := filepath.Join(shortDir(t), "log"), &notesInMemory{}
	r := rig(t, dir, notes, time.Now)
	r.run()
	r.settle()
	require.NoError(t, r.snapshotNow(t.Context()))
	r.crash()

	r = rig(t, dir, notes, time.Now)
	defer r.crash()
	r.snaps.store = awaySnapshots{notes}
	assert.ErrorIs(t, r.recover(t.Context()), eventlog.ErrUnavailable)
	assert.Empty(t, r.unreadable)
}
