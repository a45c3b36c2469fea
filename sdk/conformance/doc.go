// Package conformance holds the SDKs of all languages to the same behaviour. Its
// tests build a guest in each language (sdk/c/conformance, sdk/rust/conformance,
// sdk/assemblyscript/conformance, and sandbox/wasm/testdata/conformance in Go), run
// the guests in the real engine and compare what comes back; they read JSON at
// random with each and compare it with what Go reads; and they run the tests that
// each SDK has of its own, golden bytes of the ABI among them.
//
// A guest does what its arguments say: {"do": "echo"} and so on; conformance_test.go
// lists the actions with what is expected of them. A language whose compiler is not
// installed is skipped, and the message says what to install.
package conformance
