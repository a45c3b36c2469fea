// Package abi is the contract between the host and its guests, whatever
// language they are written in: what a call carries (Call), what comes back
// (Reply), what a guest may ask for while it runs (Capability) and how the host
// answers (Status).
//
// The package holds meanings, not bytes. How a Call is laid out for a Wasm
// guest is the business of a versioned sub-package (abi/v1); Lua and JavaScript
// guests see the same values as tables and objects. SPEC.md is the text a
// guest author reads.
//
// Everything here is plain data: values may be shared between goroutines as
// long as nobody writes to them.
package abi
