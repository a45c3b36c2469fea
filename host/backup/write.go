package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rhost/rhost/host/eventlog"
)

// The roots of copied files.
const (
	RootApp  = "app"
	RootData = "data"
)

// Source is a file to copy.
type Source struct {
	Root string // RootApp or RootData
	Name string // relative to that, with slashes
	Path string
}

// Options says what to back up.
type Options struct {
	Log string // folder of the log, of one machine
	// Take looks at a log that is kept elsewhere, in place of the folder. The Log is
	// closed when it has been copied, if it can be.
	Take    func(context.Context) (Log, error)
	Files   []Source // copied before anything else; those that have gone by then are left out
	Program string   // for people
	// Look is given every frame that the backup adds, in the order of its stream.
	// An error ends the backup. Nil: nobody looks.
	Look func(stream string, f *eventlog.CheckedFrame) error
	// Progress is told how many of how many bytes are done, now and then. Nil: nobody.
	Progress func(done, total int64)
	// Now gives the time of the backup; nil means time.Now.
	Now func() time.Time
}

// Result says what a backup wrote.
type Result struct {
	Manifest *Manifest `json:"manifest"`
	Added    Added     `json:"added"`
	CutOff   bool      `json:"cut_off"` // an earlier backup into the folder had been cut off
}

// Added is what was not in the folder before.
type Added struct {
	Frames uint64 `json:"frames"`
	Blobs  int    `json:"blobs"`
	Bytes  int64  `json:"bytes"` // with the copies of files, which are made each time
}

// writer writes one backup.
type writer struct {
	Options
	dir   string
	was   *Manifest // nil: the first
	now   *Manifest
	added Added
	fresh []string // files of this backup, relative, to be read back
	done  int64
	total int64
}

// Write backs up a log, of a host that is running or not, into dir, which must be
// missing, empty or a backup of the same log; what is new is added then. The
// backup counts once all that was written has been read back and its manifest is
// on disk; until then, and after any error, what was in the folder before holds.
func Write(ctx context.Context, dir string, o Options) (res *Result, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("back up to %s: %w", dir, err)
	}
	unlock, err := eventlog.LockFolder(dir, "rhost backup")
	if err != nil {
		return nil, fmt.Errorf("back up to %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	w := &writer{Options: o, dir: dir}
	if w.Now == nil {
		w.Now = time.Now
	}
	res, err = w.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("back up to %s: %w", dir, err)
	}
	return res, nil
}

func (w *writer) run(ctx context.Context) (*Result, error) {
	cutOff, err := w.begin()
	if err != nil {
		return nil, err
	}
	const tries = 5
	for try := 1; ; try++ {
		err = w.copyAll(ctx)
		if !errors.Is(err, eventlog.ErrMoved) || try == tries {
			break
		}
	}
	if err == nil {
		err = w.readBack(ctx)
	}
	if err == nil {
		err = w.now.write(w.dir)
	}
	if err != nil {
		return nil, err
	}
	err = errors.Join(w.prune(), os.Remove(filepath.Join(w.dir, incompleteName)), syncFolder(w.dir))
	return &Result{Manifest: w.now, Added: w.added, CutOff: cutOff}, err
}

// begin looks at what is in the folder and marks it as being written to.
func (w *writer) begin() (cutOff bool, err error) {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return false, err
	}
	has := func(name string) bool {
		return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name })
	}
	cutOff = has(incompleteName)
	w.was, err = ReadManifest(w.dir)
	switch {
	case errors.Is(err, ErrNone) && !cutOff && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() != lockName }):
		return false, errors.New("the folder holds something that is no backup; name an empty one")
	case errors.Is(err, ErrNone):
		w.was = nil
	case err != nil:
		return false, err
	}
	return cutOff, writeFile(filepath.Join(w.dir, incompleteName), 0o600, func(f *os.File) error {
		_, err := fmt.Fprintf(f, "A backup is being written here, by process %d since %s. While this file is here, manifest.json is the one before.\n",
			os.Getpid(), w.Now().UTC().Format(time.RFC3339))
		return err
	})
}

// copyAll writes everything but the manifest.
func (w *writer) copyAll(ctx context.Context) error {
	w.now = &Manifest{Format: Format, Number: 1, Program: w.Program}
	w.fresh, w.added, w.done = nil, Added{}, 0
	if w.was != nil {
		w.now.Number = w.was.Number + 1
	}
	if err := w.prune(); err != nil {
		return err
	}
	// The files first: what they name among the blobs is on disk by then.
	if err := w.copyFiles(ctx); err != nil {
		return err
	}
	cut, err := w.take(ctx)
	if err != nil {
		return err
	}
	err = w.copyLog(ctx, cut)
	if c, ok := cut.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	return err
}

// copyLog copies what the log holds.
func (w *writer) copyLog(ctx context.Context, cut Log) (err error) {
	w.now.At, w.now.Clean = w.Now().UTC(), cut.Clean()
	for _, name := range cut.Streams() {
		w.total += cut.Size(name)
	}
	for _, name := range cut.Streams() {
		if !framed(name) {
			if !slices.Contains([]string{"SNAP", "BLOB"}, name) {
				return fmt.Errorf("the log has a stream %s: the folder is a part of a cluster's log; back the cluster up through a node that runs", name)
			}
			continue
		}
		if err := w.copyStream(ctx, cut, name); err != nil {
			return err
		}
	}
	if err := w.missing(); err != nil {
		return err
	}
	if w.now.Notes, err = cut.SnapshotNotes(ctx, nil); err != nil {
		return err
	}
	if w.now.Editions, err = cut.EditionNotes(); err != nil {
		return err
	}
	return w.copyBlobs(ctx, cut)
}

// framed reports whether a stream consists of frames.
func framed(name string) bool { return name == "EV" || name == "RUN" }

// missing reports a stream of the backup before that the log has no more.
func (w *writer) missing() error {
	if w.was == nil {
		return nil
	}
	for i := range w.was.Streams {
		s := &w.was.Streams[i]
		if s.Last > 0 && w.now.Stream(s.Name) == nil {
			return fmt.Errorf("the log has no stream %s, and the folder has %d frames of it: it is another log's; name an empty folder", s.Name, s.Last)
		}
	}
	return nil
}

func (w *writer) progress(n int64) {
	w.done += n
	if w.Progress != nil {
		w.Progress(w.done, max(w.total, w.done))
	}
}

// prune removes what no manifest names: the rest of backups that were cut off,
// and copies of files that a newer backup has replaced.
func (w *writer) prune() error {
	keep := make(map[string]bool)
	m := w.was
	if len(w.fresh) > 0 {
		m = w.now
	}
	if m != nil {
		for i := range m.Streams {
			for _, s := range m.Streams[i].Segments {
				keep[s.File] = true
			}
		}
		for i := range m.Files {
			keep[m.Files[i].File] = true
		}
		for _, b := range m.Blobs {
			if name, err := blobFile(b.Digest); err == nil {
				keep[name] = true
			}
		}
	}
	var dirs []string
	for _, root := range []string{"streams", "blobs", "files"} {
		err := filepath.WalkDir(filepath.Join(w.dir, root), func(full string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			name, err := filepath.Rel(w.dir, full)
			switch {
			case err != nil:
				return err
			case d.IsDir():
				dirs = append(dirs, full)
				return nil
			case keep[filepath.ToSlash(name)]:
				return nil
			}
			return os.Remove(full)
		})
		if err != nil {
			return err
		}
	}
	for _, dir := range slices.Backward(dirs) {
		_ = os.Remove(dir) // fails while there is something in it, which stays
	}
	return nil
}
