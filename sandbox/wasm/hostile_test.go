package wasm_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// TestBadPointers passes a range outside the memory at every place where a
// function takes one.
func TestBadPointers(t *testing.T) {
	e := newEngine(t)
	good, empty := Seq(I32(0), I32(8)), Seq(I32(0), I32(0))
	ranges := map[string]Code{
		"far away":     Seq(I32(-16), I32(8)),
		"past the end": Seq(I32(65530), I32(8)),
		"wrapping":     Seq(I32(8), I32(-1)),
		"whole space":  Seq(I32(0), I32(-1)),
	}
	type place struct {
		what string
		call func(m *Module, bad Code) Code
	}
	var places []place
	for _, f := range []string{v1.FuncInput, v1.FuncTake} {
		places = append(places, place{f + ": dst", func(m *Module, bad Code) Code { return Seq(bad, Call(m.Core(f)), Drop()) }})
	}
	places = append(places, place{v1.FuncOutput + ": ptr", func(m *Module, bad Code) Code { return Seq(bad, Call(m.Core(v1.FuncOutput))) }})
	for _, f := range []string{v1.FuncFail, v1.FuncLog} {
		places = append(places, place{f + ": ptr", func(m *Module, bad Code) Code { return Seq(I32(1), bad, Call(m.Core(f))) }})
	}
	for _, f := range v1.Services() {
		places = append(
			places,
			place{f + ": in", func(m *Module, bad Code) Code { return Seq(bad, good, Call(m.Service(f)), Drop()) }},
			place{f + ": out", func(m *Module, bad Code) Code { return Seq(empty, bad, Call(m.Service(f)), Drop()) }},
		)
	}
	for _, p := range places {
		for name, bad := range ranges {
			t.Run(p.what+" "+name, func(t *testing.T) {
				m := New()
				body := p.call(m, bad)
				m.Invoke(nil, body, I32(0))
				module := compile(t, e, "p", m.Bytes())
				_, _, err := once(t, module, newWorld(), callWith(""))
				assert.Equal(t, sandbox.FaultABI, sandbox.KindOf(err), "%v", err)
				assert.ErrorContains(t, err, "rhost.v1."+p.what+" at 0x")
				assert.ErrorContains(t, err, "lies outside the memory of 65536 bytes")
			})
		}
	}
}

