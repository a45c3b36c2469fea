package sandbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

func session(grant abi.Grant, lim sandbox.Limits) *sandbox.Session {
	return sandbox.NewSession(sandbox.Services{
		State: func(key string) (json.RawMessage, uint64, bool) {
			return json.RawMessage(`1`), 7, key == "there"
		},
	}, grant, lim)
}

func TestSessionChecksTheGrant(t *testing.T) {
	s := session(nil, sandbox.Limits{})
	assert.Equal(t, abi.StatusDenied, s.Emit("x", nil))
	assert.Equal(t, abi.StatusDenied, s.Notify("x", []byte("1")))
	assert.Equal(t, abi.StatusDenied, s.StateSet("x", nil))
	assert.Equal(t, abi.StatusDenied, s.StateCAS("x", 0, nil))
	_, _, st := s.StateGet("x")
	assert.Equal(t, abi.StatusDenied, st)
	_, st = s.Now()
	assert.Equal(t, abi.StatusDenied, st)
	assert.Equal(t, abi.StatusDenied, s.Random(make([]byte, 1)))
	s.Log(sandbox.LogInfo, "needs no grant")
	assert.Empty(t, s.Effects())
	assert.False(t, s.Granted(abi.CapEmit))
	assert.True(t, session(abi.Grant{abi.CapEmit}, sandbox.Limits{}).Granted(abi.CapEmit))
}

func TestSessionChecksEffects(t *testing.T) {
	s := session(abi.Capabilities(), sandbox.Limits{Effects: 3, EffectBytes: 20})
	assert.Equal(t, abi.StatusInvalid, s.Emit("", nil), "no type")
	assert.Equal(t, abi.StatusInvalid, s.Emit(strings.Repeat("x", 257), nil), "a long type")
	assert.Equal(t, abi.StatusInvalid, s.Emit("x", []byte("{")), "data that is no JSON")
	assert.Equal(t, abi.StatusInvalid, s.Notify("x", nil), "no message")
	assert.Equal(t, abi.StatusLimit, s.Emit("x", []byte(`"`+strings.Repeat("x", 30)+`"`)), "too many bytes")
	assert.Equal(t, abi.StatusOK, s.Emit("a", []byte("1")))
	assert.Equal(t, abi.StatusOK, s.Notify("b", []byte("2")))
	assert.Equal(t, abi.StatusOK, s.StateSet("c", []byte("3")))
	assert.Equal(t, abi.StatusLimit, s.Emit("d", nil), "too many effects")
	assert.Equal(t, []abi.Effect{
		{Kind: abi.EffectEmit, Name: "a", Value: json.RawMessage("1")},
		{Kind: abi.EffectNotify, Name: "b", Value: json.RawMessage("2")},
		{Kind: abi.EffectStateSet, Name: "c", Value: json.RawMessage("3")},
	}, s.Effects())
}

func TestSessionCopiesWhatTheGuestOwns(t *testing.T) {
	s := session(abi.Capabilities(), sandbox.Limits{})
	data := []byte(`"a"`)
	require.Equal(t, abi.StatusOK, s.Emit("x", data))
	data[1] = 'b'
	assert.Equal(t, json.RawMessage(`"a"`), s.Effects()[0].Value)
}

func TestSessionReadsItsOwnWrites(t *testing.T) {
	s := session(abi.Capabilities(), sandbox.Limits{})
	get := func(key string) string {
		v, version, st := s.StateGet(key)
		return fmt.Sprintf("%s %d %v", v, version, st)
	}
	assert.Equal(t, "1 7 ok", get("there"))
	assert.Equal(t, " 0 not found", get("absent"))
	require.Equal(t, abi.StatusOK, s.StateSet("there", []byte("2")))
	assert.Equal(t, "2 8 ok", get("there"))
	require.Equal(t, abi.StatusOK, s.StateSet("there", nil))
	assert.Equal(t, " 0 not found", get("there"))

	assert.Equal(t, abi.StatusConflict, s.StateCAS("absent", 1, []byte("1")))
	require.Equal(t, abi.StatusOK, s.StateCAS("absent", 0, []byte("1")))
	require.Equal(t, abi.StatusOK, s.StateCAS("absent", 1, []byte("2")))
	effects := s.Effects()
	require.NotNil(t, effects[2].Expect)
	assert.Zero(t, *effects[2].Expect, "the first write expects what was committed")
	assert.Nil(t, effects[3].Expect, "the second is about the call's own")
}

