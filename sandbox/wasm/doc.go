// Package wasm is the engine for WebAssembly guests. It runs them in wazero,
// whose types do not leave it.
//
// A module on its way to a call meets these parts, in this order:
//
//   - Engine.Compile has package fuel read the uploaded bytes, checks what the
//     module imports and exports against ABI v1 (admit.go), has package fuel
//     rewrite it so that it can be stopped, and compiles the result. No byte
//     that was not scanned reaches the compiler.
//   - Module.New makes an instance: its memory is reserved first, outside the Go
//     heap (memory.go); then the start-up code runs under a budget of its own,
//     and the state it leaves is kept as an image (image.go). Later instances begin
//     with the image, and share those of its pages that they do not write to
//     (frozen_linux.go).
//   - Instance.Invoke runs one call. Its run (run.go) is what host functions
//     find in their context: the meter, the session, the call's frame. The core
//     functions are in core.go, the services in services.go, WASI in wasi.go.
//   - After a call, well or badly ended, the memory and globals are put back to the
//     image, and with them the instance: no guest is admitted to that which could
//     change anything else. An instance that cannot be put back says so through
//     Reusable.
//
// # Guests of others
//
// Two kinds of modules that were written for other hosts run as they are, by the
// same parts: a foreignInstance (foreign_call.go) is an instance that is called
// another way. Extism plugins share a second memory with their host, which package
// extism keeps, and find its functions in kernel.go; WASI commands find their input
// and output in command.go. foreign.go says which module is which and how it is
// called, foreign_data.go how a call becomes their input and their output a step's.
// Everything else is called what it is and refused (strangers.go).
//
// The engine offers a list of ABIs (abi.go), one import module each; a guest speaks
// the one whose marker it exports. What its manifest says (manifest.go) decides on
// the encoding of its input (encoding.go), on imports that are linked to a stub
// (relink.go) and on whether it takes batches (batch.go).
//
// # Limits
//
// Fuel is counted in instructions by the rewritten code itself; the meter hands
// it out in slices and looks at the clock between two of them. A call that uses
// exactly its budget succeeds. Memory is what the guest's linear memory may grow
// to. Stack is counted in slots by the rewritten code.
//
// An engine with a Profile notes which function of a guest uses how much fuel, and
// by which calls it was reached, for pprof.
//
// # The same call uses the same fuel
//
// Nothing that a guest can observe changes between two runs of a call: its
// memory and globals are those that start-up left, its WASI clock moves only
// when it is read, its WASI random bytes depend on the call. What the services
// answer is the session's doing. Start-up sees a clock that begins at zero and
// random bytes that depend on the module alone.
//
// Engine and the modules it makes are safe for concurrent use; an instance
// serves one call at a time.
package wasm
