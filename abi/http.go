package abi

import "time"

// HTTPRequest is a request that a guest makes to the outside. It is made at
// once, and is not undone when the call fails.
type HTTPRequest struct {
	Method  string
	URL     string
	Timeout time.Duration // 0: what is left of the call
	Header  []HTTPHeader
	Body    []byte // nil for none; the guest's memory where the guest has one, so not to be kept
	// Ordinal counts the requests of the call, from 1. With the call's Key it names
	// the request: the same in every attempt that asks for the same things.
	Ordinal int
}

// HTTPHeader is one header. A name may come more than once.
type HTTPHeader struct{ Name, Value string }

// HTTPResponse is the answer to an HTTPRequest, whatever its status.
type HTTPResponse struct {
	Status int
	Header []HTTPHeader // sorted by name, names in lower case
	Body   []byte       // decompressed
}
