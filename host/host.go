package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/dispatch"
	"github.com/rhost/rhost/host/egress"
	"github.com/rhost/rhost/host/eventlog"
	stepfiles "github.com/rhost/rhost/host/files"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	"github.com/rhost/rhost/tenants"
)

const (
	drainTime   = 5 * time.Second // for what was accepted to be done, at the end
	callQueue   = 1024            // plugin calls that wait
	stepWorkers = 32              // http and file steps at once
	stepQueue   = 1024
	keepFiles   = 30 * 24 * time.Hour // deleted files, and what undoing a file step needs
)

// Options says what to run and how.
type Options struct {
	App     string   // app folder
	Data    string   // data folder; "" takes rhost.yaml's
	Listen  string   // address of the API; "" takes rhost.yaml's
	Set     []string // overrides of rhost.yaml: "sources.sshd.files.path=auth.log"
	Once    bool     // end when every finite source is read and what it caused is done
	Version string
	// Adopt has a node of a cluster put its own app folder in force when it next takes
	// the log over, whatever was in force until then.
	Adopt bool
	// WholeLog recovers from the beginning of the log, as if there were no snapshot.
	WholeLog bool
	// Compiler is a command that compiles Wasm; see wasm.Options. Empty compiles in
	// this process.
	Compiler []string
	Stdin    io.Reader    // for stdin sources
	Logger   *slog.Logger // nil: nothing
	// Report is told what a person at the terminal wants to know: what is being
	// built, what was reloaded and what was not. It is called from several
	// goroutines, one call at a time. Nil: nobody.
	Report func(Notice)
}

// Notice is something that happened to the host itself.
type Notice struct {
	Kind     string // building, reloaded, kept, source, owner, cluster, folder, warning
	Text     string
	Err      error     // of kept and warning: what is wrong
	Revision *Revision // of rules that were reloaded
}

// Host is an app, loaded and recovered. New makes it, Run runs it, Close
// releases what New took.
type Host struct {
	opts     Options
	place    place
	halted   atomic.Bool // no action is started any more
	app      string
	folder   string    // of the rules and plugins in force: the app folder, but in a cluster
	editions *editions // what a cluster has in force; nil: the host is alone
	data     string
	config   Config
	tenant   tenants.Name
	logger   *slog.Logger
	report   func(Notice)
	began    time.Time
	applying sync.Mutex    // held while a bundle is applied, and while changes of the app folder are
	readyIn  time.Duration // written before anything is served

	log     *eventlog.Log
	account *account   // of tenants
	blobs   *heldBlobs // of the log
	renewed string     // origin that a restore has given the log; "" for none
	clock   *clock
	hub     *notify.Hub
	topics  *notify.Histories // of topics that are kept
	plugins *deploy.Plugins
	memory  *guestMemory // that is reserved for them
	cache   *wasm.Cache  // of compiled modules; nil when nothing is kept
	engines map[deploy.Kind]sandbox.Engine
	lib     *ruleLibrary
	rules   atomic.Pointer[RuleSet] // of the app folder, as last compiled without error
	state   *state
	lane    *lane
	calls   *dispatch.Dispatcher
	steps   *dispatch.Dispatcher
	admit   *admission
	egress  *egress.Client
	files   *stepfiles.Executor // of file steps
	sources *sources
	servers *servers
	probing readiness
}

// New reads the app folder, loads its plugins and rules, opens the log and
// recovers what was going on when it was last closed. It starts nothing: no
// source is read and nothing is served until Run. The errors name file, key and
// fix; every problem of the folder is reported at once.
//
// A host whose rhost.yaml makes it part of a cluster is run by a Node.
func New(ctx context.Context, o Options) (*Host, error) {
	return newHost(ctx, o, place{})
}

