package fuel_test

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// The tests assemble their modules here: a few functions that return bytes,
// glued together with seq.

// Short names for value types in assembled modules.
const (
	i32 = fuel.I32
	i64 = fuel.I64
	f32 = fuel.F32
	f64 = fuel.F64
	v12 = fuel.V128
	fnr = fuel.FuncRef
	ext = fuel.ExternRef
)

type vt = fuel.ValueType

func types(list ...vt) []vt { return list }

func seq(parts ...[]byte) []byte { return slices.Concat(parts...) }

func repeat(n int, part []byte) []byte { return bytes.Repeat(part, n) }

func leb(v uint32) []byte {
	var b []byte
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func sleb(v int64) []byte {
	var b []byte
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func op(code byte, args ...uint32) []byte {
	b := []byte{code}
	for _, a := range args {
		b = append(b, leb(a)...)
	}
	return b
}

func misc(sub uint32, args ...uint32) []byte { return seq([]byte{0xfc}, leb(sub), op(0, args...)[1:]) }

func simd(sub uint32, args ...uint32) []byte { return seq([]byte{0xfd}, leb(sub), op(0, args...)[1:]) }

func get(i uint32) []byte    { return op(0x20, i) }
func set(i uint32) []byte    { return op(0x21, i) }
func tee(i uint32) []byte    { return op(0x22, i) }
func gget(i uint32) []byte   { return op(0x23, i) }
func gset(i uint32) []byte   { return op(0x24, i) }
func br(i uint32) []byte     { return op(0x0c, i) }
func brIf(i uint32) []byte   { return op(0x0d, i) }
func call(i uint32) []byte   { return op(0x10, i) }
func i32c(v int32) []byte    { return seq([]byte{0x41}, sleb(int64(v))) }
func i64c(v int64) []byte    { return seq([]byte{0x42}, sleb(v)) }
func add() []byte            { return op(0x6a) }
func drop() []byte           { return op(0x1a) }
func ret() []byte            { return op(0x0f) }
func load(off uint32) []byte { return op(0x28, 2, off) }

// brTable branches to labels[i], or to the last.
func brTable(labels ...uint32) []byte {
	b := seq([]byte{0x0e}, leb(uint32(len(labels)-1)))
	for _, l := range labels {
		b = append(b, leb(l)...)
	}
	return b
}

const void = 0x40

func block(t byte, body ...[]byte) []byte {
	return seq([]byte{0x02, t}, seq(body...), []byte{0x0b})
}

func loop(t byte, body ...[]byte) []byte {
	return seq([]byte{0x03, t}, seq(body...), []byte{0x0b})
}

func when(t byte, then []byte, otherwise ...[]byte) []byte {
	if len(otherwise) == 0 {
		return seq([]byte{0x04, t}, then, []byte{0x0b})
	}
	return seq([]byte{0x04, t}, then, []byte{0x05}, seq(otherwise...), []byte{0x0b})
}

// program is a module under construction.
type program struct {
	types    [][2][]vt
	imports  [][]byte
	funcs    []defined
	tables   [][]byte
	memory   []byte
	globals  [][]byte
	exports  [][]byte
	start    []byte
	elems    [][]byte
	datas    [][]byte
	count    bool // write a data count section
	customs  [][]byte
	imported int
}

type defined struct {
	typ  uint32
	body []byte
}

// typ returns the index of a function type, adding it when it is new.
func (p *program) typ(params, results []vt) uint32 {
	for i, t := range p.types {
		if slices.Equal(t[0], params) && slices.Equal(t[1], results) {
			return uint32(i)
		}
	}
	p.types = append(p.types, [2][]vt{params, results})
	return uint32(len(p.types) - 1)
}

// importFunc must come before the first fn.
func (p *program) importFunc(module, name string, params, results []vt) uint32 {
	p.imports = append(p.imports, seq(text(module), text(name), []byte{0}, leb(p.typ(params, results))))
	p.imported++
	return uint32(p.imported - 1)
}

// fn adds a function and exports it under name, unless name is "".
func (p *program) fn(name string, params, results, locals []vt, body ...[]byte) uint32 {
	b := leb(uint32(len(locals)))
	for _, t := range locals {
		b = append(b, 1, byte(t))
	}
	return p.raw(name, params, results, seq(b, seq(body...), []byte{0x0b}))
}

// raw adds a function whose body is given with its locals.
func (p *program) raw(name string, params, results []vt, body []byte) uint32 {
	p.funcs = append(p.funcs, defined{p.typ(params, results), body})
	i := uint32(p.imported + len(p.funcs) - 1)
	if name != "" {
		p.export(name, 0, i)
	}
	return i
}

func (p *program) export(name string, kind byte, index uint32) {
	p.exports = append(p.exports, seq(text(name), []byte{kind}, leb(index)))
}

func (p *program) global(t vt, mutable bool, init []byte) {
	m := byte(0)
	if mutable {
		m = 1
	}
	p.globals = append(p.globals, seq([]byte{byte(t), m}, init, []byte{0x0b}))
}

func (p *program) table(t vt, low, high uint32) {
	p.tables = append(p.tables, seq([]byte{byte(t), 1}, leb(low), leb(high)))
}

func (p *program) mem(low, high uint32) { p.memory = seq([]byte{1, 1}, leb(low), leb(high)) }

// elem fills table 0 from offset with functions.
func (p *program) elem(offset int32, funcs ...uint32) {
	b := seq([]byte{0}, i32c(offset), []byte{0x0b}, leb(uint32(len(funcs))))
	for _, f := range funcs {
		b = append(b, leb(f)...)
	}
	p.elems = append(p.elems, b)
}

func (p *program) data(offset int32, data []byte) {
	p.datas = append(p.datas, seq([]byte{0}, i32c(offset), []byte{0x0b}, leb(uint32(len(data))), data))
}

func (p *program) passive(data []byte) {
	p.count = true
	p.datas = append(p.datas, seq([]byte{1}, leb(uint32(len(data))), data))
}

func (p *program) custom(name string, data []byte) {
	p.customs = append(p.customs, sectionBytes(0, seq(text(name), data)))
}

func text(s string) []byte { return seq(leb(uint32(len(s))), []byte(s)) }

func vec(items [][]byte) []byte { return seq(leb(uint32(len(items))), seq(items...)) }

func sectionBytes(id byte, body []byte) []byte { return seq([]byte{id}, leb(uint32(len(body))), body) }

var header = []byte("\x00asm\x01\x00\x00\x00")

// bytes writes the module.
func (p *program) bytes() []byte {
	out := slices.Clone(header)
	section := func(id byte, items [][]byte) {
		if len(items) > 0 {
			out = append(out, sectionBytes(id, vec(items))...)
		}
	}
	var typs, decls, bodies [][]byte
	for _, t := range p.types {
		b := []byte{0x60}
		for _, list := range t {
			b = append(b, leb(uint32(len(list)))...)
			for _, v := range list {
				b = append(b, byte(v))
			}
		}
		typs = append(typs, b)
	}
	for _, f := range p.funcs {
		decls = append(decls, leb(f.typ))
		bodies = append(bodies, seq(leb(uint32(len(f.body))), f.body))
	}
	section(1, typs)
	section(2, p.imports)
	section(3, decls)
	section(4, p.tables)
	if p.memory != nil {
		out = append(out, sectionBytes(5, p.memory)...)
	}
	section(6, p.globals)
	section(7, p.exports)
	if p.start != nil {
		out = append(out, sectionBytes(8, p.start)...)
	}
	section(9, p.elems)
	if p.count {
		out = append(out, sectionBytes(12, leb(uint32(len(p.datas))))...)
	}
	section(10, bodies)
	section(11, p.datas)
	return append(out, seq(p.customs...)...)
}

// fib is fib(n), the naive way.
func fib() []byte {
	p := new(program)
	p.fn("fib", types(i32), types(i32), nil,
		get(0), i32c(2), op(0x48), when(byte(i32), get(0),
			get(0), i32c(1), op(0x6b), call(0),
			get(0), i32c(2), op(0x6b), call(0), add()))
	return p.bytes()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprint("test module: ", err))
	}
	return v
}
