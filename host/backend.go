package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
	"github.com/rhost/rhost/tenants"
)

// tailBuffer is how many messages a watcher may be behind before it loses some.
const tailBuffer = 4096

// backend answers the API from a running host. It implements api.Backend.
type backend struct{ *Host }

func (b backend) Submit(ctx context.Context, events []event.Event) error {
	return apiError(b.admit.accept(ctx, events))
}

// apiError gives an error of the log the kind that decides the HTTP status.
func apiError(err error) error {
	if full, ok := errors.AsType[*tenants.Full](err); ok {
		return &api.QuotaError{
			Tenant: full.Tenant, Quota: full.Quota, Used: full.Used, Limit: full.Limit, RetryAfter: full.RetryAfter, Err: err,
		}
	}
	for _, kind := range []struct{ is, as error }{
		{eventlog.ErrFull, api.ErrFull},
		{eventlog.ErrTooLarge, api.ErrTooLarge},
		{ErrReserved, api.ErrInvalid},
		{eventlog.ErrClosed, api.ErrUnavailable},
		{eventlog.ErrDiskFull, api.ErrUnavailable},
		{eventlog.ErrUncertain, api.ErrUnavailable},
		{eventlog.ErrFenced, api.ErrUnavailable},
		{errLaneStopped, api.ErrUnavailable},
		{workflow.ErrNoDeadLetter, api.ErrNotFound},
	} {
		if errors.Is(err, kind.is) {
			return fmt.Errorf("%w (%w)", err, kind.as)
		}
	}
	return err
}

func (b backend) records() records { return records{b.log} }

func (b backend) Matches(ctx context.Context, q api.Query) (api.Page, error) {
	return b.records().matches(ctx, q)
}

func (b backend) Actions(ctx context.Context, q api.Query) (api.Page, error) {
	return b.records().actions(ctx, q)
}

func (b backend) Match(ctx context.Context, id string) (json.RawMessage, error) {
	return b.records().match(ctx, id)
}

func (b backend) DeadLetters(ctx context.Context) ([]json.RawMessage, error) {
	var list []json.RawMessage
	var err error
	asked := b.lane.ask(ctx, func() { list, err = lettersOf(b.lane.flows, b.lane.bad) })
	return list, errors.Join(apiError(asked), err)
}

func (b backend) Redrive(ctx context.Context, id string) error {
	return apiError(b.lane.untilSaved(ctx, func() error { return b.lane.redrive(ctx, id) }))
}

func (b backend) Drop(ctx context.Context, id string) error {
	return apiError(b.lane.untilSaved(ctx, func() error { return b.lane.discard(ctx, id) }))
}

func (b backend) Plan(_ context.Context, rule string) (json.RawMessage, error) {
	set := b.current()
	plan, ok := set.Program.Plan(rule)
	if !ok {
		return nil, noRule(rule, set)
	}
	return json.Marshal(plan)
}

func noRule(name string, set *RuleSet) error {
	return fmt.Errorf("rule %s: %w; the rules are %v", name, api.ErrNotFound, set.names())
}

func (b backend) Status(ctx context.Context) (json.RawMessage, error) {
	s := b.Summary()
	var err error
	if s.Matching, err = b.Matching(ctx); err != nil {
		s.Busy = "the lane does not answer: " + err.Error() + "; what rules have counted is not known"
	}
	if s.Busy == "" {
		s.Log = b.logSummary(ctx)
	}
	held := b.account.summary(b.tenant.String(), b.state.held())
	s.Quota = &held
	return json.Marshal(s)
}

// Tail passes on messages as they come. A watcher that falls behind is told how
// many it lost.
func (b backend) Tail(ctx context.Context, topics []string, fn func(json.RawMessage) error) error {
	sub, err := b.hub.Subscribe(tailBuffer, topics...)
	if err != nil {
		return fmt.Errorf("%w (%w)", err, api.ErrUnavailable)
	}
	defer sub.Close()
	for {
		m, lost, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		line, err := json.Marshal(struct {
			notify.Message
			Lost int `json:"lost,omitempty"`
		}{m, lost})
		if err != nil {
			return err
		}
		if err := fn(line); err != nil {
			return err
		}
	}
}

// Ready writes to the log and waits for the lane to answer: both must be able to
// go on.
func (b backend) Ready(ctx context.Context) error {
	if err := b.probing.ask(ctx, b.log.Probe); err != nil {
		return err
	}
	return b.lane.ask(ctx, func() {})
}

func (b backend) Hook(name string) (http.Handler, bool) { return b.sources.hook(name) }

// Summary describes a host: what is loaded and what was counted.
type Summary struct {
	Version string          `json:"version"`
	App     string          `json:"app"`
	Data    string          `json:"data"`
	API     string          `json:"api,omitempty"`
	Began   time.Time       `json:"began"`
	ReadyIn time.Duration   `json:"ready_in_ns"`
	Rules   []string        `json:"rules"`
	Digest  string          `json:"rules_digest"`
	Plugins []PluginSummary `json:"plugins"`
	Memory  GuestMemory     `json:"guest_memory"`
	Sources []SourceSummary `json:"sources"`
	Counts  Counts          `json:"counts"`
	Lanes   *LaneSummary    `json:"lanes,omitempty"` // nil: one

	Node     string        `json:"node,omitempty"`     // of a cluster, which the host runs on
	Log      *LogSummary   `json:"log,omitempty"`      // of a status; Summary leaves it out
	Quota    *QuotaSummary `json:"quota,omitempty"`    // of a status; Summary leaves it out
	Revision *Revision     `json:"revision,omitempty"` // the latest change of rules; nil before the first
	Matching *Matching     `json:"matching,omitempty"` // of a status; Summary leaves it out
	Busy     string        `json:"busy,omitempty"`     // why a status is without
}

// PluginSummary describes a plugin's version in force.
type PluginSummary struct {
	Name   string `json:"name"`
	Engine string `json:"engine"`
	Digest string `json:"digest"`
	Size   int    `json:"size"`
	// Reserved is the memory that is reserved for it, in bytes. Warm says that it is
	// loaded: one that is not called is unloaded until it is.
	Reserved int64 `json:"reserved"`
	Warm     bool  `json:"warm"`
}

// Counts are totals since the host began.
type Counts struct {
	Events      uint64 `json:"events"`
	Matches     uint64 `json:"matches"`
	Actions     uint64 `json:"actions"`
	Failed      uint64 `json:"failed"` // attempts
	DeadLetters uint64 `json:"dead_letters"`
	BadRecords  uint64 `json:"bad_records"`
}

// Summary describes the host as it is now.
func (h *Host) Summary() Summary {
	s := h.loaded()
	s.Data, s.API, s.ReadyIn = h.data, h.apiAddr(), h.readyIn
	s.Node = h.place.node
	s.Sources, s.Counts = h.sources.summary(), h.lane.counts.load()
	s.Revision = h.lane.revision.Load()
	return s
}

// loaded describes what was read from the app folder.
func (h *Host) loaded() Summary {
	rules := h.rules.Load()
	s := Summary{Version: h.opts.Version, App: h.app, Began: h.began, Rules: rules.names(), Digest: rules.Digest, Memory: h.memory.summary(), Lanes: h.config.layout().summary(rules)}
	for _, info := range h.plugins.Loaded() {
		p := PluginSummary{Name: info.Name, Engine: info.Engine, Digest: info.Digest, Size: info.Size, Reserved: h.memory.reserved(info.Name)}
		if slot, ok := h.plugins.Slot(info.Name); ok {
			p.Warm = slot.Held().Warm
		}
		s.Plugins = append(s.Plugins, p)
	}
	return s
}
