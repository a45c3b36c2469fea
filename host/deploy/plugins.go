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
	"sync/atomic"
	"time"

	"github.com/rhost/rhost/host/deploy/signature"
	"github.com/rhost/rhost/sandbox"
)

const maxPluginBytes = 32 << 20

// Options says how Plugins works. Engines is required.
type Options struct {
	Engines map[Kind]sandbox.Engine
	// Spares is how many idle instances a plugin keeps.
	Spares int
	// CanonicalNaN says of a plugin that Wasm is to make the same NaNs on every machine.
	// May be nil.
	CanonicalNaN func(name string) bool
	// Reserve reserves the memory that a version may hold, before it is tried and
	// once more when it is known how much that is; an error keeps it out. release
	// gives it back and is called once. Nil reserves nothing.
	Reserve func(name string, m sandbox.Module) (release func(), err error)
	// Reserved is what is reserved for a plugin, in bytes. May be nil.
	Reserved func(name string) int64
	// Keep is given every version before it takes calls, so that it can be found
	// again by its digest. A version that cannot be kept is not used. Nil keeps none.
	Keep func(ctx context.Context, digest string, src []byte) error
	// Fetch gives back what Keep was given. Nil: there is no way back to a version.
	Fetch func(ctx context.Context, digest string) ([]byte, error)
	// Ledger is where the versions of plugins are remembered; nil forgets them with
	// the process.
	Ledger Book
	// Resume has Load go on with the rollouts that were under way when the ledger was
	// last written: the version before is loaded first, and the new one rolled out
	// from its first phase on. Without it, what the folder holds takes all calls.
	Resume bool
	// From says in the ledger where a file of the folder comes from. Nil: its name.
	From func(file string) string
	// Plan says how a new version of a plugin comes into force. Nil: at once, and
	// watched.
	Plan func(name string) sandbox.Plan
	// Rolled is told how the rollout of a version ended. May be nil.
	Rolled func(name, digest string, v sandbox.Verdict)
	// Test tries a version before it takes a call; an error keeps it out. May be
	// nil.
	Test func(ctx context.Context, name string, m sandbox.Module) error
	// Policy says what signatures plugins need.
	Policy signature.Policy
	// Note is told what an operator should know of a version that is loaded. May be
	// nil.
	Note func(name, text string)
	// Building is told before a plugin is built from source. May be nil.
	Building func(name string)
}

// Plugins holds the plugins of one app folder.
type Plugins struct {
	dir    string
	opts   Options
	ledger *ledger

	reload sync.Mutex  // held by whoever changes a slot, so that reloads do not cross
	ending atomic.Bool // Close was called

	mu    sync.RWMutex
	slots map[string]*sandbox.Slot // guarded by mu
	found map[string]Found         // what the folder has, as last read; guarded by mu
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
		if err := UpToDate(ctx, f, p.opts.Building); err != nil {
			errs = append(errs, err)
			continue
		}
		err := p.resume(ctx, f.Name)
		var change Change
		if err == nil {
			change, err = p.Reload(ctx, f)
		}
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
	if err := p.resume(ctx, name); err != nil {
		return Change{}, err
	}
	p.reload.Lock()
	defer p.reload.Unlock()
	if _, loaded := p.Slot(name); loaded { // beside the version before it
		s, err := p.fetch(ctx, name, v)
		if err != nil {
			return Change{}, err
		}
		s.allow = true
		return p.install(ctx, Found{Name: name, Kind: v.Kind}, s, v.From, p.plan(name))
	}
	return p.back(ctx, name, v)
}

// resume loads the version of a plugin that was in force for good, so that one that
// was on its way can follow it. Where they are the same, nothing changes after it.
func (p *Plugins) resume(ctx context.Context, name string) error {
	if !p.opts.Resume || p.opts.Fetch == nil {
		return nil
	}
	e := p.ledger.get(name)
	v, ok := e.active()
	if !ok {
		return nil
	}
	p.reload.Lock()
	defer p.reload.Unlock()
	s, err := p.fetch(ctx, name, v)
	if err != nil {
		return err
	}
	s.allow = true // it was in force
	_, err = p.install(ctx, Found{Name: name, Kind: v.Kind}, s, v.From, p.plan(name))
	return err
}

// Reload puts the plugin's file, as it is now, in force. If the bytes are those
// already in force nothing happens and Change.New equals Change.Old. After an
// error the version before goes on. A version that an operator chose, or that took
// the place of one that was rolled back, stays until the file changes.
//
// A file that the signature policy does not let follow the version before it is kept
// for Activate.
func (p *Plugins) Reload(ctx context.Context, f Found) (Change, error) {
	return p.reloadFile(ctx, f, false)
}

// Approve is Reload by the word of an operator, who lets any file follow that is
// signed as the policy asks.
func (p *Plugins) Approve(ctx context.Context, f Found) (Change, error) {
	return p.reloadFile(ctx, f, true)
}

