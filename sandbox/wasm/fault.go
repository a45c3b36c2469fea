package wasm

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/rhost/rhost/sandbox"
)

// fault turns the error of an execution into what the caller gets. Guests cause
// faults; an error in our own host functions is reported as that.
func (m *module) fault(r *run, mem *memory, err error) error {
	var (
		broken runtime.Error
		halted *halt
		left   *exit
	)
	if errors.As(err, &broken) {
		return fmt.Errorf("call %s: a host function failed: %w", m.info.Name, err)
	}
	trap := m.names.parse(err.Error())
	f := &sandbox.Fault{Kind: sandbox.FaultTrap, Module: m.info.Name, Where: trap.where(), Err: trap}
	if r.session != nil {
		f.Last = r.session.Last()
	}
	switch {
	case errors.As(err, &halted):
		f.Kind, f.Err = halted.kind, halted.err
		return f
	case errors.As(err, &left):
		trap.Text = left.Error()
	case strings.Contains(trap.Text, "stack overflow"):
		// The pass's own guard comes first; this is for a host that is told to
		// grant more stack than wazero has.
		f.Kind, f.Err = sandbox.FaultStack, fmt.Errorf("%w: %w", ErrStack, trap)
	}
	if said := r.wasi.stdio.panic; said != "" {
		trap.Text = said
	}
	if mem.denied && f.Kind == sandbox.FaultTrap {
		// The guest asked for more than it may have, and then gave up.
		f.Kind, f.Err = sandbox.FaultMemory, fmt.Errorf("%w: the call may have %d bytes: %w", ErrMemory, mem.limit, trap)
	}
	return f
}

// startup adds to a fault that it happened before any call.
func startup(err error) error {
	if f, ok := errors.AsType[*sandbox.Fault](err); ok {
		f.Err = fmt.Errorf("during start-up: %w", f.Err)
	}
	return err
}
