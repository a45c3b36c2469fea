package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quiet is how long a file must be left alone before it counts as written:
// long enough for an editor's truncate, write and rename.
const quiet = 60 * time.Millisecond

// Watch calls changed with the files below dirs that were written, renamed or
// removed, each time they have been quiet for a moment, until ctx ends. Folders
// that appear later are watched too, dirs themselves included; what holds them must
// exist.
// Hidden files are left out, and so are node_modules and cargo's target.
// Files written after since, while nobody watched yet, are reported first.
// changed runs on Watch's goroutine: changes that happen meanwhile are reported
// together afterwards.
func Watch(ctx context.Context, dirs []string, since time.Time, changed func(files []string)) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", strings.Join(dirs, ", "), err)
	}
	defer w.Close() //nolint:errcheck // nothing is kept
	for _, dir := range dirs {
		if err := addTree(w, dir); err != nil {
			return fmt.Errorf("watch %s: %w", dir, err)
		}
		// The folder above tells when dir is made, or made anew.
		if err := w.Add(filepath.Dir(filepath.Clean(dir))); err != nil {
			return fmt.Errorf("watch %s: %w", dir, err)
		}
	}

	pending := make(map[string]struct{})
	timer := time.NewTimer(quiet)
	for _, dir := range dirs {
		addFiles(pending, dir, since)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return errors.New("the watcher stopped")
			}
			if ignored(e.Name) || made(e.Name) || e.Op == fsnotify.Chmod || !below(dirs, e.Name) {
				continue
			}
			if e.Op.Has(fsnotify.Create) {
				if err := addTree(w, e.Name); err != nil {
					return fmt.Errorf("watch %s: %w", e.Name, err)
				}
				addFiles(pending, e.Name, time.Time{}) // a folder may have had files before it was watched
			}
			pending[e.Name] = struct{}{}
			timer.Reset(quiet)
		case err, ok := <-w.Errors:
			if !ok {
				return errors.New("the watcher stopped")
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch: %w", err)
			}
			for _, dir := range dirs { // what was lost is unknown: report everything
				addFiles(pending, dir, time.Time{})
			}
			timer.Reset(quiet)
		case <-timer.C:
			files := slices.Sorted(maps.Keys(pending))
			clear(pending)
			if len(files) > 0 {
				changed(files)
			}
		}
	}
}

// addTree watches root and the folders below it. What is gone by the time it is
// looked at was not worth watching.
func addTree(w *fsnotify.Watcher, root string) error {
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		if name != root && (ignored(name) || made(name)) {
			return fs.SkipDir
		}
		if err := w.Add(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	})
}

func addFiles(set map[string]struct{}, root string, since time.Time) {
	//nolint:errcheck // an unreadable folder has no files to report
	filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && made(name) {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || ignored(name) {
			return nil //nolint:nilerr // what cannot be read is not reported
		}
		if info, err := d.Info(); err == nil && !info.ModTime().Before(since) {
			set[name] = struct{}{}
		}
		return nil
	})
}

// ignored leaves out hidden files and folders and what editors leave behind.
func ignored(name string) bool {
	base := filepath.Base(name)
	return strings.HasPrefix(base, ".") || strings.HasSuffix(base, "~") || strings.HasPrefix(base, "#")
}

// made leaves out the folders in which package managers and compilers keep thousands
// of files: a build must not look like a change that asks for another one.
func made(dir string) bool {
	switch filepath.Base(dir) {
	case "node_modules":
		return true
	case "target":
		_, err := os.Stat(filepath.Join(filepath.Dir(dir), "Cargo.toml"))
		return err == nil
	}
	return false
}

// below reports whether a file is one of dirs or beneath one.
func below(dirs []string, name string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool {
		rest, ok := strings.CutPrefix(filepath.Clean(name), filepath.Clean(dir))
		return ok && (rest == "" || rest[0] == filepath.Separator)
	})
}
