package script_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/script"
)

func meter(t *testing.T, lim sandbox.Limits) *script.Meter {
	t.Helper()
	return script.NewMeter(t.Context(), lim.WithDefaults(), 0)
}

func TestMeterFuelIsExact(t *testing.T) {
	for _, budget := range []int64{1, 100, 127, 128, 129, 1000} {
		m := meter(t, sandbox.Limits{Fuel: budget})
		for range budget {
			require.True(t, m.Step(), "budget %d", budget)
		}
		assert.Equal(t, budget, m.Fuel())
		assert.False(t, m.Step(), "one more than %d", budget)
		assert.Equal(t, sandbox.FaultFuel, m.Stopped().Fault)
		assert.Equal(t, budget, m.Fuel(), "usage is never above the budget")
		assert.False(t, m.Spend(0), "once stopped, always stopped")
	}
}

func TestMeterMemory(t *testing.T) {
	m := meter(t, sandbox.Limits{Memory: 100})
	assert.True(t, m.Alloc(100))
	assert.False(t, m.Alloc(1))
	assert.Equal(t, sandbox.FaultMemory, m.Stopped().Fault)
	assert.False(t, m.Step())

	m = meter(t, sandbox.Limits{})
	assert.False(t, m.Alloc(-1), "a size that overflowed")
}

func TestMeterClock(t *testing.T) {
	m := meter(t, sandbox.Limits{Deadline: time.Nanosecond})
	time.Sleep(time.Millisecond)
	assert.False(t, m.Spend(script.ClockEvery+1))
	assert.Equal(t, sandbox.FaultDeadline, m.Stopped().Fault)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m = script.NewMeter(ctx, sandbox.DefaultLimits(), 0)
	assert.False(t, m.Tick())
	assert.EqualError(t, m.Stopped().Err, "its caller gave up")
}

func TestMeterHeapCeiling(t *testing.T) {
	m := script.NewMeter(t.Context(), sandbox.DefaultLimits(), 1)
	for i := 0; m.Tick(); i++ {
		require.Less(t, i, 1000, "the watchdog never looks")
	}
	assert.Equal(t, sandbox.FaultMemory, m.Stopped().Fault)
}

func TestMeterKeepsTheFirstReason(t *testing.T) {
	m := meter(t, sandbox.Limits{})
	m.End(abi.ResultRetry, "later")
	m.Fail(sandbox.FaultFuel, errors.New("spent"))
	assert.Equal(t, &script.Stop{Result: abi.ResultRetry, Message: "later"}, m.Stopped())
}

func host(t *testing.T, grant abi.Grant, lim sandbox.Limits) *script.Host {
	t.Helper()
	s := sandbox.NewSession(sandbox.Services{}, grant, lim)
	call := &abi.Call{Match: abi.Match{ID: "m", At: time.Unix(5, 0)}, Key: "k"}
	return script.NewHost(meter(t, s.Limits()), s, call)
}

func TestHostChargesFirst(t *testing.T) {
	h := host(t, abi.Capabilities(), sandbox.Limits{Fuel: 501 + 500})
	st, ok := h.Emit("12345678", nil)
	require.True(t, ok)
	assert.Equal(t, abi.StatusOK, st)
	assert.Equal(t, int64(501), h.Fuel())
	_, ok = h.Emit("12345678", nil)
	assert.False(t, ok)
	assert.Len(t, h.Session.Effects(), 1, "a call that cannot be paid does nothing")

	h = host(t, abi.Capabilities(), sandbox.Limits{HostCalls: 1})
	assert.True(t, h.Log(sandbox.LogInfo, "x"))
	assert.False(t, h.Log(sandbox.LogInfo, "x"))
	assert.Equal(t, sandbox.FaultLimit, h.Stopped().Fault)
}

func TestHostClockAndSeed(t *testing.T) {
	h := host(t, nil, sandbox.Limits{})
	assert.Equal(t, time.Unix(5, 0), h.Clock(), "the time of the match, where the host's is not granted")
	a, b := h.Seed()
	c, d := host(t, nil, sandbox.Limits{}).Seed()
	assert.Equal(t, [2]uint64{a, b}, [2]uint64{c, d}, "every attempt draws the same")
	assert.NotZero(t, a)

	h = host(t, abi.Capabilities(), sandbox.Limits{})
	assert.Equal(t, h.Clock(), h.Clock(), "stands still")
	assert.WithinDuration(t, time.Now(), h.Clock(), time.Minute)
}

func TestFinish(t *testing.T) {
	h := host(t, abi.Capabilities(), sandbox.Limits{Output: 3})
	_, ok := h.Emit("x", nil)
	require.True(t, ok)
	reply, usage, err := h.Finish("p", script.Outcome{Output: []byte("123")})
	require.NoError(t, err)
	assert.Equal(t, abi.ResultOK, reply.Result)
	assert.Len(t, reply.Effects, 1)
	assert.Equal(t, 1, usage.HostCalls)

	_, _, err = h.Finish("p", script.Outcome{Output: []byte("1234")})
	assert.ErrorContains(t, err, "call p: limit fault: returned more than 3 bytes; raise limits.output")

	h = host(t, nil, sandbox.Limits{})
	_, _, err = h.Finish("p", script.Outcome{Where: "f (p.lua:1)", Err: errors.New("boom")})
	assert.EqualError(t, err, "call p: trap fault at f (p.lua:1): boom")

	h = host(t, abi.Capabilities(), sandbox.Limits{})
	h.Emit("x", nil)
	h.End(abi.ResultFail, "no")
	reply, _, err = h.Finish("p", script.Outcome{Output: []byte("1"), Err: errors.New("ignored")})
	require.NoError(t, err)
	assert.Equal(t, abi.Reply{Result: abi.ResultFail, Message: "no"}, reply)
}

