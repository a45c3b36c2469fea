package lua

import (
	"context"
	"errors"
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/script"
)

const (
	regInitial = 256             // registers of a new thread
	regSpare   = 2*maxValues + 8 // registers beyond the stack limit that a native may need
	frameSlots = 25              // slots that a call counts as
	maxFrames  = 8_000           // calls, whatever the limits say: an error costs their number squared
	frameSpare = 64              // frames beyond the limit, so that natives can still report it
	maxStack   = 4_000_000       // slots of stack, whatever the limits say: 64 MB of registers
)

// instance is a guest between calls: nothing but its module, because every call
// gets a Lua state of its own.
type instance struct {
	module  *module
	faulted bool
}

// Reusable is true until a call faulted.
func (i *instance) Reusable() bool { return !i.faulted }

// Close has nothing to release.
func (i *instance) Close(context.Context) error { return nil }

// Invoke runs the script from its first line in a fresh state, then calls invoke.
func (i *instance) Invoke(ctx context.Context, call *abi.Call, s *sandbox.Session) (abi.Reply, sandbox.Usage, error) {
	lim := s.Limits()
	m := script.NewMeter(ctx, lim, i.module.engine.ceiling)
	g := &guest{
		Host:       script.NewHost(m, s, call),
		offsets:    i.module.engine.offsets,
		stackLimit: min(lim.Stack, maxStack),
	}
	g.maxFrames = min(g.stackLimit/frameSlots+8, maxFrames)
	out := g.run(i.module, call) //nolint:contextcheck // the meter has the context of the call
	reply, usage, err := g.Finish(i.module.info.Name, out)
	i.faulted = err != nil
	return reply, usage, err
}

// run is one call. A panic that comes from the interpreter and not from Lua is
// the guest's fault as well: it found a way to break its own sandbox.
func (g *guest) run(m *module, call *abi.Call) (out script.Outcome) {
	l := glua.NewState(glua.Options{
		SkipOpenLibs:        true,
		MinimizeStackMemory: true,
		CallStackSize:       g.maxFrames + frameSpare,
		RegistrySize:        regInitial,
		RegistryMaxSize:     g.stackLimit + regSpare,
		RegistryGrowStep:    regStep,
	})
	defer func() {
		if v := recover(); v != nil {
			out = script.Outcome{Where: g.where, Err: fmt.Errorf("the interpreter failed: %v", v)}
		}
		out.Where = g.where
		l.Close()
	}()
	t := &thread{guest: g, l: l, mark: regInitial}
	t.cur, t.reg = g.offsets.viewThread(l)
	l.SetContext(t)
	g.main = l
	g.arrays = &glua.LTable{Metatable: glua.LNil}
	g.arrays.RawSetString("__metatable", glua.LString("array"))
	g.null = &glua.LUserData{Metatable: glua.LNil}
	m.engine.lib.install(l, m.omit)

	result, err := g.script(l, m, call)
	if err != nil {
		return script.Outcome{Err: g.trap(err)}
	}
	return script.Outcome{Output: g.output(result)}
}

// script runs the main chunk, then invoke.
func (g *guest) script(l *glua.LState, m *module, call *abi.Call) (glua.LValue, error) {
	if _, err := g.call(l, l.NewFunctionFromProto(m.proto)); err != nil {
		return nil, err
	}
	invoke, ok := l.G.Global.RawGetString("invoke").(*glua.LFunction)
	if !ok {
		g.Fail(sandbox.FaultABI, errors.New("invoke is not a function when the script has run; add: function invoke(call) … end"))
		return nil, script.ErrStopped
	}
	arg, err := g.argumentOf(l, call)
	if err != nil {
		return nil, err
	}
	g.invoking = true
	return g.call(l, invoke, arg)
}

// argumentOf makes the table call, and rhost.config and rhost.null beside it.
func (g *guest) argumentOf(l *glua.LState, call *abi.Call) (glua.LValue, error) {
	text := script.AppendCall(nil, call, g.Session.Granted(abi.CapConfig))
	arg, err := g.decode(text)
	if err != nil {
		return nil, fmt.Errorf("read the call: %w", err)
	}
	tb, ok := arg.(*glua.LTable)
	if !ok {
		return nil, errors.New("read the call: it is no object")
	}
	if rhost, ok := l.G.Global.RawGetString("rhost").(*glua.LTable); ok {
		rhost.RawSetString("config", tb.RawGetString("config"))
	}
	return tb, nil
}

// call calls a function and gives its first result.
func (g *guest) call(l *glua.LState, fn *glua.LFunction, args ...glua.LValue) (glua.LValue, error) {
	l.Push(fn)
	for _, a := range args {
		l.Push(a)
	}
	if err := l.PCall(len(args), 1, nil); err != nil {
		return nil, err
	}
	v := l.Get(-1)
	l.Pop(1)
	return v, nil
}

// output is the result as JSON. One that has no JSON form is a failure of the
// script, not of the sandbox: it ran to its end.
func (g *guest) output(v glua.LValue) []byte {
	if v == glua.LNil || g.Stopped() != nil {
		return nil
	}
	limit := g.Session.Limits().Output
	out, err := g.encode(v, limit)
	switch {
	case g.Stopped() != nil:
		return nil
	case errors.Is(err, errTooLong):
		g.Fail(sandbox.FaultLimit, script.OutputError(limit))
	case err != nil:
		g.End(abi.ResultFail, "the result of invoke: "+strings.TrimSpace(err.Error()))
	}
	return out
}
