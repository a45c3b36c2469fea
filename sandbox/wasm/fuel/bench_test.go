package fuel_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// loops is what a C compiler makes of small hot functions: a sieve, a byte
// checksum with a branch in the loop, nested loops over a matrix.
func loops() []byte {
	p := new(program)
	p.mem(4, 4)
	load8 := func(off uint32) []byte { return op(0x2d, 0, off) }
	store8 := op(0x3a, 0, 0)
	mul, lt, lts := op(0x6c), op(0x49), op(0x48)
	step := func(local uint32, by ...[]byte) []byte { return seq(get(local), seq(by...), add(), set(local)) }
	// sieve(n): for i: if !mark[i] { count++; for j = i*i; j < n; j += i { mark[j] = 1 } }
	p.fn("sieve", types(i32), types(i32), types(i32, i32, i32),
		i32c(0), i32c(0), get(0), misc(11, 0),
		i32c(2), set(1),
		block(void, loop(void,
			get(1), get(0), lt, op(0x45), brIf(1),
			get(1), load8(0), op(0x45), when(void, seq(
				step(3, i32c(1)),
				get(1), get(1), mul, set(2),
				block(void, loop(void,
					get(2), get(0), lt, op(0x45), brIf(1),
					get(2), i32c(1), store8,
					step(2, get(1)), br(0))))),
			step(1, i32c(1)), br(0))),
		get(3))
	// sum(n): for i: b = mem[i & 0xffff]; s = s*31 + b; if s < 0 { s ^= i }
	p.fn("sum", types(i32), types(i32), types(i32, i32),
		loop(void,
			get(2), i32c(31), mul, get(1), i32c(0xffff), op(0x71), load8(0), add(), tee(2),
			i32c(0), lts, when(void, seq(get(2), get(1), op(0x73), set(2))),
			step(1, i32c(1)),
			get(1), get(0), lt, brIf(0)),
		get(2))
	// matrix(n): c[i][j] += a[i][k] * b[k][j], 32 × 32 floats, n times
	at := func(base int32, row, col uint32) []byte {
		return seq(get(row), i32c(5), op(0x74), get(col), add(), i32c(3), op(0x74), i32c(base), add())
	}
	p.fn("matrix", types(i32), types(i32), types(i32, i32, i32),
		loop(void,
			i32c(0), set(1), loop(void,
				i32c(0), set(2), loop(void,
					i32c(0), set(3), loop(void,
						at(0, 1, 2),
						at(0, 1, 2), op(0x2b, 3, 0),
						at(8192, 1, 3), op(0x2b, 3, 0), at(16384, 3, 2), op(0x2b, 3, 0), op(0xa2), op(0xa0),
						op(0x39, 3, 0),
						step(3, i32c(1)), get(3), i32c(32), lt, brIf(0)),
					step(2, i32c(1)), get(2), i32c(32), lt, brIf(0)),
				step(1, i32c(1)), get(1), i32c(32), lt, brIf(0)),
			get(0), i32c(1), op(0x6b), tee(0), brIf(0)),
		get(1))
	fibIndex := uint32(len(p.funcs))
	p.fn("fib", types(i32), types(i32), nil,
		get(0), i32c(2), lts, when(byte(i32), get(0),
			get(0), i32c(1), op(0x6b), call(fibIndex), get(0), i32c(2), op(0x6b), call(fibIndex), add()))
	return p.bytes()
}

// workload is one thing to measure: a call that takes about a millisecond.
type workload struct {
	name   string
	module func(testing.TB) []byte
	export string
	arg    uint64
}

var workloads = []workload{
	{"asm/sieve", assembled, "sieve", 30_000},
	{"asm/sum", assembled, "sum", 300_000},
	{"asm/matrix", assembled, "matrix", 10},
	{"asm/fib", assembled, "fib", 20},
	{"c/sieve", cGuest, "sieve", 100_000},
	{"c/matrix", cGuest, "matrix", 6},
	{"c/crc", cGuest, "crc", 100},
	{"c/hash", cGuest, "hash", 100_000},
	{"c/sort", cGuest, "sort", 10_000},
	{"c/fib", cGuest, "fib", 20},
	{"c/ackermann", cGuest, "ackermann", 250},
	{"c/tree", cGuest, "tree", 60},
	{"c/leaf", cGuest, "leaf", 100_000},
	{"c/interpreter", cGuest, "interpreter", 6000},
	{"c/sha", cGuest, "sha", 20},
	{"c/text", cGuest, "text", 40},
	{"rust/maps", rustGuest, "maps", 5000},
	{"rust/sorts", rustGuest, "sorts", 4000},
	{"rust/words", rustGuest, "words", 60},
	{"go/sha", goGuest, "sha", 20},
	{"go/json", goGuest, "js", 4},
	{"go/sort", goGuest, "sorted", 5_000},
	{"go/regexp", goGuest, "words", 10},
}

