package sandboxtest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

func (s *suite) admission(t *testing.T) {
	src := s.Guests[Echo]
	info := s.module(t, Echo).Info()
	assert.Equal(t, s.engine.Name(), info.Engine)
	assert.Equal(t, src.Name, info.Name)
	assert.Equal(t, sandbox.Digest(src.Bytes), info.Digest)
	assert.Equal(t, len(src.Bytes), info.Size)
	assert.Equal(t, "rhost.v1", info.ABI)

	for name, text := range map[string]string{
		"empty": "", "bytes": "\x00\xff\xfe\x01", "prose": "this is not a program", "brackets": strings.Repeat("(", 1<<20),
	} {
		m, err := s.engine.Compile(t.Context(), sandbox.Source{Name: "bad", Bytes: []byte(text)})
		var refusal *sandbox.Refusal
		if assert.ErrorAs(t, err, &refusal, "a source of %s", name) {
			assert.Contains(t, err.Error(), "load bad: ")
			assert.Nil(t, m)
		}
	}
}

func (s *suite) results(t *testing.T) {
	o := s.run(t, Echo, s.host())
	require.NoError(t, o.err)
	assert.Equal(t, abi.ResultOK, o.reply.Result)
	assert.JSONEq(t, string(call().With), string(o.reply.Output))
	assert.Empty(t, o.reply.Effects)
	assert.Positive(t, o.usage.Fuel)
	assert.Positive(t, o.usage.Wall)

	o = s.run(t, Describe, s.host())
	require.NoError(t, o.err)
	assert.JSONEq(t, `{"tenant":"default","rule":"ssh-burst","match":"m-1","trigger":"e-5",
		"bind":{"fail":["e-1","e-2"],"ok":["e-5"]},"event":"e-5","source":"/sshd","type":"ssh.failed",
		"user":"root","attempt":2,"key":"key-1","limit":3}`, string(o.reply.Output))

	for b, want := range map[Behaviour]abi.Reply{
		Fail:  {Result: abi.ResultFail, Message: "broken"},
		Retry: {Result: abi.ResultRetry, Message: "later"},
		Drop:  {Result: abi.ResultDrop},
	} {
		o := s.run(t, b, s.host())
		require.NoError(t, o.err, b)
		assert.Equal(t, want.Result, o.reply.Result, b)
		assert.Equal(t, want.Message, o.reply.Message, b)
		assert.Empty(t, o.reply.Effects, "%s keeps no effects", b)
	}
}

func (s *suite) services(t *testing.T) {
	o := s.run(t, EmitTwo, s.host())
	require.NoError(t, o.err)
	require.Len(t, o.reply.Effects, 3)
	assert.Equal(t, []abi.Effect{
		{Kind: abi.EffectEmit, Name: "test.one", Value: json.RawMessage(`{"n":1}`)},
		{Kind: abi.EffectEmit, Name: "test.two", Value: json.RawMessage(`{"n":2}`)},
		{Kind: abi.EffectNotify, Name: "ops", Value: json.RawMessage(`{"ok":true}`)},
	}, o.reply.Effects)
	assert.Equal(t, 3, o.usage.HostCalls)

	s.counter(t)

	h := s.host()
	o = s.run(t, LogLines, h)
	require.NoError(t, o.err)
	assert.Equal(t, []string{"debug one", "info two", "warn three", "error four"}, h.lines)

	o = s.run(t, NowRandom, s.host())
	require.NoError(t, o.err)
	assert.JSONEq(t, fmt.Sprintf(`{"now":%d,"random":"0102030405060708"}`, instant().UnixMilli()), string(o.reply.Output))

	o = s.run(t, Denied, s.host())
	require.NoError(t, o.err)
	assert.JSONEq(t, `{"status":"ok"}`, string(o.reply.Output))
	h = s.host()
	h.grant = abi.Grant{abi.CapState}
	o = s.run(t, Denied, h)
	require.NoError(t, o.err)
	assert.JSONEq(t, `{"status":"denied"}`, string(o.reply.Output))
	assert.Empty(t, o.reply.Effects)

	h = s.host()
	h.limits.Effects = 5
	o = s.run(t, EffectsBomb, h)
	require.NoError(t, o.err)
	assert.JSONEq(t, `{"accepted":5,"status":"limit"}`, string(o.reply.Output))
	assert.Len(t, o.reply.Effects, 5)
}

// counter checks that a compare-and-set carries the version that was read.
func (s *suite) counter(t *testing.T) {
	version := func(v uint64) *uint64 { return &v }
	h := s.host()
	o := s.run(t, StateCounter, h)
	require.NoError(t, o.err)
	assert.JSONEq(t, `{"count":1}`, string(o.reply.Output))
	assert.Equal(t, []abi.Effect{
		{Kind: abi.EffectStateSet, Name: "count", Value: json.RawMessage("1"), Expect: version(0)},
	}, o.reply.Effects)

	h.state = map[string]json.RawMessage{"count": json.RawMessage("41")}
	o = s.run(t, StateCounter, h)
	require.NoError(t, o.err)
	assert.JSONEq(t, `{"count":42}`, string(o.reply.Output))
	assert.Equal(t, []abi.Effect{
		{Kind: abi.EffectStateSet, Name: "count", Value: json.RawMessage("42"), Expect: version(7)},
	}, o.reply.Effects)
}