func TestAppendCall(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 5, time.FixedZone("x", 3600))
	call := &abi.Call{
		Match: abi.Match{Tenant: "t", Rule: "r", Version: "v", ID: "m", At: at, Trigger: "e", Bind: map[string][]string{"b": {"1", "2"}, "a": nil}},
		Event: event.Event{ID: "e", Source: "/s", Type: "x", Subject: "\"", Time: at, Ext: []event.Attr{{Name: "n", Value: event.NumberValue(3)}}, Data: []byte(`{"a":1}`)},
		With:  json.RawMessage(`{"w":1}`), Config: json.RawMessage(`{"c":1}`), Attempt: 3, Key: "k",
	}
	assert.Equal(t, `{"match":{"tenant":"t","rule":"r","version":"v","id":"m","at":"2026-03-01T11:00:00.000000005Z","trigger":"e","bind":{"a":[],"b":["1","2"]}},`+
		`"event":{"id":"e","source":"/s","type":"x","subject":"\"","time":"2026-03-01T11:00:00.000000005Z","data":{"a":1},"ext":{"n":3}},`+
		`"with":{"w":1},"config":{"c":1},"attempt":3,"key":"k"}`, string(script.AppendCall(nil, call, true)))
	assert.Contains(t, string(script.AppendCall(nil, call, false)), `"config":{}`)
	assert.Contains(t, string(script.AppendCall(nil, &abi.Call{}, true)), `"event":null,"with":{},"config":{}`)

	call.Event.DataContentType, call.Event.Data = "text/plain", []byte("hé")
	assert.Contains(t, string(script.AppendCall(nil, call, true)), `"datacontenttype":"text/plain","data":"hé"`)
	call.Event.Data = []byte("\xff")
	assert.Contains(t, string(script.AppendCall(nil, call, true)), `"data":null`)
}

func TestAppendNumber(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", math.Copysign(0, -1): "0", 1: "1", -2.5: "-2.5", 1e20: "100000000000000000000", 1e21: "1e+21", 0.1: "0.1", 1e-9: "1e-09",
	} {
		got, err := script.AppendNumber(nil, f)
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
		assert.True(t, json.Valid(got))
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := script.AppendNumber(nil, f)
		require.ErrorIs(t, err, script.ErrNotFinite)
	}
}

// plain builds Go values out of JSON, for comparison with encoding/json.
type plain struct{ room int }

func (p *plain) Null() any            { return nil }
func (p *plain) Bool(b bool) any      { return b }
func (p *plain) Number(f float64) any { return f }
func (p *plain) pay() bool            { p.room--; return p.room >= 0 }

func (p *plain) String(s string) (any, bool)  { return s, p.pay() }
func (p *plain) Object() (any, bool)          { return map[string]any{}, p.pay() }
func (p *plain) List(items []any) (any, bool) { return append([]any{}, items...), p.pay() }
func (p *plain) Member(o any, n string, v any) bool {
	o.(map[string]any)[n] = v // made by Object
	return p.pay()
}

func TestDecode(t *testing.T) {
	const text = ` {"a": [1, -2.5e3, "x\n\u00e9é", true, false, null, {}], "b": {"c": ""}} `
	got, err := script.Decode([]byte(text), script.Builder[any](&plain{100}))
	require.NoError(t, err)
	var want any
	require.NoError(t, json.Unmarshal([]byte(text), &want))
	assert.Equal(t, want, got)

	_, err = script.Decode([]byte(text), script.Builder[any](&plain{3}))
	require.ErrorIs(t, err, script.ErrStopped)
	_, err = script.Decode([]byte(strings.Repeat("[", 200)), script.Builder[any](&plain{1000}))
	require.ErrorIs(t, err, script.ErrTooDeep)
	for _, bad := range []string{"", "{", "[1", "[1 2]", `{"a"}`, `{"a":1,}`, `{a:1}`, `"x`, "tru", "1 2", "-", "1e", "\"\x01\""} {
		_, err := script.Decode([]byte(bad), script.Builder[any](&plain{1000}))
		assert.Error(t, err, "%q", bad)
	}
}

// FuzzDecode compares the decoder with encoding/json on all JSON, and holds it
// to an error or a value on anything else.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x",null]}`, `[[],{}]`, `"\u0041"`, `-1.5e-3`, `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := script.Decode(text, script.Builder[any](&plain{1 << 20}))
		var want any
		if json.Unmarshal(text, &want) == nil && !errors.Is(err, script.ErrTooDeep) {
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\"\\\n\x00é\xff\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		require.NoError(t, json.Unmarshal(script.AppendString(nil, s), &back))
		if utf8.ValidString(s) {
			require.Equal(t, s, back)
		}
	})
}
