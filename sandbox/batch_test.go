package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
	"github.com/rhost/rhost/sandbox"
)

// troop is a guest that takes batches. One bad call in it ends a batch.
type troop struct {
	guest
	batches []int // their sizes
	left    time.Duration
}

func (c *troop) Info() sandbox.Info {
	info := c.guest.Info()
	info.Manifest = &manifest.Manifest{Batch: true}
	return info
}

func (c *troop) New(context.Context, sandbox.Limits) (sandbox.Instance, error) {
	c.open.Add(1)
	return &troopInstance{guestInstance{&c.guest}, c}, nil
}

type troopInstance struct {
	guestInstance
	troop *troop
}

func (i *troopInstance) InvokeBatch(ctx context.Context, items []sandbox.BatchItem) ([]sandbox.BatchReply, sandbox.Usage, error) {
	i.troop.batches = append(i.troop.batches, len(items))
	if until, ok := ctx.Deadline(); ok {
		i.troop.left = time.Until(until)
	}
	out := make([]sandbox.BatchReply, len(items))
	for n, item := range items {
		reply, used, err := i.Invoke(ctx, item.Call, item.Session)
		if err != nil {
			return nil, sandbox.Usage{}, err
		}
		out[n] = sandbox.BatchReply{Reply: reply, Usage: used}
	}
	return out, sandbox.Usage{}, nil
}

func troops(n int) []sandbox.BatchItem {
	items := make([]sandbox.BatchItem, n)
	for i := range items {
		items[i] = sandbox.BatchItem{
			Call:    &abi.Call{Match: abi.Match{ID: fmt.Sprint("m-", i)}},
			Session: sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{}),
		}
	}
	return items
}

// TestBatchInARollout sends each call to the version that Call sends it to.
func TestBatchInARollout(t *testing.T) {
	for name, tt := range map[string]struct {
		plan     sandbox.Plan
		old      bool // takes calls
		next     bool
		compared uint64
	}{
		"full":   {sandbox.Plan{}, false, true, 0},
		"canary": {sandbox.Plan{Canary: 0.3}, true, true, 0},
		"shadow": {sandbox.Plan{Shadow: true}, true, false, 50},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, next := &troop{guest: guest{name: "old"}}, &troop{guest: guest{name: "new"}}
				s := sandbox.NewSlot()
				require.NoError(t, s.Swap(t.Context(), old, 1))
				require.NoError(t, s.Roll(t.Context(), next, tt.plan))
				items := troops(50)
				got := s.Batch(t.Context(), items)
				synctest.Wait()
				if p, ok := s.Progress(); assert.True(t, ok) {
					assert.Equal(t, tt.compared, p.Shadowed.Compared)
				}
				for i, r := range got {
					require.NotNil(t, r)
					want, used, err := s.Call(t.Context(), items[i].Call, troops(1)[0].Session)
					require.NoError(t, err)
					assert.Equal(t, want.Output, r.Reply.Output)
					assert.Equal(t, used.Module, r.Usage.Module)
				}
				assert.Equal(t, tt.old, len(old.batches) == 1)
				assert.Equal(t, tt.next, len(next.batches) == 1)
				require.NoError(t, s.Close(t.Context()))
			})
		})
	}
}

// TestBatchOnABadVersion runs the calls of a version that faults one by one, so that
// it is found out, and its callers see the old one's answers.
func TestBatchOnABadVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := &troop{guest: guest{name: "old"}}, &troop{guest: guest{name: "new", do: traps}}
		s := sandbox.NewSlot()
		require.NoError(t, s.Swap(t.Context(), old, 1))
		ended := make(chan sandbox.Verdict, 1)
		require.NoError(t, s.Roll(t.Context(), next, sandbox.Plan{Done: func(v sandbox.Verdict) { ended <- v }}))
		for _, r := range s.CallBatch(t.Context(), troops(100)) {
			require.NoError(t, r.Err)
			assert.Equal(t, `"old"`, string(r.Reply.Output))
		}
		v := <-ended
		assert.False(t, v.Promoted)
		assert.Contains(t, v.Reason, "faulted")
		require.NoError(t, s.Close(t.Context()))
	})
}

// TestBatchLeavesOut what cannot go together with the first.
func TestBatchLeavesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &troop{guest: guest{name: "c"}}
		s := sandbox.NewSlot()
		assert.Equal(t, make([]*sandbox.BatchResult, 2), s.Batch(t.Context(), troops(2)), "an empty slot")
		require.NoError(t, s.Swap(t.Context(), c, 1))
		items := troops(5)
		items[1].Session.Record(sandbox.NewRecorder(1000))
		items[2].Session = sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{Fuel: 5})
		got := s.Batch(t.Context(), items)
		assert.Nil(t, got[1], "recorded")
		assert.Nil(t, got[2], "other limits")
		assert.Equal(t, []int{3}, c.batches)
		assert.Equal(t, sandbox.DefaultLimits().Deadline, c.left, "the time of one call")
		require.NoError(t, s.Close(t.Context()))
	})
}

// TestBatchThatFaults counts for nobody, and the calls that are no part of it go on.
func TestBatchThatFaults(t *testing.T) {
	c := &troop{guest: guest{name: "c", do: func(call *abi.Call, _ *sandbox.Session) (abi.Reply, error) {
		if call.Match.ID == "m-7" {
			return abi.Reply{}, &sandbox.Fault{Kind: sandbox.FaultTrap, Err: errors.New("seven")}
		}
		return abi.Reply{Message: call.Match.ID}, nil
	}}}
	s := sandbox.NewSlot()
	require.NoError(t, s.Swap(t.Context(), c, 1))
	for i, r := range s.CallBatch(t.Context(), troops(20)) {
		assert.Equal(t, fmt.Sprint("m-", i) == "m-7", r.Err != nil)
		if r.Err == nil {
			assert.Equal(t, fmt.Sprint("m-", i), r.Reply.Message)
		}
	}
	stats, _ := s.Stats()
	assert.Equal(t, uint64(20), stats.Calls, "a batch that faults is no call")
	assert.Equal(t, uint64(1), stats.Faults)
	require.NoError(t, s.Close(t.Context()))
}
