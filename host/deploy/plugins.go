package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rhost/rhost/sandbox"
)

const maxPluginBytes = 32 << 20

// Options says how Plugins works. Engines is required.
type Options struct {
	Engines map[Kind]sandbox.Engine
	// Spares is how many idle instances a plugin keeps.
	Spares int
	// Keep is given every version before it takes calls, so that it can be found
	// again by its digest. A version that cannot be kept is not used. Nil keeps none.
	Keep func(ctx context.Context, digest string, src []byte) error
	// Fetch gives back what Keep was given. Nil: there is no way back to a version.
	Fetch func(ctx context.Context, digest string) ([]byte, error)
	// Ledger is the file in which the versions of plugins are remembered; ""
	// forgets them with the process.
	Ledger string
	// Plan says how a new version of a plugin comes into force. Nil: at once, and
	// watched.
	Plan func(name string) sandbox.Plan
	// Rolled is told how the rollout of a version ended. May be nil.
	Rolled func(name, digest string, v sandbox.Verdict)
	// Test tries a version before it takes a call; an error keeps it out. May be
	// nil.
	Test func(ctx context.Context, name string, m sandbox.Module) error
	// Building is told before a plugin is built from source. May be nil.
	Building func(name string)
}

// Plugins holds the plugins of one app folder.
type Plugins struct {
	dir    string
	opts   Options
	ledger *ledger

	reload sync.Mutex // held by whoever changes a slot, so that reloads do not cross

	mu    sync.RWMutex
	slots map[string]*sandbox.Slot // guarded by mu
	found map[string]Found         // guarded by mu
}

// Change says what a reload did.
type Change struct {
	Name   string        `json:"name"`
	Old    string        `json:"old,omitempty"` // digest before; "" when the plugin is new
	New    string        `json:"new"`           // digest now
	Took   time.Duration `json:"took_ns"`
	Engine string        `json:"engine"`
	Phase  sandbox.Phase `json:"phase,omitempty"` // of the rollout that began; "" when none did
}

// NewPlugins returns the plugins of dir, none loaded yet. The error is that of a
// ledger that cannot be read.
func NewPlugins(dir string, o Options) (*Plugins, error) {
	l, err := openLedger(o.Ledger)
	if err != nil {
		return nil, err
	}
	return &Plugins{dir: dir, opts: o, ledger: l, slots: make(map[string]*sandbox.Slot), found: make(map[string]Found)}, nil
}

