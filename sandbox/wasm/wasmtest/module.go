package wasmtest

import (
	"encoding/binary"
	"slices"

	v1 "github.com/rhost/rhost/abi/v1"
)

// Func is the index of a function in a Module.
type Func uint32

// Module is a module under construction. Imports come before functions.
type Module struct {
	types    [][]byte
	imports  [][]byte
	decls    [][]byte
	bodies   [][]byte
	tables   [][]byte
	memory   []byte
	globals  [][]byte
	exports  [][]byte
	start    []byte
	elems    [][]byte
	data     [][]byte
	names    [][]byte
	imported uint32
	defined  uint32
	marked   bool
}

// Bare begins a module without anything.
func Bare() *Module { return &Module{} }

// New begins a guest of ABI v1 with one page of memory, which may grow. The
// marker is added by Bytes.
func New() *Module {
	m := &Module{marked: true}
	m.Memory(1, 65536)
	m.Export(v1.ExportMemory, 2, 0)
	return m
}

// Memory gives the module a memory of low pages, which may grow to high.
func (m *Module) Memory(low, high uint32) {
	m.memory = Seq(Code{1, 1}, leb(low), leb(high))
}

// Import imports a function.
func (m *Module) Import(module, name string, params, results []byte) Func {
	m.imports = append(m.imports, Seq(text(module), text(name), Code{0}, m.funcType(params, results)))
	m.imported++
	return Func(m.imported - 1)
}

// Service imports a service of ABI v1.
func (m *Module) Service(name string) Func {
	return m.Import(v1.Module, name, i32s(4), []byte{TypeI64})
}

// Core imports a core function of ABI v1.
func (m *Module) Core(name string) Func {
	switch name {
	case v1.FuncInput, v1.FuncTake:
		return m.Import(v1.Module, name, i32s(2), []byte{TypeI32})
	case v1.FuncOutput:
		return m.Import(v1.Module, name, i32s(2), nil)
	case v1.FuncItem:
		return m.Import(v1.Module, name, i32s(1), nil)
	}
	return m.Import(v1.Module, name, i32s(3), nil)
}

// Func adds a function and exports it, unless export is "".
func (m *Module) Func(export string, params, results, locals []byte, body ...Code) Func {
	code := leb(uint32(len(locals)))
	for _, t := range locals {
		code = append(code, 1, t)
	}
	code = append(append(code, Seq(body...)...), 0x0b)
	m.decls = append(m.decls, m.funcType(params, results))
	m.bodies = append(m.bodies, Seq(leb(uint32(len(code))), code))
	m.defined++
	f := Func(m.imported + m.defined - 1)
	if export != "" {
		m.Export(export, 0, uint32(f))
	}
	return f
}

// Invoke adds rhost_invoke. Local 0 is its argument; the i32 that the body
// leaves is its result.
func (m *Module) Invoke(locals []byte, body ...Code) Func {
	return m.Func(v1.ExportInvoke, []byte{TypeI32}, []byte{TypeI32}, locals, body...)
}

// Name names a function in the name section. Call it in the order of indices.
func (m *Module) Name(f Func, name string) {
	m.names = append(m.names, Seq(leb(uint32(f)), text(name)))
}

// Export exports something: kind 0 is a function, 1 a table, 2 the memory, 3 a
// global.
func (m *Module) Export(name string, kind byte, index uint32) {
	m.exports = append(m.exports, Seq(text(name), Code{kind}, leb(index)))
}

// Global adds a mutable i32.
func (m *Module) Global(v int32) uint32 {
	m.globals = append(m.globals, Seq(Code{TypeI32, 1}, I32(v), Code{0x0b}))
	return uint32(len(m.globals) - 1)
}

// Table adds a table of functions.
func (m *Module) Table(low, high uint32) {
	m.tables = append(m.tables, Seq(Code{0x70, 1}, leb(low), leb(high)))
}

// Elem fills table 0 from offset.
func (m *Module) Elem(offset int32, funcs ...Func) {
	b := Seq(Code{0}, I32(offset), Code{0x0b}, leb(uint32(len(funcs))))
	for _, f := range funcs {
		b = append(b, leb(uint32(f))...)
	}
	m.elems = append(m.elems, b)
}

// Data puts text into memory.
func (m *Module) Data(at int32, content string) {
	m.data = append(m.data, Seq(Code{0}, I32(at), Code{0x0b}, text(content)))
}

// Start makes f the start function.
func (m *Module) Start(f Func) { m.start = leb(uint32(f)) }

// Bytes writes the module.
func (m *Module) Bytes() []byte {
	if m.marked {
		m.marked = false
		m.Func(v1.ExportMarker, nil, nil, nil)
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, items [][]byte) {
		if len(items) > 0 {
			out = append(out, sized(id, vector(items))...)
		}
	}
	section(1, m.types)
	section(2, m.imports)
	section(3, m.decls)
	section(4, m.tables)
	if m.memory != nil {
		out = append(out, sized(5, m.memory)...)
	}
	section(6, m.globals)
	section(7, m.exports)
	if m.start != nil {
		out = append(out, sized(8, m.start)...)
	}
	section(9, m.elems)
	section(10, m.bodies)
	section(11, m.data)
	if len(m.names) > 0 {
		out = append(out, sized(0, Seq(text("name"), sized(1, vector(m.names))))...)
	}
	return out
}

// funcType returns the index of a type, adding it when it is new.
func (m *Module) funcType(params, results []byte) []byte {
	t := Seq(Code{0x60}, leb(uint32(len(params))), params, leb(uint32(len(results))), results)
	i := slices.IndexFunc(m.types, func(have []byte) bool { return slices.Equal(have, t) })
	if i < 0 {
		i = len(m.types)
		m.types = append(m.types, t)
	}
	return leb(uint32(i))
}

func leb(v uint32) []byte { return binary.AppendUvarint(nil, uint64(v)) }

func text(s string) []byte { return Seq(leb(uint32(len(s))), []byte(s)) }

func vector(items [][]byte) []byte {
	return slices.Concat(leb(uint32(len(items))), slices.Concat(items...))
}

func sized(id byte, body []byte) []byte { return Seq(Code{id}, leb(uint32(len(body))), body) }

func i32s(n int) []byte { return slices.Repeat([]byte{TypeI32}, n) }
