package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Builder builds plugins as Build does, to the same bytes, for somebody who builds the
// same one again and again: it keeps the AssemblyScript compiler loaded, which takes
// four fifths of the time of a build off the second and later ones.
//
// The zero value is ready. A Builder is safe for concurrent use; builds are taken one
// after the other. Close ends what it keeps.
type Builder struct {
	mu  sync.Mutex
	asc *ascProcess // nil: none runs; guarded by mu
}

// Build is the function Build.
func (b *Builder) Build(ctx context.Context, f Found) (time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return timed(f, func(out string) error {
		if err := b.compile(ctx, f, out); err != nil {
			return err
		}
		return f.finish(out)
	})
}

// warmups is how many builds a language's toolchain needs until builds take the time
// that they always will: Go and Rust compile what the source uses, once; node compiles
// the compiler better with its second run.
func (l Lang) warmups() int { return map[Lang]int{Go: 1, Rust: 1, AssemblyScript: 2}[l] }

// Warm does ahead what the next Build would spend most of its time on, and leaves the
// plugin's file alone. Its error is the one that Build would have. A Build that comes
// meanwhile waits for one build at most.
func (b *Builder) Warm(ctx context.Context, f Found) error {
	for range f.Lang.warmups() {
		b.mu.Lock()
		_, err := timed(f, func(out string) error { return b.compile(ctx, f, out) })
		b.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// Close ends what the Builder keeps, and waits for it. The Builder may be used again.
func (b *Builder) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop()
}

// drop ends the process. The caller holds mu.
func (b *Builder) drop() {
	if b.asc != nil {
		b.asc.stop()
		b.asc = nil
	}
}

// compile is the function compile, by what is kept. The caller holds mu.
func (b *Builder) compile(ctx context.Context, f Found, out string) error {
	if f.Lang != AssemblyScript || wantsOwnAsc(f.Source) {
		return compile(ctx, f, out)
	}
	err := b.compileKept(ctx, f.Source, out)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errAsc):
		return compile(ctx, f, out)
	}
	return err
}

// compileKept compiles by the process that is kept, and by a new one when there is
// none that fits. The caller holds mu.
func (b *Builder) compileKept(ctx context.Context, dir, out string) (err error) {
	if b.asc != nil && !b.asc.fits(dir) {
		b.drop()
	}
	if b.asc == nil {
		if b.asc, err = startAsc(dir); err != nil {
			return err
		}
	}
	last, err := b.asc.build(ctx, out)
	if last {
		b.drop()
	}
	return err
}

// timed gives a build a place for its module, beside the plugin's file, and measures
// it.
func timed(f Found, build func(out string) error) (time.Duration, error) {
	if f.Source == "" {
		return 0, fmt.Errorf("build %s: %s holds no source", f.Name, filepath.Dir(f.File))
	}
	start := time.Now()
	tmp, err := os.MkdirTemp(filepath.Dir(f.File), ".build-")
	if err != nil {
		return 0, fmt.Errorf("build %s: %w", f.Name, err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // it is hidden, and nothing looks there
	out, err := filepath.Abs(filepath.Join(tmp, "out.wasm"))
	if err == nil {
		err = build(out)
	}
	if err != nil {
		return 0, fmt.Errorf("build %s: %w", f.Name, err)
	}
	return time.Since(start), nil
}
