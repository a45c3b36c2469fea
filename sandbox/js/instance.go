package js

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/script"
)

// A call of a function counts as so many slots of Limits.Stack. Calls that go
// through natives, such as getters, nest on the stack of the process, and the
// time to unwind them grows with the square of their number: a tenth of a second
// for a thousand. The bound on all calls bounds that, whatever the limits say.
const (
	frameSlots = 100
	maxFrames  = 2_000

	// maxMemory bounds Limits.Memory: the interpreter follows chains of objects
	// by recursion, so that how many there are bounds the stack of the process.
	maxMemory = 256 << 20
)

// instance is a guest between calls: nothing but its module, because every call
// gets a runtime of its own.
type instance struct {
	module  *module
	faulted bool
}

// Reusable is true until a call faulted.
func (i *instance) Reusable() bool { return !i.faulted }

// Close has nothing to release.
func (i *instance) Close(context.Context) error { return nil }

// Invoke runs the script from its first line in a fresh runtime, then calls
// invoke.
func (i *instance) Invoke(ctx context.Context, call *abi.Call, s *sandbox.Session) (abi.Reply, sandbox.Usage, error) {
	lim := s.Limits()
	lim.Memory = min(lim.Memory, maxMemory)
	m := script.NewMeter(ctx, lim, i.module.engine.ceiling)
	g := &guest{Host: script.NewHost(m, s, call), vm: goja.New(), module: i.module, weight: i.module.weight}
	g.vm.SetMaxCallStackSize(min(lim.Stack/frameSlots+8, maxFrames))
	g.vm.SetParserOptions(parser.WithDisableSourceMaps)
	g.vm.SetRandSource(g.random)
	g.vm.SetTimeSource(func() time.Time { return g.Clock().UTC() })
	out := g.run(call)
	reply, usage, err := g.Finish(i.module.info.Name, out)
	i.faulted = err != nil
	return reply, usage, err
}

// run is one call. A panic that comes from the interpreter and not from a script
// is the guest's fault as well: it found a way to break its own sandbox.
func (g *guest) run(call *abi.Call) (out script.Outcome) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case halted:
			out = script.Outcome{}
		case error:
			out = script.Outcome{Err: g.uncaught(v)}
		default:
			out = script.Outcome{Err: fmt.Errorf("the interpreter failed: %v", v)}
		}
		out.Where = g.where
	}()
	g.prepare(g.module.plan)
	result, err := g.script(call)
	if err != nil {
		return script.Outcome{Err: g.uncaught(err)}
	}
	return script.Outcome{Output: g.output(result)}
}

// script runs the text of the script, then invoke.
func (g *guest) script(call *abi.Call) (goja.Value, error) {
	arg, err := g.decode(script.AppendCall(nil, call, g.Session.Granted(abi.CapConfig)))
	if err != nil {
		return nil, fmt.Errorf("read the call: %w", err)
	}
	if g.module.plan.rhost {
		check(g.vm.Set("rhost", g.hostLib(arg.ToObject(g.vm).Get("config"))))
	}
	if g.module.plan.console {
		check(g.vm.Set("console", g.console()))
	}
	main, err := g.vm.RunProgram(g.module.program)
	if err != nil {
		return nil, err
	}
	body, ok := goja.AssertFunction(main)
	if !ok {
		return nil, textError("the script gave no function")
	}
	exported, err := body(goja.Undefined(), g.hiddenFunctions()...)
	if err != nil {
		return nil, err
	}
	invoke, ok := goja.AssertFunction(exported)
	if !ok {
		g.Fail(sandbox.FaultABI, errors.New("invoke is not a function when the script has run; add: export function invoke(call) { … }"))
		return nil, errors.New("invoke is not a function")
	}
	v, err := invoke(goja.Undefined(), arg)
	if err != nil {
		return nil, err
	}
	return g.settled(v)
}

// settled waits for nothing: when an async function has returned, everything it
// could do without the outside world is done.
func (g *guest) settled(v goja.Value) (goja.Value, error) {
	p, ok := v.Export().(*goja.Promise)
	if !ok {
		return v, nil
	}
	switch p.State() {
	case goja.PromiseStateFulfilled:
		return p.Result(), nil
	case goja.PromiseStateRejected:
		g.whereOf(p.Result())
		return nil, textError(g.describe(p.Result()))
	default:
		return nil, textError("invoke returned a promise that nothing will settle")
	}
}

// uncaught is the error of a call that a script or the interpreter broke off.
func (g *guest) uncaught(err error) error {
	if _, ok := errors.AsType[textError](err); ok {
		return err
	}
	if deep, ok := errors.AsType[*goja.StackOverflowError](err); ok {
		g.where = placeIn(deep.Stack(), g.module.file)
		g.Fail(sandbox.FaultStack, errors.New("calls are nested too deep"))
		return err
	}
	if ex, ok := errors.AsType[*goja.Exception](err); ok {
		if g.where == "" {
			g.where = placeIn(ex.Stack(), g.module.file)
		}
		return textError(g.describe(ex.Value()))
	}
	return fmt.Errorf("the interpreter failed: %w", err)
}

// whereOf finds the place of an error that came without an exception, in the
// text of its stack.
func (g *guest) whereOf(v goja.Value) {
	if o, ok := v.(*goja.Object); ok && g.where == "" {
		g.where = placeInText(valueOr(o.Get("stack")), g.module.file)
	}
}

// describe is the text of a value that was thrown.
func (g *guest) describe(v goja.Value) (text string) {
	defer func() {
		if r := recover(); r != nil { // its own toString threw, or was stopped
			text = "an error without a text"
		}
	}()
	if o, ok := v.(*goja.Object); ok && o.ClassName() != "Error" {
		if msg, ok := o.Get("message").(goja.String); ok {
			return msg.String()
		}
	}
	return g.toString(v).String()
}

// textError is an error that is its own text.
type textError string

func (e textError) Error() string { return string(e) }

// output is the result as JSON. One that has no JSON form is a failure of the
// script, not of the sandbox: it ran to its end.
func (g *guest) output(v goja.Value) []byte {
	limit := g.Session.Limits().Output
	out, err := g.encode(v, limit)
	switch {
	case errors.Is(err, errTooLong):
		g.Fail(sandbox.FaultLimit, script.OutputError(limit))
	case err != nil:
		g.End(abi.ResultFail, "the result of invoke: "+err.Error())
	}
	return out
}
