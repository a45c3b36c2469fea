package host

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

// TestReadinessIsBounded: however many ask, there is one write at a time and one in
// two seconds, and a change for the worse or the better shows after that.
func TestReadinessIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r readiness
		var writes atomic.Int32
		var trouble error
		ask := func() error {
			return r.ask(t.Context(), func(context.Context) error {
				writes.Add(1)
				time.Sleep(time.Second)
				return trouble
			})
		}
		var g errgroup.Group
		for range 50 {
			g.Go(ask)
		}
		require.NoError(t, g.Wait())
		assert.Equal(t, int32(1), writes.Load())
		trouble = errors.New("the disk is full")
		require.NoError(t, ask())
		time.Sleep(probeEvery)
		require.ErrorIs(t, ask(), trouble)
		was := trouble
		trouble = nil
		require.ErrorIs(t, ask(), was)
		assert.Equal(t, int32(2), writes.Load())
		time.Sleep(probeEvery)
		require.NoError(t, ask())
	})
}

// TestReadinessDoesNotHang: a write without an answer is told after a while, to those
// who come later at once, and the next write is tried when it has ended.
func TestReadinessDoesNotHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r readiness
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		began := time.Now()
		require.ErrorContains(t, r.ask(t.Context(), hang), "a write to the log has been under way for 4s")
		assert.Equal(t, probePatience, time.Since(began))
		require.ErrorContains(t, r.ask(t.Context(), hang), "under way for 4s")
		assert.Equal(t, probePatience, time.Since(began))
		time.Sleep(probeEnds)
		require.NoError(t, r.ask(t.Context(), func(context.Context) error { return nil }))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r.latest = nil
		require.ErrorIs(t, r.ask(ctx, hang), context.DeadlineExceeded, "who asks may give up")
		time.Sleep(probeEnds)
	})
}

// TestReadyWrites: a host is ready when it has written to its log, and says what
// keeps it from that.
func TestReadyWrites(t *testing.T) {
	app := newApp(t, map[string]string{"rules/r.yaml": "rule: one\nwhen: type == \"t\"\n"})
	l := app.start()
	require.NoError(t, l.api().Ready(t.Context()))
	assert.NoFileExists(t, app.data+"/"+probeName)
	require.NoError(t, l.log.Close())
	l.probing.mu.Lock()
	l.probing.latest = nil
	l.probing.mu.Unlock()
	require.ErrorIs(t, l.api().Ready(t.Context()), eventlog.ErrClosed)
	select {
	case err := <-l.ended:
		l.ended <- nil
		require.ErrorIs(t, err, eventlog.ErrClosed)
	case <-time.After(patience):
		t.Fatal("the host goes on without its log")
	}
}
