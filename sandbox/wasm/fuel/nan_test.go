package fuel_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// canonical admits everything and replaces NaNs.
var canonical = fuel.Config{TailCalls: true, ExtendedConst: true, CanonicalNaN: true}

// processors make NaNs of other bits: that of this machine, and two that are made up,
// one of which sets the sign.
var processors = []uint64{0, 0x2aaa0015, 0x8000000080000001}

// TestCanonicalNaN: random modules that look at the bits of the NaNs they make do the
// same in the compiler and in the interpreter and on every processor, bit for bit, and
// use as much fuel. Without the replacement many do not.
func TestCanonicalNaN(t *testing.T) {
	engines := []*machine{
		newMachine(t, wazero.NewRuntimeConfigInterpreter()),
		newMachine(t, wazero.NewRuntimeConfigCompiler()),
	}
	type seen struct {
		outcome
		fuel int64
	}
	differ, runs := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		v := &inventor{Rand: rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 2)), bits: true}
		wasm, result := v.module()
		args := []uint64{uint64(rapid.Uint32Range(0, 9).Draw(rt, "x")), uint64(rapid.Uint32().Draw(rt, "y"))}
		slice := rapid.SampledFrom([]int64{0, 1, 10, 1000}).Draw(rt, "slice")
		run := func(m *machine, c fuel.Config) seen {
			g := m.loadOnce(rt, wasm, c, "")
			res, used, err := g.call("run", plenty, slice, args...)
			if err == nil && result == f32 {
				res[0] &= math.MaxUint32
			}
			out := seen{outcomeOf(g.mod, i32, res, err), used} // all bits of the result count
			require.NoError(rt, g.mod.Close(context.WithoutCancel(m.ctx)))
			return out
		}
		want := run(engines[0], canonical)
		for _, noise := range processors {
			for _, m := range engines {
				require.Equal(rt, want, run(m, canonical.OnProcessor(noise)))
			}
		}
		runs++
		if run(engines[1], everything.OnProcessor(processors[1])) != run(engines[1], everything.OnProcessor(processors[2])) {
			differ++
		}
	})
	t.Logf("%d of %d modules see what processor they run on", differ, runs)
	assert.Positive(t, differ, "the modules look at no NaN")
}

// TestCanonicalNaNOfEachInstruction: whatever makes a NaN makes the canonical one, of
// operands that are NaNs of any kind or become one; what only passes bits on leaves them.
func TestCanonicalNaNOfEachInstruction(t *testing.T) {
	const quiet32, quiet64 = 0x7fc00000, 0x7ff8000000000000
	odd32 := []uint64{0xffc00001, 0x7fa00000, 0xff800001, 0x7fc00000, 0xffc00000}
	odd64 := []uint64{0xfff8000000000001, 0x7ff4000000000000, 0xfff0000000000001, 0x7ff8000000000000, 0xfff8000000000000}
	for name, m := range machines(t) {
		for code := byte(0x8b); code <= 0xa6; code++ {
			typ, odd, want := f32, odd32, uint64(quiet32)
			unary := code <= 0x91
			if code >= 0x99 {
				typ, odd, want, unary = f64, odd64, quiet64, code <= 0x9f
			}
			passes := code == 0x8b || code == 0x8c || code == 0x98 || code == 0x99 || code == 0x9a || code == 0xa6
			params, args := types(typ, typ), seq(get(0), get(1))
			if unary {
				params, args = types(typ), get(0)
			}
			p := new(program)
			p.fn("f", params, types(typ), nil, args, op(code))
			plain := m.plain(t, p.bytes())
			g := m.load(t, p.bytes(), canonical)
			for i, a := range odd {
				in := []uint64{a, odd[(i+2)%len(odd)]}[:len(params)]
				res, _ := g.uses(t, "f", in...)
				if passes {
					was, err := plain.ExportedFunction("f").Call(m.ctx, in...)
					require.NoError(t, err)
					assert.Equal(t, was, res, "%s: %#x of %x", name, code, in)
					continue
				}
				assert.Equal(t, want, res[0], "%s: %#x of %x", name, code, in)
			}
		}
		for _, tt := range []struct {
			code     byte
			from, to vt
			in, want uint64
		}{{0xb6, f64, f32, 0xfff4000000000001, quiet32}, {0xbb, f32, f64, 0xffa00001, quiet64}} {
			p := new(program)
			p.fn("f", types(tt.from), types(tt.to), nil, get(0), op(tt.code))
			res, _ := m.load(t, p.bytes(), canonical).uses(t, "f", tt.in)
			if tt.to == f32 {
				res[0] &= math.MaxUint32
			}
			assert.Equal(t, tt.want, res[0], "%s: %#x", name, tt.code)
		}
	}
}

