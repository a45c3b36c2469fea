package sandbox

import (
	"context"
	"strings"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
)

// Engine turns uploaded bytes into modules. It is safe for concurrent use.
type Engine interface {
	// Name is "wasm", "lua" or "js".
	Name() string
	// Compile admits src and prepares it for calls. A source that is not
	// admitted is a *Refusal, whose text says what is wrong and what to do.
	// Hostile bytes cost bounded time and memory.
	Compile(ctx context.Context, src Source) (Module, error)
	// Close releases what the engine holds. Its modules are closed first.
	Close(ctx context.Context) error
}

// Source is what was uploaded under a name.
type Source struct {
	Name  string // plugin name, for messages and stack traces
	File  string // where it came from, for messages; may be empty
	Bytes []byte // Wasm binary or script text; not changed, not kept
	// CanonicalNaN has Wasm make the same NaNs on every machine. Scripts see none.
	CanonicalNaN bool
}

// Module is one compiled version of a plugin. It is safe for concurrent use.
type Module interface {
	Info() Info
	// New makes an instance that has run no call. An instance that cannot be
	// made for want of memory or because its start-up code misbehaves is a *Fault.
	New(ctx context.Context, lim Limits) (Instance, error)
	// Close releases the module. Its instances are closed first.
	Close(ctx context.Context) error
}

// Info describes a module without running it.
type Info struct {
	Name   string
	Engine string // "wasm", "lua" or "js"
	Digest string // "sha256:…" over the uploaded bytes
	ABI    string // "rhost.v1"; "extism" or "wasi" for a guest that was written for another host
	Size   int    // bytes uploaded
	// Runtime names what runs the module and how its fuel is counted, with their
	// versions. A call uses the same fuel wherever this is the same.
	Runtime string
	Needs   []abi.Capability // what the guest asks for: its imports, those of its manifest where it has one; a script without asks for all
	// Functions are those of the ABI that a module imports; nil for a script.
	Functions []string
	// Proposals are those of the WebAssembly language that a module uses and that an
	// operator has to allow: TailCalls, ExtendedConst.
	Proposals []string
	// Manifest is what the plugin says of itself; nil when it says nothing.
	Manifest *manifest.Manifest
	// Exports are the functions that a call may name in its Export, and Entry is
	// the one that is called when it names none; "" when it has to. Guests of our
	// own ABI have neither.
	Exports []string
	Entry   string
}

// canonicalNaN ends the Runtime of a module that was compiled so.
const canonicalNaN = ", canonical NaN"

// RuntimeOf is the Runtime of a module that was compiled from src by an engine whose
// own is runtime.
func (src Source) RuntimeOf(runtime string) string {
	if src.CanonicalNaN {
		return runtime + canonicalNaN
	}
	return runtime
}

// As returns src for a module like one that has that Runtime.
func (src Source) As(runtime string) Source {
	src.CanonicalNaN = strings.HasSuffix(runtime, canonicalNaN)
	return src
}

// The proposals that Info names, as an operator types them.
const (
	TailCalls     = "tail_calls"
	ExtendedConst = "extended_const"
)

// Instance is one guest in memory.
type Instance interface {
	// Invoke runs one call to its end. A guest that breaks a limit or traps
	// gives a *Fault and no reply. Usage is filled in either way. ctx ends the
	// call early as a FaultDeadline. Not safe for concurrent use.
	Invoke(ctx context.Context, call *abi.Call, s *Session) (abi.Reply, Usage, error)
	// Reusable reports whether the next call would find the instance as new. An
	// engine that cannot be sure of that after a fault says no.
	Reusable() bool
	// Close releases the instance. It must not be running.
	Close(ctx context.Context) error
}

// Footprint is what a module may hold in memory at most, in bytes.
type Footprint struct {
	Memory int64 // of one instance
	Stack  int64 // of one instance, beside its memory
	Image  int64 // what instances begin with, held once; grows with the first instance
	Code   int64 // compiled, held once; an estimate from above
}

// sized is a Module that knows what it holds.
type sized interface {
	// Footprint tells it for instances made with those limits.
	Footprint(lim Limits) Footprint
}

// FootprintOf tells what a module may hold when its instances are made with those
// limits. Of one that does not know, as scripts, it is what it declares: the limit
// of memory for each instance, and its source.
func FootprintOf(m Module, lim Limits) Footprint {
	if s, ok := m.(sized); ok {
		return s.Footprint(lim)
	}
	return Footprint{Memory: lim.WithDefaults().Memory, Code: int64(m.Info().Size)}
}
