package fuel_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// raw is a module of one function with that body, locals included.
func raw(body ...[]byte) []byte {
	p := new(program)
	p.raw("f", nil, nil, seq(body...))
	return p.bytes()
}

// locals is n locals of type i32 with one function's nothing.
func locals(n int) []vt { return bytesOf(n, i32) }

func bytesOf(n int, t vt) []vt {
	list := make([]vt, n)
	for i := range list {
		list[i] = t
	}
	return list
}

func TestScanNamesWhatIsNotWasm(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"nothing", nil, "the file is empty"},
		{"short header", header[:6], "ends inside the header"},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), "component-model binary"},
		{"version 2", []byte("\x00asm\x02\x00\x00\x00"), "version 2"},
		{"text format", []byte("\n  (module)"), "text format of WebAssembly"},
		{"text format with comment", []byte(";; hi\n(module)"), "text format of WebAssembly"},
		{"gzip", []byte("\x1f\x8b\x08rest"), "gzip"},
		{"zstd", []byte("\x28\xb5\x2f\xfdrest"), "zstd"},
		{"zip", []byte("PK\x03\x04rest"), "zip archive"},
		{"ELF", []byte("\x7fELF\x02"), "ELF program"},
		{"Mach-O", []byte("\xcf\xfa\xed\xfe"), "macOS program"},
		{"PE", []byte("MZ\x90\x00"), "Windows program"},
		{"LLVM", []byte("BC\xc0\xde"), "LLVM bitcode"},
		{"archive", []byte("!<arch>\nfoo"), "archive of object files"},
		{"script", []byte("#!/bin/sh\n"), "script"},
		{"JSON", []byte(`{"name": 1}`), "JSON"},
		{"prose", []byte("hello, world"), "but text"},
		{"noise", []byte{0xff, 0xfe, 0x00, 0x12}, "does not begin with"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := fuel.Scan(c.bytes, fuel.Bounds{})
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestScanRefuses holds every way found to make a compiler spend memory or time
// without bound, and what the pass cannot make safe.
func TestScanRefuses(t *testing.T) {
	u32 := func(v uint32) []byte { return leb(v) }
	section := func(id byte, body ...[]byte) []byte { return seq(header, sectionBytes(id, seq(body...))) }
	end := []byte{0x0b}
	none := []byte{0} // no locals
	for _, c := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		// Declared sizes that are not there.
		{"4e9 bodies", section(10, u32(4_000_000_000)), "4000000000 function bodies are declared"},
		{"4e9 types", section(1, u32(4_000_000_000)), "types are declared"},
		{"4e9 imports", section(2, u32(4_000_000_000)), "imports are declared"},
		{"4e9 functions", section(3, u32(4_000_000_000)), "functions are declared"},
		{"4e9 exports", section(7, u32(4_000_000_000)), "exports are declared"},
		{"4e9 segments", section(11, u32(4_000_000_000)), "data segments are declared"},
		{"4e9 elements", section(9, u32(1), []byte{1, 0}, u32(4_000_000_000)), "elements are declared"},
		{"name longer than file", section(2, u32(1), u32(1<<30), []byte("env")), "name bytes are declared"},
		{"4e9 labels", raw(none, i32c(0), []byte{0x0e}, u32(4_000_000_000), end), "labels are declared"},
		{"section longer than file", seq(header, []byte{1}, u32(1<<31)), "declares 2147483648 bytes"},
		{"4e9 parameters", section(1, u32(1), []byte{0x60}, u32(4_000_000_000)), "parameters are declared"},

		// Sizes over the bounds.
		{"50M locals", raw(u32(1), u32(50_000_000), []byte{byte(i32)}, end), "50000000 locals; at most 5000"},
		{"locals that overflow", raw(u32(2), u32(1<<32-1), []byte{byte(i32)}, u32(1<<32-1), []byte{byte(i32)}, end), "locals; at most"},
		{"1,001 parameters", section(1, u32(1), []byte{0x60}, u32(1001), bytes.Repeat([]byte{byte(i32)}, 1001), none), "1001 parameters; at most 1000"},
		{"1,001 results", section(1, u32(1), []byte{0x60, 0}, u32(1001), bytes.Repeat([]byte{byte(i32)}, 1001)), "1001 results; at most 1000"},
		{"big body", raw(none, repeat(600<<10, op(1)), end), "bytes of code; at most 524288"},
		{"deep blocks", raw(none, repeat(10_001, []byte{2, void}), repeat(10_002, end)), "nested more than 10000 deep"},
		{"many blocks", raw(none, repeat(20_001, block(void)), end), "more than 20000 blocks"},
		{"big br_table", raw(none, i32c(0), brTable(make([]uint32, 25_002)...), end), "25001 labels; at most 25000"},
		{"many big br_tables", raw(none, repeat(2, block(void, i32c(0), brTable(make([]uint32, 13_001)...))), end), "more than 25000 labels"},
		{"big module", append(seq(header, sectionBytes(0, text("x"))), make([]byte, 33<<20)...), "module of"},

		// Small modules that take the compiler minutes or gigabytes.
		{"4,000 locals × 1,000 loops", nestedLoops(4000, 1000), "at most 4000000 are admitted in one function"},
		{"1,000 locals × 500 loops", nestedLoops(1000, 500), "locals that differ where control flow meets"},
		{"1,000 locals that 450 nested loops only read", readInLoops(1000, 450, true), "² × loops and the loops around them"},
		{"2,000 locals across 900 loops", readInLoops(2000, 900, false), "² × loops and the loops around them"},
		{"nested ifs", nestedIfs(9000), "the blocks that each depends on"},
		{"known addresses × blocks", knownAddresses(6000, 6000), "the memory accesses before each"},
		{"operands × blocks", operandsAcross(4000, 4000), "(locals + parameters + operands) × (blocks + charges)"},
		{"results pushed without end", manyResults(2000), "the code pushes more than 1000000 values"},
		{"operands without end", raw(none, repeat(10_001, i32c(0)), end), "more than 10000 operands"},
		{"globals × calls", globalsAcrossCalls(1000, 10_000), "(calls + charges) × mutable globals"},
		{"imports × calls", importsAcrossCalls(1000, 100_000), "calls × imports"},
		{"many costly functions", manyCostly(), "are admitted in a module"},

		// Structure.
		{"unknown section", section(14), "section 14 is unknown"},
		{"tag section", section(13, u32(0)), "exception handling is not admitted"},
		{"section twice", seq(header, sectionBytes(1, u32(0)), sectionBytes(1, u32(0))), "wrong place or twice"},
		{"sections out of order", seq(header, sectionBytes(3, u32(0)), sectionBytes(1, u32(0))), "wrong place or twice"},
		{"bytes after a section", section(1, u32(0), []byte{1}), "1 bytes are left over at the end of the type section"},
		{"bytes after a body", raw(none, end, []byte{1}), "1 bytes are left over after the function's end"},
		{"half a section header", seq(header, []byte{1}), "the bytes end"},
		{"no end", raw(none, op(1)), "the bytes end"},
		{"bodies without functions", section(10, u32(1), u32(2), none, end), "0 functions are declared"},
		{"functions without bodies", seq(header, sectionBytes(1, []byte{1, 0x60, 0, 0}), sectionBytes(3, []byte{1, 0})), "1 functions are declared, 0 bodies"},
		{"overlong number", section(1, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0}), "longer than 32 bits"},
		{"bad UTF-8", section(0, []byte{1, 0xff}), "not valid UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			_, err := fuel.Scan(c.bytes, fuel.Bounds{})
			require.ErrorContains(t, err, c.want)
			assert.Less(t, time.Since(start), 5*time.Second)
		})
	}
}

