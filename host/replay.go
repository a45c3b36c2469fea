package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/dispatch"
	"github.com/rhost/rhost/host/workflow"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	"github.com/rhost/rhost/tenants"
)

// The outcomes of running a call again.
const (
	ReplaySame    = "same"
	ReplayDiffers = "differs"
	ReplaySkipped = "skipped" // it could not be run again
)

// replayDeadline takes the place of the deadline that a call had: how long it takes
// now says nothing of it.
const replayDeadline = 30 * time.Second

// maxReplayModules is how many modules are compiled at a time.
const maxReplayModules = 8

// ReplayOptions says which calls are run again, and where.
type ReplayOptions struct {
	Query CallQuery
	App   string // for the secrets of rhost.yaml, and for what With is granted
	Data  string // for the seed of random bytes, and compiled modules
	// With is another version of a plugin that the calls of this plugin are tried
	// with. Nil: each call runs on the version that it ran on.
	With *Candidate
}

// Candidate is a version of a plugin that no host runs yet.
type Candidate struct {
	Plugin string
	Kind   deploy.Kind
	File   string // for messages
	Source []byte
}

// Replayed is a recorded call, and what came of running it again.
type Replayed struct {
	PastCall
	Outcome string   `json:"outcome"`           // same, differs or skipped
	Reason  string   `json:"reason,omitempty"`  // why, unless it is the same
	Differs []string `json:"differs,omitempty"` // of result, message, output, effects, fuel, host_calls
	Note    string   `json:"note,omitempty"`    // what was not compared, and why
	With    string   `json:"with,omitempty"`    // digest of the other version it was tried with
	Now     *CallEnd `json:"now,omitempty"`     // nil when it was skipped
	// FuelRatio is the fuel that it uses now, of what it used then.
	FuelRatio float64 `json:"fuel_ratio,omitempty"`
}

// Replay runs recorded calls again and tells fn of each, in the order in which they
// ended. Nothing outside is reached and nothing is written but compiled modules: what
// a call asked of the host is answered from its record, secrets from rhost.yaml.
func (a *Archive) Replay(ctx context.Context, o ReplayOptions, fn func(*Replayed) error) (err error) {
	r, err := newRerun(a, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close(context.WithoutCancel(ctx))) }()
	if o.With != nil {
		if r.trial, err = r.compile(ctx, o.With.Kind, sandbox.Source{
			Name: o.With.Plugin, File: o.With.File, Bytes: o.With.Source, CanonicalNaN: r.config.Plugins[o.With.Plugin].CanonicalNaN,
		}); err != nil {
			return err
		}
		o.Query.Plugin = o.With.Plugin
	}
	return a.calls(ctx, o.Query, func(c *PastCall) error {
		out, err := r.again(ctx, c)
		if err != nil {
			return err
		}
		return fn(out)
	})
}

// rerun runs calls again, one after the other. It is the dispatch.Plugins of its
// caller: a call finds what was set up for it.
type rerun struct {
	log     *Archive
	config  Config
	app     string
	tenant  tenants.Name
	engines map[deploy.Kind]sandbox.Engine
	modules map[string]*sandbox.Slot // by digest, and whether it makes canonical NaNs
	caller  *dispatch.Caller
	secrets *runner
	trial   *sandbox.Slot // nil: each call runs on its own version
	plugin  dispatch.Plugin
}

func newRerun(a *Archive, o ReplayOptions) (*rerun, error) {
	config, err := ReadConfig(o.App, nil)
	if err != nil {
		return nil, err
	}
	seed, err := os.ReadFile(filepath.Join(o.Data, "seed"))
	if err != nil {
		return nil, fmt.Errorf("random bytes of calls begin with the seed of the data folder: %w", err)
	}
	engines, err := NewEngines(wasm.Options{
		CacheDir: filepath.Join(o.Data, "cache"), Seed: seed,
		TailCalls: true, ExtendedConst: true, // what ran was admitted
	})
	if err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	r := &rerun{
		log: a, config: config, app: o.App, engines: engines, modules: make(map[string]*sandbox.Slot),
		secrets: &runner{app: o.App, logger: quiet},
	}
	r.tenant, err = tenants.ParseName(config.Tenant)
	r.caller = dispatch.NewCaller(r, quiet)
	if err != nil {
		return nil, errors.Join(err, r.close(context.Background()))
	}
	return r, nil
}

