package fuel_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// endless returns modules whose export f recurses without end, in frames of
// all shapes. wazero gives each spilled value a place of its own, so that frames
// grow with the number of values, not only with how many are there at once.
func endless() map[string][]byte {
	out := make(map[string][]byte)
	iadd := op(0x7c)
	// add builds f from the body that body writes, which is given a function
	// that returns an i64, one that returns a v128, and f itself.
	add := func(name string, params, results, locals []vt, body func(long, vector, self uint32) []byte) {
		p := new(program)
		p.global(i64, true, i64c(0))
		p.global(v12, true, simd(12, make([]uint32, 16)...))
		long := p.fn("", nil, types(i64), nil, gget(0))
		vector := p.fn("", nil, types(v12), nil, gget(1))
		p.fn("f", params, results, locals, body(long, vector, vector+1))
		// A function that calls none is not guarded.
		p.fn("", nil, nil, bytesOf(900, i64), loop(void, get(0), i64c(1), iadd, set(899), get(899), tee(0), op(0x50), brIf(0)))
		out[name] = p.bytes()
	}
	add("nothing", nil, nil, nil, func(_, _, self uint32) []byte { return call(self) })
	add("one operand", nil, types(i32), nil, func(_, _, self uint32) []byte { return seq(call(self), i32c(1), op(0x6a)) })
	for _, n := range []int{10, 300, 5000} {
		add(fmt.Sprint("values across calls ", n), nil, nil, nil, func(long, _, self uint32) []byte {
			return seq(repeat(n, seq(call(long), call(long), iadd, gset(0))), call(self))
		})
		add(fmt.Sprint("vectors across calls ", n), nil, nil, nil, func(_, vector, self uint32) []byte {
			return seq(repeat(n, seq(call(vector), call(vector), simd(81), gset(1))), call(self))
		})
		add(fmt.Sprint("floats across calls ", n), nil, nil, nil, func(long, _, self uint32) []byte {
			return seq(repeat(n, seq(call(long), op(0xbf), call(long), op(0xbf), op(0xa0), op(0xbd), gset(0))), call(self))
		})
		add(fmt.Sprint("vectors of floats across calls ", n), nil, nil, nil, func(_, vector, self uint32) []byte {
			return seq(repeat(n, seq(call(vector), call(vector), simd(240), gset(1))), call(self))
		})
		add(fmt.Sprint("locals that join ", n), nil, nil, bytesOf(20, i64), func(long, _, self uint32) []byte {
			var sets, uses []byte
			for i := range uint32(20) {
				sets, uses = append(sets, seq(call(long), set(i))...), append(uses, seq(get(i), gset(0))...)
			}
			return seq(repeat(n/10, seq(call(long), op(0xa7), when(void, sets), uses)), call(self))
		})
	}
	for _, n := range []int{20, 200} {
		add(fmt.Sprint("loops of locals ", n), nil, nil, bytesOf(n, i64), func(_, _, self uint32) []byte {
			var inner []byte
			for i := range uint32(n) {
				inner = append(inner, seq(get(i), i64c(1), iadd, set(i))...)
			}
			inner = append(inner, call(self)...)
			for i := range uint32(n) {
				inner = append(inner, seq(get(i), op(0xa7), brIf(i))...)
			}
			return seq(repeat(n, []byte{3, void}), inner, repeat(n, []byte{0x0b}))
		})
	}
	add("a wide leaf below", nil, nil, nil, func(_, _, self uint32) []byte {
		return seq(call(self+1), call(self))
	})
	for _, n := range []int{10, 1000} {
		list := bytesOf(n, i64)
		var args []byte
		for i := range uint32(n) {
			args = append(args, get(i)...)
		}
		add(fmt.Sprint("parameters ", n), list, nil, nil, func(_, _, self uint32) []byte { return seq(args, call(self)) })
		add(fmt.Sprint("results ", n), list, list, nil, func(_, _, self uint32) []byte { return seq(args, call(self)) })
		add(fmt.Sprint("tail calls by stack ", n), list, nil, nil, func(_, _, self uint32) []byte { return seq(args, op(0x12, self)) })
	}
	return out
}

