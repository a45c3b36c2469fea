package connect_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
	"github.com/rhost/rhost/host/connect/connecttest"
)

// scripted is a source whose runs are written down one by one.
type scripted struct {
	runs    []func(ctx context.Context, sink connect.Sink) error
	cursors []string
	began   []time.Time
}

func (s *scripted) Finite() bool { return true }

func (s *scripted) Run(ctx context.Context, cursor []byte, sink connect.Sink) error {
	s.cursors = append(s.cursors, string(cursor))
	s.began = append(s.began, time.Now())
	run := s.runs[min(len(s.began)-1, len(s.runs)-1)]
	return run(ctx, sink)
}

func submit(ctx context.Context, sink connect.Sink, cursor string) error {
	b := connect.Batch{Events: []event.Event{{ID: "1"}}, Bad: []connect.BadRecord{{}}}
	if cursor != "" {
		b.Cursor = []byte(cursor)
	}
	return sink.Submit(ctx, b)
}

func TestSuperviseGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("torn cable")
		src := &scripted{runs: []func(context.Context, connect.Sink) error{
			func(ctx context.Context, sink connect.Sink) error {
				require.NoError(t, submit(ctx, sink, "a"))
				require.NoError(t, submit(ctx, sink, ""))
				return broken
			},
			func(context.Context, connect.Sink) error { panic("oops") },
			func(ctx context.Context, sink connect.Sink) error { return submit(ctx, sink, "b") },
		}}
		var h connect.Health
		assert.Equal(t, connect.StateIdle, h.Status().State)
		var told []error
		connect.Supervise(context.Background(), src, []byte("start"), connecttest.NewSink(), &h, func(err error) { told = append(told, err) })
		assert.Equal(t, []string{"start", "a", "a"}, src.cursors)
		require.Len(t, told, 2)
		assert.Equal(t, broken, told[0])
		assert.ErrorContains(t, told[1], "the source panicked, which is a bug of rhost: oops")
		s := h.Status()
		assert.Equal(t, connect.StateDone, s.State)
		assert.Equal(t, []uint64{3, 3, 2}, []uint64{s.Events, s.Bad, s.Restarts})
		assert.False(t, s.Last.IsZero())
		assert.Empty(t, s.Error, "it works again")
	})
}

func TestSuperviseWaitsLongerAndLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &scripted{runs: []func(context.Context, connect.Sink) error{
			func(context.Context, connect.Sink) error { return errors.New("no") },
		}}
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute)
		defer stop()
		var h connect.Health
		connect.Supervise(ctx, src, nil, connecttest.NewSink(), &h, nil)
		var waits []time.Duration
		for i := 1; i < len(src.began); i++ {
			waits = append(waits, src.began[i].Sub(src.began[i-1]))
		}
		assert.Less(t, waits[0], time.Second)
		assert.Less(t, len(waits), 60, "waits grow")
		for _, w := range waits {
			assert.LessOrEqual(t, w, 30*time.Second, "and are bounded")
		}
		assert.Greater(t, waits[len(waits)-2], 10*time.Second)
		assert.Equal(t, "no", h.Status().Error)
	})
}

func TestSuperviseForgivesOldFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := func(context.Context, connect.Sink) error { return errors.New("no") }
		src := &scripted{runs: []func(context.Context, connect.Sink) error{
			fail, fail, fail, fail, fail, fail, fail, fail,
			func(context.Context, connect.Sink) error { time.Sleep(time.Hour); return errors.New("once more") },
			func(context.Context, connect.Sink) error { return nil },
		}}
		connect.Supervise(context.Background(), src, nil, connecttest.NewSink(), &connect.Health{}, nil)
		n := len(src.began)
		assert.Less(t, src.began[n-1].Sub(src.began[n-2])-time.Hour, time.Second)
	})
}

func TestSuperviseStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		src := &scripted{runs: []func(context.Context, connect.Sink) error{
			func(ctx context.Context, _ connect.Sink) error { <-ctx.Done(); return ctx.Err() },
		}}
		var h connect.Health
		done := make(chan struct{})
		go func() {
			defer close(done)
			connect.Supervise(ctx, src, nil, connecttest.NewSink(), &h, func(err error) { t.Errorf("told %v", err) })
		}()
		synctest.Wait()
		assert.Equal(t, connect.StateRunning, h.Status().State)
		stop()
		<-done
		assert.Equal(t, connect.StateDone, h.Status().State)
	})
}

func TestCounted(t *testing.T) {
	var h connect.Health
	sink := connecttest.NewSink()
	counted := connect.Counted(sink, &h)
	assert.Equal(t, connect.StateRunning, h.Status().State)
	require.NoError(t, submit(t.Context(), counted, ""))
	sink.Fail(errors.New("full"))
	require.Error(t, submit(t.Context(), counted, ""))
	assert.Equal(t, uint64(1), h.Status().Events)
}
