package wasm

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
)

// run is one execution of guest code: the start-up of an instance or a call. It
// is the context that wazero hands to host functions, which is how they find
// it; everything else a context does is left to the caller's. It belongs to the
// goroutine of the call.
type run struct {
	context.Context //nolint:containedctx // run is the context of the call, nothing that outlives it

	module *module
	meter  meter
	wasi   wasi

	// session is nil during start-up: services answer unavailable then.
	session *sandbox.Session
	call    *abi.Call
	input   []byte // what input gives
	kept    []byte // an answer that did not fit, for take; nil when there is none
	output  []byte // nil when the guest gave none
	result  abi.Result
	message string
	batch   *batch  // nil unless the run has several calls
	kernel  *kernel // of an Extism plugin, else nil
}

// runOf finds the run of a host function's context.
func runOf(ctx context.Context) *run {
	r, ok := ctx.(*run)
	if !ok {
		panic(fmt.Sprintf("a host function was called with %T as its context", ctx))
	}
	return r
}

// charge takes fuel for a host function of the ABI that moves n bytes, before
// it does anything.
func (r *run) charge(n int) { r.meter.charge(r.Context, sandbox.HostCallFuel(n)) }

// chargeBytes takes fuel for n bytes of an answer.
func (r *run) chargeBytes(n int) { r.meter.charge(r.Context, int64(n)/8) }

// begin counts a service call against the limits of the call.
func (r *run) begin(service string) {
	if err := r.session.Begin(service); err != nil {
		panic(stop(sandbox.FaultLimit, err))
	}
}

// compare ends a replayed call that went another way than its record.
func (r *run) compare() {
	if r.session == nil {
		return
	}
	if err := r.session.Err(); err != nil {
		panic(stop(sandbox.FaultReplay, err))
	}
}

// say passes on what a guest logs, which is not copied where nobody listens.
func (r *run) say(level sandbox.LogLevel, text []byte) {
	if r.session == nil || r.session.Listens() {
		r.log(level, clip(text))
	}
}

// log passes on a line of log or of WASI output.
func (r *run) log(level sandbox.LogLevel, line string) {
	if r.session == nil {
		r.module.engine.options.Log(r.module.info.Name, level, line)
		return
	}
	r.session.Log(level, line)
	r.compare()
}

// seed is what the random bytes of the run begin with where the guest may not
// have the host's.
func (r *run) seed() [32]byte {
	if session, _ := r.guide(); session == nil {
		return r.module.seed("start", nil)
	}
	if r.module.foreign != nil {
		// Their input may be the same in every call.
		return r.module.seed("call", fmt.Appendf(nil, "%s\x00%d\x00%s", r.call.Key, r.call.Attempt, r.input))
	}
	return r.module.seed("call", r.input)
}

// view returns the bytes that a guest names by pointer and length. They are the
// guest's own and change when it runs. A range outside the memory ends the call.
func view(mod api.Module, function, what string, ptr, n uint64) []byte {
	// The stack holds i32 arguments in 64 bits.
	if b, ok := mod.Memory().Read(uint32(ptr), uint32(n)); ok {
		return b
	}
	if uint32(n) == 0 {
		return nil // no bytes lie at any address
	}
	panic(stop(sandbox.FaultABI, fmt.Errorf("%s.%s: %s at 0x%x with %d bytes lies outside the memory of %d bytes",
		v1.Module, function, what, uint32(ptr), uint32(n), mod.Memory().Size())))
}

// hostFunc is a function offered to guests.
type hostFunc struct {
	name    string
	params  []api.ValueType
	results []api.ValueType
	call    api.GoModuleFunc
}

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
)