// nestedLoops sets n locals in the innermost of depth loops and branches to
// each of them, so that every loop has a value of its own for every local.
func nestedLoops(n, depth int) []byte {
	var body []byte
	for i := range n {
		body = append(body, seq(get(uint32(i)), i32c(1), add(), set(uint32(i)))...)
	}
	for i := range depth {
		body = append(body, seq(get(uint32(i%n)), brIf(uint32(i)))...)
	}
	body = seq(repeat(depth, []byte{3, void}), body, repeat(depth, []byte{0x0b}))
	p := new(program)
	p.fn("f", nil, nil, locals(n), body)
	return p.bytes()
}

// readInLoops reads n locals before and in loops that are nested or follow each
// other. The compiler takes them all for values that every loop may change: 15
// KB of nested loops took it more than ten minutes.
func readInLoops(n, loops int, nested bool) []byte {
	var use []byte
	for i := range n {
		use = append(use, seq(get(uint32(i)), gset(0))...)
	}
	p := new(program)
	p.global(i32, true, i32c(0))
	again := seq(gget(0), brIf(0))
	if nested {
		p.fn("f", nil, nil, locals(n), repeat(loops, []byte{3, void}), use, repeat(loops, seq(again, []byte{0x0b})))
	} else {
		p.fn("f", nil, nil, locals(n), use, repeat(loops, loop(void, again)), use)
	}
	return p.bytes()
}

