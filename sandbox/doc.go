// Package sandbox runs one guest call inside limits, and swaps guests while
// calls are running.
//
// The types, in the order a call meets them:
//
//   - Engine (one for each of Wasm, Lua and JavaScript, in the sub-packages)
//     admits and compiles the bytes somebody uploaded into a Module.
//   - Slot holds the version of a module that takes new calls. Swapping in the
//     next version lets running calls finish on the version they began with. Roll
//     swaps with care: beside the old version, then for a share of the calls, then
//     for all of them, with the old version standing by (rollout.go). A call that
//     faults on the new version is answered by the old one, and a version that
//     faults, or costs much more than the old one, gives way to it (judge.go).
//   - Instance is one guest in memory. Invoke runs one abi.Call in it under
//     Limits and returns an abi.Reply with its Usage, or a Fault.
//   - Session is what the guest reaches while it runs: the services of the ABI,
//     each checked against the Grant and the Limits, its effects buffered.
//
// Every host call of a call goes through its session, so a Recorder there keeps
// them, whatever the engine, and a Replayer answers from what it kept, a Trial what
// another version asks. Slot.Batch gives several calls to a module that takes them at
// once.
//
// A Fault is the guest's doing. Whatever a guest does, the host and every other
// guest go on, and the next call to the same module starts clean: no state of
// one call is visible in the next.
//
// Fuel is the unit of work: the same call with the same inputs uses the same
// fuel on every run. The deadline is wall time, and so decides only whether a
// call is cut off, never what it computes.
//
// Engines and Modules are safe for concurrent use. An Instance serves one call
// at a time; Slot sees to that.
package sandbox