func (p *Plugins) reloadFile(ctx context.Context, f Found, allow bool) (Change, error) {
	p.reload.Lock()
	defer p.reload.Unlock()
	s, err := p.open(f)
	if s.src != nil {
		p.mu.Lock()
		p.found[f.Name] = f
		p.mu.Unlock()
		v, pinned, pinErr := p.chosen(f.Name, sandbox.Digest(s.src))
		if pinErr != nil {
			return Change{}, pinErr
		}
		if pinned {
			return p.repin(ctx, f, v)
		}
	}
	if err != nil {
		return Change{}, fmt.Errorf("load plugin %s: %w", f.Name, err)
	}
	s.allow, s.unpin = allow, true // something newer came
	return p.install(ctx, f, s, p.from(f.File), p.plan(f.Name))
}

// chosen gives the version that is to stay in force although the folder holds what
// has this digest.
func (p *Plugins) chosen(name, folder string) (v Version, ok bool, err error) {
	e := p.ledger.get(name)
	if e.Pin == nil || e.Pin.Folder != folder || p.opts.Fetch == nil {
		return v, false, nil
	}
	v, err = e.find(e.Pin.Digest)
	if errors.Is(err, ErrUnknown) {
		return v, false, nil
	}
	return v, err == nil, err
}

// repin puts the version that was chosen before a restart in force again.
func (p *Plugins) repin(ctx context.Context, f Found, v Version) (Change, error) {
	s, err := p.fetch(ctx, f.Name, v)
	if err != nil {
		return Change{}, err
	}
	s.allow = true
	f.Kind = v.Kind
	return p.install(ctx, f, s, v.From, p.plan(f.Name))
}

// from is where a file comes from, for people.
func (p *Plugins) from(file string) string {
	if p.opts.From == nil {
		return file
	}
	return p.opts.From(file)
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
func (p *Plugins) install(ctx context.Context, f Found, s sealed, from string, plan sandbox.Plan) (Change, error) {
	start := time.Now()
	slot, old := p.slot(f.Name)
	change := Change{Name: f.Name, Old: old.Digest, Engine: old.Engine}
	digest := sandbox.Digest(s.src)
	progress, rolling := slot.Progress()
	if old.Digest == digest || rolling && progress.New.Module == digest {
		change.Old, change.New = digest, digest
		return change, p.stays(f, s, digest)
	}
	if err := p.mayFollow(ctx, f, s, from, ""); err != nil { // before anything parses it
		return Change{}, err
	}
	module, err := p.try(ctx, f, s.src)
	if err != nil {
		return Change{}, err
	}
	v := version(f.Kind, s, from)
	v.Release = p.releaseOf(f.Name, module)
	if err := p.mayFollow(ctx, f, s, from, v.Release); err != nil {
		return Change{}, errors.Join(err, module.discard(ctx))
	}
	change.New, change.Engine = module.Info().Digest, module.Info().Engine
	if err := p.keep(ctx, f.Name, module, s.src); err != nil {
		return Change{}, errors.Join(err, module.discard(ctx))
	}
	err = p.ledger.change(f.Name, func(e *entry) {
		known, err := e.find(digest)
		if err == nil && s.signer == "" {
			v.Signer, v.Signature = known.Signer, known.Signature
		}
		if err == nil && p.opts.Resume && known.State == Active {
			v.At = known.At // it has been in force since then, wherever
		}
		if s.unpin {
			e.Pin = nil
		}
		e.came(v)
	})
	if err != nil {
		return Change{}, errors.Join(err, module.discard(ctx))
	}
	p.publish(f.Name, slot)
	plan.Spares = p.opts.Spares
	plan.Done = func(v sandbox.Verdict) { p.ended(f.Name, change.New, v) }
	plan.Wake, plan.Closed = p.wake(f, v), module.release
	if err = slot.Roll(ctx, module.Module, plan); errors.Is(err, sandbox.ErrClosed) {
		return Change{}, errors.Join(err, module.discard(ctx))
	}
	change.Took = time.Since(start)
	if progress, rolling = slot.Progress(); rolling {
		change.Phase = progress.Phase
	}
	return change, err
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

func (p *Plugins) publish(name string, slot *sandbox.Slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slots[name] = slot
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
// whose file is among them, or its signature. A changed folder of source concerns none until its
// plugin is built.
func (p *Plugins) Changed(files []string) ([]Found, error) {
	found, err := Find(p.dir)
	var changed []Found
	for _, f := range found {
		if slices.ContainsFunc(files, func(name string) bool {
			return samePath(name, f.File) || p.opts.Policy.Active() && samePath(name, f.SignatureFile()) ||
				f.Source == "" && f.Manifest != "" && samePath(name, f.Manifest)
		}) {
			if _, statErr := os.Stat(f.File); errors.Is(statErr, fs.ErrNotExist) {
				continue
			}
			changed = append(changed, f)
		}
	}
	return changed, err
}

// Close empties every slot and waits for running calls until ctx ends. With
// Options.Resume, rollouts under way stay so in the ledger.
func (p *Plugins) Close(ctx context.Context) error {
	p.ending.Store(true)
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
