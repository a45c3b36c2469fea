package fuel_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// TestSameResults runs modules as they are and instrumented, in both engines:
// the results are the same and the fuel does not depend on the engine.
func TestSameResults(t *testing.T) {
	type run struct {
		export string
		args   []uint64
	}
	for _, c := range []struct {
		name string
		wasm []byte
		runs []run
	}{
		{"fib", fib(), []run{{"fib", []uint64{0}}, {"fib", []uint64{15}}}},
		{"loops", loops(), []run{{"sieve", []uint64{1000}}, {"sum", []uint64{5000}}, {"matrix", []uint64{1}}, {"fib", []uint64{12}}}},
		{"control", control(), []run{
			{"returns", []uint64{0}},
			{"returns", []uint64{1}},
			{"returns", []uint64{2}},
			{"returns", []uint64{3}},
			{"table", []uint64{0}},
			{"table", []uint64{1}},
			{"table", []uint64{2}},
			{"table", []uint64{9}},
			{"indirect", []uint64{0}},
			{"indirect", []uint64{1}},
			{"pair", []uint64{7}},
			{"swap", []uint64{3, 4}},
			{"count", []uint64{100_000}},
			{"wide", nil},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			used := make(map[string]int64)
			for engine, m := range machines(t) {
				plain := m.plain(t, c.wasm)
				g := m.load(t, c.wasm, everything)
				for _, r := range c.runs {
					want, err := plain.ExportedFunction(r.export).Call(m.ctx, r.args...)
					require.NoError(t, err)
					got, fuel := g.uses(t, r.export, r.args...)
					assert.Equal(t, want, got, "%s(%v) in the %s", r.export, r.args, engine)
					key := fmt.Sprint(r)
					if other, ok := used[key]; ok {
						assert.Equal(t, other, fuel, "fuel of %s(%v)", r.export, r.args)
					}
					used[key] = fuel
					assert.Equal(t, uint64(plentyDeep), g.global("rhost.depth").Get(), "%s(%v) gives its stack back", r.export, r.args)
				}
			}
		})
	}
}

// control has every way to leave a function and every kind of call.
func control() []byte {
	p := new(program)
	p.table(fnr, 2, 2)
	ten := p.fn("", nil, types(i32), nil, i32c(10))
	twenty := p.fn("", nil, types(i32), nil, block(void, i32c(20), ret()), op(0x00))
	p.elem(0, ten, twenty)
	p.fn("returns", types(i32), types(i32), nil,
		block(byte(i32),
			get(0), op(0x45), when(void, seq(i32c(100), ret())),
			get(0), i32c(1), op(0x46), when(void, seq(i32c(101), br(2))), // to the function's end
			i32c(102), get(0), i32c(2), op(0x46), brIf(1),
			drop(), i32c(103)))
	p.fn("table", types(i32), types(i32), nil,
		block(void, block(void, block(void,
			get(0), brTable(0, 1, 2)),
			i32c(1), ret()),
			i32c(2), ret()),
		i32c(3))
	p.fn("indirect", types(i32), types(i32), nil, get(0), op(0x11, p.typ(nil, types(i32)), 0))
	p.fn("pair", types(i64), types(i64, i32, i64), nil, get(0), i32c(5), get(0), get(0), op(0x50), brIf(0))
	pair := p.typ(types(i32, i32), types(i32, i32))
	p.fn("swap", types(i32, i32), types(i32, i32), nil, get(1), get(0), seq([]byte{2}, leb(pair), []byte{0x0b}))
	self := uint32(len(p.funcs))
	p.fn("count", types(i32), types(i32), nil,
		get(0), op(0x45), when(void, seq(i32c(77), ret())), get(0), i32c(1), op(0x6b), op(0x12, self))
	p.fn("wide", nil, types(i32), types(v12), i32c(3), simd(17), tee(0), get(0), simd(174), simd(27), []byte{0})
	return p.bytes()
}

