package fuel_test

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"pgregory.net/rapid"
)

// inventor writes random valid modules that compute with all number types,
// memory, globals, tables and calls, and that often trap.
type inventor struct {
	*rand.Rand
	funcs  []vt // result types of the functions so far; each takes two i32
	locals []vt
	labels int  // blocks around the code at hand; none of them carries a value
	bits   bool // may look at the bits of numbers
	result vt
	typ    uint32 // type of functions in the table
}

var inventedTypes = types(i32, i64, f32, f64)

type operatorGroup struct {
	first, last byte
	operands    []vt
}

// onBits are the operators that show the bits of numbers, or make numbers of any bits.
var onBits = map[vt][]operatorGroup{
	i32: {{0xbc, 0xbc, types(f32)}},
	i64: {{0xbd, 0xbd, types(f64)}},
	f32: {{0xbe, 0xbe, types(i32)}, {0x98, 0x98, types(f32, f32)}, {0x91, 0x91, types(f32)}, {0x95, 0x95, types(f32, f32)}},
	f64: {{0xbf, 0xbf, types(i64)}, {0xa6, 0xa6, types(f64, f64)}, {0x9f, 0x9f, types(f64)}, {0xa3, 0xa3, types(f64, f64)}},
}

// operators lists, by the type of the result, opcodes and their operands. What
// shows the bits of a NaN is left out: they differ between engines.
var operators = map[vt][]operatorGroup{
	i32: {
		{0x45, 0x45, types(i32)},
		{0x46, 0x4f, types(i32, i32)},
		{0x50, 0x50, types(i64)},
		{0x51, 0x5a, types(i64, i64)},
		{0x5b, 0x60, types(f32, f32)},
		{0x61, 0x66, types(f64, f64)},
		{0x67, 0x69, types(i32)},
		{0x6a, 0x78, types(i32, i32)},
		{0xa7, 0xa7, types(i64)},
		{0xa8, 0xa9, types(f32)},
		{0xaa, 0xab, types(f64)},
		{0xc0, 0xc1, types(i32)},
	},
	i64: {
		{0x79, 0x7b, types(i64)},
		{0x7c, 0x8a, types(i64, i64)},
		{0xac, 0xad, types(i32)},
		{0xae, 0xaf, types(f32)},
		{0xb0, 0xb1, types(f64)},
		{0xc2, 0xc4, types(i64)},
	},
	f32: {
		{0x8b, 0x91, types(f32)},
		{0x92, 0x97, types(f32, f32)},
		{0xb2, 0xb3, types(i32)},
		{0xb4, 0xb5, types(i64)},
		{0xb6, 0xb6, types(f64)},
	},
	f64: {
		{0x99, 0x9f, types(f64)},
		{0xa0, 0xa5, types(f64, f64)},
		{0xb7, 0xb8, types(i32)},
		{0xb9, 0xba, types(i64)},
		{0xbb, 0xbb, types(f32)},
	},
}

func (v *inventor) chance(n int) bool { return v.IntN(n) == 0 }

func (v *inventor) number(t vt) []byte {
	n := int64(v.IntN(12)) - 4
	switch t {
	case i32:
		return i32c(int32(n))
	case i64:
		return i64c(n)
	case f32:
		return seq([]byte{0x43}, bits(uint64(math.Float32bits(float32(n)/2)), 4))
	default:
		return seq([]byte{0x44}, bits(math.Float64bits(float64(n)/2), 8))
	}
}

func bits(v uint64, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
	return b
}

// value writes code that leaves one value of type t.
func (v *inventor) value(t vt, size int) []byte {
	if size <= 0 {
		return v.leaf(t)
	}
	switch v.IntN(8) {
	case 0:
		return v.leaf(t)
	case 1:
		return seq(v.value(i32, size-2), when(byte(t), v.value(t, size-1), v.value(t, size-1)))
	case 2:
		return seq(v.value(t, size-2), v.value(t, size-2), v.value(i32, size-2), op(0x1b))
	case 3:
		if c := v.call(t, size); c != nil {
			return c
		}
	case 4:
		return v.load(t, size)
	}
	groups := operators[t]
	if v.bits && v.chance(2) {
		groups = onBits[t]
	}
	group := groups[v.IntN(len(groups))]
	var b []byte
	for _, o := range group.operands {
		b = append(b, v.value(o, size-1-v.IntN(2))...)
	}
	return append(b, group.first+byte(v.IntN(int(group.last-group.first)+1)))
}

