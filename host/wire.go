package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"

	"github.com/rhost/rhost/host/connect"
	"github.com/rhost/rhost/host/connect/files"
	"github.com/rhost/rhost/host/connect/fswatch"
	"github.com/rhost/rhost/host/connect/schedule"
	"github.com/rhost/rhost/host/connect/stdin"
	"github.com/rhost/rhost/host/connect/webhook"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/dispatch"
	"github.com/rhost/rhost/host/egress"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/js"
	"github.com/rhost/rhost/sandbox/lua"
	"github.com/rhost/rhost/sandbox/wasm"
)

// NewEngines makes the engines of one tenant; o are the options of that for Wasm.
func NewEngines(o wasm.Options) (map[deploy.Kind]sandbox.Engine, error) {
	w, err := wasm.New(o)
	if err != nil {
		return nil, err
	}
	l, err := lua.New(lua.Options{})
	if err != nil {
		return nil, errors.Join(err, w.Close(context.Background()))
	}
	return map[deploy.Kind]sandbox.Engine{deploy.Wasm: w, deploy.Lua: l, deploy.JS: js.New(js.Options{})}, nil
}

// wire joins the parts that New has loaded.
func (h *Host) wire(ctx context.Context) error {
	admit := &admission{tenant: h.tenant.String(), log: h.log, account: h.account, paused: h.paused, eventClock: h.config.eventClock(), now: h.clock.now}
	h.admit = admit
	h.calls = dispatch.New(dispatch.ForGuests(callQueue, h.logger))
	h.steps = dispatch.New(dispatch.Config{Workers: stepWorkers, QueuePerTenant: stepQueue, Logger: h.logger})

	client, err := egress.New(h.config.Egress.config())
	if err != nil {
		return fmt.Errorf("rhost.yaml: egress: %w", err)
	}
	h.egress = client
	if h.files, err = openFolders(h.app, h.data, h.config.Folders); err != nil {
		return err
	}
	run := &runner{
		http: httpStep(client), file: fileStep(h.files, h.logger),
		tenant: h.tenant, calls: h.calls, steps: h.steps, state: h.state, logger: h.logger, hub: h.hub, blobs: h.blobs,
		caller: dispatch.NewCaller(pluginTable{h}, h.logger),
		setup:  h.setup, egress: client, app: h.app,
	}
	if len(h.config.Topics) > 0 {
		h.topics = notify.NewHistories(keepTopics(h.config.Topics))
	}
	h.lane = newLane(laneParts{
		tenant: h.tenant.String(), log: h.log, blobs: h.blobs, lib: h.lib, hub: h.hub, topics: h.topics, state: h.state,
		lanes: h.config.layout(), start: func(c workflow.Command) bool { return !h.halted.Load() && run.start(c) }, //nolint:contextcheck // a call has a context of its own
		ticks: !admit.eventClock, logger: h.logger, now: h.clock.now,
		account: h.account, every: h.config.Retention.withDefaults().Replay, snapshots: logSnapshots{h.blobs}, wholeLog: h.opts.WholeLog,
	})
	run.results, run.stopped = h.lane.results, h.lane.done
	// Most logs have one revision and no more: the rules of the folder, which are
	// compiled already.
	rules := h.rules.Load()
	h.lib.know(rules)
	h.lib.prepare(rules)
	defer h.lib.forget(rules)
	if err := h.lane.recover(ctx); err != nil {
		return fmt.Errorf("recover %s: %w", h.data, err)
	}
	for _, err := range h.lane.unreadable {
		h.report(Notice{Kind: "warning", Text: "a snapshot cannot be read; an earlier one or the whole log was used instead", Err: err})
	}
	if h.sources, err = h.newSources(); err != nil {
		return err
	}
	if h.place.shared() {
		return nil
	}
	h.servers, err = listen(ctx, h.data, h.config.Listen, handlers(backend{h}, h.opts.Version, false))
	return err
}

// source is one entry of `sources:`.
type source struct {
	name, kind string
	src        connect.Source // nil for a webhook, which is called from outside
	sink       intake
	health     *connect.Health
}

// sources are those of the app.
type sources struct {
	list   []*source
	hooks  map[string]http.Handler
	lane   *lane
	report func(Notice)
}

// SourceSummary describes a source.
type SourceSummary struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	connect.Status
}

// newSources makes the sources that rhost.yaml declares, none running yet.
func (h *Host) newSources() (*sources, error) {
	all := &sources{hooks: make(map[string]http.Handler), lane: h.lane, report: h.report}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(h.config.Sources)) {
		conf := h.config.Sources[name]
		s := &source{name: name, sink: intake{h.admit, name}, health: &connect.Health{}}
		var err error
		switch {
		case conf.Files != nil:
			s.kind = "files"
			c := *conf.Files
			c.Once = c.Once || h.opts.Once
			s.src, err = files.New(name, &c, files.Options{Base: h.app})
		case conf.FSWatch != nil:
			s.kind = "fswatch"
			c := *conf.FSWatch
			c.Ignore = append(slices.Clone(c.Ignore), ".rhost-*", "*.rhost-tags.json") // what file steps keep
			s.src, err = fswatch.New(name, &c, fswatch.Options{Base: h.app})
		case conf.Schedule != nil:
			s.kind = "schedule"
			s.src, err = schedule.New(name, conf.Schedule)
		case conf.Stdin != nil:
			s.kind = "stdin"
			s.src = stdin.New(name, h.stdin())
		case conf.Webhook != nil:
			s.kind = "webhook"
			c := *conf.Webhook
			if c.SecretFile != "" {
				c.SecretFile = within(h.app, c.SecretFile)
			}
			all.hooks[name], err = webhook.New(name, &c, connect.Counted(caller{s.sink}, s.health))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: sources.%s: %w", conf.Pos, name, err))
			continue
		}
		all.list = append(all.list, s)
	}
	return all, errors.Join(errs...)
}

// paused shows that a source waits for a quota of its tenant, or goes on.
func (h *Host) paused(source string, why error) {
	for _, one := range h.sources.list {
		if one.name == source {
			one.health.Hold(why)
		}
	}
}

func (h *Host) stdin() io.Reader {
	if h.opts.Stdin == nil {
		return os.Stdin
	}
	return h.opts.Stdin
}

// hook returns the webhook of that name.
func (s *sources) hook(name string) (http.Handler, bool) {
	h, ok := s.hooks[name]
	return h, ok
}

// run runs every source until ctx ends. With once, it stops the others when the
// finite ones have been read to their end.
func (s *sources) run(ctx context.Context, once bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cursors := make(map[string][]byte)
	if err := s.lane.ask(ctx, func() { maps.Copy(cursors, s.lane.cursors) }); err != nil {
		return nil // stopped before it began
	}
	var finite, all sync.WaitGroup
	for _, one := range s.list {
		if one.src == nil {
			continue
		}
		if one.src.Finite() {
			finite.Add(1)
		}
		all.Go(func() {
			connect.Supervise(ctx, one.src, cursors[one.name], one.sink, one.health, func(err error) {
				s.report(Notice{Kind: "warning", Text: "source " + one.name, Err: err})
			})
			if one.src.Finite() {
				finite.Done()
			}
		})
	}
	if once {
		finite.Wait()
		stop()
	}
	all.Wait()
	if !once {
		<-ctx.Done() // webhooks alone keep a host alive, too
	}
	return nil
}

func (s *sources) summary() []SourceSummary {
	list := make([]SourceSummary, len(s.list))
	for i, one := range s.list {
		list[i] = SourceSummary{one.name, one.kind, one.health.Status()}
	}
	return list
}