func TestSessionCountsCalls(t *testing.T) {
	s := session(nil, sandbox.Limits{HostCalls: 2})
	require.NoError(t, s.Begin("now"))
	require.NoError(t, s.Begin("emit"))
	require.EqualError(t, s.Begin("log"), "more than 2 host calls; raise limits.host_calls of the plugin if they are wanted")
	assert.Equal(t, 3, s.HostCalls())
	assert.Equal(t, "log", s.Last())
}

func TestSessionRandomAndTime(t *testing.T) {
	s := session(abi.Capabilities(), sandbox.Limits{})
	p := make([]byte, 32)
	require.Equal(t, abi.StatusOK, s.Random(p))
	assert.NotEqual(t, make([]byte, 32), p)
	assert.Equal(t, abi.StatusLimit, s.Random(make([]byte, sandbox.MaxRandomBytes+1)))
	now, st := s.Now()
	require.Equal(t, abi.StatusOK, st)
	assert.WithinDuration(t, time.Now(), now, time.Minute)
}

func TestSessionClampsLogLevels(t *testing.T) {
	var got []string
	s := sandbox.NewSession(sandbox.Services{Log: func(l sandbox.LogLevel, msg string) { got = append(got, l.String()+" "+msg) }}, nil, sandbox.Limits{})
	for _, l := range []sandbox.LogLevel{-5, 0, 1, 2, 3, 99} {
		s.Log(l, "x")
	}
	assert.Equal(t, []string{"debug x", "debug x", "info x", "warn x", "error x", "error x"}, got)
}

func TestFaultText(t *testing.T) {
	cause := errors.New("used up 5 units of fuel")
	for _, tt := range []struct {
		fault sandbox.Fault
		want  string
	}{
		{sandbox.Fault{Kind: sandbox.FaultTrap, Module: "p"}, "call p: trap fault"},
		{
			sandbox.Fault{Kind: sandbox.FaultFuel, Module: "p", Where: "f (p.lua:3)", Last: "emit", Err: cause},
			"call p: fuel fault at f (p.lua:3): used up 5 units of fuel (last host call: emit); raise limits.fuel of the plugin if the work is wanted",
		},
		{sandbox.Fault{Kind: sandbox.FaultMemory, Module: "p"}, "call p: memory fault; raise limits.memory of the plugin if the memory is wanted"},
		{sandbox.Fault{Kind: sandbox.FaultDeadline, Module: "p"}, "call p: deadline fault; raise limits.deadline of the plugin if it may take longer"},
		{sandbox.Fault{Kind: sandbox.FaultStack, Module: "p"}, "call p: stack fault; raise limits.stack of the plugin if the recursion is wanted"},
		{sandbox.Fault{Kind: sandbox.FaultDenied, Module: "p"}, "call p: denied fault; add the capability to the plugin's grant"},
	} {
		assert.EqualError(t, &tt.fault, tt.want)
	}
	err := fmt.Errorf("step 1: %w", &sandbox.Fault{Kind: sandbox.FaultFuel, Err: cause})
	assert.Equal(t, sandbox.FaultFuel, sandbox.KindOf(err))
	require.ErrorIs(t, err, cause)
	assert.Empty(t, sandbox.KindOf(cause))
}

func TestRefusalText(t *testing.T) {
	assert.EqualError(t, &sandbox.Refusal{Module: "p", Reason: "no"}, "load p: no")
	assert.EqualError(t, &sandbox.Refusal{Module: "p", Where: "line 3", Reason: "no", Fix: "do"}, "load p: line 3: no; do")
}

func TestLimitsWithDefaults(t *testing.T) {
	assert.Equal(t, sandbox.DefaultLimits(), sandbox.Limits{}.WithDefaults())
	want := sandbox.DefaultLimits()
	want.Fuel, want.Stack = 5, 6
	assert.Equal(t, want, sandbox.Limits{Fuel: 5, Stack: 6}.WithDefaults())
	assert.Equal(t, int64(501), sandbox.HostCallFuel(8))
}

// TestLogIsBounded logs more than a host is willing to read of one call.
func TestLogIsBounded(t *testing.T) {
	var lines []string
	s := sandbox.NewSession(sandbox.Services{Log: func(_ sandbox.LogLevel, msg string) { lines = append(lines, msg) }}, nil, sandbox.Limits{})
	line := strings.Repeat("x", 1000)
	for range 1000 {
		s.Log(sandbox.LogInfo, line)
	}
	const whole = sandbox.MaxLogBytes / (1000 + sandbox.LogLineCost)
	require.Len(t, lines, whole+1)
	assert.Equal(t, line, lines[whole-1])
	assert.Equal(t, "(the rest of what the call logged is left out)", lines[whole])
	assert.False(t, s.Listens())
	assert.False(t, sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{}).Listens(), "without a log")
}