func nestedIfs(n int) []byte {
	p := new(program)
	p.fn("f", types(i32), nil, nil, repeat(n, seq(get(0), []byte{4, void})), repeat(n, []byte{0x0b}))
	return p.bytes()
}

func knownAddresses(accesses, blocks int) []byte {
	p := new(program)
	p.mem(1, 1)
	p.fn("f", types(i32), nil, nil, get(0), repeat(accesses, load(0)), drop(), repeat(blocks, block(void, get(0), brIf(0))))
	return p.bytes()
}

func operandsAcross(operands, blocks int) []byte {
	p := new(program)
	p.fn("f", types(i32), nil, nil, repeat(operands, get(0)), repeat(blocks, block(void, get(0), brIf(0))), repeat(operands, drop()))
	return p.bytes()
}

func manyResults(calls int) []byte {
	p := new(program)
	g := p.importFunc("env", "g", nil, locals(1000))
	p.fn("f", nil, nil, nil, repeat(calls, block(void, call(g), br(0))))
	return p.bytes()
}

func globalsAcrossCalls(globals, calls int) []byte {
	p := new(program)
	for range globals {
		p.global(i32, true, i32c(0))
	}
	g := p.fn("", nil, nil, nil)
	p.fn("f", nil, nil, nil, repeat(calls, call(g)))
	return p.bytes()
}

func importsAcrossCalls(imports, calls int) []byte {
	p := new(program)
	for i := range imports {
		p.importFunc("env", fmt.Sprint(i), nil, nil)
	}
	p.fn("f", nil, nil, nil, repeat(calls, call(uint32(imports-1))))
	return p.bytes()
}

// manyCostly has functions that are each within bounds.
func manyCostly() []byte {
	p := new(program)
	for range 60 {
		p.fn("", types(i32), nil, nil, repeat(4500, seq(get(0), []byte{4, void})), repeat(4500, []byte{0x0b}))
	}
	return p.bytes()
}

