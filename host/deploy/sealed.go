package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rhost/rhost/host/deploy/signature"
	"github.com/rhost/rhost/sandbox"
)

// Upload is a version that an operator sends.
type Upload struct {
	Kind      Kind
	Source    []byte // a module, or a script with its manifest in its last line
	Signature []byte // what its .sig file holds; nil: none
	// Allow lets it follow a version that it could not follow by itself: one signed
	// by another key or signed at all, or a newer one.
	Allow bool
}

// sealed is a plugin as it came: its bytes, and who signed them.
type sealed struct {
	src    []byte
	sig    []byte // nil: none
	signer string // fingerprint of the trusted key that signed, or ""
	allow  bool   // an operator said so
	unpin  bool   // it takes the place of what an operator chose before
}

// Comment is what begins a comment in a script of this kind, "" for a module.
func (k Kind) Comment() signature.Comment {
	switch k {
	case Lua:
		return "--"
	case JS:
		return "//"
	case Wasm:
	}
	return ""
}

// SignatureFile is where the signature of the plugin lies, if it has one.
func (f Found) SignatureFile() string { return f.File + signature.Suffix }

// ReadSignature gives what the file beside the plugin holds; nil when there is none.
func (f Found) ReadSignature() ([]byte, error) {
	info, err := os.Stat(f.SignatureFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > signature.MaxFile:
		return nil, fmt.Errorf("%s is no signature file: it is too large, or no file", f.SignatureFile())
	}
	sig, err := os.ReadFile(f.SignatureFile())
	if sig == nil && err == nil {
		sig = []byte{} // an empty file is a bad signature, not none
	}
	return sig, err
}

// open reads a plugin and checks its signature; a module before anything parses it.
// The bytes are there with an error of the signature, too.
func (p *Plugins) open(f Found) (s sealed, err error) {
	if p.opts.Policy.Active() {
		if s.sig, err = f.ReadSignature(); err != nil {
			return s, err
		}
	}
	s.src, err = f.ReadChecked(func(src []byte) error {
		s.signer, err = p.opts.Policy.Check(src, f.Kind.Comment(), s.sig)
		return err
	})
	return s, err
}

// check does for bytes that were sent what open does for a file.
func (p *Plugins) check(name string, u Upload) (sealed, error) {
	signer, err := p.opts.Policy.Check(u.Source, u.Kind.Comment(), u.Signature)
	if err != nil {
		return sealed{}, fmt.Errorf("load plugin %s: %w", name, err)
	}
	return sealed{src: u.Source, sig: u.Signature, signer: signer, allow: u.Allow}, nil
}

// fetch gets a version out of the store. What comes has the digest asked for and, as
// when it came first, a signature that is trusted, today.
func (p *Plugins) fetch(ctx context.Context, name string, v Version) (sealed, error) {
	fail := func(err error) (sealed, error) {
		return sealed{}, fmt.Errorf("version %s of %s: %w", v.Digest, name, err)
	}
	if p.opts.Fetch == nil {
		return fail(fmt.Errorf("it is %w: this host keeps none", ErrUnknown))
	}
	src, err := p.opts.Fetch(ctx, v.Digest)
	if err != nil {
		return fail(err)
	}
	if got := sandbox.Digest(src); got != v.Digest {
		return fail(fmt.Errorf("the store gave %s in its place; load the plugin from its file again", got))
	}
	s := sealed{src: src}
	if v.Signature != "" {
		s.sig = []byte(v.Signature)
	}
	s.signer, err = p.opts.Policy.Check(src, v.Kind.Comment(), s.sig)
	if err != nil {
		return fail(err)
	}
	return s, nil
}

// follows checks a version that is about to come against the one before it. release
// is that of its manifest, and "" as long as it is not known.
func (p *Plugins) follows(name string, s sealed, release string) error {
	_, now := p.slot(name)
	e := p.ledger.get(name)
	before, ok := e.standing(now.Digest)
	digest := sandbox.Digest(s.src)
	if !ok || s.allow || before.Digest == digest && s.signer == "" {
		return nil
	}
	err := p.opts.Policy.Change(
		signature.Past{Signer: before.Signer, Version: before.Release},
		signature.Past{Signer: s.signer, Version: release},
	)
	if err != nil {
		return fmt.Errorf("load plugin %s: %s: %w", name, digest, err)
	}
	return nil
}

// mayFollow is follows, which keeps what it holds back, so that an operator can
// activate it.
func (p *Plugins) mayFollow(ctx context.Context, f Found, s sealed, from, release string) error {
	err := p.follows(f.Name, s, release)
	if err == nil || p.opts.Keep == nil {
		return err
	}
	digest := sandbox.Digest(s.src)
	e := p.ledger.get(f.Name)
	if _, unknown := e.find(digest); unknown == nil {
		return err
	}
	if keepErr := p.opts.Keep(ctx, digest, s.src); keepErr != nil {
		return errors.Join(err, keepErr)
	}
	v := version(f.Kind, s, from)
	v.State, v.Reason = Refused, err.Error()
	return errors.Join(err, p.ledger.change(f.Name, func(e *entry) { e.refused(v) }))
}

// stays notes what a file that holds the version in force says anew: who signed it.
func (p *Plugins) stays(f Found, s sealed, digest string) error {
	e := p.ledger.get(f.Name)
	v, err := e.find(digest)
	signed := err == nil && s.signer != "" && (s.signer != v.Signer || !bytes.Equal(s.sig, []byte(v.Signature)))
	if signed {
		if err := p.follows(f.Name, s, v.Release); err != nil {
			return err
		}
	}
	if !signed && !s.unpin {
		return nil
	}
	return p.ledger.change(f.Name, func(e *entry) {
		if s.unpin {
			e.Pin = nil
		}
		for i := range e.Versions {
			if signed && e.Versions[i].Digest == digest {
				e.Versions[i].Signer, e.Versions[i].Signature = s.signer, string(s.sig)
			}
		}
	})
}

// releaseOf is the version that a plugin gives itself.
func (p *Plugins) releaseOf(name string, m sandbox.Module) string {
	release := ""
	if about := m.Info().Manifest; about != nil {
		release = about.Version
	}
	if p.opts.Policy.Active() && p.opts.Note != nil && !signature.Comparable(release) {
		p.opts.Note(name, "its manifest names no version such as 1.2.0, so a change to an older one is not noticed")
	}
	return release
}