// TestGuests runs what compilers make of C, Rust and Go as it is and
// instrumented, in both engines; Go, which takes the compiler seconds, in the
// interpreter alone unless RHOST_SOAK is set.
func TestGuests(t *testing.T) {
	type run struct {
		export string
		arg    uint64
	}
	for _, c := range []struct {
		name  string
		guest func(testing.TB) []byte
		runs  []run
	}{
		{"C", cGuest, []run{
			{"sieve", 500},
			{"matrix", 1},
			{"crc", 1},
			{"hash", 300},
			{"sort", 300},
			{"fib", 9},
			{"ackermann", 3},
			{"tree", 1},
			{"leaf", 200},
			{"interpreter", 20},
			{"sha", 1},
			{"text", 1},
		}},
		{"Rust", rustGuest, []run{{"maps", 300}, {"sorts", 300}, {"words", 2}}},
		{"Go", goGuest, []run{{"sha", 2}, {"js", 2}, {"sorted", 500}, {"words", 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wasm := c.guest(t)
			used := make(map[string]int64)
			for engine, m := range machines(t) {
				if c.name == "Go" && engine == "compiler" && os.Getenv("RHOST_SOAK") == "" {
					continue
				}
				plain := m.plain(t, wasm)
				g := m.load(t, wasm, everything)
				if init := plain.ExportedFunction("_initialize"); init != nil {
					_, err := init.Call(m.ctx)
					require.NoError(t, err)
					g.uses(t, "_initialize")
				}
				for _, r := range c.runs {
					want, err := plain.ExportedFunction(r.export).Call(m.ctx, r.arg)
					require.NoError(t, err)
					got, fuel := g.uses(t, r.export, r.arg)
					assert.Equal(t, want, got, "%s in the %s", r.export, engine)
					if other, ok := used[r.export]; ok {
						assert.Equal(t, other, fuel, "fuel of %s", r.export)
					}
					used[r.export] = fuel
				}
			}
		})
	}
}

// TestBudget: what a call uses is enough, one less is not, whatever the slices.
func TestBudget(t *testing.T) {
	m := machines(t)["compiler"]
	g := m.load(t, loops(), everything)
	for _, r := range []struct {
		export string
		arg    uint64
	}{{"sieve", 300}, {"sum", 300}, {"fib", 8}} {
		want, used := g.uses(t, r.export, r.arg)
		for _, slice := range []int64{0, 1, 7, 100, 10_000} {
			got, again, err := g.call(r.export, used, slice, r.arg)
			require.NoError(t, err, "%s with %d in slices of %d", r.export, used, slice)
			assert.Equal(t, want, got)
			assert.Equal(t, used, again)
			_, spent, err := g.call(r.export, used-1, slice, r.arg)
			require.ErrorIs(t, err, errFuel, "%s with %d in slices of %d", r.export, used-1, slice)
			assert.Greater(t, spent, used-1)
		}
	}
}

// TestConsumedIsExactAfterATrap: a trap leaves the fuel as it was charged.
func TestConsumedIsExactAfterATrap(t *testing.T) {
	p := new(program)
	p.mem(1, 1)
	p.fn("run", types(i32), types(i32), nil, loop(void,
		get(0), op(0x45), when(void, seq(i32c(-1), load(0), ret())),
		get(0), i32c(1), op(0x6b), set(0), br(0)), op(0x00))
	for name, m := range machines(t) {
		t.Run(name, func(t *testing.T) {
			g := m.load(t, p.bytes(), everything)
			for _, slice := range []int64{0, 1, 100} {
				_, used, err := g.call("run", plenty, slice, 10)
				require.ErrorContains(t, err, "out of bounds memory access")
				// Entry 1; eleven times round: loop, get, eqz, if, and all but the
				// last get, const, sub, set, br; at the end const, load, return.
				assert.Equal(t, int64(1+11*4+10*5+2), used)
			}
		})
	}
}

func TestEndlessCallsEnd(t *testing.T) {
	p := new(program)
	p.fn("loop", nil, nil, nil, loop(void, br(0)))
	p.fn("empty", nil, nil, nil, loop(void, loop(void, i32c(1), brIf(1))))
	p.fn("recursion", nil, nil, nil, call(2))
	p.fn("tail", nil, nil, nil, op(0x12, 3))
	m := machines(t)["compiler"]
	g := m.load(t, p.bytes(), everything)
	for _, name := range []string{"loop", "empty", "tail"} {
		_, used, err := g.call(name, 1_000_000, 1000)
		require.ErrorIs(t, err, errFuel, name)
		assert.Greater(t, used, int64(1_000_000))
		_, _, err = g.call(name, 1000, 0)
		require.ErrorIs(t, err, errFuel, "the instance goes on")
	}
	_, _, err := g.call("recursion", plenty, 0)
	require.ErrorIs(t, err, errStack)
}

func TestStartIsCalledByTheHost(t *testing.T) {
	p := new(program)
	p.global(i32, true, i32c(1))
	p.start = leb(p.fn("", nil, nil, nil, i32c(42), gset(0)))
	p.fn("get", nil, types(i32), nil, gget(0))
	m := machines(t)["compiler"]
	g := m.load(t, p.bytes(), everything)
	assert.Equal(t, fuel.StartName, g.res.Start)
	res, _ := g.uses(t, "get")
	assert.Equal(t, []uint64{1}, res)
	g.uses(t, g.res.Start)
	res, _ = g.uses(t, "get")
	assert.Equal(t, []uint64{42}, res)

	assert.Empty(t, m.load(t, fib(), everything).res.Start)
}

func TestStartMayBeImported(t *testing.T) {
	p := new(program)
	f := p.importFunc("spot", "tick", nil, nil)
	p.start = leb(f)
	m := machines(t)["compiler"]
	ticks := 0
	_, err := m.rt.NewHostModuleBuilder("spot").NewFunctionBuilder().WithFunc(func() { ticks++ }).Export("tick").Instantiate(m.ctx)
	require.NoError(t, err)
	g := m.load(t, p.bytes(), everything)
	assert.Zero(t, ticks)
	g.uses(t, fuel.StartName)
	assert.Equal(t, 1, ticks)
}

func TestGlobalsAreExportedForReset(t *testing.T) {
	p := new(program)
	p.global(i32, true, i32c(1))
	p.global(i64, false, i64c(2))
	p.global(f64, true, seq([]byte{0x44}, make([]byte, 8)))
	p.global(ext, true, []byte{0xd0, 0x6f})
	p.fn("set", types(i32), nil, nil, get(0), gset(0))
	m := machines(t)["compiler"]
	g := m.load(t, p.bytes(), everything)
	assert.Equal(t, []fuel.Global{
		{Name: "rhost.global.0", Index: 0, Type: i32},
		{Name: "rhost.global.2", Index: 2, Type: f64},
		{Name: "rhost.global.3", Index: 3, Type: ext},
	}, g.res.Globals)
	g.uses(t, "set", 9)
	assert.Equal(t, uint64(9), g.global("rhost.global.0").Get())
	g.global("rhost.global.0").Set(1)
	assert.Equal(t, api.ValueTypeF64, g.mod.ExportedGlobal("rhost.global.2").Type())
}

// TestFunctionsMove: functions are found again behind the two new imports
// wherever they are named.
func TestFunctionsMove(t *testing.T) {
	p := new(program)
	p.importFunc("env", "one", nil, types(i32))
	p.table(fnr, 6, 6)
	two := p.fn("two", nil, types(i32), nil, i32c(2))
	three := p.fn("", nil, types(i32), nil, i32c(3))
	p.global(fnr, false, op(0xd2, three))
	p.elem(0, 0, two)
	// An active segment of expressions, with its table: (ref.func), (ref.null),
	// (global.get) is not constant here.
	p.elems = append(p.elems, seq([]byte{6, 0}, i32c(2), []byte{0x0b, 0x70, 3}, op(0xd2, three), []byte{0x0b}, []byte{0xd0, 0x70, 0x0b}, op(0xd2, 0), []byte{0x0b}))
	p.fn("at", types(i32), types(i32), nil, get(0), op(0x11, p.typ(nil, types(i32)), 0))
	p.fn("is", types(i32), types(i32), nil, get(0), op(0x25, 0), op(0xd1))
	p.fn("calls", nil, types(i32), nil, call(0), call(two), add(), call(three), add())
	m := machines(t)["compiler"]
	_, err := m.rt.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func() int32 { return 1 }).Export("one").Instantiate(m.ctx)
	require.NoError(t, err)
	g := m.load(t, p.bytes(), everything)
	for i, want := range []uint64{1, 2, 3, 0, 1} {
		null, _ := g.uses(t, "is", uint64(i))
		if want == 0 {
			assert.Equal(t, []uint64{1}, null)
			continue
		}
		got, _ := g.uses(t, "at", uint64(i))
		assert.Equal(t, []uint64{want}, got, "table[%d]", i)
	}
	got, _ := g.uses(t, "calls")
	assert.Equal(t, []uint64{6}, got)
	got, _ = g.uses(t, "two")
	assert.Equal(t, []uint64{2}, got)
}

