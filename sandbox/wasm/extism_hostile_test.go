package wasm_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/sandboxtest"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// kernelGuest makes an Extism plugin with a function run that has three i64 locals.
func kernelGuest(body func(m *Module) Code) []byte {
	m := kernelModule()
	code := body(m)
	m.Func("run", nil, []byte{TypeI32}, []byte{TypeI64, TypeI64, TypeI64}, code, I32(0))
	return m.Bytes()
}

// TestKernelArguments passes handles, addresses and lengths that are wrong to every
// function of the kernel that takes one. Where Extism's own kernel looks away, so does
// ours; elsewhere the call ends as what it is.
func TestKernelArguments(t *testing.T) {
	e := newEngine(t)
	neighbour := compile(t, e, "neighbour", extismEcho())
	wrong := map[string]int64{
		"behind null": 1, "not the start": 17, "negative": -1, "the least": math.MinInt64, "the greatest": math.MaxInt64,
		"across the end": 1<<40 - 3, "a block, cut to 32 bits": 1<<32 + 16, "wrapping": -7,
	}
	harmless := map[string]bool{"free": true, "length": true, "length_unsafe": true, "input_load_u8": true, "input_load_u64": true}
	inside := map[string]bool{"not the start": true} // an address that is good where no handle is needed
	type place struct {
		function string
		handle   bool // and not any address
		call     func(f Func, bad Code) Code
	}
	var places []place
	drop := func(f Func, bad Code) Code { return Seq(bad, Call(f), Drop()) }
	plain := func(f Func, bad Code) Code { return Seq(bad, Call(f)) }
	for _, f := range []string{"length", "length_unsafe", "load_u8", "load_u64", "input_load_u8", "input_load_u64"} {
		places = append(places, place{f, false, drop})
	}
	for _, f := range []string{"config_get", "var_get"} {
		places = append(places, place{f, true, drop})
	}
	for _, f := range []string{"free", "error_set", "log_trace", "log_debug", "log_info", "log_warn", "log_error"} {
		places = append(places, place{f, true, plain})
	}
	places = append(
		places,
		place{"store_u8", false, func(f Func, bad Code) Code { return Seq(bad, I32(1), Call(f)) }},
		place{"store_u64", false, func(f Func, bad Code) Code { return Seq(bad, I64(1), Call(f)) }},
		place{"input_set", false, func(f Func, bad Code) Code { return Seq(bad, I64(1), Call(f)) }},
		place{"output_set", false, func(f Func, bad Code) Code { return Seq(bad, I64(1), Call(f)) }},
		place{"var_set", true, func(f Func, bad Code) Code { return Seq(bad, I64(0), Call(f)) }},
		place{"var_set", true, func(f Func, bad Code) Code { return Seq(I64(0), bad, Call(f)) }},
		place{"http_request", true, func(f Func, bad Code) Code { return Seq(bad, I64(0), Call(f), Drop()) }},
		place{"http_request", true, func(f Func, bad Code) Code { return Seq(I64(0), bad, Call(f), Drop()) }},
	)
	for i, p := range places {
		for name, v := range wrong {
			t.Run(fmt.Sprintf("%s %d %s", p.function, i, name), func(t *testing.T) {
				m := compile(t, e, "p", kernelGuest(func(m *Module) Code { return p.call(kernelCall(m, p.function), I64(v)) }))
				_, _, err := once(t, m, newWorld(), callWith(`{"input":"hello world"}`))
				if harmless[p.function] || inside[name] && !p.handle {
					assert.NoError(t, err)
				} else {
					assert.Equal(t, sandbox.FaultABI, sandbox.KindOf(err), "%v", err)
					assert.ErrorContains(t, err, "extism:host/env."+p.function+": 0x")
				}
				_, _, err = once(t, neighbour, newWorld(), callWith(`{"input":"x"}`))
				assert.NoError(t, err, "the next call of another")
			})
		}
	}
}

// TestKernelLengths passes lengths that lie.
func TestKernelLengths(t *testing.T) {
	e := newEngine(t)
	for _, f := range []string{"input_set", "output_set"} {
		for _, n := range []int64{33, -1, math.MinInt64, math.MaxInt64, 1<<32 + 1, -16, -17} {
			m := compile(t, e, "p", kernelGuest(func(m *Module) Code { return Seq(I64(16), I64(n), Call(kernelCall(m, f))) }))
			_, _, err := once(t, m, newWorld(), callWith(`{"input":"hello world"}`))
			assert.Contains(t, []sandbox.FaultKind{sandbox.FaultABI, sandbox.FaultLimit}, sandbox.KindOf(err), "%s with %d: %v", f, n, err)
		}
	}
}

