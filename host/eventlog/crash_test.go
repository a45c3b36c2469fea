package eventlog_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

const (
	// childEnv makes the test binary a child that writes to the log in the
	// folder it names until it is killed.
	childEnv  = "RHOST_EVENTLOG_CHILD"
	serveEnv  = "RHOST_EVENTLOG_SERVE"         // makes it a server of a cluster, with this configuration
	childOnce = "RHOST_EVENTLOG_CHILD_COMMITS" // so many commits, one by one
	killsEnv  = "RHOST_KILLS"                  // kills in TestKilled; 5 if unset

	childPatience = "RHOST_EVENTLOG_CHILD_PATIENCE" // AckTimeout

	childLanes = 8
)

// child commits numbered records on all lanes from several goroutines and
// reports each on standard output once it is acknowledged: lane, number, and
// sequence of the run frame that followed.
func child(dir string) int {
	ctx := context.Background()
	patience, _ := time.ParseDuration(os.Getenv(childPatience))
	l, err := eventlog.Open(ctx, eventlog.Config{Dir: dir, AckTimeout: patience})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var g errgroup.Group
	g.Go(func() error {
		err := l.Committer().Run(ctx)
		fmt.Fprintln(os.Stderr, "the committer ended:", err)
		os.Exit(1)
		return err
	})
	if n, err := strconv.Atoi(os.Getenv(childOnce)); err == nil {
		for i := range n {
			childCommit(ctx, l, 0, uint64(i))
		}
		return 0
	}
	next, err := childProgress(ctx, l)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for lane := range uint32(childLanes) {
		g.Go(func() error {
			for n := next[lane] + 1; ; n++ {
				childCommit(ctx, l, lane, n)
			}
		})
	}
	if err := g.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

// childProgress finds each lane's last number in the log.
func childProgress(ctx context.Context, l *eventlog.Log) (last [childLanes]uint64, err error) {
	err = l.Read(ctx, eventlog.Position{}, func(f *eventlog.Frame) error {
		for _, r := range f.Records {
			last[r.Lane] = max(last[r.Lane], binary.BigEndian.Uint64(r.Body))
		}
		return nil
	})
	return last, err
}

func childCommit(ctx context.Context, l *eventlog.Log, lane uint32, n uint64) {
	body := make([]byte, 8+rand.IntN(600))
	binary.BigEndian.PutUint64(body, n)
	if _, err := l.Committer().Commit(ctx, []eventlog.Record{record("acme", lane, string(body))}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		time.Sleep(time.Second) // the committer may end
		os.Exit(1)
	}
	var run uint64
	if n%16 == 0 {
		var err error
		if run, err = l.RunLog().Append(ctx, []eventlog.RunRecord{{Kind: 1, Body: body[:8]}}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := l.PutBlob(ctx, eventlog.BlobDigest(body), body); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Printf("acked %d %d %d\n", lane, n, run) // one write call, unbuffered
}

// acks is what a child had acknowledged.
type acks struct {
	lanes [childLanes]uint64 // last number
	count int
	run   uint64
}

func (a *acks) read(t *testing.T, r io.Reader) {
	t.Helper()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var lane, n, run uint64
		if _, err := fmt.Sscanf(lines.Text(), "acked %d %d %d", &lane, &n, &run); err != nil {
			continue // cut off by the kill
		}
		assert.Equal(t, a.lanes[lane]+1, n, "lane %d goes on where its log ended", lane)
		a.lanes[lane] = n
		a.run = max(a.run, run)
		a.count++
	}
}

// TestKilled kills a process that is writing, at random moments, and finds
// everything that it had acknowledged.
func TestKilled(t *testing.T) {
	t.Parallel()
	kills := 5
	if n, err := strconv.Atoi(os.Getenv(killsEnv)); err == nil {
		kills = n
	}
	dir := filepath.Join(t.TempDir(), "log")
	var acked acks
	for range kills {
		runAndKill(t, dir, &acked)
		checkAcked(t, dir, &acked)
	}
	t.Logf("%d kills, %d commits acknowledged", kills, acked.count)
}

func runAndKill(t *testing.T, dir string, acked *acks) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	first := bufio.NewReader(out)
	_, err = first.Peek(1) // the first acknowledgement
	require.NoError(t, err)
	timer := time.AfterFunc(time.Duration(rand.IntN(250))*time.Millisecond, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	acked.read(t, first)
	require.ErrorContains(t, cmd.Wait(), "signal: killed")
}

// checkAcked reads the log and compares it with what was acknowledged. What
// was stored and not acknowledged counts from here on.
func checkAcked(t *testing.T, dir string, acked *acks) {
	t.Helper()
	l, stop := open(t, eventlog.Config{Dir: dir})
	defer stop()
	var last, seq [childLanes]uint64
	for _, r := range all(t, l) {
		require.Equal(t, seq[r.Lane]+1, r.LaneSeq, "lane %d has no gap", r.Lane)
		require.Equal(t, last[r.Lane]+1, binary.BigEndian.Uint64(r.Body), "lane %d is in order", r.Lane)
		seq[r.Lane]++
		last[r.Lane]++
	}
	for lane := range last {
		assert.GreaterOrEqual(t, last[lane], acked.lanes[lane], "lane %d", lane)
	}
	assert.GreaterOrEqual(t, l.RunLog().Tail(), acked.run)
	acked.lanes = last
}
