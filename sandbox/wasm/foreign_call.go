package wasm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

// foreignInstance is an instance of a guest that was written for another host. What
// differs from our own guests is how the call gets in and what comes out.
type foreignInstance struct {
	*instance
	entries map[string]api.Function // those that were called, by export
}

// Invoke runs one call.
func (i *foreignInstance) Invoke(ctx context.Context, call *abi.Call, s *sandbox.Session) (abi.Reply, sandbox.Usage, error) {
	m := i.module
	if !i.ready {
		return abi.Reply{}, sandbox.Usage{}, fmt.Errorf("call %s: the instance is not as new and cannot run another call", m.info.Name)
	}
	i.ready = false
	i.run = run{Context: ctx, module: m, meter: i.run.meter, wasi: newWASI(i.elapsed), session: s, call: call, kernel: i.kernel}
	defer i.end()

	code, err := i.execute(ctx, call, s.Limits())
	i.run.wasi.stdio.end(&i.run)
	usage := sandbox.Usage{
		Fuel:       i.run.meter.used(),
		Wall:       time.Since(i.run.meter.began),
		PeakMemory: int64(i.mem.size + i.kernel.used()),
		HostCalls:  s.HostCalls(),
	}
	var reply abi.Reply
	if err == nil {
		reply, err = i.reply(code)
	}
	i.renew(err)
	return reply, usage, err
}

// execute hands the call over and runs the function that it asks for. What comes back
// is the function's result or the guest's exit code; the error is a fault.
func (i *foreignInstance) execute(ctx context.Context, call *abi.Call, lim sandbox.Limits) (int32, error) {
	fault := func(kind sandbox.FaultKind, err error) error {
		return &sandbox.Fault{Kind: kind, Module: i.module.info.Name, Err: err}
	}
	if !i.begin(lim, lim.Fuel, lim.Deadline) {
		return 0, fault(sandbox.FaultMemory, fmt.Errorf("%w: the instance has %d bytes and the call may have %d", ErrMemory, i.mem.size, lim.Memory))
	}
	if err := ctx.Err(); err != nil {
		return 0, fault(sandbox.FaultDeadline, fmt.Errorf("%w: the caller gave up: %w", ErrDeadline, context.Cause(ctx)))
	}
	args, err := readArguments(call)
	if err != nil {
		return 0, fault(sandbox.FaultABI, err)
	}
	name, err := i.module.foreign.pick(args.export)
	if err != nil {
		return 0, fault(sandbox.FaultABI, err)
	}
	if err := i.handOver(call, args); err != nil {
		return 0, fault(sandbox.FaultMemory, err)
	}
	return i.enter(name) //nolint:contextcheck // the run is the context
}

// handOver puts the call where the guest looks for it.
func (i *foreignInstance) handOver(call *abi.Call, args arguments) error {
	r := &i.run
	r.input = args.input
	if i.module.foreign.abi == abiExtism {
		if !args.given {
			r.input = i.frame.appendCall(nil, call)
		}
		return i.kernel.begin(r.input)
	}
	if !args.given {
		r.input = eventLine(call)
	}
	r.wasi.command = newCommand(r, args.args)
	return nil
}

// enter calls a function of the guest.
func (i *foreignInstance) enter(name string) (int32, error) {
	f, ok := i.entries[name]
	if !ok {
		if i.entries == nil {
			i.entries = make(map[string]api.Function)
		}
		f = i.guest.ExportedFunction(name)
		i.entries[name] = f
	}
	i.stack[0] = 0 // what a function without a result leaves
	err := f.CallWithStack(&i.run, i.stack[:])
	var left *exit
	switch {
	case err == nil:
		return api.DecodeI32(i.stack[0]), nil
	case !errors.As(err, &left):
		return 0, i.module.fault(&i.run, i.mem, err)
	case i.mem.denied && left.code != 0:
		// The guest asked for more than it may have, and then gave up.
		return 0, i.module.fault(&i.run, i.mem, err)
	}
	i.run.message = left.why
	return int32(left.code), nil
}

// Codes that mean something else than success or failure, as mail systems have agreed
// on them: 75 is EX_TEMPFAIL of sysexits.h, 111 and 99 are qmail's.
const (
	codeOK        = 0
	codeTempFail  = 75
	codeQmailTemp = 111
	codeQmailDrop = 99
)

// resultOf turns the result of a function or an exit code into a verdict.
func resultOf(code int32) abi.Result {
	switch code {
	case codeOK:
		return abi.ResultOK
	case codeTempFail, codeQmailTemp:
		return abi.ResultRetry
	case codeQmailDrop:
		return abi.ResultDrop
	}
	return abi.ResultFail
}

// reply makes a reply of the guest's code and of what it left.
func (i *foreignInstance) reply(code int32) (abi.Reply, error) {
	var (
		text    []byte
		message string
		failed  bool // whatever the code says
	)
	if c := i.run.wasi.command; c != nil {
		text, message = c.output(), i.run.wasi.stdio.lastWords()
	} else {
		var why []byte
		why, failed = i.kernel.Error()
		text, message = i.kernel.Output(), clip(why)
	}
	if i.run.message != "" {
		message = i.run.message
	}
	reply := abi.Reply{Result: resultOf(code), Message: message}
	if failed && reply.Result == abi.ResultOK {
		reply.Result = abi.ResultFail
	}
	if reply.Result != abi.ResultOK {
		if message == "" {
			reply.Message = fmt.Sprintf("ended with code %d", code)
		}
		return reply, nil
	}
	reply.Message, reply.Effects = "", i.run.session.Effects()
	out, err := foreignOutput(text, i.run.session.Limits().Output)
	if err != nil {
		return abi.Reply{}, &sandbox.Fault{Kind: sandbox.FaultLimit, Module: i.module.info.Name, Last: i.run.session.Last(), Err: err}
	}
	reply.Output = out
	return reply, nil
}
