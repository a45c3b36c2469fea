package eventlog_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

// members are the configurations of a cluster of three servers on this machine.
func members(t *testing.T, files eventlog.TLSFiles) (configs [3]eventlog.EngineConfig) {
	t.Helper()
	dir := t.TempDir()
	var peers []string
	for range configs {
		peers = append(peers, fmt.Sprintf("127.0.0.1:%d", freePort(t)))
	}
	for i := range configs {
		configs[i] = eventlog.EngineConfig{
			Dir: filepath.Join(dir, fmt.Sprint("node-", i)),
			Cluster: &eventlog.Cluster{
				Name: "test", Node: fmt.Sprint("node-", i), Listen: peers[i], Peers: peers,
				Secret: "a secret of the cluster", TLS: files,
			},
		}
	}
	return configs
}

// ready waits until a server can store something.
func ready(t *testing.T, e *eventlog.Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, e.Ready(ctx))
}

func startAll(t *testing.T, configs [3]eventlog.EngineConfig) (engines [3]*eventlog.Engine) {
	t.Helper()
	began := time.Now()
	for i := range engines {
		engines[i], _ = startEngine(t, configs[i])
	}
	for _, e := range engines {
		ready(t, e)
	}
	t.Logf("three servers ready: %v", time.Since(began))
	return engines
}

// TestCluster: a group's log is written through one server and goes on through
// another when that one stops; what was acknowledged is there, and the one before
// is fenced.
func TestCluster(t *testing.T) {
	t.Parallel()
	engines := startAll(t, members(t, certificates(t)))
	for _, e := range engines {
		assert.Equal(t, 3, e.Size())
	}
	began := time.Now()
	l, err := engines[0].Open(t.Context(), 1, eventlog.Config{})
	require.NoError(t, err)
	require.NoError(t, l.Claim(t.Context(), "node-0", 1))
	t.Logf("open and claim: %v", time.Since(began))
	ctx := t.Context()
	var g errgroup.Group
	g.Go(func() error { return l.Committer().Run(ctx) })
	for i := range 100 {
		commit(t, l, record("acme", 0, fmt.Sprint(i)))
	}
	require.NoError(t, l.Probe(t.Context()))
	blob := make([]byte, 2_000_000)
	require.NoError(t, l.PutBlob(t.Context(), eventlog.BlobDigest(blob), blob))

	next, err := engines[1].Open(t.Context(), 1, eventlog.Config{})
	require.NoError(t, err)
	require.NoError(t, next.Claim(t.Context(), "node-1", 2))
	_, err = l.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1}})
	require.ErrorIs(t, err, eventlog.ErrFenced)
	running(t, next)
	commit(t, next, record("acme", 0, "100"))
	_, err = l.Committer().Commit(t.Context(), []eventlog.Record{record("acme", 0, "too late")})
	require.ErrorIs(t, err, eventlog.ErrFenced)
	require.ErrorIs(t, g.Wait(), eventlog.ErrFenced)
	require.NoError(t, l.Close())
	got, err := next.GetBlob(t.Context(), eventlog.BlobDigest(blob))
	require.NoError(t, err)
	assert.Len(t, got, len(blob))
	n := 0
	for _, r := range all(t, next) {
		if r.Kind == eventlog.Event {
			assert.Equal(t, fmt.Sprint(n), string(r.Body))
			n++
		}
	}
	assert.Equal(t, 101, n)

	streams, err := engines[2].Streams(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, streams, 3)
	for _, s := range streams {
		assert.Contains(t, s.Leader, "node-")
		assert.Len(t, s.Copies, 2)
	}
}

