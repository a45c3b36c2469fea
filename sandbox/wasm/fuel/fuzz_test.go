package fuel_test

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// samples are small modules that between them use everything.
func samples() map[string][]byte {
	p := new(program)
	p.importFunc("wasi_snapshot_preview1", "sched_yield", nil, types(i32))
	p.imports = append(p.imports, seq(text("env"), text("g"), []byte{3, byte(i32), 0}))
	p.global(i32, true, gget(0))
	p.mem(1, 2)
	p.table(ext, 2, 3)
	p.data(0, []byte("data"))
	p.fn("f", types(i32, v12), types(i32), types(ext, f32),
		get(0), get(0), get(0), misc(10, 0, 0),
		get(2), i32c(1), misc(15, 0), drop(),
		i32c(1), op(0x40, 0), drop(), get(1), simd(77), drop(), call(0))
	p.custom("name", seq([]byte{1}, leb(4), leb(1), leb(1), text("f")))
	return map[string][]byte{
		"fib": fib(), "loops": loops(), "control": control(), "mixed": p.bytes(),
		"endless": endless()["locals that join 10"], "names": seq(fib(), sectionBytes(0, text("name"))),
	}
}

func FuzzScan(f *testing.F) {
	for _, wasm := range samples() {
		f.Add(wasm)
	}
	f.Fuzz(func(t *testing.T, wasm []byte) {
		start := time.Now()
		info, err := fuel.Scan(wasm, fuel.Bounds{})
		if err != nil {
			var e *fuel.Error
			require.ErrorAs(t, err, &e)
			assert.NotEmpty(t, e.What)
			assert.Nil(t, info)
		}
		assert.Less(t, time.Since(start), 5*time.Second)
	})
}

// FuzzInstrument: what the pass makes of a valid module is valid.
func FuzzInstrument(f *testing.F) {
	for _, wasm := range samples() {
		f.Add(wasm)
	}
	f.Fuzz(func(t *testing.T, wasm []byte) {
		res, err := fuel.Instrument(wasm, everything)
		if err != nil {
			return
		}
		if err := compiles(t.Context(), wasm); err != nil {
			return // wazero knows limits that the language does not have
		}
		require.NoError(t, compiles(t.Context(), res.Wasm))
		_, err = fuel.Scan(res.Wasm, fuel.Bounds{})
		require.Error(t, err, "instrumented modules use the reserved names")
	})
}

// compiles asks wazero's interpreter whether a module is valid.
func compiles(ctx context.Context, wasm []byte) error {
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features))
	_, err := rt.CompileModule(ctx, wasm)
	if closeErr := rt.Close(ctx); err == nil {
		err = closeErr
	}
	return err
}

// TestMutants changes bytes of modules and runs whatever still is one: it ends,
// with a result, a trap, or for want of fuel or stack. RHOST_SOAK=1 tries
// 60,000.
func TestMutants(t *testing.T) {
	m := newMachine(t, wazero.NewRuntimeConfigCompiler())
	random := rand.New(rand.NewPCG(1, 2))
	ran, admitted := 0, 0
	each := 1500
	if os.Getenv("RHOST_SOAK") != "" {
		each = 10_000
	}
	for name, wasm := range samples() {
		for range each {
			mutant := append([]byte(nil), wasm...)
			for range 1 + random.IntN(3) {
				mutant[8+random.IntN(len(mutant)-8)] = byte(random.Uint32())
			}
			res, err := fuel.Instrument(mutant, everything)
			if err != nil {
				continue
			}
			admitted++
			code, err := m.rt.CompileModule(m.ctx, res.Wasm)
			if err != nil {
				require.Error(t, compiles(m.ctx, mutant), "%s: the pass broke %x", name, mutant)
				continue
			}
			mod, err := m.rt.InstantiateModule(m.ctx, code, wazero.NewModuleConfig().WithName("").WithStartFunctions())
			if err != nil {
				continue // an import that is not there, a segment out of bounds
			}
			ran += runAll(&guest{m, mod, res})
			require.NoError(t, code.Close(m.ctx))
		}
	}
	t.Logf("%d mutants admitted, %d functions run", admitted, ran)
	assert.Greater(t, ran, 100)
}

// runAll calls every export with a small budget and closes the module.
func runAll(g *guest) (ran int) {
	defer g.mod.Close(g.ctx) //nolint:errcheck // the runtime is closed as well
	for name, def := range g.mod.ExportedFunctionDefinitions() {
		args := make([]uint64, 0, 8)
		for _, t := range def.ParamTypes() {
			args = append(args, 7)
			if t == byte(fuel.V128) {
				args = append(args, 7)
			}
			if t == byte(fuel.FuncRef) || t == byte(fuel.ExternRef) {
				args[len(args)-1] = 0
			}
		}
		if _, used, err := g.call(name, 20_000, 500, args...); err == nil && used > 20_000 {
			panic("a call went over its budget")
		}
		ran++
	}
	return ran
}
