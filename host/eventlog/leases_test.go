package eventlog_test

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
)

// TestLeases: entries are written by who knows their revision, and go by themselves;
// revisions grow for ever, also when the server starts anew.
func TestLeases(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	e, stop := startEngine(t, eventlog.EngineConfig{Dir: dir})
	l, err := e.Leases(t.Context())
	require.NoError(t, err)
	put := func(key, value string, ttl time.Duration, rev uint64) uint64 {
		t.Helper()
		now, err := l.Put(t.Context(), key, []byte(value), ttl, rev)
		require.NoError(t, err)
		assert.Greater(t, now, rev)
		return now
	}
	list := func() map[string]string {
		t.Helper()
		entries, err := l.List(t.Context())
		require.NoError(t, err)
		m := make(map[string]string)
		for _, e := range entries {
			m[e.Key] = string(e.Value)
		}
		return m
	}
	assert.Empty(t, list())
	a := put("group.1", "a", time.Minute, 0)
	b := put("node.b", "b", time.Second, 0)
	assert.Equal(t, map[string]string{"group.1": "a", "node.b": "b"}, list())
	_, err = l.Put(t.Context(), "group.1", []byte("c"), time.Minute, 0)
	require.ErrorIs(t, err, eventlog.ErrStale)
	_, err = l.Put(t.Context(), "group.1", []byte("c"), time.Minute, b)
	require.ErrorIs(t, err, eventlog.ErrStale)
	require.ErrorIs(t, l.Delete(t.Context(), "group.1", a+100), eventlog.ErrStale)
	_, err = l.Put(t.Context(), "group.1", nil, time.Minute, a)
	require.Error(t, err, "a value is needed")
	a = put("group.1", "a2", time.Minute, a)

	assert.Eventually(t, func() bool { return len(list()) == 1 }, 20*time.Second, 50*time.Millisecond, "the entry ends by itself")
	b2 := put("node.b", "b again", time.Minute, 0)
	assert.Greater(t, b2, b)

	require.NoError(t, l.Delete(t.Context(), "group.1", a))
	assert.Equal(t, map[string]string{"node.b": "b again"}, list())
	c := put("group.1", "c", time.Minute, 0)
	assert.Greater(t, c, a, "at once, though a mark of the deletion is there")

	stop()
	e, _ = startEngine(t, eventlog.EngineConfig{Dir: dir})
	l, err = e.Leases(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"group.1": "c", "node.b": "b again"}, list())
	assert.Greater(t, put("node.b", "b", time.Minute, b2), c)
}

// TestLeasesStartAbove: revisions of a new table begin where they are told to, whoever
// tells it, those of one that was used go on.
func TestLeasesStartAbove(t *testing.T) {
	e, _ := startEngine(t, eventlog.EngineConfig{Dir: filepath.Join(t.TempDir(), "log")})
	l, err := e.Leases(t.Context())
	require.NoError(t, err)
	for _, rev := range []uint64{0, 1000, 1000, math.MaxUint64, 2000} {
		require.NoError(t, l.StartAbove(t.Context(), rev))
	}
	rev, err := l.Put(t.Context(), "group.1", []byte("a"), time.Minute, 0)
	require.NoError(t, err)
	assert.Equal(t, uint64(1001), rev, "the first one counts")
	require.NoError(t, l.StartAbove(t.Context(), 3000))
	rev, err = l.Put(t.Context(), "group.1", []byte("a"), time.Minute, rev)
	require.NoError(t, err)
	assert.Equal(t, uint64(1002), rev)
	list, err := l.List(t.Context())
	require.NoError(t, err)
	assert.Len(t, list, 1)
}
