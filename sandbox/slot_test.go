package sandbox_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a module whose calls wait until they are let go.
type fake struct {
	name     string
	reusable bool
	hold     chan struct{} // nil: calls do not wait
	running  chan struct{} // told of every call that began

	made, open, closed atomic.Int64
	early              atomic.Bool // closed while an instance was open
	newErr             error
}

func (f *fake) Info() sandbox.Info { return sandbox.Info{Name: f.name} }

func (f *fake) New(context.Context, sandbox.Limits) (sandbox.Instance, error) {
	if f.newErr != nil {
		return nil, f.newErr
	}
	f.made.Add(1)
	f.open.Add(1)
	return &fakeInstance{f}, nil
}

func (f *fake) Close(context.Context) error {
	f.closed.Add(1)
	f.early.Store(f.early.Load() || f.open.Load() > 0)
	return nil
}

type fakeInstance struct{ *fake }

func (i *fakeInstance) Invoke(context.Context, *abi.Call, *sandbox.Session) (abi.Reply, sandbox.Usage, error) {
	if i.running != nil {
		i.running <- struct{}{}
	}
	if i.hold != nil {
		<-i.hold
	}
	return abi.Reply{Message: i.name}, sandbox.Usage{}, nil
}

func (i *fakeInstance) Reusable() bool { return i.reusable }

func (i *fakeInstance) Close(context.Context) error {
	i.open.Add(-1)
	return nil
}

func call(t *testing.T, s *sandbox.Slot, lim sandbox.Limits) (string, error) {
	t.Helper()
	reply, _, err := s.Call(t.Context(), &abi.Call{}, sandbox.NewSession(sandbox.Services{}, nil, lim))
	return reply.Message, err
}

func TestSlotEmpty(t *testing.T) {
	s := sandbox.NewSlot()
	_, err := call(t, s, sandbox.Limits{})
	require.ErrorIs(t, err, sandbox.ErrEmpty)
	_, ok := s.Info()
	assert.False(t, ok)
	require.NoError(t, s.Swap(t.Context(), nil, 0))
	require.NoError(t, s.Close(t.Context()))
}

func TestSlotKeepsSpares(t *testing.T) {
	s, m := sandbox.NewSlot(), &fake{name: "one", reusable: true}
	require.NoError(t, s.Swap(t.Context(), m, 1))
	info, ok := s.Info()
	assert.True(t, ok)
	assert.Equal(t, "one", info.Name)
	for range 3 {
		_, err := call(t, s, sandbox.Limits{})
		require.NoError(t, err)
	}
	assert.EqualValues(t, 1, m.made.Load(), "the same instance serves call after call")

	_, err := call(t, s, sandbox.Limits{Memory: 1})
	require.NoError(t, err)
	assert.EqualValues(t, 2, m.made.Load(), "a spare made for other limits does not serve")
	assert.EqualValues(t, 1, m.open.Load(), "and makes room for the new one")

	require.NoError(t, s.Close(t.Context()))
	assert.Zero(t, m.open.Load())
	assert.EqualValues(t, 1, m.closed.Load())
	assert.False(t, m.early.Load())
}

func TestSlotDiscardsUsedInstances(t *testing.T) {
	s, m := sandbox.NewSlot(), &fake{}
	require.NoError(t, s.Swap(t.Context(), m, 4))
	for range 3 {
		_, err := call(t, s, sandbox.Limits{})
		require.NoError(t, err)
		assert.Zero(t, m.open.Load())
	}
	assert.EqualValues(t, 3, m.made.Load())
	require.NoError(t, s.Close(t.Context()))
}

func TestSlotReportsAnInstanceThatCannotBeMade(t *testing.T) {
	s, want := sandbox.NewSlot(), errors.New("no memory")
	require.NoError(t, s.Swap(t.Context(), &fake{newErr: want}, 1))
	_, err := call(t, s, sandbox.Limits{})
	require.ErrorIs(t, err, want)
	require.NoError(t, s.Close(t.Context()))
}

