package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rhost/rhost/sandbox"
)

// tried is a version that was compiled and tested, with the memory that is reserved
// for it.
type tried struct {
	sandbox.Module
	release func() // gives the memory back
}

// discard closes a version that does not come into force.
func (t tried) discard(ctx context.Context) error {
	defer t.release()
	return t.Close(context.WithoutCancel(ctx))
}

// try compiles and tests a version, and reserves its memory.
func (p *Plugins) try(ctx context.Context, f Found, src []byte) (tried, error) {
	m, err := p.compile(ctx, f, src)
	if err != nil {
		return tried{}, err
	}
	t := tried{Module: m, release: func() {}}
	if t.release, err = p.reserve(f.Name, m); err != nil {
		return tried{}, errors.Join(err, m.Close(ctx))
	}
	if p.opts.Test == nil {
		return t, nil
	}
	if err := p.opts.Test(ctx, f.Name, m); err != nil {
		return tried{}, errors.Join(err, t.discard(ctx))
	}
	// Now that it has run, it is known what its instances begin with.
	t.release()
	if t.release, err = p.reserve(f.Name, m); err != nil {
		return tried{}, errors.Join(err, m.Close(ctx))
	}
	return t, nil
}

// compile has the engine of its kind compile a plugin.
func (p *Plugins) compile(ctx context.Context, f Found, src []byte) (sandbox.Module, error) {
	engine, ok := p.opts.Engines[f.Kind]
	if !ok {
		return nil, &sandbox.Refusal{Module: f.Name, Reason: fmt.Sprintf("no engine runs %s plugins", f.Kind)}
	}
	return engine.Compile(ctx, sandbox.Source{
		Name: f.Name, File: f.File, Bytes: src,
		CanonicalNaN: p.opts.CanonicalNaN != nil && p.opts.CanonicalNaN(f.Name),
	})
}

func (p *Plugins) reserve(name string, m sandbox.Module) (release func(), err error) {
	if p.opts.Reserve == nil {
		return func() {}, nil
	}
	return p.opts.Reserve(name, m)
}

// wake says how a version is loaded again that was unloaded: out of the store, with
// what loading it the first time left in the cache of compiled modules. It was tried
// then; its digest and its signature are checked again. Nil when there is no store.
func (p *Plugins) wake(f Found, v Version) func(context.Context) (sandbox.Module, error) {
	if p.opts.Keep == nil || p.opts.Fetch == nil {
		return nil
	}
	return func(ctx context.Context) (sandbox.Module, error) {
		e := p.ledger.get(f.Name)
		if known, err := e.find(v.Digest); err == nil {
			v.Signature = known.Signature // it may have been signed since
		}
		s, err := p.fetch(ctx, f.Name, v)
		if err != nil {
			return nil, err
		}
		return p.compile(ctx, f, s.src)
	}
}

// Cool unloads every plugin that took no call for that long; the next call loads it
// again. It gives the names of those that it unloaded.
func (p *Plugins) Cool(ctx context.Context, unused time.Duration) (cooled []string, err error) {
	var errs []error
	for _, name := range p.names() {
		slot, ok := p.Slot(name)
		if !ok {
			continue
		}
		done, err := slot.Cool(ctx, unused)
		if done {
			cooled = append(cooled, name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("unload plugin %s: %w", name, err))
		}
	}
	return cooled, errors.Join(errs...)
}

// Trial is versions that are checked and do not come into force. Memory is reserved
// for all of them together until its end, which End is.
type Trial struct {
	plugins *Plugins
	held    []func()
}

// Trial begins to check versions.
func (p *Plugins) Trial() *Trial { return &Trial{plugins: p} }

// Check does with bytes what comes before they are put in force, and says what
// would change.
func (t *Trial) Check(ctx context.Context, f Found, u Upload) (Change, error) {
	p, start := t.plugins, time.Now()
	if err := checkName(f.Name); err != nil {
		return Change{}, err
	}
	s, err := p.check(f.Name, u)
	if err == nil {
		err = p.follows(f.Name, s, "")
	}
	if err != nil {
		return Change{}, err
	}
	module, err := p.try(ctx, f, s.src)
	if err != nil {
		return Change{}, err
	}
	t.held = append(t.held, module.release)
	if err := p.follows(f.Name, s, p.releaseOf(f.Name, module)); err != nil {
		return Change{}, errors.Join(err, module.Close(ctx))
	}
	_, old := p.slot(f.Name)
	info := module.Info()
	return Change{Name: f.Name, Old: old.Digest, New: info.Digest, Took: time.Since(start), Engine: info.Engine}, module.Close(ctx)
}

// End gives back what was reserved.
func (t *Trial) End() {
	for _, release := range t.held {
		release()
	}
	t.held = nil
}
