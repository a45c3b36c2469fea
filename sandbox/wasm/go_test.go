package wasm_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
)

// TestGoGuest runs the services and the ways to end through the Go SDK.
func TestGoGuest(t *testing.T) {
	m := goGuest(t)
	call := func(with string) *abi.Call { return callWith(with) }

	t.Run("echo", func(t *testing.T) {
		c := call(`{"do":"echo"}`)
		c.Event.Subject = "sub"
		c.Event.Time = time.Date(2026, 2, 28, 22, 0, 0, 7, time.FixedZone("", 3600))
		c.Event.SetExt("host", event.StringValue("web \"1\""))
		c.Attempt = 2
		reply, _, err := once(t, m, newWorld(), c)
		require.NoError(t, err)
		assert.JSONEq(t, `{"id":"e1","source":"/sshd","type":"ssh.failed","subject":"sub","time":"2026-02-28T21:00:00.000000007Z",
			"data":{"user":"bob"},"ext":"web \"1\"","attempt":2,"key":"k1","with":{"do":"echo"},
			"match":{"tenant":"default","rule":"burst","version":"v1","id":"m1","at":"2026-02-28T23:00:00Z","trigger":"e1","bind":{}}}`,
			string(reply.Output))
	})
	t.Run("time completed the match", func(t *testing.T) {
		c := call(`{"do":"echo"}`)
		c.Event = event.Event{}
		reply, _, err := once(t, m, newWorld(), c)
		require.NoError(t, err)
		assert.Contains(t, string(reply.Output), `"data":null`)
	})
	t.Run("effects", func(t *testing.T) {
		reply, usage, err := once(t, m, newWorld(), call(`{"do":"effects"}`))
		require.NoError(t, err)
		assert.Equal(t, []abi.Effect{
			{Kind: abi.EffectEmit, Name: "made", Value: json.RawMessage(`{"n":1}`)},
			{Kind: abi.EffectEmit, Name: "empty"},
			{Kind: abi.EffectStateSet, Name: "k", Value: json.RawMessage(`[1,2]`)},
			{Kind: abi.EffectStateSet, Name: "gone"},
			{Kind: abi.EffectNotify, Name: "ops", Value: json.RawMessage(`"hello"`)},
		}, reply.Effects)
		assert.Equal(t, 5, usage.HostCalls)
	})
	t.Run("state", func(t *testing.T) {
		w := newWorld()
		w.state = map[string]json.RawMessage{"n": json.RawMessage(`41`), "long": json.RawMessage(`"` + strings.Repeat("x", 9998) + `"`)}
		reply, _, err := once(t, m, w, call(`{"do":"state"}`))
		require.NoError(t, err)
		assert.JSONEq(t, `[{"v":41,"version":7},"state_cas: the version is another","set",{"v":42,"version":8},
			"state_get: not found",10000]`, string(reply.Output))
	})
	t.Run("settings", func(t *testing.T) {
		w := newWorld()
		reply, _, err := once(t, m, w, call(`{"do":"settings"}`))
		require.NoError(t, err)
		assert.JSONEq(t, `{"limit":5,"now":"2026-03-01T12:00:00.000000005Z","random":0}`, string(reply.Output))
		assert.Equal(t, []string{"warn careful"}, w.lines)
		w.grant = nil
		reply, _, err = once(t, m, w, call(`{"do":"settings"}`))
		require.NoError(t, err)
		assert.Equal(t, abi.Reply{Result: abi.ResultRetry, Message: "config: the capability was not granted"}, reply)
	})
	t.Run("verdicts", func(t *testing.T) {
		for do, want := range map[string]abi.Reply{
			`{"do":"fail","msg":"broken"}`: {Result: abi.ResultFail, Message: "broken"},
			`{"do":"retry","msg":"later"}`: {Result: abi.ResultRetry, Message: "later"},
			`{"do":"drop"}`:                {Result: abi.ResultDrop, Message: "nothing to do"},
			`{"do":"juggle"}`:              {Result: abi.ResultFail, Message: `no action "juggle"`},
		} {
			reply, _, err := once(t, m, newWorld(), call(do))
			require.NoError(t, err)
			assert.Equal(t, want, reply)
		}
	})
	t.Run("standard output", func(t *testing.T) {
		w := newWorld()
		_, _, err := once(t, m, w, call(`{"do":"print"}`))
		require.NoError(t, err)
		assert.Equal(t, []string{"info one", "warn three", "info two"}, w.lines)
	})
	t.Run("no files", func(t *testing.T) {
		reply, _, err := once(t, m, newWorld(), call(`{"do":"files"}`))
		require.NoError(t, err)
		assert.JSONEq(t, `[true,true,0,0,false]`, string(reply.Output))
	})
}

