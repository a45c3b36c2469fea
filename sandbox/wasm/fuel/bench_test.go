package fuel_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// buildGuest builds testdata/guest once.
var buildGuest = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "fuel-guest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "guest.wasm")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-trimpath", "-buildmode=c-shared", "-o", out, ".")
	cmd.Dir = filepath.Join("testdata", "guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the Go guest: %w\n%s", err, text)
	}
	return os.ReadFile(out)
})

func goGuest(t testing.TB) []byte {
	t.Helper()
	if testing.Short() {
		t.Skip("building a Go guest takes seconds")
	}
	wasm, err := buildGuest()
	require.NoError(t, err)
	return wasm
}

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

// workload is one thing to measure.
type workload struct {
	name   string
	module func(testing.TB) []byte
	export string
	arg    uint64
}

var workloads = []workload{
	{"loops/sieve", func(testing.TB) []byte { return loops() }, "sieve", 200_000},
	{"loops/sum", func(testing.TB) []byte { return loops() }, "sum", 1_000_000},
	{"loops/matrix", func(testing.TB) []byte { return loops() }, "matrix", 20},
	{"loops/fib", func(testing.TB) []byte { return loops() }, "fib", 25},
	{"go/sha", goGuest, "sha", 200},
	{"go/json", goGuest, "js", 20},
	{"go/sort", goGuest, "sorted", 20_000},
	{"go/regexp", goGuest, "words", 20},
}

// BenchmarkOverhead runs each workload plain, instrumented, and plain with
// wazero's own way of stopping a guest.
func BenchmarkOverhead(b *testing.B) {
	for _, w := range workloads {
		b.Run(w.name+"/plain", func(b *testing.B) { w.run(b, nil, false) })
		b.Run(w.name+"/fuel", func(b *testing.B) { w.run(b, &everything, false) })
		b.Run(w.name+"/close", func(b *testing.B) { w.run(b, nil, true) })
	}
}

func (w workload) run(b *testing.B, c *fuel.Config, closes bool) {
	wasm := w.module(b)
	m := newMachine(b, wazero.NewRuntimeConfigCompiler().WithCloseOnContextDone(closes))
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	var mod api.Module
	start := func() {}
	if c != nil {
		g := m.load(b, wasm, *c)
		mod = g.mod
		start = func() {
			g.meter = meter{budget: plenty, slice: 100_000}
			g.global(fuel.FuelGlobal).Set(0)
			g.global(fuel.DepthGlobal).Set(plentyDeep)
		}
	} else {
		mod = m.plain(b, wasm)
	}
	start()
	if init := mod.ExportedFunction("_initialize"); init != nil {
		_, err := init.Call(ctx)
		require.NoError(b, err)
	}
	fn := mod.ExportedFunction(w.export)
	b.ResetTimer()
	for range b.N {
		start()
		if _, err := fn.Call(ctx, w.arg); err != nil {
			b.Fatal(err)
		}
	}
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
