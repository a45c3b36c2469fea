package eventlog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
)

// TestForget: a server that joined under a mistaken name and has gone counts until it
// is forgotten; what it kept is then kept by those that are left.
func TestForget(t *testing.T) {
	t.Parallel()
	configs := members(t, eventlog.TLSFiles{})
	mistaken := configs[2]
	mistaken.Dir = filepath.Join(filepath.Dir(mistaken.Dir), "mistaken")
	other := *mistaken.Cluster
	other.Node = "node-c"
	mistaken.Cluster = &other
	a, _ := startEngine(t, configs[0])
	b, _ := startEngine(t, configs[1])
	_, stop := startEngine(t, mistaken)
	ready(t, a)
	l, err := a.Open(t.Context(), 1, eventlog.Config{})
	require.NoError(t, err)
	require.NoError(t, l.Claim(t.Context(), "node-0", 1))
	running(t, l)
	commit(t, l, record("acme", 0, "0"))
	require.ErrorIs(t, b.Forget(t.Context(), "node-c", 2), eventlog.ErrAnswers)
	stop()
	c, _ := startEngine(t, configs[2])
	require.Eventually(t, func() bool { return a.Size() == 4 && c.Size() == 4 }, 20*time.Second, 10*time.Millisecond)
	assert.Equal(t, []string{"node-0", "node-1", "node-2", "node-c"}, namesOf(a))
	for _, j := range a.Joined() {
		assert.Equal(t, eventlog.ServerID(j.Name), j.ID)
	}
	for _, s := range streams(t, a) {
		assert.Contains(t, copiesOf(s), "node-c")
	}

	require.ErrorIs(t, b.Forget(t.Context(), "node-d", 2), eventlog.ErrNotJoined)
	require.ErrorIs(t, b.Forget(t.Context(), "node-0", 2), eventlog.ErrAnswers)
	require.ErrorIs(t, b.Forget(t.Context(), "node-c", 4), eventlog.ErrTooFew)
	assert.Equal(t, 4, b.Size())
	began := time.Now()
	require.NoError(t, b.Forget(t.Context(), "node-c", 2))
	t.Logf("forgotten after %v", time.Since(began).Round(time.Millisecond))
	for _, e := range []*eventlog.Engine{a, b, c} {
		assert.Eventually(t, func() bool { return e.Size() == 3 }, 5*time.Second, 10*time.Millisecond)
		assert.Equal(t, []string{"node-0", "node-1", "node-2"}, namesOf(e))
	}
	require.ErrorIs(t, a.Forget(t.Context(), "node-c", 2), eventlog.ErrNotJoined)
	commit(t, l, record("acme", 0, "1"))
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(streams(t, b), func(s eventlog.StreamStatus) bool {
			return len(s.Copies) != 2 || slices.ContainsFunc(s.Copies, func(c eventlog.CopyStatus) bool { return !c.Current })
		})
	}, 20*time.Second, 50*time.Millisecond)
	for _, s := range streams(t, a) {
		assert.Equal(t, []string{"node-0", "node-1", "node-2"}, copiesOf(s))
	}
	assert.Len(t, all(t, l), 3, "the claim and two events")
}

// TestForgetUnknown: a server that none of those that are up has heard of since they were
// started is forgotten by its name all the same.
func TestForgetUnknown(t *testing.T) {
	if os.Getenv("RHOST_SOAK") == "" {
		t.Skip("set RHOST_SOAK=1: servers start twice")
	}
	t.Parallel()
	configs := members(t, eventlog.TLSFiles{})
	fourth := configs[2]
	fourth.Dir = filepath.Join(filepath.Dir(fourth.Dir), "fourth")
	other := *fourth.Cluster
	other.Node, other.Listen = "node-3", fmt.Sprintf("127.0.0.1:%d", freePort(t))
	fourth.Cluster = &other
	var stops []func()
	var engines []*eventlog.Engine
	start := func(list ...eventlog.EngineConfig) {
		engines, stops = nil, nil
		for _, c := range list {
			e, stop := startEngine(t, c)
			engines, stops = append(engines, e), append(stops, stop)
		}
		ready(t, engines[0])
	}
	start(append(configs[:], fourth)...)
	require.Eventually(t, func() bool { return engines[1].Size() == 4 }, 20*time.Second, 10*time.Millisecond)
	for _, stop := range stops {
		stop()
	}
	start(configs[:]...)
	var names []string
	require.Eventually(t, func() bool {
		names = namesOf(engines[1])
		return len(names) == 4
	}, 20*time.Second, 10*time.Millisecond)
	assert.Contains(t, names, eventlog.ServerID("node-3"), "%v", names)
	require.NoError(t, engines[1].Forget(t.Context(), "node-3", 2))
	assert.Equal(t, []string{"node-0", "node-1", "node-2"}, namesOf(engines[1]))
}

func namesOf(e *eventlog.Engine) (names []string) {
	for _, j := range e.Joined() {
		names = append(names, j.Name)
	}
	return names
}

func streams(t *testing.T, e *eventlog.Engine) []eventlog.StreamStatus {
	t.Helper()
	list, err := e.Streams(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, list, 3)
	return list
}

// copiesOf are the servers that keep a stream, by name.
func copiesOf(s eventlog.StreamStatus) []string {
	names := []string{s.Leader}
	for _, c := range s.Copies {
		names = append(names, c.Node)
	}
	slices.Sort(names)
	return names
}