// TestHostileGuests runs each attack, checks that it ends as what it is, that its
// instance is as before and goes through the same once more, and that another module
// serves the next call.
func TestHostileGuests(t *testing.T) {
	e := newEngine(t)
	neighbour := compile(t, e, "neighbour", echo())
	drain := func(service string, request func(m *Module) Code) []byte {
		m := New()
		f := m.Service(service)
		m.Invoke(nil, Forever(ask(f, request(m))), Unreachable())
		return m.Bytes()
	}
	invoke := func(body ...Code) []byte {
		m := New()
		m.Invoke(nil, body...)
		return m.Bytes()
	}
	for _, tt := range []struct {
		name   string
		src    []byte
		limits sandbox.Limits
		kind   sandbox.FaultKind
		want   string
	}{
		{"loop", infiniteLoop(), sandbox.Limits{Deadline: time.Minute}, sandbox.FaultFuel, "out of fuel: the call may use 10000000; raise limits.fuel of the plugin if the work is wanted"},
		{"loop with time", infiniteLoop(), sandbox.Limits{Fuel: 1 << 60, Deadline: 10 * time.Millisecond}, sandbox.FaultDeadline, "out of time: still running after 10ms; raise limits.deadline of the plugin if it may take longer"},
		{"memory", memoryBomb(), patient(), sandbox.FaultMemory, "out of memory: the call may have 16777216 bytes: unreachable; raise limits.memory of the plugin if the memory is wanted"},
		{"memory at once", invoke(Grow(60_000), I32(-1), Op(0x46), If(Unreachable()), I32(0)), sandbox.Limits{Deadline: time.Minute, Fuel: 1 << 40}, sandbox.FaultMemory, "out of memory"},
		{"memory costs fuel", invoke(Grow(60_000), Drop(), I32(0)), patient(), sandbox.FaultFuel, "out of fuel"},
		{"recursion", stackBomb(), patient(), sandbox.FaultStack, "call p: stack fault at dive: out of stack; raise limits.stack of the plugin if the recursion is wanted"},
		{"host calls", hostCallBomb(), patient(), sandbox.FaultLimit, "more than 1000 host calls; raise limits.host_calls of the plugin if they are wanted (last host call: now)"},
		{"output", outputBomb(), patient(), sandbox.FaultLimit, "output of 524288 bytes; at most 262144 are allowed; raise limits.output of the plugin"},
		{"output that is not JSON", invokeWith(v1.FuncOutput, `{"a":`), patient(), sandbox.FaultABI, "rhost.v1.output: the output is not JSON"},
		{"unreachable", crash(), patient(), sandbox.FaultTrap, "call p: trap fault at rhost_invoke: unreachable"},
		{"division by zero", invoke(I32(1), I32(0), Op(0x6d)), patient(), sandbox.FaultTrap, "integer divide by zero"},
		{"load outside", invoke(I32(-1), Load(0)), patient(), sandbox.FaultTrap, "out of bounds memory access"},
		{"result", invoke(I32(77)), patient(), sandbox.FaultABI, "call p: abi fault at rhost_invoke: returned 77, which is not a result; 0 is ok, 1 fail, 2 retry, 3 drop"},
		{"negative result", invoke(I32(-1)), patient(), sandbox.FaultABI, "returned -1, which is not a result"},
		{"emits", drain(v1.FuncEmit, func(m *Module) Code { return put(m, 100, message("x", "")) }), sandbox.Limits{Deadline: time.Minute, HostCalls: 1 << 30}, sandbox.FaultFuel, "(last host call: emit)"},
		{"log", logBomb(), patient(), sandbox.FaultLimit, "more than 1000 host calls"},
		{"standard output", stdoutBomb(), patient(), sandbox.FaultFuel, "out of fuel"},
		{"exit", exitGuest(3), patient(), sandbox.FaultTrap, "the guest exited with code 3"},
		{"exit 0", exitGuest(0), patient(), sandbox.FaultTrap, "the guest exited with code 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := compile(t, e, "p", tt.src)
			var fuel int64
			i := instance(t, m, tt.limits)
			before := wasm.StateOf(i)
			for range 3 {
				w := newWorld()
				w.limits = tt.limits
				reply, usage, err := i.Invoke(t.Context(), callWith(""), w.session())
				assert.Equal(t, tt.kind, sandbox.KindOf(err), "%v", err)
				assert.ErrorContains(t, err, tt.want)
				assert.Zero(t, reply)
				require.True(t, i.Reusable())
				require.Equal(t, before, wasm.StateOf(i))
				if fuel != 0 && tt.kind != sandbox.FaultDeadline {
					assert.Equal(t, fuel, usage.Fuel, "fuel of the same call")
				}
				fuel = usage.Fuel

				next, _, err := once(t, neighbour, newWorld(), callWith(`[1]`))
				require.NoError(t, err)
				assert.JSONEq(t, `[1]`, string(next.Output))
			}
		})
	}
}

// invokeWith passes text to a core function of a pointer and a length.
func invokeWith(core, text string) []byte {
	m := New()
	f := m.Core(core)
	m.Invoke(nil, put(m, 100, text), Call(f), I32(0))
	return m.Bytes()
}

func logBomb() []byte {
	m := New()
	log := m.Core(v1.FuncLog)
	m.Invoke(nil, Forever(I32(1), I32(0), I32(100), Call(log)), Unreachable())
	return m.Bytes()
}

