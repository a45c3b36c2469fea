package eventlog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

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
	if config := os.Getenv(serveEnv); config != "" {
		os.Exit(serve(config))
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