func (v *inventor) leaf(t vt) []byte {
	if v.bits && v.chance(2) {
		switch t { // 0 / 0
		case f32:
			return seq([]byte{0x43}, bits(0, 4), []byte{0x43}, bits(0, 4), op(0x95))
		case f64:
			return seq([]byte{0x44}, bits(0, 8), []byte{0x44}, bits(0, 8), op(0xa3))
		default: // no other type has a NaN of its own
		}
	}
	if v.chance(3) {
		return gget(uint32(typeIndex(t)))
	}
	for range 3 {
		if i := v.IntN(len(v.locals)); v.locals[i] == t {
			return get(uint32(i))
		}
	}
	return v.number(t)
}

func typeIndex(t vt) int {
	for i, u := range inventedTypes {
		if t == u {
			return i
		}
	}
	return -1
}

// address is mostly inside the memory.
func (v *inventor) address(size int) []byte {
	a := seq(v.value(i32, size-2), i32c(0x3ff8), op(0x71))
	if v.chance(20) {
		a = seq(v.value(i32, size-2), i32c(65530), add())
	}
	return a
}

func (v *inventor) load(t vt, size int) []byte {
	code := map[vt]byte{i32: 0x28, i64: 0x29, f32: 0x2a, f64: 0x2b}[t]
	if (t == f32 || t == f64) && !v.bits {
		return v.leaf(t) // a NaN could be read that an integer wrote
	}
	return seq(v.address(size), op(code, 0, uint32(v.IntN(16))))
}

func (v *inventor) call(t vt, size int) []byte {
	args := seq(v.value(i32, size-2), v.value(i32, size-2))
	if t == i32 && len(v.funcs) == 3 && v.chance(4) { // of all others it could be recursion
		return seq(args, v.value(i32, 0), op(0x11, v.typ, 0))
	}
	for range 4 {
		if i := v.IntN(max(len(v.funcs), 1)); i < len(v.funcs) && v.funcs[i] == t {
			return seq(args, call(uint32(i)))
		}
	}
	return nil
}

// statements writes code that leaves nothing.
func (v *inventor) statements(size int) (b []byte) {
	for range 1 + v.IntN(3) {
		b = append(b, v.statement(size-1)...)
	}
	return b
}

func (v *inventor) inner(size int) []byte {
	v.labels++
	defer func() { v.labels-- }()
	return v.statements(size)
}

func (v *inventor) statement(size int) []byte {
	label := func() uint32 { return uint32(v.IntN(v.labels)) }
	if size <= 0 {
		i := v.IntN(len(v.locals))
		return seq(v.value(v.locals[i], 1), set(uint32(i)))
	}
	switch v.IntN(14) {
	case 0:
		return block(void, v.inner(size))
	case 1, 2:
		// Every round counts down a global, so that all programs end.
		guard := seq(gget(4), i32c(1), op(0x6b), gset(4), gget(4), i32c(0), op(0x48), when(void, op(0x00)))
		again := seq(v.value(i32, 1), brIf(0))
		return loop(void, guard, v.inner(size), again)
	case 3, 4:
		if v.chance(2) {
			return seq(v.value(i32, 2), when(void, v.inner(size)))
		}
		return seq(v.value(i32, 2), when(void, v.inner(size), v.inner(size)))
	case 5:
		if v.labels > 0 {
			return seq(v.value(i32, 2), brIf(label()))
		}
	case 6:
		if v.labels > 0 {
			list := make([]uint32, 1+v.IntN(4))
			for i := range list {
				list[i] = label()
			}
			return block(void, seq(v.value(i32, 2), brTable(append(list, 0)...)))
		}
	case 7:
		return when0(v.value(i32, 2), seq(v.value(v.result, 2), ret()))
	case 8:
		return seq(v.address(2), v.value(i32, size), op(0x36, 0, uint32(v.IntN(16))))
	case 9:
		return seq(v.address(2), v.value(i64, size), op(0x37, 0, uint32(v.IntN(16))))
	case 10:
		t := v.IntN(len(inventedTypes))
		return seq(v.value(inventedTypes[t], size), gset(uint32(t)))
	case 11:
		return seq(v.address(1), v.value(i32, 1), i32c(int32(v.IntN(100))), misc(11, 0))
	case 12:
		return seq(v.address(1), v.address(1), i32c(int32(v.IntN(100))), misc(10, 0, 0))
	}
	i := v.IntN(len(v.locals))
	return seq(v.value(v.locals[i], size), set(uint32(i)))
}

func when0(condition, then []byte) []byte { return seq(condition, when(void, then)) }

