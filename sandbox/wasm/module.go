package wasm

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"sync/atomic"

	"github.com/tetratelabs/wazero"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// module is one compiled version of a plugin. It is safe for concurrent use.
type module struct {
	engine *Engine
	code   wazero.CompiledModule
	info   sandbox.Info
	memory fuel.Memory   // as the module declares it
	data   []segment     // what memory begins with, unless the code still has it
	size   int64         // of the code, at most
	start  string        // export of its start function, or ""
	reset  []fuel.Global // its mutable globals; nil when they cannot all be reset
	// resets says that an instance can be put back: nothing changes at run time
	// but memory and globals of number types.
	resets bool
	names  names
	image  atomic.Pointer[image] // what start-up leaves; nil until an instance was made
	// foreign says how a guest that was written for another host is called; nil for
	// those of our own ABI.
	foreign *foreign
}

// newModule makes a module of what was compiled. pass.Wasm is without data.
func newModule(e *Engine, code wazero.CompiledModule, pass *fuel.Result, data []segment, guest admitted) *module {
	m := &module{
		engine: e, code: code, info: guest.info, foreign: guest.foreign,
		memory: *pass.Info.Memory,
		data:   data,
		size:   codeSize(pass.Wasm, data),
		start:  pass.Start,
		reset:  pass.Globals,
		resets: resettable(pass),
		names:  newNames(pass.Info),
	}
	return m
}

// resettable reports whether everything that a call can change is in memory and
// in globals that the host can set.
func resettable(pass *fuel.Result) bool {
	const hidden = fuel.UsesSegments | fuel.UsesTableMutation
	if pass.Info.Uses&hidden != 0 {
		return false
	}
	for _, g := range pass.Globals {
		switch g.Type {
		case fuel.I32, fuel.I64, fuel.F32, fuel.F64:
		default:
			return false
		}
	}
	return true
}

// Info describes the module.
func (m *module) Info() sandbox.Info { return m.info }

// Close releases the compiled code. The instances are closed first.
func (m *module) Close(ctx context.Context) error {
	m.image.Load().close()
	if err := m.code.Close(ctx); err != nil {
		return fmt.Errorf("close %s: %w", m.info.Name, err)
	}
	return nil
}

// seed derives the start of a random sequence from the engine's secret, the
// module and what.
func (m *module) seed(what string, data []byte) (sum [32]byte) {
	mac := hmac.New(sha256.New, m.engine.options.Seed)
	for _, part := range []string{what, m.info.Digest} {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	mac.Write(data)
	mac.Sum(sum[:0])
	return sum
}