func stdoutBomb() []byte {
	m := New()
	write := m.Import("wasi_snapshot_preview1", "fd_write", i32s(4), []byte{TypeI32})
	m.Data(8, "\x20\x00\x00\x00\x01\x00\x00\x00") // one byte at 32
	m.Data(32, "\n")
	m.Invoke(nil, Forever(I32(1), I32(8), I32(1), I32(64), Call(write), Drop()), Unreachable())
	return m.Bytes()
}

func exitGuest(code int32) []byte {
	m := New()
	exit := m.Import("wasi_snapshot_preview1", "proc_exit", []byte{TypeI32}, nil)
	m.Invoke(nil, I32(code), Call(exit), I32(0))
	return m.Bytes()
}

// TestStandardOutputIsCut lets a guest write as much as its fuel allows and
// counts what arrives.
func TestStandardOutputIsCut(t *testing.T) {
	m := New()
	write := m.Import("wasi_snapshot_preview1", "fd_write", i32s(4), []byte{TypeI32})
	m.Data(8, "\x00\x01\x00\x00\x00\x10\x00\x00") // 4,096 bytes at 256
	m.Data(256, strings.Repeat("x", 4095)+"\n")
	m.Invoke(i32s(1), Repeat(1, 100, I32(2), I32(8), I32(1), I32(64), Call(write), Drop()), I32(0))
	w := newWorld()
	_, _, err := once(t, compile(t, newEngine(t), "p", m.Bytes()), w, callWith(""))
	require.NoError(t, err)
	total := 0
	for _, line := range w.lines {
		assert.LessOrEqual(t, len(line), len("warn ")+v1.MaxLogLine)
		total += len(line)
	}
	assert.Less(t, total, 70<<10)
	assert.Equal(t, "warn (the rest of what the guest wrote is left out)", w.lines[len(w.lines)-1])
}

// TestRequestsThatLie passes services requests whose fields reach further than
// the request.
func TestRequestsThatLie(t *testing.T) {
	e := newEngine(t)
	for _, tt := range []struct {
		service, request string
		want             v1.Status
	}{
		{v1.FuncEmit, "", v1.StatusInvalid},
		{v1.FuncEmit, "\xff\xff\xff\xffx", v1.StatusInvalid},
		{v1.FuncEmit, message("", ""), v1.StatusInvalid},
		{v1.FuncEmit, message("x", "{"), v1.StatusInvalid},
		{v1.FuncEmit, message("x", "\"\xff\""), v1.StatusInvalid},
		{v1.FuncEmit, message("x", `{"a":1,"a":2}`), v1.StatusInvalid},
		{v1.FuncEmit, message("x", strings.Repeat("[", 70)+strings.Repeat("]", 70)), v1.StatusInvalid},
		{v1.FuncEmit, message("\xff", ""), v1.StatusInvalid},
		{v1.FuncEmit, message("x", ""), v1.StatusOK},
		{v1.FuncNotify, message("x", ""), v1.StatusInvalid},
		{v1.FuncStateSet, "\x05\x00\x00\x00ab", v1.StatusInvalid},
		{v1.FuncStateSet, message("", "1"), v1.StatusInvalid},
		{v1.FuncStateCAS, "\x00\x00\x00", v1.StatusInvalid},
		{v1.FuncStateCAS, string(v1.AppendStateCAS(nil, "k", 3, nil)), v1.StatusConflict},
		{v1.FuncStateGet, "absent", v1.StatusNotFound},
		{v1.FuncConfig, "absent", v1.StatusNotFound},
		{v1.FuncConfig, "limit", v1.StatusTooSmall},
		{v1.FuncRandom, "\x01", v1.StatusInvalid},
		{v1.FuncRandom, string(v1.AppendRandom(nil, v1.MaxRandom+1)), v1.StatusLimit},
		{v1.FuncRandom, string(v1.AppendRandom(nil, 16)), v1.StatusTooSmall},
		{v1.FuncNow, "ignored", v1.StatusTooSmall},
	} {
		m := New()
		f := m.Service(tt.service)
		m.Invoke(nil, put(m, 100, tt.request), I32(0), I32(0), Call(f), statusOf(), I32(int32(tt.want)), Op(0x47), If(Unreachable()), I32(0))
		_, _, err := once(t, compile(t, e, "p", m.Bytes()), newWorld(), callWith(""))
		assert.NoError(t, err, "%s(%q) = another status than %d", tt.service, tt.request, tt.want)
	}
}