// TestHostileExtismPlugins runs attacks twice each: they end as what they are, with the
// same fuel, in bounded memory.
func TestHostileExtismPlugins(t *testing.T) {
	forever := func(functions []string, body func(f []Func) Code) []byte {
		return kernelGuest(func(m *Module) Code {
			fs := []Func(nil)
			kernelCall(m, "get_log_level")
			for _, name := range functions {
				fs = append(fs, kernelCall(m, name))
			}
			return Forever(body(fs))
		})
	}
	bomb := func(n int64) []byte {
		return forever([]string{"alloc"}, func(f []Func) Code { return Seq(I64(n), Call(f[0]), Drop()) })
	}
	// named makes a block with a short name and leaves its handle, then does what follows.
	named := func(function string, after ...Code) []byte {
		return forever([]string{"alloc", "store_u64", function}, func(f []Func) Code {
			return Seq(kernelText(f[0], f[1], "name"), Seq(after...), Call(f[2]))
		})
	}
	fuel := []sandbox.FaultKind{sandbox.FaultFuel}
	memory := []sandbox.FaultKind{sandbox.FaultMemory}
	limit := []sandbox.FaultKind{sandbox.FaultLimit}
	attacks := []sandboxtest.Attack{
		{Name: "loop", Kinds: fuel, Source: sandbox.Source{Bytes: forever(nil, func([]Func) Code { return nil })}},
		{Name: "alloc 1", Kinds: fuel, Source: sandbox.Source{Bytes: bomb(1)}},
		{Name: "alloc 64 KiB", Kinds: memory, Source: sandbox.Source{Bytes: bomb(64 << 10)}},
		{Name: "alloc 1 GiB", Kinds: memory, Source: sandbox.Source{Bytes: bomb(1 << 30)}},
		{Name: "alloc -1", Kinds: memory, Source: sandbox.Source{Bytes: bomb(-1)}},
		{Name: "alloc the least", Kinds: memory, Source: sandbox.Source{Bytes: bomb(math.MinInt64)}},
		{Name: "alloc 0", Kinds: fuel, Source: sandbox.Source{Bytes: bomb(0)}},
		{Name: "alloc and free", Kinds: fuel, Source: sandbox.Source{Bytes: forever([]string{"alloc", "free"}, func(f []Func) Code { return Seq(I64(4000), Call(f[0]), Call(f[1])) })}},
		{Name: "reset", Kinds: fuel, Source: sandbox.Source{Bytes: forever([]string{"alloc", "reset"}, func(f []Func) Code { return Seq(I64(1<<20), Call(f[0]), Drop(), Call(f[1])) })}},
		{Name: "loads", Kinds: fuel, Source: sandbox.Source{Bytes: forever([]string{"input_load_u8"}, func(f []Func) Code { return Seq(I64(0), Call(f[0]), Drop()) })}},
		{Name: "settings", Kinds: limit, Source: sandbox.Source{Bytes: named("config_get", I64(0), Drop())}},
		{Name: "log", Kinds: limit, Source: sandbox.Source{Bytes: forever([]string{"alloc", "log_info"}, func(f []Func) Code { return Seq(I64(100), Call(f[0]), Call(f[1])) })}},
		{Name: "variables", Kinds: limit, Source: sandbox.Source{Bytes: forever([]string{"alloc", "store_u64", "var_set"}, func(f []Func) Code {
			return Seq(kernelText(f[0], f[1], "name"), I64(100), Call(f[0]), Call(f[2]))
		})}},
		{Name: "large variables", Kinds: []sandbox.FaultKind{sandbox.FaultABI}, Source: sandbox.Source{Bytes: forever([]string{"alloc", "store_u64", "var_set"}, func(f []Func) Code {
			return Seq(kernelText(f[0], f[1], "name"), I64(300_000), Call(f[0]), Call(f[2]))
		})}},
		{Name: "output", Kinds: limit, Source: sandbox.Source{Bytes: forever([]string{"alloc", "output_set"}, func(f []Func) Code {
			return Seq(I64(512<<10), Call(f[0]), I64(512<<10), Call(f[1]))
		})}},
		{Name: "output of many escapes", Kinds: limit, Source: sandbox.Source{Bytes: kernelGuest(func(m *Module) Code {
			alloc, output := kernelCall(m, "alloc"), kernelCall(m, "output_set")
			return Seq(I64(200_000), Call(alloc), I64(200_000), Call(output))
		})}},
		{Name: "recursion", Kinds: []sandbox.FaultKind{sandbox.FaultStack}, Source: sandbox.Source{Bytes: func() []byte {
			m := kernelModule()
			kernelCall(m, "reset")
			m.Func("run", nil, nil, nil, Call(1))
			return m.Bytes()
		}()}},
		{Name: "unreachable", Kinds: []sandbox.FaultKind{sandbox.FaultTrap}, Source: sandbox.Source{Bytes: kernelGuest(func(m *Module) Code {
			kernelCall(m, "reset")
			return Unreachable()
		})}},
		{Name: "spins between loads", Deadline: 20 * time.Millisecond, Kinds: []sandbox.FaultKind{sandbox.FaultDeadline, sandbox.FaultFuel}, Source: sandbox.Source{Bytes: forever([]string{"input_length"}, func(f []Func) Code { return Seq(Call(f[0]), Drop()) })}},
		{Name: "input set to itself", Kinds: nil, Output: `"rld"`, Source: sandbox.Source{Bytes: kernelGuest(func(m *Module) Code {
			alloc, store, set, load := kernelCall(m, "alloc"), kernelCall(m, "store_u64"), kernelCall(m, "input_set"), kernelCall(m, "input_load_u64")
			output, free, offset := kernelCall(m, "output_set"), kernelCall(m, "free"), kernelCall(m, "input_offset")
			return Seq(
				kernelText(alloc, store, "my world"), I64(8), Call(set), Get(0), I64(5), Op(0x7c), I64(3), Call(output),
				Call(offset), Call(free), I64(0), Call(load), Drop(),
			)
		})}},
	}
	for i := range attacks {
		attacks[i].Source.Name = "p"
	}
	e := newColdEngine(t)
	defer func() { assert.NoError(t, e.Close(context.WithoutCancel(t.Context()))) }()
	sandboxtest.RunAttacks(t, e, sandbox.Limits{}, attacks)
}