// TestGoGuestFaults runs what a plugin's author does wrong.
func TestGoGuestFaults(t *testing.T) {
	m := goGuest(t)
	for _, tt := range []struct {
		do, kind, want string
	}{
		{"loop", "fuel", "at main.spin: out of fuel"},
		{"alloc", "memory", "out of memory: the call may have 16777216 bytes: fatal error: out of memory"},
		{"recurse", "stack", "at main.recurse: out of stack"},
		{"panic", "trap", "panic: boom"},
		{"exit", "trap", "the guest exited with code 7"},
		{"flood", "limit", "more than 1000 host calls"},
	} {
		t.Run(tt.do, func(t *testing.T) {
			w := newWorld()
			if tt.do == "recurse" {
				w.limits.Fuel = 1 << 40 // Go copies its stack as it grows, which costs more than the call
			}
			var fuel int64
			for range 2 {
				_, usage, err := once(t, m, w, callWith(`{"do":"`+tt.do+`"}`))
				assert.Equal(t, tt.kind, string(sandbox.KindOf(err)), "%v", err)
				assert.ErrorContains(t, err, tt.want)
				if fuel != 0 {
					assert.Equal(t, fuel, usage.Fuel)
				}
				fuel = usage.Fuel
			}
			_, _, err := once(t, m, newWorld(), callWith(`{"do":"used"}`))
			require.NoError(t, err)
		})
	}
}

// TestSameCallSameFuel runs a call whose path through a Go program depends on
// chance in every way it can, in fresh and in used instances, of several
// engines.
func TestSameCallSameFuel(t *testing.T) {
	type outcome struct {
		output string
		fuel   int64
	}
	var want outcome
	check := func(i sandbox.Instance, grant abi.Grant) {
		w := newWorld()
		w.grant = grant
		w.limits.Fuel = 1 << 40
		reply, usage, err := i.Invoke(t.Context(), callWith(`{"do":"work"}`), w.session())
		require.NoError(t, err)
		require.Equal(t, abi.ResultOK, reply.Result, reply.Message)
		got := outcome{string(reply.Output), usage.Fuel}
		if want.fuel == 0 {
			want = got
		}
		assert.Equal(t, want, got)
	}
	other, err := wasm.New(wasm.Options{Seed: []byte("a secret"), CacheDir: sharedCache(t)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, other.Close(context.WithoutCancel(t.Context()))) })
	for _, m := range []sandbox.Module{goGuest(t), compile(t, other, "conformance", conformanceGuest(t))} {
		for range 3 {
			i := instance(t, m, patient())
			for range 3 {
				check(i, abi.Grant{})
				if !i.Reusable() {
					break
				}
			}
		}
	}
	assert.Contains(t, want.output, `"came":[7,6,5,4,3,2,1,0]`, "timers go off in order")
}

// TestClocks checks what a Go program reads from its clock.
func TestClocks(t *testing.T) {
	m := goGuest(t)
	for _, tt := range []struct {
		grant abi.Grant
		start string
	}{
		{nil, "2026-02-28T23:00:00"},                   // of the match
		{abi.Grant{abi.CapNow}, "2026-03-01T12:00:00"}, // of the host
	} {
		w := newWorld()
		w.grant = tt.grant
		began := time.Now()
		reply, _, err := once(t, m, w, callWith(`{"do":"clocks"}`))
		require.NoError(t, err)
		assert.Contains(t, string(reply.Output), `"start":"`+tt.start)
		assert.Contains(t, string(reply.Output), `"slept":"1h0m0s"`)
		assert.Less(t, time.Since(began), time.Minute, "sleeping takes no time")
	}
}

// TestManyInstances runs calls of one module side by side.
func TestManyInstances(t *testing.T) {
	m := goGuest(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			i, err := m.New(t.Context(), patient())
			if !assert.NoError(t, err) {
				return
			}
			for range 5 {
				reply, _, err := i.Invoke(t.Context(), callWith(`{"do":"used"}`), newWorld().session())
				assert.NoError(t, err)
				assert.Equal(t, "1", string(reply.Output))
			}
			assert.NoError(t, i.Close(context.WithoutCancel(t.Context())))
		})
	}
	wg.Wait()
}

var errShutdown = errors.New("the host shuts down")

// TestCancel ends a call from outside.
func TestCancel(t *testing.T) {
	m := compile(t, newEngine(t), "loop", infiniteLoop())
	w := newWorld()
	w.limits.Fuel = 1 << 60
	i := instance(t, m, w.limits)
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(5*time.Millisecond, func() { cancel(errShutdown) })
	_, _, err := i.Invoke(ctx, callWith(""), w.session())
	assert.Equal(t, sandbox.FaultDeadline, sandbox.KindOf(err))
	require.ErrorIs(t, err, errShutdown)
	require.ErrorIs(t, err, wasm.ErrDeadline)

	i = instance(t, m, w.limits)
	_, usage, err := i.Invoke(ctx, callWith(""), w.session())
	assert.Equal(t, sandbox.FaultDeadline, sandbox.KindOf(err), "a call that is given up before it starts")
	assert.Zero(t, usage.Fuel)
}