// TestTake asks for an answer that does not fit and takes it.
func TestTake(t *testing.T) {
	m := New()
	take, output, state := m.Core(v1.FuncTake), m.Core(v1.FuncOutput), m.Service(v1.FuncStateGet)
	equal := func(want int32, code Code) Code { return Seq(code, I32(want), Op(0x47), If(Unreachable())) }
	takeInto := func(room int32) Code { return Seq(I32(512), I32(room), Call(take)) }
	get := Seq(put(m, 100, "k"), I32(0), I32(3), Call(state))
	m.Invoke(nil,
		equal(-1, takeInto(64)), // nothing is kept yet
		get, I64(int64(v1.Pack(v1.StatusTooSmall, 15))), Op(0x52), If(Unreachable()),
		equal(15, takeInto(0)), // asks for the length
		equal(15, takeInto(14)),
		equal(0, Seq(I32(520), Load(0))), // nothing was written
		equal(15, takeInto(15)),
		equal(-1, takeInto(15)), // taken once
		get, Drop(),
		ask(state, put(m, 120, "absent")), // another call forgets it
		equal(-1, takeInto(64)),
		I32(520), I32(7), Call(output), I32(0))
	w := newWorld()
	w.state = map[string]json.RawMessage{"k": json.RawMessage(`{"n":5}`)}
	reply, usage, err := once(t, compile(t, newEngine(t), "p", m.Bytes()), w, callWith(""))
	require.NoError(t, err)
	assert.JSONEq(t, `{"n":5}`, string(reply.Output))
	assert.Equal(t, 3, usage.HostCalls, "take is no service call")
}

// TestFailAndResult checks how what fail says and what rhost_invoke returns go
// together.
func TestFailAndResult(t *testing.T) {
	e := newEngine(t)
	for _, tt := range []struct {
		code, result int32
		want         abi.Result
	}{
		{0, 0, abi.ResultOK},
		{1, 0, abi.ResultFail},
		{2, 1, abi.ResultFail},
		{3, 2, abi.ResultRetry},
		{3, 3, abi.ResultDrop},
		{0, 1, abi.ResultFail},
	} {
		m := New()
		fail := m.Core(v1.FuncFail)
		emit := m.Service(v1.FuncEmit)
		body := ask(emit, put(m, 100, message("x", "")))
		if tt.code != 0 {
			body = Seq(body, I32(tt.code), put(m, 200, "why"), Call(fail))
		}
		m.Invoke(nil, body, I32(tt.result))
		reply, _, err := once(t, compile(t, e, "p", m.Bytes()), newWorld(), callWith(""))
		require.NoError(t, err)
		assert.Equal(t, tt.want, reply.Result, "fail(%d), return %d", tt.code, tt.result)
		assert.Equal(t, tt.want == abi.ResultOK, len(reply.Effects) == 1)
		if tt.code != 0 {
			assert.Equal(t, "why", reply.Message)
		}
	}

	m := New()
	fail := m.Core(v1.FuncFail)
	m.Invoke(nil, I32(9), I32(0), I32(0), Call(fail), I32(0))
	_, _, err := once(t, compile(t, e, "p", m.Bytes()), newWorld(), callWith(""))
	assert.Equal(t, sandbox.FaultABI, sandbox.KindOf(err))
	assert.ErrorContains(t, err, "rhost.v1.fail: code 9 is not a result; 1 is fail, 2 retry, 3 drop")
}