// Variables that no state keeps are bounded by the memory of the call.
func TestVariablesAreBounded(t *testing.T) {
	m := compile(t, newEngine(t), "p", kernelGuest(func(m *Module) Code {
		alloc, store, set := kernelCall(m, "alloc"), kernelCall(m, "store_u64"), kernelCall(m, "var_set")
		return Forever(
			// Another name each time: the counter itself.
			I64(8), Call(alloc), Tee(0), Get(1), I64(1), Op(0x7c), Tee(1), Call(store),
			Get(0), I64(50_000), Call(alloc), Call(set),
		)
	}))
	w := newWorld()
	w.grant = nil
	w.limits.HostCalls, w.limits.Fuel = 1<<30, 1<<40
	_, usage, err := once(t, m, w, callWith(""))
	assert.Equal(t, sandbox.FaultMemory, sandbox.KindOf(err), "%v", err)
	assert.ErrorContains(t, err, "extism:host/env.var_set: the variables: out of memory: the call may have 16777216 bytes")
	assert.Less(t, usage.HostCalls, 400)
}

// mapped is how much address space this program has, in bytes.
func mapped(tb testing.TB) int {
	tb.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Skip("the size of the address space is known on Linux only")
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[0])
	require.NoError(tb, err)
	return pages * os.Getpagesize()
}

// Instances give back the memory of their kernel, when they are closed and when a call
// has used much of it.
func TestKernelMemoryIsGivenBack(t *testing.T) {
	m := compile(t, newEngine(t), "p", extismEcho())
	large := callWith(`{"input":"` + strings.Repeat("x", 200_000) + `"}`)
	calls := func(n int) {
		for range n {
			i, err := m.New(t.Context(), patient())
			require.NoError(t, err)
			for range 2 {
				_, _, err = i.Invoke(t.Context(), large, newWorld().session())
				require.NoError(t, err)
				require.True(t, i.Reusable())
			}
			require.NoError(t, i.Close(t.Context()))
		}
	}
	calls(2)
	before := mapped(t)
	calls(30)
	// Each has reserved 16 MiB twice over.
	assert.Less(t, mapped(t)-before, 256<<20)
}