// Plugin implements dispatch.Plugins.
func (r *rerun) Plugin(tenants.Name, string) (dispatch.Plugin, bool) { return r.plugin, true }

func (r *rerun) close(ctx context.Context) error {
	errs := []error{r.forget(ctx)}
	if r.trial != nil {
		errs = append(errs, r.trial.Close(ctx))
	}
	for _, e := range r.engines {
		errs = append(errs, e.Close(ctx))
	}
	return errors.Join(errs...)
}

// forget closes the modules that are compiled.
func (r *rerun) forget(ctx context.Context) error {
	var errs []error
	for _, slot := range r.modules {
		errs = append(errs, slot.Close(ctx))
	}
	clear(r.modules)
	return errors.Join(errs...)
}

// compile makes a version ready. The error is that of a version no engine takes.
func (r *rerun) compile(ctx context.Context, kind deploy.Kind, src sandbox.Source) (*sandbox.Slot, error) {
	engine, ok := r.engines[kind]
	if !ok {
		return nil, fmt.Errorf("no engine runs %q plugins", kind)
	}
	module, err := engine.Compile(ctx, src)
	if err != nil {
		return nil, err
	}
	slot := sandbox.NewSlot()
	return slot, slot.Swap(ctx, module, 1)
}

// version finds the module that a call ran on.
func (r *rerun) version(ctx context.Context, c *PastCall, t *tape) (*sandbox.Slot, error) {
	as := sandbox.Source{Name: c.Plugin}.As(t.Runtime)
	key := as.RuntimeOf(c.Digest)
	if slot, ok := r.modules[key]; ok {
		return slot, nil
	}
	src, err := r.log.log.GetBlob(ctx, c.Digest)
	if err != nil {
		return nil, fmt.Errorf("the module that ran is gone: %w", err)
	}
	if len(r.modules) >= maxReplayModules {
		if err := r.forget(ctx); err != nil {
			return nil, err
		}
	}
	as.Bytes = src
	slot, err := r.compile(ctx, deploy.Kind(t.Engine), as)
	if err != nil {
		return nil, fmt.Errorf("the module that ran does not load any more: %w", err)
	}
	r.modules[key] = slot
	return slot, nil
}

// again runs a call again. Its error ends the replay.
func (r *rerun) again(ctx context.Context, c *PastCall) (*Replayed, error) {
	out := &Replayed{PastCall: *c, Outcome: ReplaySkipped}
	t, err := c.repeatable()
	if errors.Is(err, errNotRecorded) {
		err = fmt.Errorf("%w; plugins.%s.record: calls in rhost.yaml records calls from then on", err, c.Plugin)
	}
	if err != nil {
		out.Reason = err.Error()
		return out, nil //nolint:nilerr // the answer says why it was skipped
	}
	slot := r.trial
	if slot == nil {
		if slot, err = r.version(ctx, c, t); err != nil {
			out.Reason = err.Error()
			return out, ctx.Err()
		}
	}
	info, _ := slot.Info()
	if r.trial != nil {
		out.With = info.Digest
	}
	if info.Runtime != t.Runtime {
		if c.Was.Fault != "" && r.trial == nil {
			out.Reason = fmt.Sprintf("it ended as a fault under %s, and this is %s", t.Runtime, info.Runtime)
			return out, nil
		}
		out.Note = fmt.Sprintf("fuel does not compare: it was counted by %s, and this is %s", t.Runtime, info.Runtime)
	}
	vars, err := decodePayload(ctx, c.cmd.Payload, r.log.log)
	if err != nil {
		out.Reason = "its match cannot be read: " + err.Error()
		return out, ctx.Err()
	}
	end, err := r.run(ctx, c, t, slot, vars)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, sandbox.ErrSecret) {
		out.Reason = err.Error()
		return out, nil
	}
	if err != nil && end.Result == "fault" {
		end.Fault = string(sandbox.FaultReplay)
	}
	out.Now = &end
	if out.Was.Fuel > 0 {
		out.FuelRatio = float64(end.Fuel) / float64(out.Was.Fuel)
	}
	out.compare(r.trial != nil, err)
	return out, nil
}

