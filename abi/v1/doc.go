// Package v1 lays out version 1 of the guest ABI: the names a Wasm guest
// imports and exports, the frame that carries a call into it, and the bytes of
// every service request and answer. SPEC.md, one folder up, is the same in
// words and hex, for authors in other languages.
//
// Both sides use the package. The host appends an Input with AppendInput and
// reads requests with the Read functions; the Go guest SDK decodes an Input
// with DecodeInput and appends requests with the Append functions. What they
// mean is the business of package abi; this package holds plain wire types, so
// that a guest links neither encoding/json nor fmt because of it.
//
// All integers are little-endian. A field called "string" or "bytes" is a u32
// length followed by so many bytes; "tail" is everything to the end of the
// message. There is no padding.
//
// Decoding copies nothing: strings and byte slices of the result lie in the
// bytes that were decoded, which must not change while the result is in use.
// Bytes from the other side are never trusted: a length that reaches past the
// end is an *Error that names the field.
//
// Version 1 is frozen by the golden bytes in testdata: a change that alters one
// of them is a new version, beside this one.
package v1
