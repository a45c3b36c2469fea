package wasm

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/extism"
)

// kernelFuel is the price of a kernel function that only touches the kernel's memory,
// of which a plugin calls one for every eight bytes that it reads or writes. Services
// cost what those of our own ABI do.
const kernelFuel = 50

// keptKernel is how much of a kernel's memory is kept, and cleared, between two calls.
// More is given back to the system.
const keptKernel = 256 << 10

// kernel is the kernel of one instance of an Extism plugin, with the memory it lies in
// and what a call keeps beside it. It belongs to the goroutine of the call.
type kernel struct {
	*extism.Kernel
	space    []byte
	call     *memory // the memory that the call may have, shared with the guest's own
	vars     vars
	response httpResponse
}

// openKernel gives the instance a kernel, if its module is an Extism plugin.
func (i *instance) openKernel(lim sandbox.Limits) error {
	if f := i.module.foreign; f == nil || f.abi != abiExtism {
		return nil
	}
	space, err := reserve(int(lim.Memory))
	if err != nil {
		return &sandbox.Fault{Kind: sandbox.FaultMemory, Module: i.module.info.Name, Err: fmt.Errorf("%w: reserve %d bytes: %w", ErrMemory, lim.Memory, err)}
	}
	i.kernel = &kernel{Kernel: extism.New(space, i.mem.take), space: space, call: i.mem}
	return nil
}

// begin prepares for a call with that input. The memory of the call was set before.
func (k *kernel) begin(input []byte) error {
	k.vars, k.response = vars{}, httpResponse{}
	if k.Used() > keptKernel {
		n := len(k.space)
		k.free()
		space, err := reserve(n)
		if err != nil {
			return fmt.Errorf("%w: reserve %d bytes: %w", ErrMemory, n, err)
		}
		k.Kernel, k.space = extism.New(space, k.call.take), space
	}
	if err := k.Reset(input); err != nil {
		return fmt.Errorf("%w: the input has %d bytes and the call may have %d", ErrMemory, len(input), k.call.limit)
	}
	return nil
}

// used is how much of the call's memory lies in the kernel.
func (k *kernel) used() uint64 {
	if k == nil {
		return 0
	}
	return k.Used()
}

// free releases the kernel's memory.
func (k *kernel) free() {
	if k == nil || k.space == nil {
		return
	}
	// As with the memory of the guest, an error would be our own broken promise.
	if err := release(k.space); err != nil {
		panic(fmt.Sprintf("release the kernel's memory: %v", err))
	}
	k.space = nil
}

// kernelFunc does the work of a kernel function. Its arguments are in stack, and so is
// its result afterwards.
type kernelFunc func(r *run, k *kernel, stack []uint64) error

// extismFuncs is the kernel as plugins import it.
func extismFuncs() []hostFunc {
	none, one, two := args(), args(i64), args(i64, i64)
	list := []hostFunc{
		kernelHost("alloc", one, one, kernelAlloc),
		kernelHost("free", one, none, func(_ *run, k *kernel, s []uint64) error { k.Free(s[0]); return nil }),
		kernelHost("length", one, one, func(_ *run, k *kernel, s []uint64) error { s[0] = k.Length(s[0]); return nil }),
		kernelHost("length_unsafe", one, one, func(_ *run, k *kernel, s []uint64) error { s[0] = k.Length(s[0]); return nil }),
		kernelHost("memory_bytes", none, one, func(_ *run, k *kernel, s []uint64) error { s[0] = k.Used(); return nil }),
		kernelHost("load_u8", one, args(i32), kernelLoad8),
		kernelHost("load_u64", one, one, kernelLoad64),
		kernelHost("store_u8", args(i64, i32), none, func(_ *run, k *kernel, s []uint64) error { return k.Store8(s[0], byte(s[1])) }),
		kernelHost("store_u64", two, none, func(_ *run, k *kernel, s []uint64) error { return k.Store64(s[0], s[1]) }),
		kernelHost("input_load_u8", one, args(i32), func(_ *run, k *kernel, s []uint64) error { s[0] = uint64(k.LoadInput8(s[0])); return nil }),
		kernelHost("input_load_u64", one, one, func(_ *run, k *kernel, s []uint64) error { s[0] = k.LoadInput64(s[0]); return nil }),
		kernelHost("input_offset", none, one, func(_ *run, k *kernel, s []uint64) error { s[0] = k.InputOffset(); return nil }),
		kernelHost("input_length", none, one, func(_ *run, k *kernel, s []uint64) error { s[0] = k.InputLength(); return nil }),
		kernelHost("input_set", two, none, func(_ *run, k *kernel, s []uint64) error { return k.SetInput(s[0], s[1]) }),
		kernelHost("output_set", two, none, kernelOutput),
		kernelHost("output_offset", none, one, func(_ *run, k *kernel, s []uint64) error { s[0] = k.OutputOffset(); return nil }),
		kernelHost("output_length", none, one, func(_ *run, k *kernel, s []uint64) error { s[0] = k.OutputLength(); return nil }),
		kernelHost("error_set", one, none, func(_ *run, k *kernel, s []uint64) error { return k.SetError(s[0]) }),
		kernelHost("error_get", none, one, func(_ *run, k *kernel, s []uint64) error { s[0] = k.ErrorHandle(); return nil }),
		kernelHost("reset", none, none, kernelReset),
		kernelHost("get_log_level", none, args(i32), func(_ *run, _ *kernel, s []uint64) error { s[0] = 0; return nil }), // trace: everything is wanted
		kernelHost("config_get", one, one, kernelConfig),
		kernelHost("var_get", one, one, kernelVarGet),
		kernelHost("var_set", two, none, kernelVarSet),
		kernelHost("http_request", two, one, kernelHTTP),
		kernelHost("http_status_code", none, args(i32), func(_ *run, k *kernel, s []uint64) error { s[0] = uint64(uint32(k.response.status)); return nil }),
		kernelHost("http_headers", none, one, kernelHTTPHeaders),
	}
	for name, level := range map[string]sandbox.LogLevel{
		"log_trace": sandbox.LogDebug, "log_debug": sandbox.LogDebug, "log_info": sandbox.LogInfo, "log_warn": sandbox.LogWarn, "log_error": sandbox.LogError,
	} {
		list = append(list, kernelHost(name, one, none, kernelLog(level)))
	}
	return list
}

