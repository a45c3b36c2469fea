package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Folder is a folder that steps may change.
type Folder struct {
	Name string // how steps call it
	Path string // where it is; made absolute by Open
}

// Config says what an executor may change.
type Config struct {
	Folders []Folder
	// Journal is a folder of the executor's own, outside of Folders. It is made if
	// it is missing.
	Journal string
	// MaxBytes is the size of the largest file that is copied. 0: 1 GiB.
	MaxBytes int64
}

const defaultMaxBytes = 1 << 30

// Executor changes files in granted folders.
type Executor struct {
	folders  []folder
	journal  *journal
	maxBytes int64
	now      func() time.Time // of journal entries and the sweep
	tagging  sync.Mutex       // held while tags are read, changed and written
}

// folder is a granted folder, open.
type folder struct {
	name string
	path string   // absolute
	real string   // absolute, without symbolic links
	root *os.Root // keeps every name inside
}

// Open opens the folders, or says everything that is wrong with cfg.
func Open(cfg Config) (*Executor, error) {
	e := &Executor{maxBytes: cfg.MaxBytes, now: time.Now}
	if e.maxBytes <= 0 {
		e.maxBytes = defaultMaxBytes
	}
	var errs []error
	for _, f := range cfg.Folders {
		opened, err := e.open(f)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		e.folders = append(e.folders, opened)
	}
	j, err := openJournal(cfg.Journal)
	if err != nil {
		errs = append(errs, err)
	}
	e.journal = j
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Executor) open(f Folder) (folder, error) {
	if f.Name == "" || strings.ContainsAny(f.Name, `/\`) || f.Name == "." || f.Name == ".." {
		return folder{}, fmt.Errorf("folder %q of %s: a name has no slashes and is not empty", f.Name, f.Path)
	}
	for _, other := range e.folders {
		if other.name == f.Name {
			return folder{}, fmt.Errorf("folder %s: the name is given twice", f.Name)
		}
	}
	abs, err := filepath.Abs(f.Path)
	if err != nil {
		return folder{}, fmt.Errorf("folder %s: %w", f.Name, err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return folder{}, fmt.Errorf("folder %s: %w; make it, or correct its path", f.Name, err)
	}
	resolved, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return folder{}, errors.Join(fmt.Errorf("folder %s: %w", f.Name, err), root.Close())
	}
	return folder{name: f.Name, path: abs, real: resolved, root: root}, nil
}

// Close closes the folders. Operations must have ended.
func (e *Executor) Close() error {
	var errs []error
	for _, f := range e.folders {
		errs = append(errs, f.root.Close())
	}
	if e.journal != nil {
		errs = append(errs, e.journal.close())
	}
	return errors.Join(errs...)
}

// Do runs one operation, in the shape that a file step has:
//
//	{"copy": {"from", "to"}}  {"move": {"from", "to"}}  {"tag": {"path", "tags"}}
//	{"delete": {"path"}}      {"revert": …}
//
// The output is {"path", "undo"}: where the file is now, and what reverts the
// operation. key makes it happen once, however often it comes. Any error is an
// *Error.
func (e *Executor) Do(ctx context.Context, key string, args json.RawMessage) (json.RawMessage, error) {
	entry, known, err := e.journal.load(key)
	switch {
	case err != nil:
		return nil, err
	case known && entry.Out != nil:
		return entry.Out, nil
	}
	if !known {
		if entry.Plan, err = e.plan(key, args); err != nil {
			return nil, err
		}
		entry.At = e.now()
		if err := e.journal.save(key, entry); err != nil {
			return nil, err
		}
	}
	out, err := e.perform(ctx, entry.Plan, known)
	if err != nil {
		return nil, e.abandon(key, entry.Plan, err)
	}
	entry.Out, entry.At = out, e.now()
	return out, e.journal.save(key, entry)
}

// abandon forgets the plan of an operation that failed and changed nothing, so
// that the next attempt looks at the files anew.
func (e *Executor) abandon(key string, p plan, failed error) error {
	if partly, ok := errors.AsType[*partialError](failed); ok {
		return explain(p.From, partly.err)
	}
	if err := e.journal.remove(key); err != nil {
		return err
	}
	return explain(p.From, failed)
}

// place is a file inside a granted folder.
type place struct {
	Folder string `json:"folder"`
	Name   string `json:"name"` // slashes between its parts, local
}

// String is the place as a step writes it.
func (p place) String() string {
	if p.Name == "." {
		return p.Folder + "/"
	}
	return p.Folder + "/" + p.Name
}

const (
	// ours is how names begin that belong to the executor.
	ours = ".rhost-"
	// reserved is how names begin that no step may touch: ours, and the folder
	// .rhost that a host keeps its data in.
	reserved = ".rhost"
)

// find turns a path of a step into a place.
func (e *Executor) find(p string) (place, error) {
	f, rest, ok := e.split(p)
	if !ok {
		return place{}, failf(KindDenied, "%s: not in a granted folder; %s", p, e.advice())
	}
	name := path.Clean(filepath.ToSlash(rest))
	if !filepath.IsLocal(name) {
		return place{}, failf(KindDenied, "%s: leads out of the folder %s", p, f.name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, reserved) || strings.HasSuffix(part, tagSuffix) {
			return place{}, failf(KindDenied, "%s: names such as %s belong to rhost", p, part)
		}
	}
	return place{Folder: f.name, Name: name}, nil
}

// split finds the folder that p lies in, the innermost if several do.
func (e *Executor) split(p string) (best folder, rest string, ok bool) {
	if !filepath.IsAbs(p) {
		name, rest, _ := strings.Cut(filepath.ToSlash(p), "/")
		for _, f := range e.folders {
			if f.name == name {
				return f, strings.TrimLeft(rest, "/"), true
			}
		}
		return folder{}, "", false
	}
	clean := filepath.Clean(p)
	longest := -1
	for _, f := range e.folders {
		for _, base := range []string{f.path, f.real} {
			rel, err := filepath.Rel(base, clean)
			if err == nil && filepath.IsLocal(rel) && len(base) > longest {
				best, rest, ok, longest = f, rel, true, len(base)
			}
		}
	}
	return best, rest, ok
}

func (e *Executor) advice() string {
	if len(e.folders) == 0 {
		return "none is granted: name one under folders in rhost.yaml, and begin the path with its name"
	}
	var names []string
	for _, f := range e.folders {
		names = append(names, f.name)
	}
	return "the folders are " + strings.Join(names, ", ") + "; begin the path with one of these names"
}

// root returns the open folder of a place. A journal may name one that is no
// longer granted.
func (e *Executor) root(p place) (*os.Root, error) {
	for _, f := range e.folders {
		if f.name == p.Folder {
			return f.root, nil
		}
	}
	return nil, failf(KindDenied, "%s: the folder %s is not granted any more", p, p.Folder)
}