const inventedRounds = 200

// invent writes a module whose export run takes two i32.
func invent(seed uint64) ([]byte, vt) {
	return (&inventor{Rand: rand.New(rand.NewPCG(seed, 1))}).module()
}

func (v *inventor) module() ([]byte, vt) {
	p := new(program)
	p.mem(1, 2)
	p.export("memory", 2, 0)
	p.table(fnr, 4, 4)
	v.typ = p.typ(types(i32, i32), types(i32))
	for _, t := range inventedTypes {
		p.global(t, true, v.number(t))
	}
	p.global(i32, true, i32c(inventedRounds))
	for i := range 4 {
		v.result = inventedTypes[v.IntN(len(inventedTypes))]
		extra := bytesOf(v.IntN(6), 0)
		for j := range extra {
			extra[j] = inventedTypes[v.IntN(len(inventedTypes))]
		}
		v.locals = append(types(i32, i32), extra...)
		name := ""
		if i == 3 {
			name = "run"
		}
		p.fn(name, types(i32, i32), types(v.result), extra, v.statements(6), v.value(v.result, 4))
		v.funcs = append(v.funcs, v.result)
	}
	p.elem(0, 0, 1, 2)
	return p.bytes(), v.result
}

// TestEnginesAgree: a random module does the same as it is and instrumented, in
// the compiler and in the interpreter: results, traps, memory and fuel.
func TestEnginesAgree(t *testing.T) {
	engines := []*machine{
		newMachine(t, wazero.NewRuntimeConfigInterpreter()),
		newMachine(t, wazero.NewRuntimeConfigCompiler()),
	}
	traps, runs := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		wasm, result := invent(rapid.Uint64().Draw(rt, "seed"))
		args := []uint64{uint64(rapid.Uint32Range(0, 9).Draw(rt, "x")), uint64(rapid.Uint32().Draw(rt, "y"))}
		slice := rapid.SampledFrom([]int64{0, 1, 10, 1000}).Draw(rt, "slice")
		var want outcome
		for i, m := range engines {
			plain, err := m.rt.InstantiateWithConfig(m.ctx, wasm, wazero.NewModuleConfig().WithName(""))
			require.NoError(rt, err)
			res, err := plain.ExportedFunction("run").Call(m.ctx, args...)
			got := outcomeOf(plain, result, res, err)
			require.NoError(rt, plain.Close(m.ctx))
			if i == 0 {
				want = got
			}
			require.Equal(rt, want, got, "as it is")
		}
		var fuels []int64
		for _, m := range engines {
			g := m.loadOnce(rt, wasm, everything, "")
			res, used, err := g.call("run", plenty, slice, args...)
			require.Equal(rt, want, outcomeOf(g.mod, result, res, err), "instrumented")
			fuels = append(fuels, used)
			require.NoError(rt, g.mod.Close(context.WithoutCancel(m.ctx)))
			if err == nil {
				require.NoError(rt, again(m, wasm, used, slice, args), "with the fuel that it takes")
				require.ErrorIs(rt, again(m, wasm, used-1, slice, args), errFuel, "with one less")
			}
		}
		require.Equal(rt, fuels[0], fuels[1], "fuel")
		runs++
		if want.err != "" {
			traps++
		}
	})
	t.Logf("%d of %d programs trapped", traps, runs)
}

// again runs a module afresh with a budget.
func again(m *machine, wasm []byte, budget, slice int64, args []uint64) error {
	g := m.loadOnce(panicking{}, wasm, everything, "")
	defer g.mod.Close(m.ctx) //nolint:errcheck // the runtime is closed as well
	_, _, err := g.call("run", budget, slice, args...)
	return err
}

// panicking is a require.TestingT for what cannot fail.
type panicking struct{}

func (panicking) Errorf(format string, _ ...any) { panic(format) }
func (panicking) FailNow()                       { panic("failed") }

// outcome is everything that can be seen of a call.
type outcome struct {
	result uint64
	err    string
	memory string
}

func outcomeOf(mod api.Module, t vt, res []uint64, err error) outcome {
	memory, _ := mod.ExportedMemory("memory").Read(0, mod.ExportedMemory("memory").Size())
	o := outcome{memory: string(memory)}
	if err != nil {
		o.err, _, _ = strings.Cut(err.Error(), "\n")
		return o
	}
	o.result = res[0]
	if t == f32 && math.IsNaN(float64(api.DecodeF32(o.result))) || t == f64 && math.IsNaN(api.DecodeF64(o.result)) {
		o.result = 0
	}
	return o
}
