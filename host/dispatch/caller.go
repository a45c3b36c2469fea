package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/tenants"
)

// Plugins finds a tenant's plugins. It is asked anew for each call.
type Plugins interface {
	Plugin(tenant tenants.Name, name string) (Plugin, bool)
}

// Plugin is a plugin as its operator set it up.
type Plugin struct {
	Slot   *sandbox.Slot
	Grant  abi.Grant
	Limits sandbox.Limits
	Config json.RawMessage // a JSON object, or nil
	Export string          // the function to call, of a guest that has several
}

// Action is one call of a plugin.
type Action struct {
	Tenant tenants.Name
	Plugin string
	// Call is the call without its Config, which the plugin's operator sets. It is
	// not changed.
	Call     *abi.Call
	Services sandbox.Services
	// Timeout bounds the call besides the plugin's own deadline. 0: no bound.
	Timeout time.Duration
	// Tape keeps the host calls of the call, or answers them. May be nil.
	Tape sandbox.Tape
}

// Kind says how an action ended, in words that a workflow and its
// `retry: {on: …}` use. The empty kind is success.
type Kind string

// The kinds.
const (
	KindOK          Kind = ""
	KindTimeout     Kind = "timeout"     // deadline of the plugin or of the step
	KindUnavailable Kind = "unavailable" // no such plugin, or no version of it, just now
	KindRetry       Kind = "retry"       // the guest asks for another try
	KindCrashed     Kind = "crashed"     // its worker process died
	KindFail        Kind = "fail"        // the guest says no
	KindFuel        Kind = "fuel"
	KindMemory      Kind = "memory"
	KindStack       Kind = "stack"
	KindTrap        Kind = "trap"
	KindABI         Kind = "abi"
	KindLimit       Kind = "limit"
	KindDenied      Kind = "denied"
	KindInternal    Kind = "internal" // a bug of the host
	// KindStopped says that the host stops. It is no result: the intent stays
	// open and the action runs again after the restart.
	KindStopped Kind = "stopped"
)

// Outcome is how an action ended.
type Outcome struct {
	Kind   Kind
	Reply  abi.Reply     // of KindOK; its Result is ok or drop
	Usage  sandbox.Usage // whatever the kind
	Digest string        // of the module that ran; "" when none did
	Err    error         // why, unless the kind is KindOK
}

// Caller runs plugin actions. It is safe for concurrent use.
type Caller struct {
	plugins Plugins
	log     *slog.Logger
}

// NewCaller returns a caller that finds plugins through p. log is told of
// panics; nil means slog.Default.
func NewCaller(p Plugins, log *slog.Logger) *Caller {
	if log == nil {
		log = slog.Default()
	}
	return &Caller{plugins: p, log: log}
}

// Call runs an action to its end and always has an Outcome: a panic on the way,
// which is a bug of the host, is logged and told as KindInternal.
func (c *Caller) Call(ctx context.Context, a Action) (out Outcome) {
	defer func() {
		if v := recover(); v != nil {
			c.panicked(ctx, a, v)
			out = Outcome{Kind: KindInternal, Err: fmt.Errorf("call %s: internal error: %v", a.Plugin, v)}
		}
	}()
	p, ok := c.plugins.Plugin(a.Tenant, a.Plugin)
	if !ok {
		return Outcome{Kind: KindUnavailable, Err: fmt.Errorf("call %s: no plugin of this name is loaded; add it under plugins/", a.Plugin)}
	}
	callCtx := ctx
	if a.Timeout > 0 {
		var cancel context.CancelFunc
		callCtx, cancel = context.WithTimeout(ctx, a.Timeout)
		defer cancel()
	}
	var err error
	session := sandbox.NewSession(a.Services, p.Grant, p.Limits)
	if a.Tape != nil {
		session.Use(a.Tape)
	}
	out.Reply, out.Usage, err = p.Slot.Call(callCtx, p.call(a.Call), session)
	out.Kind, out.Err = judge(ctx, callCtx, a.Plugin, out.Reply, err)
	return out.seal(session)
}

// seal fills in what follows from the rest, and keeps secrets out of the reason.
func (o Outcome) seal(session *sandbox.Session) Outcome {
	o.Digest = o.Usage.Module
	if o.Err != nil {
		o.Err = discreet{o.Err, session.Redact(o.Err.Error())}
	}
	if o.Kind != KindOK {
		o.Reply.Effects = nil
	}
	return o
}

func (c *Caller) panicked(ctx context.Context, a Action, v any) {
	c.log.LogAttrs(ctx, slog.LevelError, "a plugin call panicked; this is a bug of rhost",
		slog.String("tenant", a.Tenant.String()), slog.String("plugin", a.Plugin),
		slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
}

// discreet is an error whose text is without the secrets that the call was
// given.
type discreet struct {
	error
	text string
}

func (d discreet) Error() string { return d.text }
func (d discreet) Unwrap() error { return d.error }

// judge turns what a call gave into a kind and a reason.
func judge(ctx, callCtx context.Context, plugin string, reply abi.Reply, err error) (Kind, error) {
	switch {
	case err == nil:
		return verdict(plugin, reply)
	case ctx.Err() != nil:
		return KindStopped, err
	case errors.Is(err, sandbox.ErrEmpty), errors.Is(err, sandbox.ErrCold):
		return KindUnavailable, fmt.Errorf("call %s: %w", plugin, err)
	}
	switch fault := sandbox.KindOf(err); fault {
	case sandbox.FaultDeadline:
		return KindTimeout, err
	case sandbox.FaultFuel, sandbox.FaultMemory, sandbox.FaultStack, sandbox.FaultTrap, sandbox.FaultDenied,
		sandbox.FaultABI, sandbox.FaultLimit, sandbox.FaultCrashed:
		return Kind(fault), err
	default: // no fault of a live call
	}
	if callCtx.Err() != nil {
		return KindTimeout, err
	}
	return KindInternal, err
}

// verdict turns the result of a call that ran to its end into a kind.
func verdict(plugin string, reply abi.Reply) (Kind, error) {
	switch reply.Result {
	case abi.ResultOK, abi.ResultDrop:
		return KindOK, nil
	case abi.ResultFail:
		return KindFail, reason(plugin, reply)
	case abi.ResultRetry:
		return KindRetry, reason(plugin, reply)
	}
	return KindABI, fmt.Errorf("call %s: result %d is not known", plugin, reply.Result)
}

func reason(plugin string, reply abi.Reply) error {
	if reply.Message == "" {
		return fmt.Errorf("%s answers %s", plugin, reply.Result)
	}
	return fmt.Errorf("%s: %s", plugin, reply.Message)
}
