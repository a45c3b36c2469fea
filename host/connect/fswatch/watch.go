package fswatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/rhost/rhost/host/connect"
)

// The types of events.
const (
	typeCreate   = "fs.create"
	typeWrite    = "fs.write"
	typeAttrib   = "fs.attrib"
	typeRename   = "fs.rename"
	typeRemove   = "fs.remove"
	typeOverflow = "fs.overflow"
	typeError    = "fs.error"
)

const (
	batchEvents = 1000
	// patience bounds how long a file that is written to all the time waits to be
	// told, in debounces.
	patience = 10
)

var errGone = errors.New("path: the folder is gone; make it again, or correct the path")

// watch is one run of a Source.
type watch struct {
	*Source
	root   string // the folder itself, where shown may be a link
	notify *fsnotify.Watcher
	sink   connect.Sink

	known   map[string]entry // everything below root
	pending map[change]*wait
	due     time.Time // before then nothing in pending has waited long enough
	out     connect.Batch
}

// entry is what was last seen of a file.
type entry struct {
	inode   uint64
	size    int64
	changed time.Time
	folder  bool
}

func entryOf(info fs.FileInfo) entry {
	if info.IsDir() {
		return entry{inode: inode(info), folder: true}
	}
	return entry{inode: inode(info), size: info.Size(), changed: info.ModTime()}
}

// change is something that is told once it has been quiet for a while.
type change struct {
	path string
	typ  string
}

type wait struct{ since, last time.Time }

// loop reads what the system tells, and submits when it tells nothing more.
func (w *watch) loop(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		due := w.flush(time.Now())
		if len(w.out.Events) < batchEvents {
			select {
			case ev := <-w.notify.Events:
				if err := w.handle(ev); err != nil {
					return err
				}
				continue
			default:
			}
		}
		if err := w.submit(ctx); err != nil {
			return err
		}
		timer.Reset(due)
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case ev := <-w.notify.Events:
			err = w.handle(ev)
		case err = <-w.notify.Errors:
			err = w.trouble(err)
		}
		if err != nil {
			return err
		}
	}
}

func (w *watch) submit(ctx context.Context) error {
	if len(w.out.Events) == 0 {
		return nil
	}
	err := w.sink.Submit(ctx, w.out)
	w.out = connect.Batch{}
	return err
}

// trouble deals with an error of the notifications. When they overflowed, the
// tree is looked through instead.
func (w *watch) trouble(err error) error {
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		return explain(err)
	}
	w.tell(typeOverflow, w.root, nil, "")
	return w.rescan()
}

// handle takes in one notification; several things may have happened at once.
func (w *watch) handle(ev fsnotify.Event) error {
	file := filepath.Clean(ev.Name)
	if file == w.root {
		if ev.Has(fsnotify.Remove) || ev.Has(fsnotify.Rename) {
			return errGone
		}
		return nil
	}
	if w.ignored(file) {
		return nil
	}
	if ev.Has(fsnotify.Create) {
		if err := w.created(file); err != nil {
			return err
		}
	}
	if e, ok := w.known[file]; ok && !e.folder && ev.Has(fsnotify.Write) {
		w.later(file, typeWrite)
	}
	if _, ok := w.known[file]; ok && ev.Has(fsnotify.Chmod) {
		w.later(file, typeAttrib)
	}
	if ev.Has(fsnotify.Rename) {
		w.gone(file, typeRename)
	}
	if ev.Has(fsnotify.Remove) {
		w.gone(file, typeRemove)
	}
	return nil
}

// created takes in something new, unless the look through its folder found it
// first.
func (w *watch) created(file string) error {
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) { // gone again, which will be told next
		w.known[file] = entry{}
		w.tell(typeCreate, file, nil, "")
		return nil
	}
	if err != nil {
		w.tell(typeError, file, nil, err.Error())
		return nil
	}
	old, found := w.known[file]
	now := entryOf(info)
	w.known[file] = now
	switch {
	case !found || old.inode != now.inode || old.folder != now.folder:
		w.tell(typeCreate, file, info, "")
	case old != now: // written to since it was found
		w.later(file, typeWrite)
	}
	if now.folder && (!found || old != now) {
		return w.scan(file, true)
	}
	return nil
}

// scan watches a folder and all in it, and takes in what it holds; with tell
// set, as something new. What cannot be looked at is told and left out.
func (w *watch) scan(dir string, tell bool) error {
	for todo := []string{dir}; len(todo) > 0; {
		dir, todo = todo[len(todo)-1], todo[:len(todo)-1]
		entries, err := w.list(dir)
		if err != nil {
			return err
		}
		for _, info := range entries {
			file := filepath.Join(dir, info.Name())
			if old, ok := w.known[file]; ok && old == entryOf(info) {
				continue
			}
			w.known[file] = entryOf(info)
			if tell {
				w.tell(typeCreate, file, info, "")
			}
			if info.IsDir() {
				todo = append(todo, file)
			}
		}
	}
	return nil
}