func TestNamesMoveAndDebugSectionsGo(t *testing.T) {
	p := new(program)
	p.importFunc("env", "one", nil, nil)
	p.fn("run", nil, nil, nil, op(0x00))
	p.custom(".debug_info", []byte("dwarf"))
	p.custom("producers", []byte("x"))
	funcs := seq(leb(2), leb(0), text("one"), leb(1), text("main.run"))
	localNames := seq(leb(1), leb(1), leb(1), leb(0), text("x"))
	names := seq([]byte{0}, leb(3), text("me"), []byte{1}, leb(uint32(len(funcs))), funcs, []byte{2}, leb(uint32(len(localNames))), localNames)
	p.custom("name", names)
	res, err := fuel.Instrument(p.bytes(), everything)
	require.NoError(t, err)
	assert.Len(t, res.Info.Customs, 3, "the description keeps them")
	assert.NotContains(t, string(res.Wasm), "dwarf")
	assert.NotContains(t, string(res.Wasm), "producers")

	m := machines(t)["compiler"]
	_, err = m.rt.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func() {}).Export("one").Instantiate(m.ctx)
	require.NoError(t, err)
	g := m.load(t, p.bytes(), everything)
	_, _, err = g.call("run", plenty, 0)
	require.ErrorContains(t, err, "main.run()")
}

