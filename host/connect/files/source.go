package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/rhost/rhost/host/connect"
)

// Options is what the host says beside the config.
type Options struct {
	Base string           // the folder that a relative path starts from
	Now  func() time.Time // for dates without a year; time.Now when nil
}

// Source tails one file. It belongs to the goroutine that calls Run.
type Source struct {
	name  string
	path  string
	start bool // begin at the start of a file that was never read
	once  bool
	clock bool
	dec   *decoder

	poll   time.Duration // how long to wait when nothing says that the file changed
	settle time.Duration // how long a renamed file must be quiet to be left
}

// New returns the source called name. The config must be valid. It opens
// nothing yet.
func New(name string, c *Config, o Options) (*Source, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	dec, err := newDecoder(name, c, o.Now)
	if err != nil {
		return nil, err
	}
	path := c.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(o.Base, path)
	}
	return &Source{
		name: name, path: path, start: c.From == "start", once: c.Once, clock: c.Clock == "event", dec: dec,
		poll: time.Second, settle: time.Second,
	}, nil
}

// Finite reports whether the file is read only once.
func (s *Source) Finite() bool { return s.once }

// Run reads the file from cursor on, and, unless it is read only once, what is
// written to it until ctx ends. It fails when the file cannot be read, for what
// it holds never.
func (s *Source) Run(ctx context.Context, cursor []byte, sink connect.Sink) error {
	err := s.run(ctx, cursor, sink)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // whatever failed, it was asked to stop
	}
	if err != nil {
		return fmt.Errorf("tail %s: %w", s.name, err)
	}
	return nil
}

func (s *Source) run(ctx context.Context, cursor []byte, sink connect.Sink) (err error) {
	wake := newWake(s.path) // before the first look, so that no change falls between
	defer func() { err = errors.Join(err, wake.close()) }()
	t := &tail{Source: s, sink: sink}
	defer func() { err = errors.Join(err, t.close()) }()
	if err := t.begin(ctx, cursor); err != nil {
		return err
	}
	for ctx.Err() == nil {
		more, err := t.read(ctx)
		if err == nil && !more {
			more, err = t.follow(ctx)
		}
		switch {
		case err != nil:
			return err
		case more:
		case s.once:
			return t.rest(ctx)
		default:
			wake.wait(ctx, s.poll)
		}
	}
	return nil
}

// begin opens the file at its cursor, or where the config says.
func (t *tail) begin(ctx context.Context, cursor []byte) error {
	if cursor != nil {
		p, err := decodePlace(cursor)
		if err != nil {
			return err
		}
		return t.resume(p)
	}
	err := t.open(t.path, place{})
	if errors.Is(err, fs.ErrNotExist) {
		t.start = true // all of a file that is made later is new
	}
	if err != nil || t.start {
		return err
	}
	if t.at.Offset, err = lastLine(t.f, t.info.Size()); err != nil {
		return err
	}
	// Written down at once: after a crash the end is further on.
	return t.submit(ctx, connect.Batch{})
}
