package sandbox

import (
	"errors"
	"fmt"
)

// FaultKind says which promise a guest broke.
type FaultKind string

// The kinds of fault.
const (
	FaultFuel     FaultKind = "fuel"     // used up its fuel
	FaultMemory   FaultKind = "memory"   // asked for more memory than allowed
	FaultDeadline FaultKind = "deadline" // still running when its time was up
	FaultStack    FaultKind = "stack"    // calls nested too deep
	FaultTrap     FaultKind = "trap"     // crashed: a trap, an uncaught exception
	FaultDenied   FaultKind = "denied"   // used a service it was not granted, where that cannot be a status
	FaultABI      FaultKind = "abi"      // broke the contract: a bad pointer, a missing export, a lying length
	FaultLimit    FaultKind = "limit"    // too many host calls, too much output or effects
	FaultCrashed  FaultKind = "crashed"  // its worker process died
	FaultReplay   FaultKind = "replay"   // of a replayed call: it went another way than its record
)

// Fault is the error of a guest call. A fault is the guest's doing: the host
// and the other guests go on.
type Fault struct {
	Kind   FaultKind
	Module string
	Where  string // function and line, when the engine knows
	Last   string // last service call before the fault
	Err    error
}

func (f *Fault) Error() string {
	msg := fmt.Sprintf("call %s: %s fault", f.Module, f.Kind)
	if f.Where != "" {
		msg += " at " + f.Where
	}
	if f.Err != nil {
		msg += ": " + f.Err.Error()
	}
	if f.Last != "" {
		msg += " (last host call: " + f.Last + ")"
	}
	if fix := f.Kind.fix(); fix != "" {
		msg += "; " + fix
	}
	return msg
}

func (f *Fault) Unwrap() error { return f.Err }

// fix names the setting that an operator would raise.
func (k FaultKind) fix() string {
	switch k {
	case FaultFuel:
		return "raise limits.fuel of the plugin if the work is wanted"
	case FaultMemory:
		return "raise limits.memory of the plugin if the memory is wanted"
	case FaultDeadline:
		return "raise limits.deadline of the plugin if it may take longer"
	case FaultStack:
		return "raise limits.stack of the plugin if the recursion is wanted"
	case FaultDenied:
		return "add the capability to the plugin's grant"
	default:
		return ""
	}
}

// KindOf returns the kind of the fault in err's chain, or "" when there is none.
func KindOf(err error) FaultKind {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Kind
	}
	return ""
}

// Refusal is the error of a source that an engine does not admit.
type Refusal struct {
	Module string
	Where  string // position in the source, when known: "line 3", "function 12, offset 40"
	Reason string
	Fix    string // what the author does about it; may be empty
}

func (r *Refusal) Error() string {
	msg := "load " + r.Module + ": "
	if r.Where != "" {
		msg += r.Where + ": "
	}
	msg += r.Reason
	if r.Fix != "" {
		msg += "; " + r.Fix
	}
	return msg
}