func TestBrokenNamesAreDropped(t *testing.T) {
	for name, data := range map[string][]byte{
		"too long":     {1, 50, 1},
		"out of order": seq([]byte{1}, leb(9), leb(2), leb(1), text("a"), leb(0), text("b"), []byte{0}),
		"no function":  seq([]byte{1}, leb(5), leb(1), leb(9), text("ab")),
	} {
		t.Run(name, func(t *testing.T) {
			p := new(program)
			p.fn("run", nil, nil, nil)
			p.custom("name", data)
			m := machines(t)["compiler"]
			m.load(t, p.bytes(), everything).uses(t, "run")
		})
	}
}

func TestClamps(t *testing.T) {
	p := new(program)
	p.mem(1, 65536)
	p.table(fnr, 1, 1<<31)
	p.export("memory", 2, 0)
	p.fn("grow", types(i32), types(i32), nil, get(0), op(0x40, 0))
	p.fn("more", types(i32), types(i32), nil, seq([]byte{0xd0, 0x70}), get(0), misc(15, 0))
	m := machines(t)["compiler"]
	c := everything
	c.MaxPages, c.MaxTable = 4, 100
	g := m.load(t, p.bytes(), c)
	grown := func(name string, n uint64) (int32, int64) {
		res, used := g.uses(t, name, n)
		return int32(res[0]), used
	}
	failed := int64(1 + 1 + 500)
	for _, step := range []struct {
		export string
		n      uint64
		want   int32
		fuel   int64
	}{
		{"grow", 4, -1, failed},
		{"grow", 3, 1, failed + 3*4096},
		{"grow", 1, -1, failed},
		{"grow", 1<<32 - 1, -1, failed},
		{"grow", 0, 4, failed},
		{"more", 100, -1, failed + 1},
		{"more", 98, 1, failed + 1 + 49},
		{"more", 2, -1, failed + 1},
		{"more", 1<<32 - 1, -1, failed + 1},
	} {
		got, used := grown(step.export, step.n)
		assert.Equal(t, step.want, got, "%s(%d)", step.export, step.n)
		assert.Equal(t, step.fuel, used, "fuel of %s(%d)", step.export, step.n)
	}

	_, err := fuel.Instrument(p.bytes(), fuel.Config{MaxPages: 1, MaxTable: 1})
	require.NoError(t, err)
	p.mem(5, 9)
	_, err = fuel.Instrument(p.bytes(), fuel.Config{MaxPages: 4})
	require.ErrorContains(t, err, "the memory begins with 5 pages; at most 4 are granted; raise limits.memory to 327680 bytes")
	p.mem(1, 9)
	p.tables = nil
	p.table(fnr, 2_000_000, 3_000_000)
	_, err = fuel.Instrument(p.bytes(), fuel.Config{})
	require.ErrorContains(t, err, "table 0 begins with 2000000 elements; at most 1000000 are granted")
}

func TestGrowthIsChargedBefore(t *testing.T) {
	p := new(program)
	p.mem(1, 100)
	p.export("memory", 2, 0)
	p.fn("grow", types(i32), types(i32), nil, get(0), op(0x40, 0))
	m := machines(t)["compiler"]
	g := m.load(t, p.bytes(), everything)
	_, _, err := g.call("grow", 10*4096, 0, 50)
	require.ErrorIs(t, err, errFuel)
	assert.Equal(t, uint32(65536), g.mod.ExportedMemory("memory").Size())
}

func TestOptionalFeatures(t *testing.T) {
	p := new(program)
	p.fn("f", nil, nil, nil, op(0x12, 0))
	_, err := fuel.Instrument(p.bytes(), fuel.Config{})
	require.ErrorContains(t, err, "tail calls are not admitted by this host")
	p = new(program)
	p.global(i32, false, seq(i32c(1), i32c(2), add()))
	_, err = fuel.Instrument(p.bytes(), fuel.Config{})
	require.ErrorContains(t, err, "extended constant expressions")
	_, err = fuel.Instrument(p.bytes(), everything)
	require.NoError(t, err)
}

func TestModuleWithoutCode(t *testing.T) {
	m := machines(t)["compiler"]
	g := m.load(t, header, everything)
	assert.NotNil(t, g.global(fuel.FuelGlobal))
	p := new(program)
	p.mem(1, 1)
	p.data(0, []byte("x"))
	m.load(t, p.bytes(), everything)
}

func TestInputIsNotChanged(t *testing.T) {
	wasm := control()
	before := string(wasm)
	res, err := fuel.Instrument(wasm, everything)
	require.NoError(t, err)
	assert.Equal(t, before, string(wasm))
	again, err := fuel.Instrument(wasm, everything)
	require.NoError(t, err)
	assert.Equal(t, res.Wasm, again.Wasm, "the pass is deterministic")
}
