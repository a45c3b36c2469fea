package wasm_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// What soiled imports, and the function dive(n), which calls itself n times.
const (
	soiledOutput Func = iota
	soiledLog
	soiledEmit
	soiledNow
	soiledExit
	soiledDive
)

// soiled is a guest that finds everything as start-up left it, or returns 77; then
// writes to all that it can write to, and to its stack; and then misbehaves. A large
// one has memory that is mapped rather than copied.
func soiled(large bool, attack Code) []byte {
	m := New()
	m.Core(v1.FuncOutput)
	m.Core(v1.FuncLog)
	m.Service(v1.FuncEmit)
	m.Service(v1.FuncNow)
	m.Import("wasi_snapshot_preview1", "proc_exit", []byte{TypeI32}, nil)
	const text = 1000
	m.Data(text, "as new")
	m.Data(2000, message("x", `{"a":1}`))
	end, more := int32(65536), int32(1)
	if large {
		m.Memory(8, 1000)
		m.Data(5*65536, strings.Repeat("large", 10_000))
		end, more = end*8, 3
	}
	count := m.Global(5)
	m.Func("", []byte{TypeI32}, []byte{TypeI32}, nil, Get(0), If(Get(0), I32(1), Sub(), Call(soiledDive), Drop()), I32(7))
	m.Table(2, 2)
	m.Elem(0, soiledDive)
	wrong := func(code Code, want int32) Code { return Seq(code, I32(want), Op(0x47), If(I32(77), Return())) }
	m.Invoke(nil,
		wrong(GlobalGet(count), 5),
		wrong(Op(0x3f, 0), end/65536),
		wrong(Seq(I32(text), Load(0)), 'a'|'s'<<8|' '<<16|'n'<<24),
		wrong(Seq(I32(end-8), Load(0)), 0),
		wrong(Seq(Grow(more), Drop(), I32(end+(more-1)*65536), Load(0)), 0),
		I32(6), GlobalSet(count),
		I32(text), I32(-1), Store(0),
		I32(end-8), I32(-1), Store(0),
		I32(end+(more-1)*65536), I32(-1), Store(0),
		attack,
		I32(0))
	return m.Bytes()
}

// TestNothingOutlivesAFault lets guests fault in every way there is, several times in
// one instance: each time they find what they would find in a new one, and so does
// the host, which looks at all that wazero keeps for an instance.
func TestNothingOutlivesAFault(t *testing.T) {
	e := newEngine(t)
	// Of the type of output, which is the first.
	indirect := func(n int32) Code { return Seq(I32(0), I32(0), I32(n), Code{0x11, 0, 0}) }
	hurried, long, short := patient(), patient(), patient()
	short.Fuel = 50_000
	hurried.Fuel, hurried.Deadline = 1<<60, 5*time.Millisecond
	long.Fuel = 1 << 40
	message := Seq(I32(2000), I32(int32(len(message("x", `{"a":1}`)))), I32(0), I32(0), Call(soiledEmit), Drop())
	for _, tt := range []struct {
		name   string
		attack Code
		limits sandbox.Limits
		kind   sandbox.FaultKind
	}{
		{"no fuel", Forever(), patient(), sandbox.FaultFuel},
		{"no time", Forever(), hurried, sandbox.FaultDeadline},
		{"no stack", Seq(I32(-1), Call(soiledDive), Drop()), long, sandbox.FaultStack},
		{"no memory", Forever(Grow(1), I32(-1), Op(0x46), If(Unreachable())), long, sandbox.FaultMemory},
		{"memory, all of it touched", Seq(Grow(200), Drop(), I32(65536*8), I32(9), I32(200*65536-65536*7), Code{0xfc, 11, 0}, Unreachable()), long, sandbox.FaultTrap},
		{"unreachable", Unreachable(), patient(), sandbox.FaultTrap},
		{"division", Seq(I32(1), I32(0), Op(0x6d), Drop()), patient(), sandbox.FaultTrap},
		{"overflow", Seq(I32(-1<<31), I32(-1), Op(0x6d), Drop()), patient(), sandbox.FaultTrap},
		{"conversion", Seq(Code{0x43, 0, 0, 0xc0, 0x7f}, Op(0xa8), Drop()), patient(), sandbox.FaultTrap},
		{"address", Seq(I32(-8), Load(0), Drop()), patient(), sandbox.FaultTrap},
		{"no function", indirect(1), patient(), sandbox.FaultTrap},
		{"a function of another type", indirect(0), patient(), sandbox.FaultTrap},
		{"no such place of the table", indirect(9), patient(), sandbox.FaultTrap},
		{"pointer", Seq(I32(-8), I32(64), Call(soiledOutput)), patient(), sandbox.FaultABI},
		{"output", Seq(I32(0), I32(64), Call(soiledOutput)), patient(), sandbox.FaultABI},
		{"result", Seq(I32(78), Return()), patient(), sandbox.FaultABI},
		{"host calls", Forever(I32(0), I32(0), I32(0), I32(0), Call(soiledNow), Drop()), long, sandbox.FaultLimit},
		{"effects", Seq(Forever(message)), long, sandbox.FaultLimit},
		{"log", Forever(I32(1), I32(0), I32(8192), Call(soiledLog)), long, sandbox.FaultLimit},
		{"exit", Seq(I32(3), Call(soiledExit)), patient(), sandbox.FaultTrap},
		{"deep down", Seq(I32(-1), Call(soiledDive), Unreachable()), short, sandbox.FaultFuel},
	} {
		for _, large := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, large %t", tt.name, large), func(t *testing.T) {
				t.Parallel()
				m := compile(t, e, "p", soiled(large, tt.attack))
				i := instance(t, m, tt.limits)
				before := wasm.StateOf(i)
				var first error
				var fuel int64
				for range 4 {
					w := newWorld()
					w.limits = tt.limits
					_, usage, err := i.Invoke(context.WithoutCancel(t.Context()), callWith(""), w.session())
					require.Equal(t, tt.kind, sandbox.KindOf(err), "%v", err)
					require.NotContains(t, err.Error(), "returned 77")
					require.True(t, i.Reusable())
					require.Equal(t, before, wasm.StateOf(i))
					if first != nil && tt.kind != sandbox.FaultDeadline {
						assert.EqualError(t, err, first.Error())
						assert.Equal(t, fuel, usage.Fuel)
					}
					first, fuel = err, usage.Fuel
				}
				fresh := wasm.StateOf(instance(t, m, tt.limits))
				assert.Equal(t, []any{before.Memory, before.Size, before.Globals}, []any{fresh.Memory, fresh.Size, fresh.Globals})
			})
		}
	}
}

// TestMemoryOfItsOwnChoice grows a memory to what its module allows, and no further: that
// is not the host's refusal, and what follows no memory fault.
func TestMemoryOfItsOwnChoice(t *testing.T) {
	m := New()
	m.Memory(1, 4)
	gives := func(pages, want int32) Code { return Seq(Grow(pages), I32(want), Op(0x47), If(I32(77), Return())) }
	m.Invoke(nil, gives(4, -1), gives(3, 1), gives(1, -1), Op(0x3f, 0), I32(4), Op(0x47), If(I32(77), Return()), Unreachable())
	i := instance(t, compile(t, newEngine(t), "p", m.Bytes()), patient())
	for range 3 {
		_, usage, err := i.Invoke(t.Context(), callWith(""), newWorld().session())
		require.Equal(t, sandbox.FaultTrap, sandbox.KindOf(err), "%v", err)
		assert.EqualValues(t, 4*65536, usage.PeakMemory)
		require.True(t, i.Reusable())
	}
}