func TestSlotSwapWaitsForRunningCalls(t *testing.T) {
	s := sandbox.NewSlot()
	old := &fake{name: "old", hold: make(chan struct{}), running: make(chan struct{})}
	require.NoError(t, s.Swap(t.Context(), old, 1))
	var wg sync.WaitGroup
	wg.Go(func() {
		name, err := call(t, s, sandbox.Limits{})
		assert.NoError(t, err)
		assert.Equal(t, "old", name, "a call finishes on the version it began with")
	})
	<-old.running
	swapped := make(chan error)
	wg.Go(func() { swapped <- s.Swap(t.Context(), &fake{name: "new"}, 1) })
	require.Eventually(t, func() bool { info, _ := s.Info(); return info.Name == "new" }, time.Second, time.Millisecond)
	name, err := call(t, s, sandbox.Limits{})
	require.NoError(t, err)
	assert.Equal(t, "new", name, "new calls go to the new version at once")
	assert.Zero(t, old.closed.Load(), "the old version is open while it runs")
	close(old.hold)
	require.NoError(t, <-swapped)
	assert.EqualValues(t, 1, old.closed.Load())
	assert.False(t, old.early.Load())
	wg.Wait()
	require.NoError(t, s.Close(t.Context()))
}

func TestSlotQuarantine(t *testing.T) {
	s := sandbox.NewSlot()
	old := &fake{name: "old", hold: make(chan struct{}), running: make(chan struct{}, 2)}
	require.NoError(t, s.Swap(t.Context(), old, 1))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			_, err := call(t, s, sandbox.Limits{})
			assert.NoError(t, err)
		})
		<-old.running
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Swap(ctx, nil, 0)
	require.ErrorIs(t, err, context.Canceled)
	assert.EqualError(t, err, "drain old: calls are still running, the last of them closes it: context canceled")
	assert.Equal(t, 1, s.Quarantined())
	assert.Zero(t, old.closed.Load())

	close(old.hold)
	wg.Wait()
	assert.EqualValues(t, 1, old.closed.Load(), "the last call closes it")
	assert.False(t, old.early.Load(), "and not before the others ended")
	assert.Zero(t, s.Quarantined())
	require.NoError(t, s.Close(t.Context()))
}

func TestSlotClose(t *testing.T) {
	s, m := sandbox.NewSlot(), &fake{}
	require.NoError(t, s.Swap(t.Context(), m, 1))
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()), "a second time")
	assert.EqualValues(t, 1, m.closed.Load())

	next := &fake{}
	require.ErrorIs(t, s.Swap(t.Context(), next, 1), sandbox.ErrClosed)
	assert.Zero(t, next.closed.Load(), "the module stays with the caller")
	_, err := call(t, s, sandbox.Limits{})
	require.ErrorIs(t, err, sandbox.ErrEmpty)
}

func TestSlotUnderLoad(t *testing.T) {
	s := sandbox.NewSlot()
	versions := make([]*fake, 50)
	for i := range versions {
		versions[i] = &fake{reusable: i%2 == 0}
	}
	require.NoError(t, s.Swap(t.Context(), versions[0], 2))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := call(t, s, sandbox.Limits{}); !assert.NoError(t, err) {
					return
				}
			}
		})
	}
	for _, v := range versions[1:] {
		require.NoError(t, s.Swap(t.Context(), v, 2))
		time.Sleep(100 * time.Microsecond)
	}
	close(stop)
	wg.Wait()
	require.NoError(t, s.Close(t.Context()))
	for i, v := range versions {
		assert.EqualValues(t, 1, v.closed.Load(), "version %d is closed once", i)
		assert.Zero(t, v.open.Load(), "instances of version %d", i)
		assert.False(t, v.early.Load(), "version %d", i)
	}
}
