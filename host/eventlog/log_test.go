package eventlog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir))
	}
	goleak.VerifyTestMain(m)
}

// open opens a log and runs its committer until the test ends, or stop is called.
func open(tb testing.TB, c eventlog.Config) (l *eventlog.Log, stop func()) {
	tb.Helper()
	l, err := eventlog.Open(tb.Context(), c)
	require.NoError(tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return l.Committer().Run(ctx) })
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		assert.NoError(tb, g.Wait())
		assert.NoError(tb, l.Close())
	}
	tb.Cleanup(stop)
	return l, stop
}

func record(tenant string, lane uint32, body string) eventlog.Record {
	return eventlog.Record{Kind: eventlog.Event, Tenant: tenant, Lane: lane, Body: []byte(body)}
}

func commit(tb testing.TB, l *eventlog.Log, recs ...eventlog.Record) eventlog.Result {
	tb.Helper()
	res, err := l.Committer().Commit(tb.Context(), recs)
	require.NoError(tb, err)
	return res
}

// all reads the whole log.
func all(tb testing.TB, l *eventlog.Log) []eventlog.Record {
	tb.Helper()
	var recs []eventlog.Record
	require.NoError(tb, l.Read(tb.Context(), eventlog.Position{}, func(f *eventlog.Frame) error {
		recs = append(recs, f.Records...)
		return nil
	}))
	return recs
}

func bodies(recs []eventlog.Record) []string {
	var out []string
	for _, r := range recs {
		out = append(out, string(r.Body))
	}
	return out
}

func TestCommitAndReadBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	c := eventlog.Config{Dir: dir}
	began := time.Now()
	l, stop := open(t, c)
	t.Logf("open: %v", time.Since(began))
	assert.Equal(t, eventlog.Position{}, l.Tail())

	res := commit(t, l, record("acme", 0, "a"), record("acme", 1, "b"), record("beta", 0, "c"), record("acme", 0, "d"))
	assert.Equal(t, eventlog.Position{Frame: 1, Index: 3}, res.Last)
	assert.Nil(t, res.Duplicates)
	assert.Equal(t, res.Last, l.Tail())
	rev := eventlog.Record{Kind: eventlog.Revision, Flags: 7, Tenant: "acme", Key: "sha256:12"}
	assert.Equal(t, eventlog.Position{Frame: 2}, commit(t, l, rev).Last)
	live := all(t, l)
	stop()

	began = time.Now()
	l, _ = open(t, c)
	t.Logf("open again: %v", time.Since(began))
	assert.Equal(t, eventlog.Position{Frame: 2}, l.Tail())
	commit(t, l, record("acme", 0, "e"), record("beta", 0, "f"))
	recs := all(t, l)
	require.Len(t, recs, 7)
	assert.Equal(t, []string{"a", "b", "c", "d", "", "e", "f"}, bodies(recs))
	for i, want := range []uint64{1, 1, 1, 2, 3, 4, 2} {
		assert.Equal(t, want, recs[i].LaneSeq, "record %d", i)
		if i > 0 {
			assert.False(t, recs[i].Ingest.Before(recs[i-1].Ingest))
		}
	}
	assert.Equal(t, "sha256:12", recs[4].Key)
	assert.Equal(t, eventlog.Flags(7), recs[4].Flags)
	for i, r := range live {
		r.Body, recs[i].Body = append([]byte{}, r.Body...), append([]byte{}, recs[i].Body...)
		assert.Equal(t, r, recs[i], "live and stored")
	}
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}

func TestDuplicatesAreAcceptedOnce(t *testing.T) {
	c := eventlog.Config{Dir: t.TempDir()}
	l, stop := open(t, c)
	keyed := func(id string) eventlog.Record {
		r := record("acme", 0, id)
		r.Dedup = eventlog.DedupKeyOf("acme", "src", id)
		return r
	}
	commit(t, l, keyed("1"), keyed("2"))
	res := commit(t, l, keyed("2"), keyed("3"), keyed("3"), record("acme", 0, "x"))
	assert.Equal(t, []int{0, 2}, res.Duplicates)
	assert.Equal(t, eventlog.Position{Frame: 2, Index: 1}, res.Last)
	res = commit(t, l, keyed("1"))
	assert.Equal(t, []int{0}, res.Duplicates)
	assert.Equal(t, eventlog.Position{Frame: 1}, res.Last, "where it was stored first")
	stop()

	l, _ = open(t, c)
	res = commit(t, l, keyed("3"), keyed("4"))
	assert.Equal(t, []int{0}, res.Duplicates, "after a restart")
	assert.Equal(t, []string{"1", "2", "3", "x", "4"}, bodies(all(t, l)))
}

func TestErrorsNameTheCause(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	held := t.TempDir()
	open(t, eventlog.Config{Dir: held, Owner: "rhost run demo"})
	for _, tt := range []struct{ name, dir, want string }{
		{"a file", file, "it is a file, not a folder"},
		{"no parent", filepath.Join(t.TempDir(), "a", "b"), "its parent folder is missing"},
		{"not writable", "/sys/kernel/rhost", "cannot be created"},
		{"in use", held, fmt.Sprintf("in use by pid %d, rhost run demo, since", os.Getpid())},
		{"no folder", "", "dir: must name a folder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if strings.HasPrefix(tt.dir, "/sys/") && runtime.GOOS != "linux" {
				t.Skip("this system has no folder that nobody may write to")
			}
			_, err := eventlog.Open(t.Context(), eventlog.Config{Dir: tt.dir})
			require.ErrorContains(t, err, tt.want)
			assert.ErrorContains(t, err, tt.dir)
		})
	}
}