func assembled(testing.TB) []byte { return loops() }

// BenchmarkOverhead runs each workload in turn plain, instrumented, instrumented with
// NaNs replaced, and plain with wazero's own way of stopping a guest, and reports the shortest call of
// each: on a machine with other work, that is the least disturbed one.
func BenchmarkOverhead(b *testing.B) {
	ways := []*way{
		{name: "plain"},
		{name: "fuel", config: &everything},
		{name: "nan", config: &canonical},
		{name: "close", closes: true},
	}
	for _, way := range ways {
		way.machine = newMachine(b, wazero.NewRuntimeConfigCompiler().WithCloseOnContextDone(way.closes))
		way.guests = make(map[string]api.Module)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	for _, w := range workloads {
		b.Run(w.name, func(b *testing.B) {
			wasm := w.module(b)
			best := make([]time.Duration, len(ways))
			mods := make([]api.Module, len(ways))
			for i, way := range ways {
				mods[i] = way.guest(ctx, b, w.name, wasm)
				way.call(ctx, b, mods[i], w.export, w.arg)
				best[i] = way.call(ctx, b, mods[i], w.export, w.arg)
			}
			b.ResetTimer()
			for range b.N {
				for i, way := range ways {
					best[i] = min(best[i], way.call(ctx, b, mods[i], w.export, w.arg))
				}
			}
			plain := float64(best[0].Nanoseconds())
			b.ReportMetric(0, "ns/op") // of all together it says nothing
			b.ReportMetric(plain, "plain-ns")
			for i, way := range ways[1:] {
				b.ReportMetric(float64(best[i+1].Nanoseconds())/plain, way.name+"/plain")
			}
		})
	}
}

// way is one way of running guests.
type way struct {
	name   string
	config *fuel.Config // nil: as they are
	closes bool
	*machine
	guests map[string]api.Module // by the folder of the workload's name
}

// guest returns the instance of a module in which a workload runs.
func (w *way) guest(ctx context.Context, b *testing.B, workload string, wasm []byte) api.Module {
	b.Helper()
	name, _, _ := strings.Cut(workload, "/")
	if mod, ok := w.guests[name]; ok {
		return mod
	}
	var mod api.Module
	if w.config != nil {
		mod = w.loadOnce(b, wasm, *w.config, name).mod
	} else {
		var err error
		mod, err = w.rt.InstantiateWithConfig(ctx, wasm, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
		require.NoError(b, err)
	}
	w.guests[name] = mod
	if mod.ExportedFunction("_initialize") != nil {
		w.call(ctx, b, mod, "_initialize")
	}
	return mod
}

// call calls a function and returns how long that took.
func (w *way) call(ctx context.Context, b *testing.B, mod api.Module, export string, args ...uint64) time.Duration {
	b.Helper()
	fn := mod.ExportedFunction(export)
	if w.config != nil {
		g := guest{machine: w.machine, mod: mod}
		g.meter = meter{budget: plenty, slice: 100_000}
		g.global(fuel.FuelGlobal).Set(0)
		g.global(fuel.DepthGlobal).Set(plentyDeep)
	}
	began := time.Now()
	_, err := fn.Call(ctx, args...)
	took := time.Since(began)
	if err != nil {
		b.Fatal(err)
	}
	return took
}

func BenchmarkInstrument(b *testing.B) {
	wasm := goGuest(b)
	b.SetBytes(int64(len(wasm)))
	for range b.N {
		_, err := fuel.Instrument(wasm, everything)
		require.NoError(b, err)
	}
}

func BenchmarkScan(b *testing.B) {
	wasm := goGuest(b)
	b.SetBytes(int64(len(wasm)))
	for range b.N {
		_, err := fuel.Scan(wasm, fuel.Bounds{})
		require.NoError(b, err)
	}
}