// newHost makes a host in its place, whose log is closed with it.
func newHost(ctx context.Context, o Options, at place) (*Host, error) {
	h := &Host{opts: o, place: at, log: at.log, app: o.App, logger: o.Logger, report: reporter(o.Report), began: time.Now(), clock: at.clock, hub: notify.NewHub(), state: newState()}
	if h.clock == nil {
		h.clock = newClock()
	}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	if h.account = at.account; h.account == nil {
		h.account = newAccount(h.clock.now)
	}
	err := h.settle(ctx)
	if err == nil {
		err = h.load(false)
	}
	if err == nil {
		h.account.allow(h.tenant.String(), h.config.Quotas)
		err = h.open(ctx)
	}
	if err == nil {
		err = h.wire(ctx)
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("open %s: %w", h.app, ctx.Err()) // everything else follows from that
	}
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// Check reads an app folder as New does and reports everything wrong with it. It
// opens no data folder, and starts and changes nothing but the plugins it has to
// build.
func Check(ctx context.Context, o Options) (Summary, error) {
	h := &Host{opts: o, app: o.App, logger: slog.New(slog.DiscardHandler), report: reporter(o.Report), began: time.Now(), hub: notify.NewHub()}
	err := h.load(true)
	if err == nil {
		err = h.loadPlugins(ctx, "", deploy.Options{})
	}
	s := Summary{Version: o.Version, App: o.App}
	if err == nil {
		s = h.loaded()
	}
	return s, errors.Join(err, h.Close())
}

// load reads everything that is in the app folder, once a bundle that was being
// applied is there as a whole; to check a folder changes nothing in it.
func (h *Host) load(check bool) error {
	info, err := os.Stat(h.app)
	if err != nil {
		return fmt.Errorf("open app: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("open app: %s is not a folder; name the folder that holds rhost.yaml and rules/", h.app)
	}
	if h.folder == "" {
		h.folder = h.app
	}
	shared, err := h.editions.settings()
	if err != nil {
		return fmt.Errorf("read config: %w", err)
	}
	config, configErr := readConfig(h.app, shared, h.opts.Set)
	h.data = h.opts.Data
	if h.data == "" {
		h.data = within(h.app, config.DataDir)
	}
	if configErr == nil && !check && !h.place.shared() {
		if err := (redo{h.app, h.data}).finish(); err != nil {
			return err
		}
	}
	files, readErr := ReadRules(h.folder)
	rules, rulesErr := CompileRules(files)
	if err := errors.Join(configErr, readErr, rulesErr); err != nil {
		return err
	}
	h.config = config
	h.rules.Store(rules)
	if h.opts.Listen != "" {
		if h.opts.Listen != "off" {
			if err := checkListen(h.opts.Listen); err != nil {
				return err
			}
		}
		h.config.Listen = h.opts.Listen
	}
	h.tenant, err = tenants.ParseName(config.Tenant)
	if err != nil {
		return err
	}
	_, err = deploy.Find(filepath.Join(h.folder, "plugins"))
	return err
}

// open opens the log and loads the plugins, whose versions are kept in it.
func (h *Host) open(ctx context.Context) error {
	if err := os.MkdirAll(h.data, 0o700); err != nil {
		return fmt.Errorf("open data folder: %w; choose another with --data", err)
	}
	if !h.place.shared() {
		if h.config.Cluster != nil {
			return fmt.Errorf("%s: cluster: the host is part of a cluster; only `rhost run` takes part in one", h.config.Cluster.Pos)
		}
		log, err := eventlog.Open(ctx, eventlog.Config{
			Dir: filepath.Join(h.data, "log"), Logger: h.logger, Owner: "rhost run", Now: h.clock.now, Meter: h.account,
		})
		if err != nil {
			return err
		}
		h.log = log
	}
	if h.blobs == nil {
		h.blobs = newHeldBlobs(h.log)
	}
	h.blobs.gone = h.account.dropped
	var err error
	if h.renewed, err = h.log.Restored(ctx); err != nil {
		return err
	}
	if tail := h.log.Tail(); tail.Frame > 0 { // what is in the log is in the past
		last, err := timeOf(ctx, h.log, tail.Frame)
		if err != nil {
			return err
		}
		h.clock.atLeast(last)
	}
	h.lib = newRuleLibrary(h.blobs)
	o := deploy.Options{Keep: h.blobs.PutBlob, Fetch: h.log.GetBlob, Ledger: deploy.FileBook(filepath.Join(h.data, "plugins.json"))}
	if h.editions != nil {
		o.Ledger, o.Resume, o.From, o.Fetch = h.editions, true, h.editions.name, h.editions.fetch
	}
	return h.loadPlugins(ctx, filepath.Join(h.data, "cache"), o)
}

// loadPlugins compiles the plugins of the app and checks that rules and config
// name no other. o says where their versions are kept.
func (h *Host) loadPlugins(ctx context.Context, cache string, o deploy.Options) error {
	var seed []byte
	if cache != "" {
		var err error
		if seed, err = keptSeed(filepath.Join(h.data, "seed")); err != nil {
			return fmt.Errorf("open data folder: %w", err)
		}
		if h.cache, err = wasm.OpenCache(cache); err != nil {
			return err
		}
	}
	engines, err := NewEngines(wasm.Options{
		Cache: h.cache, Compiler: h.opts.Compiler, Seed: seed,
		TailCalls: h.config.Wasm.TailCalls, ExtendedConst: h.config.Wasm.ExtendedConst,
	})
	if err != nil {
		return err
	}
	h.engines = engines
	o.Engines, o.Spares = engines, runtime.GOMAXPROCS(0)
	if o.Policy, err = h.config.Signatures.policy(h.app); err != nil {
		return err
	}
	o.Note = func(name, text string) {
		h.report(Notice{Kind: "warning", Text: "plugin " + name + ": " + text})
	}
	o.Plan = func(name string) sandbox.Plan { return h.config.Plugins[name].plan() }
	o.CanonicalNaN = func(name string) bool { return h.config.Plugins[name].CanonicalNaN }
	limit := h.config.Limits.limit()
	if cache == "" && h.config.Limits.GuestMemory == 0 {
		limit = 0 // what this machine has says nothing of the one that will run it
	}
	h.memory = newGuestMemory(h.tenant, limit, int64(h.config.Limits.PerTenant))
	o.Reserve, o.Reserved = h.reserve, h.memory.reserved
	o.Rolled, o.Test = h.rolled, h.tryPlugin
	o.Building = h.building
	if h.plugins, err = deploy.NewPlugins(filepath.Join(h.folder, "plugins"), o); err != nil {
		return err
	}
	_, err = h.plugins.Load(ctx)
	return errors.Join(err, h.config.checkSecrets(h.app), h.rules.Load().checkPlugins(h.hasPlugin), h.config.checkConfiguredPlugins(h.hasPlugin))
}

func (h *Host) building(name string) {
	h.report(Notice{Kind: "building", Text: "plugin " + name + " from its source"})
}

func (h *Host) hasPlugin(name string) bool {
	_, ok := h.plugins.Slot(name)
	return ok
}

// checkConfiguredPlugins finds settings for a plugin that is not there.
func (c Config) checkConfiguredPlugins(have func(name string) bool) error {
	var errs []error
	for name, p := range c.Plugins {
		if !have(name) {
			errs = append(errs, fmt.Errorf("%s: plugins.%s: no plugin of that name is under plugins/; correct the name or remove the key", p.Pos, name))
		}
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends or a part fails, then drains: sources stop, what was
// accepted is decided and done as far as the time allows, and everything that
// was started has ended when Run returns. With Once it ends by itself.
func (h *Host) Run(ctx context.Context, ready func(Summary)) error {
	core, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer h.haltWhenLost(ctx, stop)()
	g, core := errgroup.WithContext(core)
	g.Go(func() error { return h.log.Committer().Run(core) })
	g.Go(func() error { return h.lane.Run(core) })
	g.Go(func() error { return h.calls.Run(core) })
	g.Go(func() error { return h.steps.Run(core) })
	g.Go(func() error {
		defer stop()
		return h.serve(ctx, core, ready)
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("run %s: %w", h.app, err)
	}
	return nil
}

// serve runs the edges, which bring work, until ctx or the core ends; then it
// waits for the core to finish what was accepted.
func (h *Host) serve(ctx, core context.Context, ready func(Summary)) error {
	edges, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(core, stop)()

	if err := errors.Join(h.renew(edges), h.startRules(edges)); err != nil {
		return err
	}
	if err := h.lane.untilPast(edges, h.log.Tail()); err != nil && edges.Err() == nil {
		return err
	}
	h.current() // lets go of rules that the log had, and that were compiled twice
	h.readyIn = time.Since(h.began)
	ready(h.Summary())
	g, edges := errgroup.WithContext(edges)
	g.Go(func() error { return h.serveAPI(edges) })
	if h.editions != nil {
		g.Go(func() error { return h.editions.keep(edges) })
	} else {
		g.Go(func() error { return h.watch(edges) })
		g.Go(func() error { return h.watchConfig(edges) })
	}
	g.Go(func() error { return h.runSources(edges, stop) })
	g.Go(func() error { return h.sweep(edges) })
	g.Go(func() error { return h.cool(edges) })
	g.Go(func() error { return h.announce(edges) })
	g.Go(func() error { return h.retain(edges) })
	err := g.Wait()
	return errors.Join(err, h.drain(core))
}

// runSources reads the sources. With Once, their end is the host's.
func (h *Host) runSources(ctx context.Context, stop func()) error {
	err := h.sources.run(ctx, h.opts.Once)
	if h.opts.Once && err == nil && ctx.Err() == nil {
		if err := h.lane.untilQuiet(ctx); err != nil {
			return nil //nolint:nilerr // stopped while waiting
		}
		stop()
	}
	return err
}

// retain removes what of the log need not be kept.
func (h *Host) retain(ctx context.Context) error {
	return h.keeper().run(ctx, func(err error) {
		h.report(Notice{Kind: "warning", Text: "what is old could not be removed from the log", Err: err})
	})
}

func (h *Host) keeper() *keeper {
	return &keeper{
		config: h.config.Retention.withDefaults(), log: h.log, size: h.logSize, ledger: filepath.Join(h.data, "plugins.json"),
		blobs: h.blobs, now: h.clock.now, editions: h.editions, account: h.account, snapshot: h.lane.snapshotAnyway,
	}
}

// sweep empties, once a day, what file steps keep so that they can be undone.
func (h *Host) sweep(ctx context.Context) error {
	for {
		if err := h.files.Sweep(ctx, keepFiles); err != nil && ctx.Err() == nil {
			h.report(Notice{Kind: "warning", Text: "old files of file steps could not be removed", Err: err})
		}
		select {
		case <-time.After(24 * time.Hour):
		case <-ctx.Done():
			return nil
		}
	}
}

func (h *Host) drain(core context.Context) error {
	ctx, cancel := context.WithTimeout(core, drainTime)
	defer cancel()
	if err := h.lane.untilIdle(ctx, h.clock.now().Add(drainTime)); err != nil && core.Err() == nil {
		h.report(Notice{Kind: "warning", Text: "some actions are still running; they run again after a restart"})
	}
	if err := h.lane.snapshotNow(ctx); err != nil && core.Err() == nil {
		h.logger.Warn("there is no snapshot of the end; the next start takes longer", "error", err)
	}
	return nil
}

// Close releases what New took. Run must have returned.
func (h *Host) Close() error {
	h.hub.Close()
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var errs []error
	if h.servers != nil {
		errs = append(errs, h.servers.close())
	}
	if h.egress != nil {
		h.egress.Close()
	}
	if h.files != nil {
		errs = append(errs, h.files.Close())
	}
	if h.plugins != nil {
		errs = append(errs, h.plugins.Close(ctx))
	}
	for _, e := range h.engines {
		errs = append(errs, e.Close(ctx))
	}
	if h.cache != nil {
		errs = append(errs, h.cache.Close(ctx))
	}
	if h.log != nil {
		errs = append(errs, h.log.Close())
	}
	return errors.Join(errs...)
}

// within resolves a path of rhost.yaml, which is relative to the app folder.
func within(app, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(app, path)
}