// TestBudgetIsExact checks for several guests, one of which needs many slices,
// that a budget of the usage is enough and one less is not.
func TestBudgetIsExact(t *testing.T) {
	e := newEngine(t)
	long := New()
	long.Invoke(i32s(1), Repeat(1, 300_000), I32(0))
	fill := New()
	fill.Invoke(nil, Grow(20), Drop(), I32(0), I32(7), I32(21<<16), Op(0xfc, 11, 0), I32(0))
	for name, src := range map[string][]byte{"echo": echo(), "emits": emitTwo(), "a long loop": long.Bytes(), "fill": fill.Bytes()} {
		m := compile(t, e, name, src)
		_, usage, err := once(t, m, newWorld(), callWith(`{"x":1}`))
		require.NoError(t, err)
		for less, want := range []sandbox.FaultKind{"", sandbox.FaultFuel} {
			w := newWorld()
			w.limits.Fuel = usage.Fuel - int64(less)
			_, again, err := once(t, m, w, callWith(`{"x":1}`))
			assert.Equal(t, want, sandbox.KindOf(err), "%s with %d less: %v", name, less, err)
			assert.Equal(t, w.limits.Fuel, again.Fuel, name)
		}
	}
}

func TestStartup(t *testing.T) {
	e, err := wasm.New(wasm.Options{StartupFuel: 1_000_000, StartupDeadline: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close(t.Context())) })
	startup := func(export string, results []byte, body ...Code) []byte {
		m := New()
		params := []byte(nil)
		if export == v1.ExportInit {
			params = []byte{TypeI32}
		}
		f := m.Func(export, params, results, nil, body...)
		if export == "" {
			m.Start(f)
		}
		m.Invoke(nil, I32(0))
		return m.Bytes()
	}
	for _, tt := range []struct {
		name string
		src  []byte
		kind sandbox.FaultKind
		want string
	}{
		{"start section loops", startup("", nil, Forever()), sandbox.FaultFuel, "during start-up: out of fuel: the call may use 1000000"},
		{"_initialize loops", startup(v1.ExportInitialize, nil, Forever()), sandbox.FaultFuel, "during start-up: out of fuel"},
		{"_initialize traps", startup(v1.ExportInitialize, nil, Unreachable()), sandbox.FaultTrap, "call p: trap fault at _initialize: during start-up: unreachable"},
		{"init refuses", startup(v1.ExportInit, []byte{TypeI32}, I32(4)), sandbox.FaultTrap, "call p: trap fault at rhost_init: during start-up: returned 4"},
		{"data outside the memory", func() []byte {
			m := New()
			m.Data(65530, "too long to fit")
			m.Invoke(nil, I32(0))
			return m.Bytes()
		}(), sandbox.FaultTrap, "its initial data does not fit into its memory"},
		{"init takes memory", startup(v1.ExportInit, []byte{TypeI32}, Grow(200), I32(-1), Op(0x47), If(I32(0), Return()), Unreachable()), sandbox.FaultMemory, "during start-up: out of memory: the call may have 1048576 bytes"},
	} {
		m := compile(t, e, "p", tt.src)
		i, err := m.New(t.Context(), sandbox.Limits{Memory: 1 << 20})
		assert.Nil(t, i, tt.name)
		assert.Equal(t, tt.kind, sandbox.KindOf(err), "%s: %v", tt.name, err)
		assert.ErrorContains(t, err, tt.want, tt.name)
	}

	big := New()
	big.Memory(17, 100)
	big.Invoke(nil, I32(0))
	_, err = compile(t, e, "p", big.Bytes()).New(t.Context(), sandbox.Limits{Memory: 1 << 20})
	assert.Equal(t, sandbox.FaultMemory, sandbox.KindOf(err))
	assert.ErrorContains(t, err, "out of memory: the module starts with 1114112 bytes and may have 1048576")
}

// TestServicesAreNotThereDuringStartup calls each from rhost_init.
func TestServicesAreNotThereDuringStartup(t *testing.T) {
	e := newEngine(t)
	for _, service := range v1.Services() {
		m := New()
		f := m.Service(service)
		m.Func(v1.ExportInit, []byte{TypeI32}, []byte{TypeI32}, nil,
			I32(0), I32(0), I32(0), I32(64), Call(f), I64(int64(v1.Pack(v1.StatusUnavailable, 0))), Op(0x52))
		m.Invoke(nil, I32(0))
		_, _, err := once(t, compile(t, e, "p", m.Bytes()), newWorld(), callWith(""))
		assert.NoError(t, err, service)
	}
}

