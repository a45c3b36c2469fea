package host

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
)

// A batch that was full in the middle of a record's outputs ends with the
// progress of the record before. What it holds of the later one must stay known,
// or a match is recorded again after a crash.
func TestBatchThatEndsInsideARecordKeepsItsMatchesKnown(t *testing.T) {
	l := newLane(laneParts{now: time.Now})
	before := eventlog.Position{Frame: 7, Index: 3}
	var forwarded uint64
	match := func(id string) eventlog.RunRecord { return eventlog.RunRecord{Kind: runMatch, Key: id} }

	require.NoError(t, l.foldFrame(t.Context(), 1, []eventlog.RunRecord{match("m-1"), match("m-2"), progressRecord(before)}, &forwarded))
	assert.Equal(t, before, l.replay)
	assert.True(t, l.known["m-2"], "beyond the progress of its own batch")

	require.NoError(t, l.foldFrame(t.Context(), 2, []eventlog.RunRecord{match("m-3")}, &forwarded))
	assert.True(t, l.known["m-2"], "the same record's outputs go on in the next batch")

	require.NoError(t, l.foldFrame(t.Context(), 3, []eventlog.RunRecord{match("m-4"), progressRecord(before.Next())}, &forwarded))
	assert.False(t, l.known["m-2"], "a later batch has passed it")
	assert.True(t, l.known["m-4"])
}
