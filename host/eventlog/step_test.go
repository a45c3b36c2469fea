package eventlog_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
)

// TestStep drives a committer by hand: nothing happens between the steps.
func TestStep(t *testing.T) {
	l, err := eventlog.Open(t.Context(), eventlog.Config{Dir: t.TempDir(), MaxFrame: 10_000, MaxQueue: 3})
	require.NoError(t, err)
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