// kernelHost wraps a kernel function: it charges, and ends the call where the guest
// has made a mistake that cannot be answered.
func kernelHost(name string, params, results []api.ValueType, do kernelFunc) hostFunc {
	return hostFunc{name, params, results, func(ctx context.Context, _ api.Module, stack []uint64) {
		r := runOf(ctx)
		r.meter.charge(r.Context, kernelFuel) //nolint:contextcheck // the run holds the context of the call
		err := do(r, r.kernel, stack)
		switch {
		case err == nil:
		case errors.Is(err, extism.ErrMemory), errors.Is(err, ErrMemory):
			panic(stop(sandbox.FaultMemory, fmt.Errorf("%s.%s: %w: the call may have %d bytes", moduleExtism, name, err, len(r.kernel.space))))
		default:
			panic(stop(sandbox.FaultABI, fmt.Errorf("%s.%s: %w", moduleExtism, name, err)))
		}
	}}
}

// kernelAlloc charges for the bytes as memory.grow does, once it is known that there
// are so many.
func kernelAlloc(r *run, k *kernel, s []uint64) error {
	h, err := k.Alloc(s[0])
	if err != nil {
		return err
	}
	r.meter.charge(r.Context, int64(s[0])/16)
	s[0] = h
	return nil
}

func kernelLoad8(_ *run, k *kernel, s []uint64) error {
	b, err := k.Load8(s[0])
	s[0] = uint64(b)
	return err
}

func kernelLoad64(_ *run, k *kernel, s []uint64) (err error) {
	s[0], err = k.Load64(s[0])
	return err
}

// kernelOutput sets the output, which is bounded before it becomes JSON.
func kernelOutput(r *run, k *kernel, s []uint64) error {
	if r.session != nil && s[1] > uint64(r.session.Limits().Output) {
		panic(stop(sandbox.FaultLimit, fmt.Errorf("output of %d bytes; at most %d are allowed; raise limits.output of the plugin if they are wanted", s[1], r.session.Limits().Output)))
	}
	return k.SetOutput(s[0], s[1])
}

// kernelReset forgets all blocks, the input with them.
func kernelReset(r *run, k *kernel, _ []uint64) error {
	r.meter.charge(r.Context, int64(k.Used())/16)
	k.call.give(k.Taken())
	return k.Reset(nil)
}

// service counts and charges a call of a function that reaches outside, with n bytes.
// It reports false during start-up, when nothing is there to be reached.
func (r *run) service(name string, n int) bool {
	r.charge(n)
	if r.session == nil {
		return false
	}
	r.begin(name)
	return true
}

// kernelConfig gives a setting: a text as it is, everything else as JSON. What is not
// there or not granted has handle 0.
func kernelConfig(r *run, k *kernel, s []uint64) error {
	name, err := k.Bytes(s[0])
	if err != nil {
		return err
	}
	s[0] = 0
	if !r.service("config_get", len(name)) || len(name) == 0 {
		return nil
	}
	value, st := serveConfig(r, name)
	r.compare()
	if st != abi.StatusOK {
		return nil
	}
	return r.give(k, s, plainText(value))
}

// give puts bytes into the kernel and their handle where the result is.
func (r *run) give(k *kernel, s []uint64, b []byte) (err error) {
	r.chargeBytes(len(b))
	s[0], err = k.Put(b)
	return err
}

// kernelLog passes a line to the host, and frees it: it has become the host's.
func kernelLog(level sandbox.LogLevel) kernelFunc {
	return func(r *run, k *kernel, s []uint64) error {
		text, err := k.Bytes(s[0])
		if err != nil {
			return err
		}
		r.service("log", len(text))
		r.say(level, text)
		k.Free(s[0])
		return nil
	}
}

// observeFuncs are what a build that was instrumented for tracing reports to. Nobody
// listens.
func observeFuncs() []hostFunc {
	silent := func(ctx context.Context, _ api.Module, _ []uint64) {
		r := runOf(ctx)
		r.meter.charge(r.Context, kernelFuel) //nolint:contextcheck // the run holds the context of the call
	}
	return []hostFunc{
		{"instrument_enter", args(i32), nil, silent},
		{"instrument_exit", args(i32), nil, silent},
		{"instrument_memory_grow", args(i32), nil, silent},
	}
}
