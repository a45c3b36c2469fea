package script

import (
	"fmt"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

// Outcome is how a script ended, before it is judged.
type Outcome struct {
	Output []byte // JSON of what it returned; nil for nothing
	Where  string // where it was when it stopped or failed
	Err    error  // an error that the script did not catch
}

// Finish turns the end of a call into what the engine returns for it. A reason
// to stop wins over whatever the script made of it.
func (h *Host) Finish(module string, o Outcome) (abi.Reply, sandbox.Usage, error) {
	usage := h.Usage(h.Session)
	if len(o.Output) > h.Session.Limits().Output {
		h.Fail(sandbox.FaultLimit, OutputError(h.Session.Limits().Output))
	}
	stop := h.Stopped()
	if stop == nil && o.Err != nil {
		stop = &Stop{Fault: sandbox.FaultTrap, Err: o.Err}
	}
	switch {
	case stop == nil:
		return abi.Reply{Result: abi.ResultOK, Output: o.Output, Effects: h.Session.Effects()}, usage, nil
	case stop.Fault == "":
		return abi.Reply{Result: stop.Result, Message: stop.Message}, usage, nil
	}
	return abi.Reply{}, usage, &sandbox.Fault{
		Kind: stop.Fault, Module: module, Where: o.Where, Last: h.Session.Last(), Err: stop.Err,
	}
}

// OutputError is the error of a result that is too long.
func OutputError(limit int) error {
	return fmt.Errorf("returned more than %d bytes; raise limits.output of the plugin if they are wanted", limit)
}