// serve is the child process that is one server of a cluster.
func serve(config string) int {
	var c eventlog.EngineConfig
	err := json.Unmarshal([]byte(config), &c)
	if err == nil {
		_, err = eventlog.StartEngine(context.Background(), c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	select {} // until it is killed
}

// TestLeaderKilled kills the server that leads the streams, under load. What was
// acknowledged is there, in order; how long nothing was is printed. The server
// comes back, and another one is killed.
func TestLeaderKilled(t *testing.T) {
	t.Parallel()
	if os.Getenv("RHOST_SOAK") == "" {
		t.Skip("set RHOST_SOAK=1: elections take their time")
	}
	configs := members(t, eventlog.TLSFiles{})
	var children [3]*exec.Cmd
	start := func(i int) {
		config, err := json.Marshal(configs[i])
		require.NoError(t, err)
		children[i] = exec.CommandContext(t.Context(), os.Args[0])
		children[i].Env = append(os.Environ(), serveEnv+"="+string(config))
		children[i].Stderr = os.Stderr
		require.NoError(t, children[i].Start())
	}
	kill := func(i int) {
		require.NoError(t, children[i].Process.Kill())
		require.ErrorContains(t, children[i].Wait(), "signal: killed")
	}
	start(1)
	start(2)
	e, _ := startEngine(t, configs[0])
	ready(t, e)
	l, err := e.Open(t.Context(), 0, eventlog.Config{})
	require.NoError(t, err)
	require.NoError(t, l.Claim(t.Context(), "node-0", 1))
	stop := running(t, l)

	var mu sync.Mutex
	var acked []uint64
	var gap time.Duration
	last := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error {
		for n := uint64(0); ctx.Err() == nil; n++ {
			_, err := l.Committer().Commit(context.Background(), numbered(n))
			if err != nil && !errors.Is(err, eventlog.ErrUncertain) && !errors.Is(err, eventlog.ErrUnavailable) {
				return err
			}
			mu.Lock()
			if err == nil {
				acked = append(acked, n)
				gap = max(gap, time.Since(last))
				last = time.Now()
			}
			mu.Unlock()
		}
		return nil
	})
	wait := func(more int) {
		mu.Lock()
		want := len(acked) + more
		mu.Unlock()
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(acked) >= want
		}, 60*time.Second, 5*time.Millisecond)
	}
	for _, victim := range []int{1, 2} {
		node := fmt.Sprint("node-", victim)
		require.Eventually(t, func() bool {
			elsewhere, err := e.MoveLeaders(t.Context(), 0, node)
			return err == nil && elsewhere == 0
		}, 20*time.Second, 200*time.Millisecond)
		wait(100)
		mu.Lock()
		gap, last = 0, time.Now()
		mu.Unlock()
		kill(victim)
		wait(100)
		mu.Lock()
		t.Logf("%s killed: %d commits acknowledged so far; longest gap %v", node, len(acked), gap)
		mu.Unlock()
		start(victim)
		require.Eventually(t, func() bool {
			streams, err := e.Streams(t.Context(), 0)
			return err == nil && !slices.ContainsFunc(streams[0].Copies, func(c eventlog.CopyStatus) bool { return !c.Current })
		}, 30*time.Second, 50*time.Millisecond, "it catches up")
	}
	cancel()
	require.NoError(t, g.Wait())

	// Alone, the server stores nothing, says so in time, and goes on when it is
	// not alone any more.
	kill(1)
	kill(2)
	began := time.Now()
	_, err = l.Committer().Commit(t.Context(), numbered(1<<40))
	require.ErrorIs(t, err, eventlog.ErrUncertain)
	t.Logf("without the others: %v after %v", err, time.Since(began))
	assert.Less(t, time.Since(began), 2*eventlog.DefaultAckTimeout)
	require.Error(t, l.Probe(t.Context()))
	start(1)
	began = time.Now()
	require.Eventually(t, func() bool {
		_, err := l.Committer().Commit(t.Context(), numbered(1<<41))
		return err == nil
	}, 60*time.Second, 50*time.Millisecond)
	t.Logf("with one of them: stored after %v", time.Since(began))
	stop()

	next, err := e.Open(t.Context(), 0, eventlog.Config{})
	require.NoError(t, err)
	require.NoError(t, next.Claim(t.Context(), "node-0", 2))
	defer func() { require.NoError(t, next.Close()) }()
	var stored []uint64
	for _, r := range all(t, next) {
		if r.Kind == eventlog.Event {
			stored = append(stored, binary.BigEndian.Uint64(r.Body))
		}
	}
	assert.True(t, slices.IsSorted(stored))
	assert.Len(t, slices.Compact(slices.Clone(stored)), len(stored), "none is there twice")
	for _, n := range acked {
		_, found := slices.BinarySearch(stored, n)
		assert.True(t, found, "%d", n)
	}
	kill(1)
}
