package dispatch

import (
	"context"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

// CallBatch runs several actions of one tenant, plugin, rule and step to their ends:
// at once those that the plugin's module takes together, the others by Call. Each has
// the Outcome that is its own, in order; what one of them does wrong costs the others
// no more than another run.
func (c *Caller) CallBatch(ctx context.Context, list []Action) []Outcome {
	outs := make([]Outcome, len(list))
	done := make([]bool, len(list))
	c.together(ctx, list, outs, done)
	for i := range list {
		if !done[i] {
			outs[i] = c.Call(ctx, list[i])
		}
	}
	return outs
}

// together runs those actions that can be in batches. A panic on the way, which is a
// bug of the host, leaves the rest to be run one by one.
func (c *Caller) together(ctx context.Context, list []Action, outs []Outcome, done []bool) {
	defer func() {
		if v := recover(); v != nil {
			c.panicked(ctx, list[0], v)
		}
	}()
	p, ok := c.plugins.Plugin(list[0].Tenant, list[0].Plugin)
	if !ok {
		return
	}
	for from := 0; from < len(list); {
		n := fitting(list[from:])
		c.batch(ctx, p, list[from:from+n], outs[from:from+n], done[from:from+n])
		from += n
	}
}

// fitting is how many of the actions, at least one, a batch may have for their bytes.
func fitting(list []Action) int {
	bytes := 0
	for n := range list {
		bytes += len(list[n].Call.With) + len(list[n].Call.Event.Data)
		if n > 0 && bytes > maxBatchBytes {
			return n
		}
	}
	return len(list)
}

func (c *Caller) batch(ctx context.Context, p Plugin, list []Action, outs []Outcome, done []bool) {
	within := ctx
	if t := list[0].Timeout; t > 0 { // of a call; the batch has no more
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, t)
		defer cancel()
	}
	items := make([]sandbox.BatchItem, len(list))
	for i, a := range list {
		items[i] = sandbox.BatchItem{Call: p.call(a.Call), Session: sandbox.NewSession(a.Services, p.Grant, p.Limits)}
		if a.Tape != nil {
			items[i].Session.Use(a.Tape)
		}
	}
	for i, r := range p.Slot.Batch(within, items) {
		if r == nil {
			continue
		}
		out := Outcome{Reply: r.Reply, Usage: r.Usage}
		out.Kind, out.Err = verdict(list[i].Plugin, r.Reply)
		outs[i], done[i] = out.seal(r.Session), true
	}
}

// call is a call with what the operator set for the plugin.
func (p *Plugin) call(c *abi.Call) *abi.Call {
	out := *c
	out.Config, out.Export = p.Config, p.Export
	return &out
}
