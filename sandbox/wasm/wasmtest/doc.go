// Package wasmtest assembles small WebAssembly guests by hand, for tests and
// benchmarks that must not depend on a compiler.
//
// A Module collects imports, functions, data and globals and writes the binary.
// New begins one that speaks ABI v1: it has a memory and the marker, and needs a
// function rhost_invoke. Code is instructions; functions such as I32, Call and
// Loop return pieces of it, and Seq joins them:
//
//	m := wasmtest.New()
//	output := m.Core("output")
//	m.Data(64, `"hello"`)
//	m.Invoke(nil, wasmtest.I32(64), wasmtest.I32(7), wasmtest.Call(output), wasmtest.I32(0))
//	bytes := m.Bytes()
//
// Nothing is checked: a wrong module is a module for a test of refusals.
package wasmtest