// list watches a folder, first, and then gives what is in it.
func (w *watch) list(dir string) ([]fs.FileInfo, error) {
	if err := w.notify.Add(dir); err != nil {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return nil, explain(err) // the system's limits
		}
		w.tell(typeError, dir, nil, err.Error())
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.tell(typeError, dir, nil, err.Error())
	}
	infos := make([]fs.FileInfo, 0, len(entries))
	for _, e := range entries {
		if w.ignored(e.Name()) {
			continue
		}
		if info, err := e.Info(); err == nil { // else it is gone already
			infos = append(infos, info)
		}
	}
	return infos, nil
}

// gone takes out what is no longer at a path. A folder takes all in it along,
// which is not told one by one: it still exists after a rename, and was told
// before a removal.
func (w *watch) gone(file, typ string) {
	e, ok := w.known[file]
	if !ok {
		return // told twice, by the folder and by the one above it
	}
	w.flushFile(file)
	delete(w.known, file)
	if e.folder {
		w.forget(file)
	}
	w.tell(typ, file, nil, "")
}

// forget drops all below a folder.
func (w *watch) forget(dir string) {
	below := dir + string(filepath.Separator)
	for _, watched := range w.notify.WatchList() {
		if watched == dir || strings.HasPrefix(watched, below) {
			_ = w.notify.Remove(watched) // the system may have removed it already
		}
	}
	for file := range w.known {
		if strings.HasPrefix(file, below) {
			delete(w.known, file)
		}
	}
	for c := range w.pending {
		if strings.HasPrefix(c.path, below) {
			delete(w.pending, c)
		}
	}
}

// rescan compares the tree with what is known of it, and tells what differs.
func (w *watch) rescan() error {
	before := w.known
	w.known = make(map[string]entry, len(before))
	if err := w.scan(w.root, false); err != nil {
		return err
	}
	var changed []change
	for file, now := range w.known {
		if old, ok := before[file]; !ok {
			changed = append(changed, change{file, typeCreate})
		} else if old != now {
			changed = append(changed, change{file, typeWrite})
		}
	}
	for file := range before {
		if _, ok := w.known[file]; !ok {
			changed = append(changed, change{file, typeRemove})
		}
	}
	clear(w.pending) // they are among the changes
	slices.SortFunc(changed, func(a, b change) int { return cmp.Compare(a.path, b.path) })
	for _, c := range changed {
		info, err := os.Lstat(c.path)
		if err != nil {
			info = nil // gone, or going
		}
		w.tell(c.typ, c.path, info, "")
	}
	return nil
}

// later tells of a change once the file has been quiet.
func (w *watch) later(file, typ string) {
	now := time.Now()
	if p, ok := w.pending[change{file, typ}]; ok {
		p.last = now
		return
	}
	if due := now.Add(w.debounce); len(w.pending) == 0 || due.Before(w.due) {
		w.due = due
	}
	w.pending[change{file, typ}] = &wait{since: now, last: now}
}

// flush tells of the changes that have waited long enough, the oldest first, and
// gives the time until the next may have.
func (w *watch) flush(now time.Time) time.Duration {
	if len(w.pending) == 0 {
		return time.Hour
	}
	if now.Before(w.due) {
		return w.due.Sub(now)
	}
	var ready []change
	w.due = now.Add(time.Hour)
	for c, p := range w.pending {
		due := p.last.Add(w.debounce)
		if last := p.since.Add(patience * w.debounce); last.Before(due) {
			due = last
		}
		if !due.After(now) {
			ready = append(ready, c)
		} else if due.Before(w.due) {
			w.due = due
		}
	}
	slices.SortFunc(ready, func(a, b change) int {
		return cmp.Or(w.pending[a].since.Compare(w.pending[b].since), cmp.Compare(a.path, b.path), cmp.Compare(a.typ, b.typ))
	})
	for _, c := range ready {
		w.flushOne(c)
	}
	return w.due.Sub(now)
}

// flushFile tells of the changes of one file at once.
func (w *watch) flushFile(file string) {
	for _, typ := range []string{typeAttrib, typeWrite} {
		if _, ok := w.pending[change{file, typ}]; ok {
			w.flushOne(change{file, typ})
		}
	}
}

func (w *watch) flushOne(c change) {
	delete(w.pending, c)
	info, err := os.Lstat(c.path)
	if err != nil {
		info = nil // gone since; told all the same
	} else {
		w.known[c.path] = entryOf(info)
	}
	w.tell(c.typ, c.path, info, "")
}

// show gives the path as events have it.
func (w *watch) show(file string) string {
	rel, err := filepath.Rel(w.root, file)
	if err != nil {
		panic(fmt.Sprintf("fswatch: %s is not in %s", file, w.root)) // all paths come from below it
	}
	return filepath.ToSlash(filepath.Join(w.shown, rel))
}
