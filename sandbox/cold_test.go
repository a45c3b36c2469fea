package sandbox_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

// sleeper is a slot whose version can be loaded again.
type sleeper struct {
	*sandbox.Slot
	mu     sync.Mutex
	loaded []*crowded // guarded by mu; the first is what was put into the slot
	takes  time.Duration
	err    error // of loading it again
	closed atomic.Int64
	crowd  crowd
}

func (s *sleeper) load() *crowded {
	m := &crowded{crowd: &s.crowd, name: "v", takes: time.Millisecond}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded = append(s.loaded, m)
	return m
}

func (s *sleeper) plan() sandbox.Plan {
	return sandbox.Plan{
		Spares: 2, Instances: 2, Closed: func() { s.closed.Add(1) },
		Wake: func(ctx context.Context) (sandbox.Module, error) {
			select {
			case <-time.After(s.takes):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			if s.err != nil {
				return nil, s.err
			}
			return s.load(), nil
		},
	}
}

func newSleeper(t *testing.T) *sleeper {
	t.Helper()
	s := &sleeper{Slot: sandbox.NewSlot(), takes: 50 * time.Millisecond}
	require.NoError(t, s.Roll(t.Context(), s.load(), s.plan()))
	return s
}

func (s *sleeper) end(t *testing.T) {
	t.Helper()
	require.NoError(t, s.Close(t.Context()))
	assert.Zero(t, s.crowd.now.Load())
	for _, m := range s.loaded {
		assert.EqualValues(t, 1, m.closed.Load())
	}
}

func TestUnusedVersionsAreUnloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleeper(t)
		callAll(t, s.Slot, 2)
		time.Sleep(9 * time.Minute)
		cooled, err := s.Cool(t.Context(), 10*time.Minute)
		require.NoError(t, err)
		assert.False(t, cooled, "too early")
		time.Sleep(2 * time.Minute)
		cooled, err = s.Cool(t.Context(), 10*time.Minute)
		require.NoError(t, err)
		assert.True(t, cooled)
		assert.Zero(t, s.crowd.now.Load(), "no instance is left")
		assert.EqualValues(t, 1, s.loaded[0].closed.Load(), "nor the module")
		assert.Equal(t, sandbox.Held{Most: 2}, s.Held())
		info, ok := s.Info()
		assert.True(t, ok)
		assert.Equal(t, "sha256:v", info.Digest, "it is still what is in force")
		cooled, err = s.Cool(t.Context(), 0)
		require.NoError(t, err)
		assert.False(t, cooled, "it is cold already")

		began := time.Now()
		callAll(t, s.Slot, 20)
		assert.Equal(t, 60*time.Millisecond, time.Since(began), "loading it again, once, and ten rounds of two")
		assert.Len(t, s.loaded, 2)
		assert.Equal(t, sandbox.Held{Warm: true, Instances: 2, Most: 2, Reloads: 1}, s.Held())
		stats, _ := s.Stats()
		assert.EqualValues(t, 22, stats.Calls)
		assert.Zero(t, s.closed.Load())
		s.end(t)
		assert.EqualValues(t, 1, s.closed.Load())
	})
}

func TestWakeSavesTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleeper(t)
		_, err := s.Cool(t.Context(), -time.Second)
		require.NoError(t, err)
		s.Wake(t.Context())
		s.Wake(t.Context())
		time.Sleep(time.Second)
		began := time.Now()
		callAll(t, s.Slot, 1)
		assert.Equal(t, time.Millisecond, time.Since(began))
		assert.Len(t, s.loaded, 2)
		s.end(t)
		s.Wake(t.Context())
		assert.Len(t, s.loaded, 2, "a slot that is closed loads nothing")
	})
}

func TestWhatIsNotUnloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleeper(t)
		s.loaded[0].takes = time.Hour
		done := make(chan struct{})
		go func() { defer close(done); callAll(t, s.Slot, 1) }()
		time.Sleep(time.Minute)
		cooled, err := s.Cool(t.Context(), 0)
		require.NoError(t, err)
		assert.False(t, cooled, "a call runs")
		<-done

		next := s.load()
		require.NoError(t, s.Roll(t.Context(), next, s.plan()))
		time.Sleep(30 * time.Second)
		cooled, err = s.Cool(t.Context(), 0)
		require.NoError(t, err)
		assert.False(t, cooled, "a rollout is under way")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.EqualValues(t, 1, s.closed.Load(), "the old version left")
		s.end(t)

		keeps := sandbox.NewSlot()
		require.NoError(t, keeps.Swap(t.Context(), &crowded{crowd: &crowd{}}, 1))
		cooled, err = keeps.Cool(t.Context(), -time.Hour)
		require.NoError(t, err)
		assert.False(t, cooled, "it could not be loaded again")
		require.NoError(t, keeps.Close(t.Context()))
		cooled, err = keeps.Cool(t.Context(), -time.Hour)
		require.NoError(t, err)
		assert.False(t, cooled, "nothing is there")
	})
}

func TestVersionsThatDoNotComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleeper(t)
		_, err := s.Cool(t.Context(), -time.Second)
		require.NoError(t, err)
		s.err = errors.New("the store is gone")
		_, err = call(t, s.Slot, sandbox.Limits{})
		require.ErrorIs(t, err, sandbox.ErrCold)
		require.ErrorIs(t, err, s.err)

		s.err = nil
		_, err = call(t, s.Slot, sandbox.Limits{})
		require.NoError(t, err, "the next call tries again")

		_, err = s.Cool(t.Context(), -time.Second)
		require.NoError(t, err)
		s.takes = time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err = s.Call(ctx, &abi.Call{}, sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{}))
		require.Equal(t, sandbox.FaultDeadline, sandbox.KindOf(err), "%v", err)
		began := time.Now()
		s.end(t)
		assert.Less(t, time.Since(began), time.Minute, "what is being loaded is given up")
	})
}

// TestUnloadingHammer calls, unloads, wakes and swaps all at once. Every call is
// answered, and everything that was loaded is closed once.
func TestUnloadingHammer(t *testing.T) {
	s := newSleeper(t)
	s.takes = 100 * time.Microsecond
	stop := make(chan struct{})
	var wg sync.WaitGroup
	repeat := func(fn func()) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					fn()
				}
			}
		})
	}
	var calls atomic.Int64
	for range 4 {
		repeat(func() {
			_, _, err := s.Call(t.Context(), &abi.Call{}, sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{}))
			assert.NoError(t, err)
			calls.Add(1)
			time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		})
	}
	repeat(func() {
		_, err := s.Cool(t.Context(), -time.Second)
		assert.NoError(t, err)
		time.Sleep(50 * time.Microsecond)
	})
	repeat(func() { s.Wake(t.Context()); time.Sleep(time.Millisecond) })
	repeat(func() {
		plan := s.plan()
		plan.Back.For = time.Duration(1+rand.IntN(2000)) * time.Microsecond
		assert.NoError(t, s.Roll(t.Context(), s.load(), plan))
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
	})
	time.Sleep(time.Second)
	close(stop)
	wg.Wait()
	assert.Positive(t, calls.Load())
	assert.LessOrEqual(t, s.crowd.most.Load(), int64(2))
	s.end(t)
	t.Logf("%d calls, %d loaded", calls.Load(), len(s.loaded))
}
