package wasm

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/extism"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// moduleUser is the module from which Extism's plugins import what their own host adds.
const moduleUser = "extism:host/user"

// HostFunction is a function that the program around the engine offers to Extism
// plugins beside the kernel, so that plugins written for that program keep working. A
// call of it costs what a service costs, and counts as one. It does nothing and gives 0
// while an instance is being made. What it answers is not recorded: for a call to be
// replayed, it has to answer the same again.
type HostFunction struct {
	Module  string // that it is imported from; "" is "extism:host/user"
	Name    string
	Params  []fuel.ValueType
	Results []fuel.ValueType
	// Call does the work, on the goroutine of the guest's call. args holds the
	// arguments and takes the results; handles among them are blocks of the kernel. An
	// error ends the guest's call as a trap.
	Call func(ctx context.Context, k *extism.Kernel, args []uint64) error
}

// addHostFunctions adds functions to the modules that guests import. The error is of
// one that would stand in the way of ours.
func addHostFunctions(modules map[string][]hostFunc, list []HostFunction) error {
	for _, f := range list {
		name := f.Module
		switch name {
		case "":
			name = moduleUser
		case v1.Module, moduleWASI, moduleExtism, moduleObserve, fuel.ImportModule:
			return fmt.Errorf("host function %s.%s: the module is the engine's own", f.Module, f.Name)
		}
		modules[name] = append(modules[name], f.host(name+"."+f.Name))
	}
	return nil
}

func (f HostFunction) host(full string) hostFunc {
	return hostFunc{f.Name, valueBytes(f.Params), valueBytes(f.Results), func(ctx context.Context, _ api.Module, stack []uint64) {
		r := runOf(ctx)
		if !r.service(f.Name, 0) {
			clear(stack) // no arguments for results
			return
		}
		if err := f.Call(r, r.kernel.Kernel, stack); err != nil { //nolint:contextcheck // the run is the context
			panic(stop(sandbox.FaultTrap, fmt.Errorf("%s: %w", full, err)))
		}
	}}
}

// valueBytes converts types of package fuel to wazero's.
func valueBytes(types []fuel.ValueType) []byte {
	out := make([]byte, len(types))
	for i, t := range types {
		out[i] = byte(t)
	}
	return out
}
