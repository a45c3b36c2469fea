package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
	"github.com/rhost/rhost/host/dispatch"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/tenants"
)

// crowd is a guest whose calls may go together; one that faults ends a batch.
type crowd struct {
	guest
	batched *int
}

func (crowd) Info() sandbox.Info {
	return sandbox.Info{Name: "p", Digest: "sha256:aa", Manifest: &manifest.Manifest{Batch: true}}
}

func (c crowd) New(context.Context, sandbox.Limits) (sandbox.Instance, error) {
	return crowdInstance{instance{c.guest}, c.batched}, nil
}

type crowdInstance struct {
	instance
	batched *int
}

func (i crowdInstance) InvokeBatch(ctx context.Context, items []sandbox.BatchItem) (out []sandbox.BatchReply, _ sandbox.Usage, _ error) {
	for _, item := range items {
		reply, used, err := i.Invoke(ctx, item.Call, item.Session)
		if err != nil {
			return nil, sandbox.Usage{}, err
		}
		out = append(out, sandbox.BatchReply{Reply: reply, Usage: used})
	}
	*i.batched += len(items)
	return out, sandbox.Usage{}, nil
}

// everyEnd does what the key of a call says.
func everyEnd(_ context.Context, call *abi.Call, s *sandbox.Session) (abi.Reply, sandbox.Usage, error) {
	used := sandbox.Usage{Fuel: int64(len(call.With))}
	s.Emit("of "+call.Match.ID, nil)
	switch call.Key {
	case "fail":
		secret, _ := s.Secret("token")
		return abi.Reply{Result: abi.ResultFail, Message: "no " + string(secret), Effects: s.Effects()}, used, nil
	case "retry":
		return abi.Reply{Result: abi.ResultRetry}, used, nil
	case "drop":
		return abi.Reply{Result: abi.ResultDrop}, used, nil
	case "trap":
		return abi.Reply{}, used, &sandbox.Fault{Kind: sandbox.FaultTrap, Err: errors.New(call.Match.ID)}
	case "panic":
		panic("on purpose")
	}
	return abi.Reply{Output: []byte(fmt.Sprintf("%q", call.Match.ID)), Effects: s.Effects()}, used, nil
}

// TestCallBatchIsCalls gives actions of all sorts to CallBatch and to Call: each has
// the same Outcome.
func TestCallBatchIsCalls(t *testing.T) {
	batched := 0
	p := load(t, nil)
	require.NoError(t, p.p.Slot.Swap(t.Context(), crowd{everyEnd, &batched}, 1))
	p.p.Grant = append(p.p.Grant, abi.CapSecret)
	c := dispatch.NewCaller(p, slog.New(slog.DiscardHandler))
	services := sandbox.Services{Secret: func(string) ([]byte, abi.Status) { return []byte("sesame"), abi.StatusOK }}
	rapid.Check(t, func(t *rapid.T) {
		ends := []string{"ok", "ok", "fail", "retry", "drop"}
		if rapid.IntRange(0, 20).Draw(t, "bad") == 0 {
			ends = append(ends, "trap", "panic")
		}
		list := make([]dispatch.Action, rapid.IntRange(1, 100).Draw(t, "calls"))
		for i := range list {
			list[i] = dispatch.Action{
				Tenant: tenants.Default(), Plugin: "p", Services: services, Timeout: time.Minute,
				Call: &abi.Call{
					Key: rapid.SampledFrom(ends).Draw(t, "end"), Match: abi.Match{ID: fmt.Sprint("m-", i)},
					With: make([]byte, rapid.SampledFrom([]int{0, 10, 500_000}).Draw(t, "size")),
				},
			}
		}
		for i, got := range c.CallBatch(context.Background(), list) {
			want := c.Call(context.Background(), list[i])
			assert.Equal(t, fmt.Sprint(want.Err), fmt.Sprint(got.Err))
			want.Err, got.Err = nil, nil
			assert.Equal(t, want, got)
		}
	})
	assert.Greater(t, batched, 500)
	missing := dispatch.NewCaller(plugins{}, nil).CallBatch(t.Context(), []dispatch.Action{{Plugin: "q", Call: &abi.Call{}}})
	assert.Equal(t, dispatch.KindUnavailable, missing[0].Kind)
}