func TestScanNamesProposals(t *testing.T) {
	none, end := []byte{0}, []byte{0x0b}
	one := func(build func(p *program)) []byte {
		p := new(program)
		build(p)
		return p.bytes()
	}
	typeOf := func(b ...byte) []byte { return seq(header, sectionBytes(1, seq([]byte{1, 0x60, 1}, b, []byte{0}))) }
	for _, c := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"try", raw(none, []byte{6, void}, end, end), "(exception handling)"},
		{"throw", raw(none, op(8, 0), end), "(exception handling)"},
		{"try_table", raw(none, []byte{0x1f, void, 0}, end, end), "(exception handling)"},
		{"exnref", typeOf(0x69), "(exception handling)"},
		{"tag import", seq(header, sectionBytes(2, seq([]byte{1}, text("a"), text("b"), []byte{4, 0, 0}))), "(exception handling)"},
		{"atomics", raw(none, []byte{0xfe, 3, 0}, end), "(threads)"},
		{"shared memory", one(func(p *program) { p.memory = []byte{1, 3, 1, 1} }), "(threads)"},
		{"memory64", one(func(p *program) { p.memory = []byte{1, 4, 1} }), "(memory64)"},
		{"table64", one(func(p *program) { p.tables = [][]byte{{0x70, 4, 1}} }), "(memory64)"},
		{"page size", one(func(p *program) { p.memory = []byte{1, 8, 1, 0} }), "page size of its own"},
		{"two memories", one(func(p *program) { p.memory = []byte{2, 0, 1, 0, 1} }), "2 memories; at most 1"},
		{"second memory imported", one(func(p *program) {
			p.imports = [][]byte{seq(text("a"), text("b"), []byte{2, 0, 1})}
			p.mem(1, 1)
		}), "more than one memory"},
		{"memory index", one(func(p *program) {
			p.mem(1, 1)
			p.fn("f", nil, nil, nil, i32c(0), []byte{0x28, 0x42, 1, 0}, drop())
		}), "more than one memory"},
		{"memory.copy between memories", one(func(p *program) {
			p.mem(1, 1)
			p.fn("f", nil, nil, nil, i32c(0), i32c(0), i32c(0), misc(10, 1, 0))
		}), "more than one memory"},
		{"struct type", seq(header, sectionBytes(1, []byte{1, 0x5f, 0, 0, 0})), "garbage collection"},
		{"struct.new", raw(none, []byte{0xfb, 0, 0}, end), "(garbage collection)"},
		{"anyref", typeOf(0x6e), "(garbage collection)"},
		{"typed reference", typeOf(0x64, 0x70), "(typed function references)"},
		{"call_ref", raw(none, op(0x14, 0), end), "(typed function references)"},
		{"table with initializer", one(func(p *program) { p.tables = [][]byte{{0x40, 0, 0x70, 0, 1, 0xd0, 0x70, 0x0b}} }), "(typed function references)"},
		{"relaxed SIMD", raw(none, simd(0x100), end), "(relaxed SIMD)"},
		{"gap in SIMD", raw(none, simd(154), end), "0xfd 154 is not admitted"},
		{"unknown misc", raw(none, misc(18), end), "0xfc 18 is not admitted"},
		{"unknown", raw(none, op(0xff), end), "opcode 0xff is unknown"},
		{"ref.func", one(func(p *program) { p.fn("take", nil, nil, nil, op(0xd2, 0), drop()) }), "function 0 (take), offset 0x"},
		{"ref.func says why", one(func(p *program) { p.fn("take", nil, nil, nil, op(0xd2, 0), drop()) }), "leaks memory of the host; take the function from a table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := fuel.Scan(c.bytes, fuel.Bounds{})
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestScanChecksIndices: every index is checked against what the guest itself
// has, else it could name what the pass adds behind it.
func TestScanChecksIndices(t *testing.T) {
	guest := func(body ...[]byte) func(p *program) {
		return func(p *program) {
			p.global(i32, true, i32c(0))
			p.fn("f", nil, nil, nil, body...)
		}
	}
	for _, c := range []struct {
		name  string
		build func(p *program)
		want  string
	}{
		{"call", guest(call(1)), "call: function 1 does not exist"},
		{"return_call", guest(op(0x12, 1)), "function 1 does not exist"},
		{"global.get fuel", guest(gget(1), drop()), "global 1 does not exist"},
		{"global.set fuel", guest(i64c(1<<60), gset(1)), "global 1 does not exist"},
		{"global.set depth", guest(i32c(1<<30), gset(2)), "global 2 does not exist"},
		{"block type", guest([]byte{2, 1, 0x0b}), "type 1 does not exist"},
		{"negative block type", guest([]byte{2, 0xff, 0x7f, 0x0b}), "type -1 does not exist"},
		{"label", guest(br(1)), "label 1 does not exist"},
		{"br_table label", guest(i32c(0), brTable(0, 1)), "label 1 does not exist"},
		{"local", guest(get(0), drop()), "local 0 does not exist"},
		{"call_indirect type", func(p *program) {
			p.table(fnr, 1, 1)
			p.fn("f", nil, nil, nil, i32c(0), op(0x11, 1, 0))
		}, "type 1 does not exist"},
		{"call_indirect table", guest(i32c(0), op(0x11, 0, 0)), "table 0 does not exist"},
		{"table.get", guest(i32c(0), op(0x25, 0), drop()), "table 0 does not exist"},
		{"data.drop", func(p *program) { p.count = true; p.fn("f", nil, nil, nil, misc(9, 0)) }, "data segment 0 does not exist"},
		{"elem.drop", guest(misc(13, 0)), "element segment 0 does not exist"},
		{"export function", func(p *program) { p.fn("f", nil, nil, nil); p.export("g", 0, 1) }, "function 1 does not exist"},
		{"export global", func(p *program) { p.export("g", 3, 0) }, "global 0 does not exist"},
		{"export memory", func(p *program) { p.export("m", 2, 0) }, "memory 0 does not exist"},
		{"export table", func(p *program) { p.export("t", 1, 0) }, "table 0 does not exist"},
		{"start", func(p *program) { p.fn("", nil, nil, nil); p.start = leb(1) }, "function 1 does not exist"},
		{"element", func(p *program) { p.table(fnr, 1, 1); p.elem(0, 0) }, "function 0 does not exist"},
		{"element table", func(p *program) { p.fn("", nil, nil, nil); p.elem(0, 0) }, "table 0 does not exist"},
		{"global init", func(p *program) { p.global(i32, false, gget(0)) }, "global 0 does not exist"},
		{"global init function", func(p *program) { p.global(fnr, false, op(0xd2, 0)) }, "function 0 does not exist"},
		{"import type", func(p *program) { p.imports = [][]byte{seq(text("a"), text("b"), []byte{0, 0})} }, "type 0 does not exist"},

		{"reserved import", func(p *program) { p.importFunc(fuel.ImportModule, fuel.RefuelName, nil, nil) }, "is the host's own"},
		{"reserved fuel export", func(p *program) { p.fn(fuel.FuelGlobal, nil, nil, nil) }, "is the host's own"},
		{"reserved depth export", func(p *program) { p.fn(fuel.DepthGlobal, nil, nil, nil) }, "is the host's own"},
		{"reserved start export", func(p *program) { p.fn(fuel.StartName, nil, nil, nil) }, "is the host's own"},
		{"reserved global export", func(p *program) { p.fn(fuel.GlobalPrefix+"7", nil, nil, nil) }, "is the host's own"},
		{"export twice", func(p *program) { p.fn("f", nil, nil, nil); p.fn("f", nil, nil, nil) }, `export "f" is there twice`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := new(program)
			c.build(p)
			_, err := fuel.Scan(p.bytes(), fuel.Bounds{})
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestScanDescribes(t *testing.T) {
	p := new(program)
	p.importFunc("env", "log", types(i32, i64), types(f64))
	p.imports = append(p.imports, seq(text("env"), text("base"), []byte{3, byte(i32), 0}))
	p.mem(2, 9)
	p.table(fnr, 3, 4)
	p.global(i32, true, i32c(5))
	p.global(f32, false, seq([]byte{0x43}, make([]byte, 4)))
	p.global(i64, true, i64c(5))
	run := p.fn("run", types(i32), types(i32), nil, i32c(1), op(0x40, 0), drop(), get(0), op(0xc0))
	start := p.fn("", nil, nil, nil)
	p.start = leb(start)
	p.export("memory", 2, 0)
	p.elem(0, run)
	p.data(8, []byte("hello"))
	p.custom("rhost.manifest", []byte(`{"name":"x"}`))
	p.custom(".debug_info", []byte("dwarf"))
	wasm := p.bytes()

	info, err := fuel.Scan(wasm, fuel.Bounds{})
	require.NoError(t, err)
	assert.Equal(t, len(wasm), info.Size)
	assert.Equal(t, []fuel.Import{
		{Module: "env", Name: "log", Kind: fuel.KindFunc, Func: fuel.FuncType{Params: types(i32, i64), Results: types(f64)}},
		{Module: "env", Name: "base", Kind: fuel.KindGlobal, Global: fuel.GlobalType{Type: i32}},
	}, info.Imports)
	assert.Equal(t, &fuel.Memory{Min: 2, Max: 9}, info.Memory)
	assert.Equal(t, []fuel.Table{{Type: fnr, Min: 3, Max: 4}}, info.Tables)
	assert.Equal(t, []fuel.Global{{Index: 1, Type: i32}, {Index: 3, Type: i64}}, info.Mutable)
	assert.True(t, info.Start)
	manifest, ok := info.Custom("rhost.manifest")
	assert.True(t, ok)
	assert.JSONEq(t, `{"name":"x"}`, string(manifest))
	e, ok := info.Export("run")
	require.True(t, ok)
	assert.Equal(t, "(i32) → (i32)", e.Func.String())
	assert.Equal(t, uint32(1), e.Index)
	assert.True(t, info.Uses.Has(fuel.UsesMemoryGrow|fuel.UsesSignExtension))
	assert.Equal(t, "sign-extension, memory-grow", info.Uses.String())
	assert.Equal(t, fuel.Counts{
		Types: 3, Imports: 2, Funcs: 2, Tables: 1, Globals: 3, Exports: 2, Elements: 1, Data: 1, Instrs: 7,
	}, info.Counts)
}

func TestErrorNamesThePlace(t *testing.T) {
	p := new(program)
	p.importFunc("env", "log", nil, nil)
	p.fn("", nil, nil, nil, op(0xd1))
	names := seq(text("name"), []byte{1}, leb(uint32(len(seq(leb(1), leb(1), text("main.run"))))), leb(1), leb(1), text("main.run"))
	wasm := seq(p.bytes(), sectionBytes(0, names))
	_, err := fuel.Scan(wasm, fuel.Bounds{})
	var e *fuel.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 1, e.Func)
	assert.Equal(t, "main.run", e.Name)
	assert.Equal(t, byte(0xd1), wasm[e.Offset])
	assert.Equal(t, fmt.Sprintf("function 1 (main.run), offset 0x%x", e.Offset), e.Where())
	assert.Equal(t, e.Where()+": ref.is_null: an operand is missing", e.Error())
	assert.Empty(t, (&fuel.Error{Func: -1, Offset: -1, What: "x"}).Where())
}

func TestScanChecksTypes(t *testing.T) {
	p := new(program)
	p.mem(1, 1)
	f := func(params, results []vt, body ...[]byte) []byte {
		q := *p
		q.fn("f", params, results, nil, body...)
		return q.bytes()
	}
	for _, c := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"operand missing", f(nil, types(i32), op(0x6a)), "i32.add: an operand is missing"},
		{"wrong operand", f(nil, types(i32), i64c(1), i32c(1), op(0x6a)), "i32.add: an operand is i64 instead of i32"},
		{"result missing", f(nil, types(i32)), "end: an operand is missing"},
		{"left over", f(nil, nil, i32c(1)), "1 operands are left over"},
		{"if without else", f(nil, types(i32), i32c(1), when(byte(i32), i32c(1))), "if without else"},
		{"else without if", f(nil, nil, []byte{5}), "no if is open"},
		{"alignment", f(nil, nil, i32c(0), op(0x28, 3, 0), drop()), "alignment 2^3"},
		{"lane", f(nil, types(i32), i32c(0), simd(15), simd(21), []byte{16}), "lane 16 does not exist"},
		{"immutable global", func() []byte {
			q := *p
			q.global(i32, false, i32c(0))
			q.fn("f", nil, nil, nil, i32c(1), gset(0))
			return q.bytes()
		}(), "global 0 is not mutable"},
		{"select", f(nil, nil, i32c(1), i64c(1), i32c(1), op(0x1b), drop()), "the operands are i32 and i64"},
		{"no data count", f(nil, nil, misc(9, 0)), "no data count section"},
		{"start with parameters", func() []byte {
			q := *p
			q.start = leb(q.fn("f", types(i32), nil, nil))
			return q.bytes()
		}(), "takes and returns nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := fuel.Scan(c.bytes, fuel.Bounds{})
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestBoundsCanBeLowered(t *testing.T) {
	_, err := fuel.Scan(fib(), fuel.Bounds{Module: 20})
	require.ErrorContains(t, err, "at most 20 are admitted")
	_, err = fuel.Scan(fib(), fuel.Bounds{Body: 8})
	require.ErrorContains(t, err, "at most 8 are admitted")
}
