package eventlogtest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
)

// claim: a group that was claimed goes on, and epochs only grow.
func (s *suite) claim(t *testing.T) {
	c := eventlog.Config{}
	l := s.log(t, c)
	owner, epoch, err := l.Owner(t.Context())
	require.NoError(t, err)
	assert.Empty(t, owner)
	assert.Zero(t, epoch)
	require.NoError(t, l.Claim(t.Context(), "first", 3))
	require.NoError(t, l.Claim(t.Context(), "first", 3), "again")
	require.ErrorContains(t, l.Claim(t.Context(), "", 3), "the owner's name has 0 bytes")
	owner, epoch, err = l.Owner(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "first", owner)
	assert.Equal(t, uint64(3), epoch)
	_, err = l.Committer().Step(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, l.Claim(t.Context(), "first", 4), "the log is in use already")
	require.NoError(t, l.Snapshots().Append(t.Context(), []byte("mine")))
	require.NoError(t, l.Close())

	l, stop := s.open(t, c)
	commit(t, l, record("acme", 0, "unclaimed"))
	stop()
	l = s.log(t, c)
	for _, epoch := range []uint64{1, 3} {
		err := l.Claim(t.Context(), "second", epoch)
		require.ErrorIs(t, err, eventlog.ErrFenced)
		require.ErrorContains(t, err, "first has claimed the group with epoch 3")
	}
	require.NoError(t, l.Claim(t.Context(), "second", 4))
	recs := all(t, l)
	require.NotEmpty(t, recs)
	last := recs[len(recs)-1]
	assert.Equal(t, eventlog.Claim, last.Kind)
	assert.Equal(t, "second", last.Key)
	assert.Equal(t, []byte{4}, last.Body)
	var run eventlog.RunRecord
	require.NoError(t, l.RunLog().Replay(t.Context(), l.RunLog().Tail(), func(_ uint64, recs []eventlog.RunRecord) error {
		run = recs[0]
		return nil
	}))
	assert.Equal(t, eventlog.RunRecord{Kind: eventlog.RunClaim, Key: "second", Body: []byte{4}}, run)
}

// probe: a log that can be written says so, as often as it is asked.
func (s *suite) probe(t *testing.T) {
	l, stop := s.open(t, eventlog.Config{})
	for range 20 {
		require.NoError(t, l.Probe(t.Context()))
	}
	assert.Zero(t, l.Tail())
	stop()
	require.ErrorIs(t, l.Probe(t.Context()), eventlog.ErrClosed)
}
