package host

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/host/dispatch"
	"github.com/rhost/rhost/host/egress"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/tenants"
)

// runner carries out the commands of a lane: plugin calls on a dispatcher with
// a worker per processor, http and file steps on one with many, for they wait.
type runner struct {
	tenant tenants.Name
	caller *dispatch.Caller
	setup  func(plugin string) (pluginSetup, bool)
	egress *egress.Client
	app    string // folder that secrets' files are relative to
	calls  *dispatch.Dispatcher
	steps  *dispatch.Dispatcher
	http   func(ctx context.Context, cmd workflow.Command) workflow.Result
	file   func(ctx context.Context, cmd workflow.Command) workflow.Result
	state  *state
	logger *slog.Logger
	hub    *notify.Hub // nil: nobody follows what plugins log
	blobs  blobs

	results chan<- workflow.Result
	stopped <-chan struct{} // closed when nobody takes results any more
}

// start hands a command to its dispatcher. It never waits; false says that
// there is no room now.
func (r *runner) start(cmd workflow.Command) bool {
	d, do := r.steps, r.http
	var batch *dispatch.Batch
	switch cmd.Action {
	case workflow.ActionRun:
		d, do = r.calls, r.call
		set, ok := r.setup(cmd.Plugin)
		if !ok {
			break // the call says so
		}
		if set.grant.Has(abi.CapHTTP) {
			d = r.steps // it may wait for others
		} else {
			batch = r.batchOf(cmd, set)
		}
		set.slot.Wake(context.Background()) // while the call waits for its turn
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
		Batch:    batch,
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
	var vars *matchVars
	var err error
	whileStarved(ctx, r.logger, func() error {
		vars, err = decodePayload(ctx, cmd.Payload, r.blobs)
		return elsewhere(err)
	})
	if err != nil {
		return cmd.Fail(workflow.FailInternal, err.Error())
	}
	set, _ := r.setup(cmd.Plugin)
	act := r.action(cmd, vars, set) //nolint:contextcheck // a guest logs under no context
	var rec *sandbox.Recorder
	if set.conf.Record != "" {
		rec = sandbox.NewRecorder(recordLimit)
		act.Tape = rec
	}
	res := resultOf(cmd, r.caller.Call(ctx, act), vars.match.At)
	res.Calls = encodeTape(rec, cmd.Key)
	return res
}

// elsewhere is an error of reading the log that says nothing of what is stored: it
// may be readable in a moment.
func elsewhere(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, eventlog.ErrUnavailable) {
		return err
	}
	return nil
}

// action is the call of a plugin that a command asks for.
func (r *runner) action(cmd workflow.Command, vars *matchVars, set pluginSetup) dispatch.Action {
	at := vars.match.At
	return dispatch.Action{
		Tenant: r.tenant, Plugin: cmd.Plugin, Call: callOf(cmd, vars), Timeout: cmd.Timeout,
		Services: sandbox.Services{
			State: r.state.get, Log: r.guestLog(cmd),
			KV:     func(key string) ([]byte, bool) { return r.state.kv.get(key, at) },
			HTTP:   r.httpOf(cmd.Plugin, set, cmd.Key),
			Secret: r.secretOf(cmd.Plugin, set),
		},
	}
}

// callOf is what a plugin is told of a command.
func callOf(cmd workflow.Command, vars *matchVars) *abi.Call {
	call := &abi.Call{Match: vars.match, With: cmd.Args, Attempt: cmd.Attempt, Key: cmd.Key}
	if vars.event != nil {
		call.Event = *vars.event
	}
	return call
}

// resultOf answers a command with how the call of its plugin ended. at is the time of
// the match.
func resultOf(cmd workflow.Command, out dispatch.Outcome, at time.Time) workflow.Result {
	var res workflow.Result
	if out.Kind == dispatch.KindOK {
		res = cmd.Answer(out.Reply.Output)
		res.Dropped = out.Reply.Result == abi.ResultDrop
		res.Effects = effectsOf(out.Reply.Effects, at)
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
		msg = strings.TrimRight(msg, "\n")
		r.logger.Log(context.Background(), levels[level], msg, "plugin", cmd.Plugin, "rule", cmd.Rule, "match", cmd.Match)
		if r.hub != nil && r.hub.Wanted(notify.TopicLogs) {
			line := LogLine{Plugin: cmd.Plugin, Rule: cmd.Rule, Match: cmd.Match, Level: level.String(), Text: msg}
			r.hub.Publish(notify.Message{Topic: notify.TopicLogs, At: time.Now(), Rule: cmd.Rule, Match: cmd.Match, Payload: line.payload()})
		}
	}
}

// LogLine is what a plugin logged, as the topic rhost:logs tells it.
type LogLine struct {
	Plugin string `json:"plugin"`
	Rule   string `json:"rule,omitempty"`
	Match  string `json:"match,omitempty"`
	Level  string `json:"level"`
	Text   string `json:"text"`
}

func (l LogLine) payload() json.RawMessage {
	body, err := json.Marshal(l)
	if err != nil {
		return json.RawMessage("null") // never: it is text
	}
	return body
}

// effectsOf turns the effects of a call into those of its record. at is the time
// of its match, from which on values are kept.
func effectsOf(list []abi.Effect, at time.Time) []workflow.Effect {
	if len(list) == 0 {
		return nil
	}
	out := make([]workflow.Effect, len(list))
	for i, e := range list {
		out[i] = workflow.Effect{Kind: workflow.EffectKind(e.Kind), Name: e.Name, Value: e.Value, Expect: e.Expect, Bytes: e.Bytes}
		if e.TTL > 0 {
			out[i].Expires = at.Add(e.TTL)
		}
	}
	return out
}
