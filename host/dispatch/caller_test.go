package dispatch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/host/dispatch"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/tenants"
)

// guest is a sandbox.Module whose calls run a Go function.
type guest func(ctx context.Context, call *abi.Call, s *sandbox.Session) (abi.Reply, sandbox.Usage, error)

func (guest) Info() sandbox.Info { return sandbox.Info{Name: "p", Digest: "sha256:aa"} }

func (g guest) New(context.Context, sandbox.Limits) (sandbox.Instance, error) {
	return instance{g}, nil
}

func (guest) Close(context.Context) error { return nil }

type instance struct{ guest }

func (i instance) Invoke(ctx context.Context, call *abi.Call, s *sandbox.Session) (abi.Reply, sandbox.Usage, error) {
	return i.guest(ctx, call, s)
}

func (instance) Reusable() bool { return true }

// plugins holds one plugin, of the default tenant.
type plugins struct{ p dispatch.Plugin }

func (ps plugins) Plugin(t tenants.Name, name string) (dispatch.Plugin, bool) {
	return ps.p, t == tenants.Default() && name == "p"
}

func load(t *testing.T, g guest) plugins {
	t.Helper()
	slot := sandbox.NewSlot()
	require.NoError(t, slot.Swap(t.Context(), g, 1))
	t.Cleanup(func() { assert.NoError(t, slot.Swap(context.Background(), nil, 0)) })
	return plugins{dispatch.Plugin{
		Slot: slot, Grant: abi.Grant{abi.CapEmit}, Limits: sandbox.Limits{Fuel: 77}, Config: json.RawMessage(`{"a":1}`),
	}}
}

func TestCall(t *testing.T) {
	p := load(t, func(_ context.Context, call *abi.Call, s *sandbox.Session) (abi.Reply, sandbox.Usage, error) {
		assert.JSONEq(t, `{"a":1}`, string(call.Config))
		assert.EqualValues(t, 77, s.Limits().Fuel)
		assert.Equal(t, abi.StatusOK, s.Emit("t", nil))
		assert.Equal(t, abi.StatusDenied, s.StateSet("k", nil))
		return abi.Reply{Output: call.With, Effects: s.Effects()}, sandbox.Usage{Fuel: 5}, nil
	})
	call := &abi.Call{With: json.RawMessage(`{"x":1}`)}
	out := dispatch.NewCaller(p, nil).Call(t.Context(), dispatch.Action{Tenant: tenants.Default(), Plugin: "p", Call: call})
	assert.Equal(t, dispatch.Outcome{
		Reply:  abi.Reply{Output: call.With, Effects: []abi.Effect{{Kind: abi.EffectEmit, Name: "t"}}},
		Usage:  sandbox.Usage{Fuel: 5, Module: "sha256:aa"},
		Digest: "sha256:aa",
	}, out)
	assert.Nil(t, call.Config, "the caller's call is not changed")
}

