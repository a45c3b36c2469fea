package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/sandbox"
)

// ErrUnknown is the error of a plugin or a version that is not known.
var ErrUnknown = errors.New("not known")

// Status describes a plugin.
type Status struct {
	Name     string            `json:"name"`
	Engine   string            `json:"engine"`
	Digest   string            `json:"digest"` // of the version that takes new calls
	Size     int               `json:"size"`
	ABI      string            `json:"abi"`
	From     string            `json:"from,omitempty"`
	Release  string            `json:"release,omitempty"` // the version that its manifest names
	Signer   string            `json:"signer,omitempty"`  // fingerprint of the key that signed it
	Pinned   bool              `json:"pinned,omitempty"`  // the app folder holds another version
	Stats    sandbox.Stats     `json:"stats"`
	Rollout  *sandbox.Progress `json:"rollout,omitempty"`
	Reserved int64             `json:"reserved"` // bytes of memory, see Options.Reserve
	Memory   sandbox.Held      `json:"memory"`
	Draining int               `json:"draining,omitempty"` // old versions whose calls did not end in time
	Versions []Version         `json:"versions,omitempty"` // the latest first
}

// Put brings a version that an operator sent into force and keeps it there, also
// after a restart, until the file of the app folder changes or another version is
// activated.
func (p *Plugins) Put(ctx context.Context, name string, u Upload) (Change, error) {
	if err := checkName(name); err != nil {
		return Change{}, err
	}
	p.reload.Lock()
	defer p.reload.Unlock()
	s, err := p.check(name, u)
	if err != nil {
		return Change{}, err
	}
	return p.pinned(ctx, name, u.Kind, s, "operator", p.plan(name))
}

// Activate brings a version into force that the plugin has had, or that waits for the
// word of an operator. digest may be the beginning of one.
func (p *Plugins) Activate(ctx context.Context, name, digest string) (Change, error) {
	p.reload.Lock()
	defer p.reload.Unlock()
	e := p.ledger.get(name)
	v, err := e.find(digest)
	if err != nil {
		return Change{}, fmt.Errorf("activate %s: %w; `rhost plugin status %s` lists those there are", name, err, name)
	}
	return p.back(ctx, name, v)
}

// Rollback brings the version into force that was before the present one.
func (p *Plugins) Rollback(ctx context.Context, name string) (Change, error) {
	p.reload.Lock()
	defer p.reload.Unlock()
	slot, info := p.slot(name)
	if info.Digest == "" {
		return Change{}, fmt.Errorf("roll back %s: a plugin of this name is %w; `rhost plugin list` lists those there are", name, ErrUnknown)
	}
	if slot.Abort("by an operator") { // what stands by goes on
		now, _ := slot.Info()
		return Change{Name: name, Old: info.Digest, New: now.Digest, Engine: now.Engine}, nil
	}
	e := p.ledger.get(name)
	v, ok := e.before(info.Digest)
	if !ok {
		return Change{}, fmt.Errorf("roll back %s: a version before this one is %w", name, ErrUnknown)
	}
	change, err := p.back(ctx, name, v)
	if err == nil && change.Old != change.New {
		err = p.ledger.change(name, func(e *entry) { e.became(info.Digest, RolledBack, "by an operator") })
	}
	return change, err
}

// back fetches a version and pins it. Its time of trial lies behind it: it takes all
// calls at once.
func (p *Plugins) back(ctx context.Context, name string, v Version) (Change, error) {
	s, err := p.fetch(ctx, name, v)
	if err != nil {
		return Change{}, err
	}
	s.allow = true // an operator wants it
	plan := p.plan(name)
	plan.Shadow, plan.Canary = false, 0
	return p.pinned(ctx, name, v.Kind, s, v.From, plan)
}

func (p *Plugins) pinned(ctx context.Context, name string, kind Kind, s sealed, from string, plan sandbox.Plan) (Change, error) {
	folder := ""
	p.mu.RLock()
	f, ok := p.found[name]
	p.mu.RUnlock()
	if ok && f.File != "" {
		if b, err := f.Read(); err == nil {
			folder = sandbox.Digest(b)
		}
	}
	digest := sandbox.Digest(s.src)
	change, err := p.install(ctx, Found{Name: name, Kind: kind, File: f.File}, s, from, plan)
	if err != nil {
		return change, err
	}
	return change, p.ledger.change(name, func(e *entry) {
		e.Pin = &pin{Digest: digest, Folder: folder}
		if folder == digest {
			e.Pin = nil
		}
	})
}