// TestCanonicalNaNOfVectors does that for lanes, of which the others stay as they are.
func TestCanonicalNaNOfVectors(t *testing.T) {
	lanes32 := []uint32{0x67, 0x68, 0x69, 0x6a, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9}
	lanes64 := []uint32{0x74, 0x75, 0x7a, 0x94, 0xef, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5}
	unary := map[uint32]bool{0x67: true, 0x68: true, 0x69: true, 0x6a: true, 0xe3: true, 0x74: true, 0x75: true, 0x7a: true, 0x94: true, 0xef: true}
	for name, m := range machines(t) {
		for _, wide := range []bool{false, true} {
			list := lanes32
			if wide {
				list = lanes64
			}
			for _, code := range list {
				// The first lane is a NaN with bits of its own, the others are 4.
				vector := seq(splat32(4), seq([]byte{0x43}, bits(0xffa00001, 4)), simd(0x20, 0))
				if wide {
					vector = seq(splat64(4), seq([]byte{0x44}, bits(0xfff4000000000001, 8)), simd(0x22, 0))
				}
				args := vector
				if !unary[code] {
					args = seq(vector, vector)
				}
				p := new(program)
				p.fn("f", nil, types(i64, i64), types(fuel.V128), args, simd(code), set(0),
					get(0), simd(0x1d, 0), get(0), simd(0x1d, 1))
				res, _ := m.load(t, p.bytes(), canonical).uses(t, "f")
				plain, err := m.plain(t, p.bytes()).ExportedFunction("f").Call(m.ctx)
				require.NoError(t, err)
				if wide {
					assert.Equal(t, uint64(0x7ff8000000000000), res[0], "%s: %#x", name, code)
				} else {
					assert.Equal(t, uint64(0x7fc00000), res[0]&math.MaxUint32, "%s: %#x", name, code)
					assert.Equal(t, plain[0]>>32, res[0]>>32, "%s: %#x", name, code)
				}
				assert.Equal(t, plain[1], res[1], "%s: %#x", name, code)
			}
		}
	}
}

func splat32(v float32) []byte {
	return seq([]byte{0x43}, bits(uint64(math.Float32bits(v)), 4), simd(0x13))
}

func splat64(v float64) []byte {
	return seq([]byte{0x44}, bits(math.Float64bits(v), 8), simd(0x14))
}

// TestCanonicalNaNCostsNoFuel: what does not look at NaNs does the same with it, for the
// same fuel; a stack that was enough is enough, for what was a little more than it needs.
func TestCanonicalNaNCostsNoFuel(t *testing.T) {
	m := newMachine(t, wazero.NewRuntimeConfigCompiler())
	rapid.Check(t, func(rt *rapid.T) {
		wasm, result := invent(rapid.Uint64().Draw(rt, "seed"))
		args := []uint64{uint64(rapid.Uint32Range(0, 9).Draw(rt, "x")), uint64(rapid.Uint32().Draw(rt, "y"))}
		var want outcome
		var fuels []int64
		for i, c := range []fuel.Config{everything, canonical} {
			g := m.loadOnce(rt, wasm, c, "")
			res, used, err := g.call("run", plenty, 0, args...)
			got := outcomeOf(g.mod, result, res, err)
			if i == 0 {
				want = got
			}
			require.Equal(rt, want, got)
			fuels = append(fuels, used)
			require.NoError(rt, g.mod.Close(context.WithoutCancel(m.ctx)))
		}
		require.Equal(rt, fuels[0], fuels[1])
	})
}
