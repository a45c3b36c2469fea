package host

import (
	"context"
	"log/slog"
	"strings"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/host/dispatch"
	"github.com/rhost/rhost/host/workflow"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/tenants"
)

// runner carries out the commands of a lane: plugin calls on a dispatcher with
// a worker per processor, http and file steps on one with many, for they wait.
type runner struct {
	tenant tenants.Name
	caller *dispatch.Caller
	calls  *dispatch.Dispatcher
	steps  *dispatch.Dispatcher
	http   func(ctx context.Context, cmd workflow.Command) workflow.Result
	file   func(ctx context.Context, cmd workflow.Command) workflow.Result
	state  *state
	logger *slog.Logger
	blobs  blobs

	results chan<- workflow.Result
	stopped <-chan struct{} // closed when nobody takes results any more
}

// start hands a command to its dispatcher. It never waits; false says that
// there is no room now.
func (r *runner) start(cmd workflow.Command) bool {
	d, do := r.steps, r.http
	switch cmd.Action {
	case workflow.ActionRun:
		d, do = r.calls, r.call
	case workflow.ActionFile:
		do = r.file
	case workflow.ActionHTTP, workflow.ActionEmit, workflow.ActionNotify:
	}
	err := d.TrySubmit(dispatch.Task{
		Tenant: r.tenant,
		Key:    cmd.Key,
		Do: func(ctx context.Context) {
			if res := do(ctx, cmd); ctx.Err() == nil {
				r.answer(res)
			} // else the host stops; the intent stays open and runs again
		},
		Panicked: func(err error) { r.answer(cmd.Fail(workflow.FailInternal, err.Error())) },
	})
	return err == nil
}

// answer tells the lane, which takes results whatever else it waits for. Once it
// has ended there is nobody to tell: the action runs again after the restart.
func (r *runner) answer(res workflow.Result) {
	select {
	case r.results <- res:
	case <-r.stopped:
	}
}

// call runs a plugin.
func (r *runner) call(ctx context.Context, cmd workflow.Command) workflow.Result {
	vars, err := decodePayload(ctx, cmd.Payload, r.blobs)
	if err != nil {
		return cmd.Fail(workflow.FailInternal, err.Error())
	}
	call := &abi.Call{Match: vars.match, With: cmd.Args, Attempt: cmd.Attempt, Key: cmd.Key}
	if vars.event != nil {
		call.Event = *vars.event
	}
	out := r.caller.Call(ctx, dispatch.Action{
		Tenant: r.tenant, Plugin: cmd.Plugin, Call: call, Timeout: cmd.Timeout,
		Services: sandbox.Services{State: r.state.get, Log: r.guestLog(cmd)},
	})
	var res workflow.Result
	if out.Kind == dispatch.KindOK {
		res = cmd.Answer(out.Reply.Output)
		res.Dropped = out.Reply.Result == abi.ResultDrop
		res.Effects = effectsOf(out.Reply.Effects)
	} else {
		res = cmd.Fail(workflow.FailureKind(out.Kind), out.Err.Error())
	}
	res.Digest = out.Digest
	res.Usage = &workflow.Usage{
		Fuel: out.Usage.Fuel, Wall: out.Usage.Wall, PeakMemory: out.Usage.PeakMemory, HostCalls: out.Usage.HostCalls,
	}
	return res
}

func (r *runner) guestLog(cmd workflow.Command) func(sandbox.LogLevel, string) {
	levels := map[sandbox.LogLevel]slog.Level{
		sandbox.LogDebug: slog.LevelDebug, sandbox.LogInfo: slog.LevelInfo,
		sandbox.LogWarn: slog.LevelWarn, sandbox.LogError: slog.LevelError,
	}
	return func(level sandbox.LogLevel, msg string) {
		r.logger.Log(context.Background(), levels[level], strings.TrimRight(msg, "\n"), "plugin", cmd.Plugin, "rule", cmd.Rule, "match", cmd.Match)
	}
}

func effectsOf(list []abi.Effect) []workflow.Effect {
	if len(list) == 0 {
		return nil
	}
	out := make([]workflow.Effect, len(list))
	for i, e := range list {
		out[i] = workflow.Effect{Kind: workflow.EffectKind(e.Kind), Name: e.Name, Value: e.Value, Expect: e.Expect}
	}
	return out
}