func TestOutcomes(t *testing.T) {
	fault := func(k sandbox.FaultKind) error { return &sandbox.Fault{Kind: k, Module: "p"} }
	effects := []abi.Effect{{Kind: abi.EffectEmit, Name: "t"}}
	for _, c := range []struct {
		name  string
		reply abi.Reply
		err   error
		want  dispatch.Kind
		msg   string
	}{
		{"ok", abi.Reply{}, nil, dispatch.KindOK, ""},
		{"drop", abi.Reply{Result: abi.ResultDrop}, nil, dispatch.KindOK, ""},
		{"fail", abi.Reply{Result: abi.ResultFail, Message: "no such user"}, nil, dispatch.KindFail, "p: no such user"},
		{"retry", abi.Reply{Result: abi.ResultRetry}, nil, dispatch.KindRetry, "p answers retry"},
		{"strange", abi.Reply{Result: 9}, nil, dispatch.KindABI, "call p: result 9 is not known"},
		{"fuel", abi.Reply{}, fault(sandbox.FaultFuel), dispatch.KindFuel, "fuel fault"},
		{"memory", abi.Reply{}, fault(sandbox.FaultMemory), dispatch.KindMemory, "memory fault"},
		{"deadline", abi.Reply{}, fault(sandbox.FaultDeadline), dispatch.KindTimeout, "deadline fault"},
		{"stack", abi.Reply{}, fault(sandbox.FaultStack), dispatch.KindStack, "stack fault"},
		{"trap", abi.Reply{}, fault(sandbox.FaultTrap), dispatch.KindTrap, "trap fault"},
		{"denied", abi.Reply{}, fault(sandbox.FaultDenied), dispatch.KindDenied, "denied fault"},
		{"abi", abi.Reply{}, fault(sandbox.FaultABI), dispatch.KindABI, "abi fault"},
		{"limit", abi.Reply{}, fault(sandbox.FaultLimit), dispatch.KindLimit, "limit fault"},
		{"crashed", abi.Reply{}, fault(sandbox.FaultCrashed), dispatch.KindCrashed, "crashed fault"},
		{"other", abi.Reply{}, errors.New("out of luck"), dispatch.KindInternal, "out of luck"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.reply.Effects = effects
			p := load(t, func(context.Context, *abi.Call, *sandbox.Session) (abi.Reply, sandbox.Usage, error) {
				return c.reply, sandbox.Usage{Fuel: 5}, c.err
			})
			out := dispatch.NewCaller(p, nil).Call(t.Context(), dispatch.Action{Tenant: tenants.Default(), Plugin: "p", Call: &abi.Call{}})
			assert.Equal(t, c.want, out.Kind)
			assert.EqualValues(t, 5, out.Usage.Fuel, "usage is told whatever happened")
			if c.want == dispatch.KindOK {
				require.NoError(t, out.Err)
				return
			}
			require.ErrorContains(t, out.Err, c.msg)
			assert.Empty(t, out.Reply.Effects)
		})
	}
}

func TestNoPlugin(t *testing.T) {
	call := func(p dispatch.Plugins, tenant tenants.Name, name string) dispatch.Outcome {
		return dispatch.NewCaller(p, nil).Call(t.Context(), dispatch.Action{Tenant: tenant, Plugin: name, Call: &abi.Call{}})
	}
	p := load(t, nil)
	out := call(p, tenants.Default(), "q")
	assert.Equal(t, dispatch.KindUnavailable, out.Kind)
	require.EqualError(t, out.Err, "call q: no plugin of this name is loaded; add it under plugins/")
	assert.Equal(t, dispatch.KindUnavailable, call(p, tenant(t, "other"), "p").Kind, "of another tenant")

	out = call(plugins{dispatch.Plugin{Slot: sandbox.NewSlot()}}, tenants.Default(), "p")
	assert.Equal(t, dispatch.KindUnavailable, out.Kind)
	assert.ErrorIs(t, out.Err, sandbox.ErrEmpty)
}

// cutOff is a guest that runs until its context ends.
func cutOff(ctx context.Context, _ *abi.Call, _ *sandbox.Session) (abi.Reply, sandbox.Usage, error) {
	<-ctx.Done()
	return abi.Reply{}, sandbox.Usage{}, &sandbox.Fault{Kind: sandbox.FaultDeadline, Module: "p", Err: ctx.Err()}
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := dispatch.NewCaller(load(t, cutOff), nil)
		began := time.Now()
		out := c.Call(t.Context(), dispatch.Action{Tenant: tenants.Default(), Plugin: "p", Call: &abi.Call{}, Timeout: time.Second})
		assert.Equal(t, dispatch.KindTimeout, out.Kind)
		assert.Equal(t, time.Second, time.Since(began))
	})
}

// What is cut off because the host stops has no result: it runs again later.
func TestStopped(t *testing.T) {
	c := dispatch.NewCaller(load(t, cutOff), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := c.Call(ctx, dispatch.Action{Tenant: tenants.Default(), Plugin: "p", Call: &abi.Call{}, Timeout: time.Second})
	assert.Equal(t, dispatch.KindStopped, out.Kind)
}

func TestCallPanics(t *testing.T) {
	var log bytes.Buffer
	p := load(t, func(context.Context, *abi.Call, *sandbox.Session) (abi.Reply, sandbox.Usage, error) { panic("boom") })
	out := dispatch.NewCaller(p, slog.New(slog.NewTextHandler(&log, nil))).Call(t.Context(),
		dispatch.Action{Tenant: tenants.Default(), Plugin: "p", Call: &abi.Call{}})
	assert.Equal(t, dispatch.KindInternal, out.Kind)
	require.EqualError(t, out.Err, "call p: internal error: boom")
	assert.Contains(t, log.String(), "caller_test.go", "the stack is logged")
}
