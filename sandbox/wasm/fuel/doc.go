// Package fuel admits WebAssembly modules and rewrites them so that they can be
// stopped.
//
// It turns bytes into bytes and knows no engine: it imports the standard
// library alone.
//
//   - Scan reads a module that nobody has looked at yet and either describes it
//     (Info) or says why it is not admitted (*Error). It validates the module
//     in full, against Bounds that keep the compiler behind it from running
//     away: any input costs bounded time and memory.
//   - Instrument scans a module and returns it with three things added: a
//     charge of fuel before every stretch of code, a guard of the stack in
//     every function, and its mutable globals exported so that they can be
//     reset.
//
// # The meter
//
// An instrumented module imports two functions from ImportModule and exports
// two mutable globals. FuelGlobal is the fuel that may be used before the next
// refuel: every charge is
//
//	fuel -= cost; if fuel < 0 { refuel() }
//
// and RefuelName tops the global up and returns, or panics to end the call.
// Where code runs forwards and only computes, the question is put off to the
// next round of a loop, call, or return to the host, within bounds that debt.go
// holds; a trap may come first. Consumed fuel is what was granted less what is
// left in the global, exact also after a trap. A budget equal to what a call
// uses is enough and one less is not, whatever the slices in which it is granted.
//
// DepthGlobal is the stack left, in slots. Every function that calls another
// takes its width on entry and gives it back when it returns; when nothing is
// left it calls OverflowName. A function that calls none is the last on the
// stack: room for one is kept free besides. wazero's own stack overflow, which
// costs hundreds of megabytes, is never reached while the host grants no more
// than MaxDepth.
//
// # What is charged
//
// Charges are exact for straight-line code: what a call is charged equals the
// cost of the instructions it executed, plus one for each loop iteration and
// function entry. A trap in the middle of a stretch leaves the whole stretch
// charged. Prices are those of CostModel: 1 for an instruction, more for calls,
// division and square roots, nothing for structure; see cost.go. Work that
// depends on a length is charged by length before it is done, and done in
// chunks of at most 1 MiB so that the host is heard in between; bounds are
// checked before anything is written, so a trapping operation has no effect.
//
// With Config.CanonicalNaN the NaNs that arithmetic makes have the same bits on every
// processor; see nan.go.
//
// # What is refused
//
// Exception handling, threads, memory64, several memories, garbage collection,
// typed function references, relaxed SIMD, and ref.func inside functions, which
// leaks host memory in wazero. Tail calls and extended constants are admitted
// when Config says so.
//
// All functions are safe for concurrent use; they keep nothing between calls.
package fuel
