package wasm_test

import (
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

const kernel = "extism:host/env"

// kernelModule begins an Extism plugin that imports functions of the kernel.
func kernelModule() *Module {
	m := Bare()
	m.Memory(1, 16)
	m.Export("memory", 2, 0)
	return m
}

// kernelCall imports a function of the kernel.
func kernelCall(m *Module, name string) Func {
	one, two := []byte{TypeI64}, []byte{TypeI64, TypeI64}
	switch name {
	case "alloc", "length", "length_unsafe", "load_u64", "input_load_u64", "config_get", "var_get":
		return m.Import(kernel, name, one, one)
	case "load_u8", "input_load_u8":
		return m.Import(kernel, name, one, []byte{TypeI32})
	case "store_u8":
		return m.Import(kernel, name, []byte{TypeI64, TypeI32}, nil)
	case "store_u64", "input_set", "output_set", "var_set":
		return m.Import(kernel, name, two, nil)
	case "http_request":
		return m.Import(kernel, name, two, one)
	case "input_offset", "input_length", "output_offset", "output_length", "error_get", "memory_bytes", "http_headers":
		return m.Import(kernel, name, nil, one)
	case "http_status_code", "get_log_level":
		return m.Import(kernel, name, nil, []byte{TypeI32})
	case "reset":
		return m.Import(kernel, name, nil, nil)
	}
	return m.Import(kernel, name, one, nil) // free, error_set, log_*
}

// extismEcho copies its input to its output, eight bytes at a time.
func extismEcho() []byte {
	m := kernelModule()
	length, load8, load64 := kernelCall(m, "input_length"), kernelCall(m, "input_load_u8"), kernelCall(m, "input_load_u64")
	alloc, store8, store64, output := kernelCall(m, "alloc"), kernelCall(m, "store_u8"), kernelCall(m, "store_u64"), kernelCall(m, "output_set")
	const n, at, i = 0, 1, 2
	add64, sub64, less64, ge64, zero64 := Op(0x7c), Op(0x7d), Op(0x54), Op(0x5a), Op(0x50)
	step := func(by int64) Code { return Seq(Get(i), I64(by), add64, Set(i)) }
	m.Func(
		"run", nil, []byte{TypeI32}, []byte{TypeI64, TypeI64, TypeI64},
		Call(length), Tee(n), zero64, If(I32(0), Return()),
		Get(n), Call(alloc), Set(at),
		Block(Loop(
			Get(n), Get(i), sub64, I64(8), less64, BranchIf(1),
			Get(at), Get(i), add64, Get(i), Call(load64), Call(store64), step(8), Branch(0),
		)),
		Block(Loop(
			Get(i), Get(n), ge64, BranchIf(1),
			Get(at), Get(i), add64, Get(i), Call(load8), Call(store8), step(1), Branch(0),
		)),
		Get(at), Get(n), Call(output), I32(0),
	)
	return m.Bytes()
}

// kernelText makes a block that holds a text of at most eight bytes and leaves its
// handle, there and in local 0.
func kernelText(alloc, store Func, text string) Code {
	var v uint64
	for i := range len(text) {
		v |= uint64(text[i]) << (8 * i)
	}
	// A block of a few bytes has room for eight.
	return Seq(I64(int64(len(text))), Call(alloc), Tee(0), I64(int64(v)), Call(store), Get(0))
}

// extismCounter gives "x" when the variable n was not there, else "y", and sets it.
func extismCounter() []byte {
	m := kernelModule()
	alloc, store, output := kernelCall(m, "alloc"), kernelCall(m, "store_u64"), kernelCall(m, "output_set")
	get, set := kernelCall(m, "var_get"), kernelCall(m, "var_set")
	const had = 1 // local 0 is kernelText's
	say := func(text string) Code { return Seq(kernelText(alloc, store, text), I64(1), Call(output)) }
	zero64 := Op(0x50)
	m.Func(
		"run", nil, nil, []byte{TypeI64, TypeI64},
		kernelText(alloc, store, "n"), Call(get), Tee(had), zero64, If(say("x")),
		Get(had), zero64, Op(0x45), If(say("y")),
		kernelText(alloc, store, "n"), kernelText(alloc, store, "v"), Call(set),
	)
	return m.Bytes()
}
