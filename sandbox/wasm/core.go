package wasm

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/api"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
)

// coreFuncs are the functions of rhost.v1 that every guest may use.
func coreFuncs() []hostFunc {
	return []hostFunc{
		{v1.FuncInput, []api.ValueType{i32, i32}, []api.ValueType{i32}, coreInput},
		{v1.FuncOutput, []api.ValueType{i32, i32}, nil, coreOutput},
		{v1.FuncFail, []api.ValueType{i32, i32, i32}, nil, coreFail},
		{v1.FuncLog, []api.ValueType{i32, i32, i32}, nil, coreLog},
		{v1.FuncItem, []api.ValueType{i32}, nil, coreItem},
		{v1.FuncTake, []api.ValueType{i32, i32}, []api.ValueType{i32}, coreTake},
	}
}

// coreInput copies the input to the guest if it fits and returns its length.
func coreInput(ctx context.Context, mod api.Module, stack []uint64) {
	r := runOf(ctx)
	dst := view(mod, v1.FuncInput, "dst", stack[0], stack[1])
	if len(r.input) <= len(dst) {
		r.charge(len(r.input))
		copy(dst, r.input)
	} else {
		r.charge(0)
	}
	stack[0] = uint64(len(r.input))
}

// coreTake copies the kept answer to the guest if it fits, and forgets it then.
// Its bytes were charged when it was made.
func coreTake(ctx context.Context, mod api.Module, stack []uint64) {
	r := runOf(ctx)
	dst := view(mod, v1.FuncTake, "dst", stack[0], stack[1])
	r.charge(0)
	if r.kept == nil {
		stack[0] = api.EncodeI32(-1)
		return
	}
	stack[0] = uint64(len(r.kept))
	if len(r.kept) <= len(dst) {
		copy(dst, r.kept)
		r.kept = nil
	}
}

// coreOutput sets the output of the step. It has no status to answer with, so
// what cannot be an output ends the call.
func coreOutput(ctx context.Context, mod api.Module, stack []uint64) {
	r := runOf(ctx)
	text := view(mod, v1.FuncOutput, "ptr", stack[0], stack[1])
	r.charge(len(text))
	r.belongs(v1.FuncOutput)
	if r.session == nil {
		return
	}
	if limit := r.session.Limits().Output; len(text) > limit {
		panic(stop(sandbox.FaultLimit, fmt.Errorf("output of %d bytes; at most %d are allowed; raise limits.output of the plugin if they are wanted", len(text), limit)))
	}
	if !utf8.Valid(text) || !json.Valid(text) {
		panic(stop(sandbox.FaultABI, fmt.Errorf("%s.%s: the output is not JSON", v1.Module, v1.FuncOutput)))
	}
	r.output = append([]byte(nil), text...)
}

// coreFail keeps what the guest says about its failure.
func coreFail(ctx context.Context, mod api.Module, stack []uint64) {
	r := runOf(ctx)
	code := api.DecodeI32(stack[0])
	text := view(mod, v1.FuncFail, "ptr", stack[1], stack[2])
	r.charge(len(text))
	r.belongs(v1.FuncFail)
	switch abi.Result(code) {
	case abi.ResultFail, abi.ResultRetry, abi.ResultDrop:
	default:
		panic(stop(sandbox.FaultABI, fmt.Errorf("%s.%s: code %d is not a result; 1 is fail, 2 retry, 3 drop", v1.Module, v1.FuncFail, code)))
	}
	r.result = abi.Result(code)
	r.message = clip(text)
}

// coreLog passes a line to the host.
func coreLog(ctx context.Context, mod api.Module, stack []uint64) {
	r := runOf(ctx)
	level := sandbox.LogLevel(api.DecodeI32(stack[0]))
	text := view(mod, v1.FuncLog, "ptr", stack[1], stack[2])
	r.charge(len(text))
	if r.session != nil {
		r.begin(v1.FuncLog)
	}
	r.say(min(max(level, sandbox.LogDebug), sandbox.LogError), text)
}

// clip makes a line for people of what a guest wrote: no longer than the ABI
// allows, and UTF-8.
func clip(b []byte) string {
	return strings.ToValidUTF8(string(b[:min(len(b), v1.MaxLogLine)]), "\uFFFD")
}
