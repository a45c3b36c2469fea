package host

import (
	"context"
	"time"

	"github.com/rhost/rhost/host/dispatch"
	"github.com/rhost/rhost/host/workflow"
)

// batchKey is what calls have in common that may be made together: the ABI promises a
// guest one rule, and a batch has one timeout. The plugin is set up once for all of
// them.
type batchKey struct {
	plugin, rule, version, step string
	undo                        bool
	timeout                     time.Duration
}

// batchOf says with which others a call may be made: nil with none. Calls of a plugin
// that is recorded stand alone, so that each can be run again by itself. Those that may
// make requests do so as well, or they would wait for each other's.
func (r *runner) batchOf(cmd workflow.Command, set pluginSetup) *dispatch.Batch {
	if m := set.info.Manifest; m == nil || !m.Batch || set.conf.Record != "" {
		return nil
	}
	return &dispatch.Batch{
		Key:  batchKey{cmd.Plugin, cmd.Rule, cmd.Version, cmd.Step, cmd.Undo, cmd.Timeout},
		Size: len(cmd.Payload) + len(cmd.Args),
		Item: cmd,
		Do:   r.callTogether,
	}
}

// callTogether runs a plugin for several commands of one batchKey.
func (r *runner) callTogether(ctx context.Context, items []any) {
	var cmds []workflow.Command
	var acts []dispatch.Action
	var results []workflow.Result
	for _, item := range items {
		cmd, ok := item.(workflow.Command)
		if !ok {
			panic("host: an item of a batch is no command")
		}
		vars, err := decodePayload(ctx, cmd.Payload, r.blobs)
		if err != nil {
			results = append(results, cmd.Fail(workflow.FailInternal, err.Error()))
			continue
		}
		set, _ := r.setup(cmd.Plugin)
		cmds, acts = append(cmds, cmd), append(acts, r.action(cmd, vars, set)) //nolint:contextcheck // a guest logs under no context
	}
	if len(acts) > 0 {
		for i, out := range r.caller.CallBatch(ctx, acts) {
			results = append(results, resultOf(cmds[i], out, acts[i].Call.Match.At))
		}
	}
	if ctx.Err() != nil {
		return // the host stops; the intents stay open and run again
	}
	for _, res := range results { // all of them or none: a panic answers for all
		r.answer(res)
	}
}