// TestWazerosOverflowIsNeverReached: the guard comes first, for every shape of
// frame, when the host grants as much as it may.
func TestWazerosOverflowIsNeverReached(t *testing.T) {
	m := newMachine(t, wazero.NewRuntimeConfigCompiler())
	for name, wasm := range endless() {
		t.Run(name, func(t *testing.T) {
			for _, c := range []fuel.Config{everything, canonical} {
				g := m.load(t, wasm, c)
				fn := g.mod.ExportedFunction("f")
				_, _, err := g.call("f", plenty, 0, make([]uint64, len(fn.Definition().ParamTypes()))...)
				require.ErrorIs(t, err, errStack)
			}
		})
	}
}

func TestMutualAndIndirectRecursionEnds(t *testing.T) {
	p := new(program)
	p.table(fnr, 1, 1)
	typ := p.typ(nil, nil)
	p.fn("a", nil, nil, nil, call(1))
	p.fn("b", nil, nil, nil, i32c(0), op(0x11, typ, 0))
	p.elem(0, 0)
	for name, m := range machines(t) {
		t.Run(name, func(t *testing.T) {
			g := m.load(t, p.bytes(), everything)
			g.global(fuel.FuelGlobal).Set(1 << 40)
			g.global(fuel.DepthGlobal).Set(1000) // the interpreter has its own limit at 2,000 frames
			_, err := g.mod.ExportedFunction("a").Call(m.ctx)
			require.ErrorIs(t, err, errStack)
		})
	}
}

// TestTailCallsDoNotNest: a chain of tail calls of any length takes the stack
// of one call.
func TestTailCallsDoNotNest(t *testing.T) {
	p := new(program)
	p.table(fnr, 1, 1)
	typ := p.typ(types(i32), types(i32))
	body := func(tail []byte) []byte {
		return seq(get(0), op(0x45), when(void, seq(i32c(5), ret())), get(0), i32c(1), op(0x6b), tail)
	}
	p.fn("direct", types(i32), types(i32), nil, body(op(0x12, 0)))
	p.fn("indirect", types(i32), types(i32), nil, body(seq(i32c(0), op(0x13, typ, 0))))
	p.elem(0, 1)
	g := newMachine(t, wazero.NewRuntimeConfigCompiler()).load(t, p.bytes(), everything)
	for _, name := range []string{"direct", "indirect"} {
		g.meter = meter{budget: plenty}
		g.global(fuel.DepthGlobal).Set(30)
		res, err := g.mod.ExportedFunction(name).Call(g.ctx, 100_000)
		require.NoError(t, err, name)
		assert.Equal(t, []uint64{5}, res)
		assert.Equal(t, uint64(30), g.global(fuel.DepthGlobal).Get(), name)
	}
}

// TestDepthIsWhatFits: a depth of n frames lets n frames in and no more.
func TestDepthIsWhatFits(t *testing.T) {
	p := new(program)
	p.fn("down", types(i32), types(i32), nil,
		get(0), op(0x45), when(byte(i32), i32c(0), get(0), i32c(1), op(0x6b), call(0), i32c(1), add()))
	g := newMachine(t, wazero.NewRuntimeConfigCompiler()).load(t, p.bytes(), everything)
	width := uint64(g.res.Stats.MaxWidth)
	run := func(depth, n uint64) error {
		g.meter = meter{budget: plenty}
		g.global(fuel.FuelGlobal).Set(0)
		g.global(fuel.DepthGlobal).Set(depth)
		_, err := g.mod.ExportedFunction("down").Call(g.ctx, n)
		return err
	}
	require.NoError(t, run(100*width, 99))
	require.ErrorIs(t, run(100*width-1, 99), errStack)
	require.ErrorIs(t, run(100*width, 100), errStack)
	require.NoError(t, run(100*width, 50), "the next call starts afresh")
}