// faults checks that each bomb ends as what it is, and that the module serves
// the next call.
func (s *suite) faults(t *testing.T) {
	for _, b := range bombs() {
		t.Run(string(b), func(t *testing.T) {
			m := s.module(t, b)
			inst, err := m.New(t.Context(), s.Limits)
			require.NoError(t, err)
			first := invoke(t.Context(), inst, s.host())
			s.checkFault(t, b, first)
			if inst.Reusable() {
				again := invoke(t.Context(), inst, s.host())
				s.checkFault(t, b, again)
				assert.Equal(t, first.usage, withWall(again.usage, first.usage.Wall), "of the same call in the same instance")
			}
			require.NoError(t, inst.Close(t.Context()))

			second := s.run(t, b, s.host())
			s.checkFault(t, b, second)
			assert.Equal(t, first.usage.Fuel, second.usage.Fuel, "fuel of the same call")
			next := s.run(t, Echo, s.host())
			require.NoError(t, next.err, "the next call of another module")
		})
	}
}

// withWall is u with another wall time, which is never the same twice.
func withWall(u sandbox.Usage, wall time.Duration) sandbox.Usage {
	u.Wall = wall
	return u
}

func (s *suite) checkFault(t *testing.T, b Behaviour, o outcome) {
	t.Helper()
	var fault *sandbox.Fault
	require.ErrorAs(t, o.err, &fault)
	assert.Contains(t, s.kinds[b], fault.Kind, "%s: %v", b, o.err)
	assert.Equal(t, s.Guests[b].Name, fault.Module)
	assert.Zero(t, o.reply.Result)
	assert.Nil(t, o.reply.Output)
	assert.Empty(t, o.reply.Effects)
	if fault.Kind == sandbox.FaultFuel {
		assert.Equal(t, s.Limits.WithDefaults().Fuel, o.usage.Fuel, "all fuel is used up")
	}
}

func (s *suite) deadline(t *testing.T) {
	h := s.host()
	h.limits.Fuel = 1 << 50
	h.limits.Deadline = 20 * time.Millisecond
	start := time.Now()
	o := s.run(t, InfiniteLoop, h)
	assert.Equal(t, sandbox.FaultDeadline, sandbox.KindOf(o.err), "%v", o.err)
	// The bound is loose because machines pause; the engines' own figures are in
	// their benchmarks.
	assert.Less(t, time.Since(start), 2*time.Second)
	assert.GreaterOrEqual(t, o.usage.Wall, h.limits.Deadline)

	h.limits.Deadline = time.Minute
	inst, err := s.module(t, InfiniteLoop).New(t.Context(), h.limits)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	o = invoke(ctx, inst, h)
	assert.Equal(t, sandbox.FaultDeadline, sandbox.KindOf(o.err), "%v", o.err)
	require.NoError(t, inst.Close(t.Context()))
}

// fuel checks that a call with a budget of exactly what it uses passes, and that
// one unit less is too little.
func (s *suite) fuel(t *testing.T) {
	for _, b := range []Behaviour{Echo, Describe, EmitTwo, StateCounter, LogLines, NowRandom} {
		first, second := s.run(t, b, s.host()), s.run(t, b, s.host())
		require.NoError(t, first.err)
		require.NoError(t, second.err)
		assert.Equal(t, first.usage.Fuel, second.usage.Fuel, "%s: fuel of the same call", b)

		h := s.host()
		h.limits.Fuel = first.usage.Fuel
		exact := s.run(t, b, h)
		require.NoError(t, exact.err, "%s with a budget of its usage", b)
		assert.Equal(t, first.usage.Fuel, exact.usage.Fuel)

		h = s.host()
		h.limits.Fuel = first.usage.Fuel - 1
		short := s.run(t, b, h)
		assert.Equal(t, sandbox.FaultFuel, sandbox.KindOf(short.err), "%s with one unit less: %v", b, short.err)
	}
	h := s.host()
	o := s.run(t, EmitTwo, h)
	assert.GreaterOrEqual(t, o.usage.Fuel, 3*sandbox.HostCallFuel(len("test.one")), "host calls are charged")
}

// leaks checks that nothing of one call is left in the next, whether or not the
// instance is kept.
func (s *suite) leaks(t *testing.T) {
	m := s.module(t, LeakCheck)
	inst, err := m.New(t.Context(), s.Limits)
	require.NoError(t, err)
	for range 4 {
		o := invoke(t.Context(), inst, s.host())
		require.NoError(t, o.err)
		assert.JSONEq(t, `{"count":1}`, string(o.reply.Output))
		if !inst.Reusable() {
			require.NoError(t, inst.Close(t.Context()))
			inst, err = m.New(t.Context(), s.Limits)
			require.NoError(t, err)
		}
	}
	require.NoError(t, inst.Close(t.Context()))
}