// run gives a call to a version. Its error says how what the call asks of the host
// is not what is on record.
func (r *rerun) run(ctx context.Context, c *PastCall, t *tape, slot *sandbox.Slot, vars *matchVars) (CallEnd, error) {
	info, _ := slot.Info()
	set := pluginSetup{conf: r.config.Plugins[c.Plugin], info: info}
	services := sandbox.Services{Secret: r.secrets.secretOf(c.Plugin, set)}
	limits := t.Limits
	limits.Deadline = replayDeadline
	r.plugin = dispatch.Plugin{Slot: slot, Grant: t.Grant, Limits: limits, Config: json.RawMessage(t.Config), Export: t.Export}
	act := dispatch.Action{Tenant: r.tenant, Plugin: c.Plugin, Call: callOf(c.cmd, vars)}
	act.Call.Key = t.Key
	var strayed func() error
	if r.trial == nil {
		p := sandbox.NewReplayer(t.Calls)
		act.Tape, act.Services, strayed = p, services, p.Err
	} else {
		p := sandbox.NewTrial(t.Calls)
		act.Tape, act.Services, strayed = p, p.Services(services), p.Err
		r.plugin.Grant = set.conf.grant(info.Needs)
		if m := info.Manifest; m != nil {
			r.plugin.Limits = limits.Lowered(m.Limits)
		}
	}
	end, err := recorded(resultOf(c.cmd, r.caller.Call(ctx, act), vars.match.At))
	return end, errors.Join(err, strayed())
}

// recorded is the end of a call as the log would tell it.
func recorded(res workflow.Result) (CallEnd, error) {
	rec := res.Record()
	rec.Version, rec.Execution = workflow.RecordVersion, res.Execution
	text, err := rec.Encode()
	if err != nil {
		return CallEnd{}, err
	}
	if rec, err = workflow.DecodeRecord(text); err != nil {
		return CallEnd{}, err
	}
	return endOf(rec), nil
}

// compare says in what the call differs. On another version, fuel and the number of
// host calls are its own. strayed says that the call asked for what is not on record.
func (o *Replayed) compare(trial bool, strayed error) {
	was, now := &o.Was, o.Now
	differs := func(what string, is bool) {
		if is {
			o.Differs = append(o.Differs, what)
		}
	}
	differs("result", was.Result != now.Result || was.Fault != now.Fault)
	differs("message", was.Message != now.Message && was.Fault == "" && now.Fault == "")
	differs("output", !bytes.Equal(was.Output, now.Output))
	differs("effects", !sameEffects(was.Effects, now.Effects))
	differs("fuel", was.Fuel != now.Fuel && !trial && o.Note == "")
	differs("host_calls", was.HostCalls != now.HostCalls && !trial || strayed != nil)
	o.Outcome = ReplaySame
	if len(o.Differs) == 0 {
		return
	}
	o.Outcome, o.Reason = ReplayDiffers, o.reason(strayed)
}

// reason is the difference that stands behind the others.
func (o *Replayed) reason(strayed error) string {
	was, now := &o.Was, o.Now
	if strayed != nil {
		return strayed.Error()
	}
	switch o.Differs[0] {
	case "result":
		return fmt.Sprintf("%s instead of %s", now.ending(), was.ending())
	case "message":
		return fmt.Sprintf("the message is %q instead of %q", now.Message, was.Message)
	case "output":
		return "another output"
	case "effects":
		return "other effects"
	case "fuel":
		return fmt.Sprintf("%d fuel instead of %d", now.Fuel, was.Fuel)
	}
	return fmt.Sprintf("%d host calls instead of %d", now.HostCalls, was.HostCalls)
}

func (e *CallEnd) ending() string {
	switch {
	case e.Fault != "":
		return "a " + e.Fault + " fault"
	case e.Message != "":
		return e.Result + " (" + e.Message + ")"
	}
	return e.Result
}

// sameEffects compares effects as the log holds them.
func sameEffects(a, b []workflow.Effect) bool {
	if len(a) != len(b) {
		return false
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

var _ dispatch.Plugins = (*rerun)(nil)
