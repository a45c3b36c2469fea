package sandbox_test

import (
	"context"
	"fmt"
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

// crowd counts the instances of several modules.
type crowd struct{ now, most atomic.Int64 }

func (c *crowd) add(n int64) {
	now := c.now.Add(n)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
}

// crowded is a module whose calls take a while.
type crowded struct {
	*crowd
	name   string
	takes  time.Duration
	closed atomic.Int64
	open   atomic.Int64
}

func (c *crowded) Info() sandbox.Info {
	return sandbox.Info{Name: "p", Digest: "sha256:" + c.name}
}

func (c *crowded) New(context.Context, sandbox.Limits) (sandbox.Instance, error) {
	c.add(1)
	c.open.Add(1)
	return &crowdedInstance{c}, nil
}

func (c *crowded) Close(context.Context) error {
	c.closed.Add(1)
	if c.open.Load() > 0 {
		return fmt.Errorf("%s is closed and has instances", c.name)
	}
	return nil
}

type crowdedInstance struct{ *crowded }

func (i *crowdedInstance) Invoke(context.Context, *abi.Call, *sandbox.Session) (abi.Reply, sandbox.Usage, error) {
	time.Sleep(i.takes)
	return abi.Reply{Message: i.name}, sandbox.Usage{Fuel: 1, Wall: i.takes}, nil
}

func (i *crowdedInstance) Reusable() bool { return true }

func (i *crowdedInstance) Close(context.Context) error {
	i.open.Add(-1)
	i.add(-1)
	return nil
}

// callAll runs n calls at once and waits for them.
func callAll(t *testing.T, s *sandbox.Slot, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			c := &abi.Call{Match: abi.Match{ID: fmt.Sprint("m-", i)}}
			_, _, err := s.Call(t.Context(), c, sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{}))
			assert.NoError(t, err)
		})
	}
	wg.Wait()
}

func TestInstancesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, m := sandbox.NewSlot(), &crowded{crowd: &crowd{}, takes: time.Second}
		require.NoError(t, s.Roll(t.Context(), m, sandbox.Plan{Spares: 2, Instances: 2}))
		began := time.Now()
		callAll(t, s, 7)
		assert.Equal(t, 4*time.Second, time.Since(began), "two at a time")
		assert.EqualValues(t, 2, m.most.Load())
		assert.Equal(t, sandbox.Held{Warm: true, Instances: 2, Most: 2}, s.Held())

		var wg sync.WaitGroup
		wg.Go(func() { callAll(t, s, 2) })
		time.Sleep(time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, _, err := s.Call(ctx, &abi.Call{}, sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{}))
		require.EqualError(t, err, "call p: deadline fault: waited for one of its 2 instances: context deadline exceeded; raise limits.deadline of the plugin if it may take longer")
		wg.Wait()

		_, _, err = s.Call(t.Context(), &abi.Call{}, sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{Memory: 1}))
		require.NoError(t, err, "an idle instance for other limits makes room")
		assert.EqualValues(t, 2, m.most.Load())
		require.NoError(t, s.Close(t.Context()))
		assert.Zero(t, m.now.Load())
	})
}

// TestSwapsNeedNoMoreInstances: during a rollout the versions share what the plugin may
// have; what runs in the shadow has one of its own.
func TestSwapsNeedNoMoreInstances(t *testing.T) {
	for _, plan := range []sandbox.Plan{{}, {Canary: 0.5}, {Shadow: true, Canary: 0.5}} {
		synctest.Test(t, func(t *testing.T) {
			all := &crowd{}
			s := sandbox.NewSlot()
			plan.Spares, plan.Instances = 3, 3
			want := int64(3)
			if plan.Shadow {
				want = 4
			}
			var made []*crowded
			for i := range 4 {
				m := &crowded{crowd: all, name: fmt.Sprint("v", i), takes: time.Second}
				made = append(made, m)
				require.NoError(t, s.Roll(t.Context(), m, plan))
				for range 4 { // through all phases
					callAll(t, s, 20)
					time.Sleep(25 * time.Second)
				}
			}
			assert.Equal(t, want, all.most.Load())
			require.NoError(t, s.Close(t.Context()))
			assert.Zero(t, all.now.Load())
			for _, m := range made {
				assert.EqualValues(t, 1, m.closed.Load(), m.name)
			}
		})
	}
}