// Sent names the plugins that operators have sent, and that no file stands for.
func (p *Plugins) Sent() []string { return p.ledger.orphans() }

// Status describes the plugins in force, by name, without their history.
func (p *Plugins) Status() []Status {
	p.mu.RLock()
	names := make([]string, 0, len(p.slots))
	for name := range p.slots {
		names = append(names, name)
	}
	p.mu.RUnlock()
	slices.Sort(names)
	var all []Status
	for _, name := range names {
		if s, err := p.Describe(name); err == nil {
			s.Versions = nil
			all = append(all, s)
		}
	}
	return all
}

// Describe describes a plugin with the versions it has had.
func (p *Plugins) Describe(name string) (Status, error) {
	slot, info := p.slot(name)
	if info.Digest == "" {
		return Status{}, fmt.Errorf("plugin %s is %w; loaded are: %s", name, ErrUnknown, strings.Join(p.names(), ", "))
	}
	e := p.ledger.get(name)
	s := Status{
		Name: name, Engine: info.Engine, Digest: info.Digest, Size: info.Size, ABI: info.ABI,
		Pinned: e.Pin != nil, Draining: slot.Quarantined(), Versions: e.Versions,
	}
	slices.Reverse(s.Versions)
	if v, err := e.find(info.Digest); err == nil {
		s.From, s.Release, s.Signer = v.From, v.Release, v.Signer
	}
	s.Stats, _ = slot.Stats()
	s.Memory = slot.Held()
	if p.opts.Reserved != nil {
		s.Reserved = p.opts.Reserved(name)
	}
	if progress, ok := slot.Progress(); ok {
		s.Rollout = &progress
	}
	return s, nil
}

func (p *Plugins) names() []string {
	var names []string
	for _, info := range p.Loaded() {
		names = append(names, info.Name)
	}
	if names == nil {
		return []string{"none"}
	}
	return names
}

// ended notes how a rollout ended. A version that was rolled back stays out of
// force, also after a restart, as long as the app folder holds nothing newer.
func (p *Plugins) ended(name, digest string, v sandbox.Verdict) {
	if v.Canceled && p.opts.Resume && p.ending.Load() {
		return // it goes on with the next Load
	}
	err := p.ledger.change(name, func(e *entry) {
		switch {
		case v.Promoted:
			e.became(digest, Active, "")
			return
		case v.Canceled:
			e.became(digest, Replaced, "")
			return
		}
		e.became(digest, RolledBack, v.Reason)
		if v.Old.Module != "" && (e.Pin == nil || e.Pin.Digest == digest) {
			folder := digest
			if e.Pin != nil {
				folder = e.Pin.Folder
			}
			e.Pin = &pin{Digest: v.Old.Module, Folder: folder}
		}
	})
	if p.opts.Rolled != nil {
		v.Err = errors.Join(v.Err, err)
		p.opts.Rolled(name, digest, v)
	}
}

// checkName refuses names that could not be files of a folder.
func checkName(name string) error {
	const most = 128
	ok := name != "" && len(name) <= most && !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_")
	for _, r := range name {
		ok = ok && (r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	}
	if !ok {
		return &sandbox.Refusal{Module: name, Reason: "a plugin cannot have this name", Fix: fmt.Sprintf("use letters, digits, - and _, at most %d", most)}
	}
	return nil
}

// hasDigits reports whether a digest begins with what a person wrote of it.
func hasDigits(digest, part string) bool {
	hex := strings.TrimPrefix(digest, "sha256:")
	return strings.HasPrefix(hex, strings.TrimPrefix(part, "sha256:"))
}

// version describes what install is about to bring into force.
func version(kind Kind, s sealed, from string) Version {
	return Version{
		Digest: sandbox.Digest(s.src), Kind: kind, Size: len(s.src), At: time.Now().UTC(), From: from, State: Rolling,
		Signer: s.signer, Signature: string(s.sig),
	}
}
