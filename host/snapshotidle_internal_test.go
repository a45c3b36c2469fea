package host

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestIdleLaneTakesNoSnapshots: the batch of a snapshot is no reason for the next
// one, or a lane in which nothing happens would write one every hour for ever.
func TestIdleLaneTakesNoSnapshots(t *testing.T) {
	notes := &notesInMemory{}
	r := rig(t, filepath.Join(shortDir(t), "log"), notes, time.Now)
	r.run()
	r.settle()
	require.NoError(t, r.snapshotNow(t.Context()))
	assert.True(t, r.isFresh(), "after a snapshot")
	require.NoError(t, r.snapshotNow(t.Context()), "which takes none")
	assert.Len(t, notes.notes, 1)
	r.crash()
}

func (r *laneRig) isFresh() (fresh bool) {
	require.NoError(r.t, r.ask(r.t.Context(), func() { fresh = r.snaps.fresh }))
	return fresh
}