// TestNoTwoCallsShareAnything checks the parts of an instance one by one: what
// cannot be put back makes the instance unusable instead.
func TestNoTwoCallsShareAnything(t *testing.T) {
	e := newEngine(t)
	m := New()
	output := m.Core(v1.FuncOutput)
	n := m.Global(0)
	table := New()
	table.Table(1, 1)
	table.Invoke(nil, I32(0), Code{0xd0, 0x70}, Op(0x26, 0), I32(0))
	m.Data(100, "[0]")
	bump := Seq(I32(101), I32(101), Op(0x2d, 0, 0), I32(1), Add(), Op(0x3a, 0, 0))
	m.Func(v1.ExportInit, []byte{TypeI32}, []byte{TypeI32}, nil, bump, GlobalGet(n), I32(1), Add(), GlobalSet(n), I32(0))
	m.Invoke(nil, bump, GlobalGet(n), I32(1), Add(), GlobalSet(n), I32(100), I32(3), Call(output),
		GlobalGet(n), I32(2), Op(0x47))
	grows, most := New(), New()
	most.Memory(1, 4)
	for _, g := range []*Module{grows, most} {
		// It is one page large, and the last byte of the four it has then is 0.
		last := Seq(I32(4*65536-1), Op(0x2d, 0, 0))
		g.Invoke(nil, Grow(3), I32(1), Op(0x47), last, Op(0x72), I32(4*65536-1), I32(1), Op(0x3a, 0, 0))
	}

	for _, tt := range []struct {
		name     string
		src      []byte
		output   string
		reusable bool
	}{
		{"memory and globals", m.Bytes(), "[2]", true},
		{"memory that grew", grows.Bytes(), "", true},
		{"memory that grew to its most", most.Bytes(), "", true},
		{"a table", table.Bytes(), "", false},
	} {
		module := compile(t, e, "p", tt.src)
		var fuel int64
		for round := range 3 {
			i := instance(t, module, patient())
			for range 3 {
				reply, usage, err := i.Invoke(t.Context(), callWith(""), newWorld().session())
				require.NoError(t, err, tt.name)
				assert.Equal(t, abi.ResultOK, reply.Result, tt.name)
				if round > 0 {
					assert.Equal(t, fuel, usage.Fuel, tt.name)
				}
				fuel = usage.Fuel
				assert.Equal(t, tt.reusable, i.Reusable(), tt.name)
				if !i.Reusable() {
					break
				}
				assert.Equal(t, tt.output, string(reply.Output), tt.name)
			}
			if !tt.reusable {
				_, _, err := i.Invoke(t.Context(), callWith(""), newWorld().session())
				assert.EqualError(t, err, "call p: the instance is not as new and cannot run another call")
			}
		}
	}
}

// TestSmallerLimitThanTheInstance runs a call that may have less than the
// instance was made for.
func TestSmallerLimitThanTheInstance(t *testing.T) {
	m := New()
	m.Memory(4, 100)
	m.Invoke(nil, Grow(1), I32(-1), Op(0x46))
	module := compile(t, newEngine(t), "p", m.Bytes())
	for _, tt := range []struct {
		memory int64
		want   string
	}{
		{3 << 16, "memory"},
		{4 << 16, "fail"}, // may not grow, and says so
		{5 << 16, "ok"},
	} {
		i := instance(t, module, patient())
		w := newWorld()
		w.limits.Memory = tt.memory
		reply, _, err := i.Invoke(t.Context(), callWith(""), w.session())
		if got := fmt.Sprint(sandbox.KindOf(err)); got != "" {
			assert.Equal(t, tt.want, got)
		} else {
			assert.Equal(t, tt.want, reply.Result.String())
		}
	}
}