// Load loads every plugin of the folder, building those whose source is
// newer than their file, and those that operators have sent. It goes on after an
// error and reports all of them.
func (p *Plugins) Load(ctx context.Context) ([]Change, error) {
	found, err := Find(p.dir)
	errs := []error{err}
	var changes []Change
	for _, f := range found {
		if err := p.build(ctx, f); err != nil {
			errs = append(errs, err)
			continue
		}
		change, err := p.Reload(ctx, f)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		changes = append(changes, change)
	}
	for _, name := range p.ledger.orphans() {
		if _, loaded := p.Slot(name); loaded {
			continue
		}
		change, err := p.restore(ctx, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		changes = append(changes, change)
	}
	return changes, errors.Join(errs...)
}

// restore loads a plugin that an operator sent, and that no file stands for.
func (p *Plugins) restore(ctx context.Context, name string) (Change, error) {
	e := p.ledger.get(name)
	if e.Pin == nil || p.opts.Fetch == nil {
		return Change{}, nil
	}
	v, err := e.find(e.Pin.Digest)
	if err != nil {
		return Change{}, fmt.Errorf("load plugin %s: %w", name, err)
	}
	p.reload.Lock()
	defer p.reload.Unlock()
	return p.back(ctx, name, v)
}

// build brings the file of a plugin up to date with its source. Without a
// toolchain an older file is good enough.
func (p *Plugins) build(ctx context.Context, f Found) error {
	stale, err := f.Stale()
	if err != nil || !stale {
		return err
	}
	if p.opts.Building != nil {
		p.opts.Building(f.Name)
	}
	_, err = Build(ctx, f)
	if errors.Is(err, ErrNoTool) {
		if _, statErr := os.Stat(f.File); statErr == nil {
			return nil
		}
	}
	return err
}

// Reload puts the plugin's file, as it is now, in force. If the bytes are those
// already in force nothing happens and Change.New equals Change.Old. After an
// error the version before goes on. A version that an operator chose, or that took
// the place of one that was rolled back, stays until the file changes.
func (p *Plugins) Reload(ctx context.Context, f Found) (Change, error) {
	p.reload.Lock()
	defer p.reload.Unlock()
	src, err := f.Read()
	if err != nil {
		return Change{}, fmt.Errorf("load plugin %s: %w", f.Name, err)
	}
	from := f.File
	if e := p.ledger.get(f.Name); e.Pin != nil {
		v, err := e.find(e.Pin.Digest)
		switch {
		case err != nil || e.Pin.Folder != sandbox.Digest(src) || p.opts.Fetch == nil: // something newer came
			if err := p.ledger.change(f.Name, func(e *entry) { e.Pin = nil }); err != nil {
				return Change{}, err
			}
		default:
			if src, err = p.opts.Fetch(ctx, v.Digest); err != nil {
				return Change{}, fmt.Errorf("version %s of %s: %w", v.Digest, f.Name, err)
			}
			from, f.Kind = v.From, v.Kind
		}
	}
	return p.install(ctx, f, src, from, p.plan(f.Name))
}

// plan says how a new version comes into force.
func (p *Plugins) plan(name string) sandbox.Plan {
	if p.opts.Plan == nil {
		return sandbox.Plan{}
	}
	return p.opts.Plan(name)
}

// install brings bytes into force as a version of a plugin. The caller holds
// reload.
func (p *Plugins) install(ctx context.Context, f Found, src []byte, from string, plan sandbox.Plan) (Change, error) {
	start := time.Now()
	slot, old := p.slot(f.Name)
	change := Change{Name: f.Name, Old: old.Digest, Engine: old.Engine}
	digest := sandbox.Digest(src)
	progress, rolling := slot.Progress()
	if old.Digest == digest || rolling && progress.New.Module == digest {
		change.Old, change.New = digest, digest
		return change, nil
	}
	module, err := p.try(ctx, f, src)
	if err != nil {
		return Change{}, err
	}
	change.New, change.Engine = module.Info().Digest, module.Info().Engine
	if err := p.keep(ctx, f.Name, module, src); err != nil {
		return Change{}, errors.Join(err, module.Close(ctx))
	}
	err = p.ledger.change(f.Name, func(e *entry) { e.came(version(f.Kind, src, from)) })
	if err != nil {
		return Change{}, errors.Join(err, module.Close(ctx))
	}
	p.publish(f, slot)
	plan.Spares = p.opts.Spares
	plan.Done = func(v sandbox.Verdict) { p.ended(f.Name, change.New, v) }
	err = slot.Roll(ctx, module, plan)
	change.Took = time.Since(start)
	if progress, rolling = slot.Progress(); rolling {
		change.Phase = progress.Phase
	}
	return change, err
}

// Check does with bytes what comes before they are put in force, and says what
// would change.
func (p *Plugins) Check(ctx context.Context, f Found, src []byte) (Change, error) {
	start := time.Now()
	if err := checkName(f.Name); err != nil {
		return Change{}, err
	}
	module, err := p.try(ctx, f, src)
	if err != nil {
		return Change{}, err
	}
	_, old := p.slot(f.Name)
	info := module.Info()
	return Change{Name: f.Name, Old: old.Digest, New: info.Digest, Took: time.Since(start), Engine: info.Engine}, module.Close(ctx)
}

// try compiles and tests a version.
func (p *Plugins) try(ctx context.Context, f Found, src []byte) (sandbox.Module, error) {
	engine, ok := p.opts.Engines[f.Kind]
	if !ok {
		return nil, &sandbox.Refusal{Module: f.Name, Reason: fmt.Sprintf("no engine runs %s plugins", f.Kind)}
	}
	module, err := engine.Compile(ctx, sandbox.Source{Name: f.Name, File: f.File, Bytes: src})
	if err != nil {
		return nil, err
	}
	if p.opts.Test != nil {
		if err := p.opts.Test(ctx, f.Name, module); err != nil {
			return nil, errors.Join(err, module.Close(ctx))
		}
	}
	return module, nil
}

// keep stores a version, so that it can be found again.
func (p *Plugins) keep(ctx context.Context, name string, m sandbox.Module, src []byte) error {
	if p.opts.Keep == nil {
		return nil
	}
	if err := p.opts.Keep(ctx, m.Info().Digest, src); err != nil {
		return fmt.Errorf("keep plugin %s: %w", name, err)
	}
	return nil
}

// slot returns the slot of a name, a new one when there is none, and what is in it.
func (p *Plugins) slot(name string) (*sandbox.Slot, sandbox.Info) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	slot, ok := p.slots[name]
	if !ok {
		return sandbox.NewSlot(), sandbox.Info{}
	}
	info, _ := slot.Info()
	return slot, info
}

func (p *Plugins) publish(f Found, slot *sandbox.Slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slots[f.Name] = slot
	p.found[f.Name] = f
}

// Slot returns the slot of a loaded plugin.
func (p *Plugins) Slot(name string) (*sandbox.Slot, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	slot, ok := p.slots[name]
	return slot, ok
}

// Loaded describes the versions in force, by name.
func (p *Plugins) Loaded() []sandbox.Info {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var infos []sandbox.Info
	for _, slot := range p.slots {
		if info, ok := slot.Info(); ok {
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b sandbox.Info) int { return strings.Compare(a.Name, b.Name) })
	return infos
}

// Changed returns the plugins that a change of the given files concerns: those
// whose file is among them. A changed folder of source concerns none until its
// plugin is built.
func (p *Plugins) Changed(files []string) ([]Found, error) {
	found, err := Find(p.dir)
	var changed []Found
	for _, f := range found {
		if slices.ContainsFunc(files, func(name string) bool {
			return samePath(name, f.File) || f.Source == "" && f.Manifest != "" && samePath(name, f.Manifest)
		}) {
			if _, statErr := os.Stat(f.File); errors.Is(statErr, fs.ErrNotExist) {
				continue
			}
			changed = append(changed, f)
		}
	}
	return changed, err
}

// Close empties every slot and waits for running calls until ctx ends.
func (p *Plugins) Close(ctx context.Context) error {
	p.reload.Lock()
	defer p.reload.Unlock()
	p.mu.Lock()
	slots := p.slots
	p.slots = make(map[string]*sandbox.Slot)
	p.mu.Unlock()
	var errs []error
	for _, slot := range slots {
		errs = append(errs, slot.Swap(ctx, nil, 0))
	}
	return errors.Join(errs...)
}

func samePath(a, b string) bool { return filepath.Clean(a) == filepath.Clean(b) }

// readBounded refuses a file that no engine would admit before it is in memory.
func readBounded(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	if info.Size() > maxPluginBytes {
		return nil, fmt.Errorf("%s has %d bytes; a plugin may have %d", name, info.Size(), maxPluginBytes)
	}
	return os.ReadFile(name)
}
