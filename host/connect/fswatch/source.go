package fswatch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/rhost/rhost/host/connect"
)

// Options is what the host says beside the config.
type Options struct {
	Base string           // the folder that a relative path starts from
	Now  func() time.Time // the time of events; time.Now when nil
}

// Source watches one folder. It belongs to the goroutine that calls Run.
type Source struct {
	name     string
	root     string // where the folder is
	shown    string // how events call it
	entropy  int64
	debounce time.Duration
	ignore   []string
	now      func() time.Time
	ready    func() // called once changes are noticed; tests wait for it
}

// New returns the source called name. The config must be valid. It opens
// nothing yet.
func New(name string, c *Config, o Options) (*Source, error) {
	s := &Source{
		name: name, root: filepath.Clean(c.Path), shown: filepath.ToSlash(filepath.Clean(c.Path)),
		entropy: int64(c.Entropy), debounce: c.Debounce, ignore: c.Ignore, now: o.Now,
	}
	if !filepath.IsAbs(s.root) {
		s.root = filepath.Join(o.Base, s.root)
	}
	if s.debounce == 0 {
		s.debounce = defaultDebounce
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.ready = func() {}
	return s, nil
}

// Finite is false.
func (s *Source) Finite() bool { return false }

// Run tells of changes until ctx ends. It fails when the folder cannot be
// watched, or is gone.
func (s *Source) Run(ctx context.Context, _ []byte, sink connect.Sink) error {
	err := s.run(ctx, sink)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // whatever failed, it was asked to stop
	}
	if err != nil {
		return fmt.Errorf("watch %s: %w", s.name, err)
	}
	return nil
}

func (s *Source) run(ctx context.Context, sink connect.Sink) (err error) {
	root, err := s.openRoot()
	if err != nil {
		return err
	}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return explain(err)
	}
	defer func() { err = errors.Join(err, notify.Close()) }()
	w := &watch{
		Source: s, root: root, notify: notify, sink: sink,
		known: make(map[string]entry), pending: make(map[change]*wait),
	}
	if err := w.scan(root, false); err != nil {
		return err
	}
	s.ready()
	return w.loop(ctx)
}

// openRoot gives the folder itself, should the path be a link to it.
func (s *Source) openRoot() (string, error) {
	root, err := filepath.EvalSymlinks(s.root)
	if err != nil {
		return "", explain(err)
	}
	info, err := os.Stat(root)
	if err != nil {
		return "", explain(err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("path: %s is a file; name its folder, or tail the file with files", s.root)
	}
	if _, err := os.ReadDir(root); err != nil {
		return "", explain(err)
	}
	return root, nil
}

// explain adds what to do about an error of the file system.
func explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("path: %w; make the folder, or correct the path", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("path: %w; let the user that runs rhost read the folder", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("too many folders for the system: %w; raise the sysctl fs.inotify.max_user_watches", err)
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("too many watchers for the system: %w; raise the sysctl fs.inotify.max_user_instances", err)
	}
	return fmt.Errorf("path: %w", err)
}

// ignored reports whether the config says not to look at a name.
func (s *Source) ignored(file string) bool {
	for _, pattern := range s.ignore {
		if ok, err := path.Match(pattern, filepath.Base(file)); ok && err == nil {
			return true
		}
	}
	return false
}
