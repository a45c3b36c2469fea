package conformance_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/sandbox"
)

// TestOutputs compares what calls that end well give back.
func TestOutputs(t *testing.T) {
	match := `{"tenant":"default","rule":"burst","version":"v1","id":"m1","at":"2026-02-28T23:00:00Z","trigger":"e1","bind":{"fail":["e0","e1"]}}`
	each(t, func(t *testing.T, m sandbox.Module) {
		w := newWorld()
		w.state = map[string]json.RawMessage{"n": json.RawMessage(`41`), "long": json.RawMessage(`"` + strings.Repeat("x", 9998) + `"`)}
		w.kv = map[string][]byte{"long": make([]byte, 10_000)}
		for _, tt := range []struct{ with, want string }{
			{"", `{"tenant":"default","rule":"burst","match":"m1","trigger":"e1","bind":{"fail":["e0","e1"]},"event":"e1","source":"/sshd",
				"type":"ssh.failed","user":"bob","attempt":2,"key":"k1","limit":5}`},
			{do("echo"), `{"id":"e1","source":"/sshd","type":"ssh.failed","subject":"sub","time":"2026-02-28T23:00:00.000000007Z",
				"data":{"user":"bob"},"ext":"web \"1\" é","attempt":2,"key":"k1","with":{"do":"echo"},"match":` + match + `}`},
			{do("state"), `[{"v":41,"version":7},"state_cas: the version is another","set",{"v":42,"version":8},"state_get: not found",10000]`},
			{do("settings"), `{"limit":5,"now":"2026-03-01T12:00:00.000000005Z","random":0}`},
			{do("kv"), `["kv_get: not found","set","set","got",true,10000]`},
			{
				`{"do":"http","method":"PUT","url":"https://a.example/é","body":"hé","timeout":250,"headers":{"X-A":"1","X-B":"2"}}`,
				`{"status":404,"type":"text/plain","headers":2,"body":"PUT https://a.example/é 250ms hé X-A=1 X-B=2"}`,
			},
			{`{"do":"secret","name":"token"}`, `"s3cret é"`},
			{`{"do":"has","services":["http","kv_get","teleport"]}`, `["ok","ok","this host does not offer the service"]`},
			{do("used"), `1`},
			{do("used"), `1`},
		} {
			reply, _, err := once(t, m, w, call(tt.with))
			require.NoError(t, err, tt.with)
			assert.Equal(t, abi.ResultOK, reply.Result, "%s: %s", tt.with, reply.Message)
			assert.JSONEq(t, tt.want, string(reply.Output), tt.with)
		}
		assert.Equal(t, []string{"warn careful"}, w.lines)
	})
}

// TestTimeCompletedTheMatch has a call without an event.
func TestTimeCompletedTheMatch(t *testing.T) {
	each(t, func(t *testing.T, m sandbox.Module) {
		c := call(do("echo"))
		c.Event = event.Event{}
		reply, _, err := once(t, m, newWorld(), c)
		require.NoError(t, err)
		require.Equal(t, abi.ResultOK, reply.Result, reply.Message)
		var got struct {
			Type      string
			Data, Ext any
		}
		require.NoError(t, json.Unmarshal(reply.Output, &got))
		assert.Zero(t, got)
	})
}

// TestEffects compares what happens when a call ends well.
func TestEffects(t *testing.T) {
	each(t, func(t *testing.T, m sandbox.Module) {
		reply, usage, err := once(t, m, newWorld(), call(do("effects")))
		require.NoError(t, err)
		assert.Equal(t, []abi.Effect{
			{Kind: abi.EffectEmit, Name: "made", Value: json.RawMessage(`{"n":1}`)},
			{Kind: abi.EffectEmit, Name: "empty"},
			{Kind: abi.EffectStateSet, Name: "k", Value: json.RawMessage(`[1,2]`)},
			{Kind: abi.EffectStateSet, Name: "gone"},
			{Kind: abi.EffectNotify, Name: "ops", Value: json.RawMessage(`"hello"`)},
		}, reply.Effects)
		assert.Equal(t, 5, usage.HostCalls)
		reply, _, err = once(t, m, newWorld(), call(do("kv")))
		require.NoError(t, err)
		assert.Equal(t, []abi.Effect{
			{Kind: abi.EffectKVSet, Name: "k", Bytes: []byte{'v', 0, 255}, TTL: 5 * time.Second},
			{Kind: abi.EffectKVSet, Name: "gone"},
		}, reply.Effects)
	})
}

// TestVerdicts compares the other ways to end.
func TestVerdicts(t *testing.T) {
	each(t, func(t *testing.T, m sandbox.Module) {
		for with, want := range map[string]abi.Reply{
			`{"do":"fail","msg":"brökén"}`:   {Result: abi.ResultFail, Message: "brökén"},
			`{"do":"retry","msg":"later"}`:   {Result: abi.ResultRetry, Message: "later"},
			do("drop"):                       {Result: abi.ResultDrop, Message: "nothing to do"},
			do("juggle"):                     {Result: abi.ResultFail, Message: `no action "juggle"`},
			`{"do":"secret","name":"other"}`: {Result: abi.ResultRetry, Message: "secret: not found"},
			`{"do":"http","url":"https://slow.example","method":"GET"}`: {Result: abi.ResultRetry, Message: "http: timeout"},
		} {
			reply, _, err := once(t, m, newWorld(), call(with))
			require.NoError(t, err)
			assert.Equal(t, want, reply)
		}
		w := newWorld()
		w.grant = nil
		for do, service := range map[string]string{"settings": "config", "http": "http", "secret": "secret", "flood": "emit"} {
			reply, _, err := once(t, m, w, call(`{"do":"`+do+`"}`))
			require.NoError(t, err)
			assert.Equal(t, abi.Reply{Result: abi.ResultRetry, Message: service + ": the capability was not granted"}, reply)
		}
	})
}

// TestFaults runs what authors do wrong, twice with the same fuel.
func TestFaults(t *testing.T) {
	each(t, func(t *testing.T, m sandbox.Module) {
		for do, kind := range map[string]sandbox.FaultKind{
			"loop": sandbox.FaultFuel, "alloc": sandbox.FaultMemory, "recurse": sandbox.FaultStack, "panic": sandbox.FaultTrap,
		} {
			w := newWorld()
			if do == "recurse" || do == "alloc" {
				w.limits.Fuel = 1 << 40 // Go copies its stack as it grows, Rust fills what it allocates
			}
			var fuel int64
			for range 2 {
				_, usage, err := once(t, m, w, call(`{"do":"`+do+`"}`))
				assert.Equal(t, kind, sandbox.KindOf(err), "%s: %v", do, err)
				assert.True(t, fuel == 0 || fuel == usage.Fuel, "%s: fuel %d and %d", do, fuel, usage.Fuel)
				fuel = usage.Fuel
			}
		}
		reply, _, err := once(t, m, newWorld(), call(do("flood")))
		if err == nil { // told of the limit of effects before that of host calls ends the call
			assert.Equal(t, abi.Reply{Result: abi.ResultRetry, Message: "emit: a limit of the call is used up"}, reply)
		} else {
			assert.Equal(t, sandbox.FaultLimit, sandbox.KindOf(err))
		}
	})
}
