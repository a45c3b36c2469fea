package sandboxtest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox"
)

const (
	callers = 4
	rounds  = 25
	swaps   = 12
)

// parallel runs calls side by side through a slot.
func (s *suite) parallel(t *testing.T) {
	m := s.module(t, LeakCheck)
	s.module(t, Crash)
	slot := sandbox.NewSlot()
	require.NoError(t, slot.Swap(t.Context(), keepOpen{m}, callers))
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range rounds {
				reply, _, err := slot.Call(t.Context(), call(), s.host().session())
				if assert.NoError(t, err) {
					assert.JSONEq(t, `{"count":1}`, string(reply.Output))
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, slot.Close(t.Context()))

	// A slot survives faults as well: each takes its instance with it.
	slot = sandbox.NewSlot()
	require.NoError(t, slot.Swap(t.Context(), keepOpen{s.module(t, Crash)}, callers))
	for range 3 {
		_, _, err := slot.Call(t.Context(), call(), s.host().session())
		assert.Equal(t, sandbox.FaultTrap, sandbox.KindOf(err), "%v", err)
	}
	require.NoError(t, slot.Close(t.Context()))
}

// swap puts new versions into a slot while calls run: none fails, each old
// version is closed, and none of them before its last call has ended.
func (s *suite) swap(t *testing.T) {
	slot := sandbox.NewSlot()
	var versions []*watched
	next := func() *watched {
		m, err := s.engine.Compile(t.Context(), s.Guests[Echo])
		require.NoError(t, err)
		w := &watched{Module: m}
		versions = append(versions, w)
		return w
	}
	require.NoError(t, slot.Swap(t.Context(), next(), 2))

	var calls, failed atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				calls.Add(1)
				if _, _, err := slot.Call(t.Context(), call(), s.host().session()); err != nil {
					failed.Add(1)
					t.Errorf("a call failed during a swap: %v", err)
				}
			}
		})
	}
	for range swaps {
		before := calls.Load()
		require.NoError(t, slot.Swap(t.Context(), next(), 2))
		for calls.Load() < before+2*callers && failed.Load() == 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
	close(stop)
	wg.Wait()
	require.NoError(t, slot.Close(t.Context()))

	assert.Zero(t, failed.Load())
	for i, v := range versions {
		assert.NoError(t, v.check(), "version %d", i)
	}
}

// watched counts what happens to a module.
type watched struct {
	sandbox.Module
	open   atomic.Int64 // instances
	closed atomic.Int64
	early  atomic.Bool // closed while instances were open, or used after
}

func (w *watched) New(ctx context.Context, lim sandbox.Limits) (sandbox.Instance, error) {
	if w.closed.Load() > 0 {
		w.early.Store(true)
	}
	inst, err := w.Module.New(ctx, lim)
	if err != nil {
		return nil, err
	}
	w.open.Add(1)
	return &watchedInstance{Instance: inst, module: w}, nil
}

func (w *watched) Close(ctx context.Context) error {
	w.closed.Add(1)
	if w.open.Load() > 0 {
		w.early.Store(true)
	}
	return w.Module.Close(ctx)
}

func (w *watched) check() error {
	if w.closed.Load() != 1 || w.open.Load() != 0 || w.early.Load() {
		return fmt.Errorf("closed %d times, %d instances open, closed too early: %v", w.closed.Load(), w.open.Load(), w.early.Load())
	}
	return nil
}

type watchedInstance struct {
	sandbox.Instance
	module *watched
}

func (i *watchedInstance) Close(ctx context.Context) error {
	i.module.open.Add(-1)
	return i.Instance.Close(ctx)
}

// keepOpen is a module that the suite goes on using after a slot let go of it.
type keepOpen struct{ sandbox.Module }

func (keepOpen) Close(context.Context) error { return nil }
