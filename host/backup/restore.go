package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/rhost/rhost/host/eventlog"
)

// Target says where a backup is restored to. Each folder must be missing or
// empty. Data may lie within App. Of a folder without a name nothing is restored;
// with Data goes the log.
type Target struct {
	App  string
	Data string
}

// restoring ends the name of a folder that a restore is filling.
const restoring = ".restoring"

// RestoreOptions are what a restore is given besides the folders.
type RestoreOptions struct {
	Progress func(done, total int64) // as of VerifyOptions
	Logger   *slog.Logger
	// Engine starts what keeps the log, where that is not one machine, with the
	// folder of the log. Nil: the log is a folder of one machine.
	Engine func(ctx context.Context, dir string) (*eventlog.Engine, error)
	// Follow leaves it to another to write the log; Restore waits until it is whole.
	// It is for Engines that are one of several.
	Follow bool
}

// ErrDamaged is the error of a backup that is not restored because something in
// it is not as it was written; the Report says what.
var ErrDamaged = errors.New("the backup is damaged")

// ErrNotEmpty is the error of a folder that should be empty and is not.
var ErrNotEmpty = errors.New("the folder is not empty")

// Restore makes an app folder and a data folder of a backup that was verified,
// beside their places, compares the log with the backup, and puts both where they
// belong in the end. After any error there is nothing at their places.
func Restore(ctx context.Context, rep *Report, to Target, o RestoreOptions) error {
	if len(rep.Problems) > 0 {
		return fmt.Errorf("restore %s: %w: %w", rep.Dir, ErrDamaged, errors.Join(rep.Problems...))
	}
	err := CheckTarget(to)
	var r *restorer
	if err == nil {
		r, err = newRestorer(to, rep, o)
	}
	if err == nil {
		err = r.run(ctx)
	}
	if err != nil {
		return fmt.Errorf("restore %s: %w", rep.Dir, err)
	}
	return nil
}

// CheckTarget refuses folders that have something in them. A folder without a
// name is not looked at.
func CheckTarget(to Target) error {
	for _, dir := range []string{to.App, to.Data} {
		if dir == "" {
			continue
		}
		if err := wantEmpty(dir); err != nil {
			return err
		}
	}
	return nil
}

// wantEmpty refuses a folder that has something in it.
func wantEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s: %w; name a folder that is, or move what is there away", dir, ErrNotEmpty)
	}
	return nil
}

// restorer fills folders beside those of its target.
type restorer struct {
	RestoreOptions
	from  string
	m     *Manifest
	app   string // being filled; "" when it is not restored
	data  string
	moves [][2]string // from where to where, in this order
}

func newRestorer(to Target, rep *Report, o RestoreOptions) (*restorer, error) {
	r := &restorer{RestoreOptions: o, from: rep.Dir, m: rep.Manifest}
	app, err := filepath.Abs(to.App)
	if err != nil {
		return nil, err
	}
	data, err := filepath.Abs(to.Data)
	if err != nil {
		return nil, err
	}
	if to.App != "" {
		r.app = app + restoring
	}
	if rel, err := filepath.Rel(app, data); to.App != "" && to.Data != "" && err == nil && filepath.IsLocal(rel) {
		r.data = filepath.Join(r.app, rel)
	} else if to.Data != "" {
		r.data = data + restoring
		r.moves = append(r.moves, [2]string{r.data, data})
	}
	if to.App != "" {
		r.moves = append(r.moves, [2]string{r.app, app})
	}
	return r, nil
}

func (r *restorer) run(ctx context.Context) (err error) {
	// What an earlier restore left half done is nobody's.
	for _, m := range r.moves {
		if err := os.RemoveAll(m[0]); err != nil {
			return err
		}
	}
	defer func() {
		if err != nil {
			for _, m := range r.moves {
				err = errors.Join(err, os.RemoveAll(m[0]))
			}
		}
	}()
	for _, m := range r.moves {
		if err := os.MkdirAll(m[0], 0o700); err != nil {
			return err
		}
	}
	for i := range r.m.Files {
		if err := r.file(&r.m.Files[i]); err != nil {
			return err
		}
	}
	if err := r.log(ctx); err != nil {
		return err
	}
	for _, m := range r.moves {
		if err := moveTo(m[0], m[1]); err != nil {
			return err
		}
	}
	return nil
}

// moveTo puts a folder in the place of an empty one, or of none.
func moveTo(from, to string) error {
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// log writes the log, which goes with the data folder.
func (r *restorer) log(ctx context.Context) error {
	if r.data == "" {
		return nil
	}
	if err := os.MkdirAll(r.data, 0o700); err != nil {
		return err
	}
	if r.Engine != nil {
		return r.shared(ctx)
	}
	return r.alone(ctx)
}

func (r *restorer) file(f *File) error {
	root := r.app
	if f.Root == RootData {
		root = r.data
	}
	if root == "" {
		return nil
	}
	return writeFile(filepath.Join(root, filepath.FromSlash(f.Name)), f.Mode, func(to *os.File) error {
		from, err := os.Open(filepath.Join(r.from, filepath.FromSlash(f.File)))
		if err != nil {
			return err
		}
		sum := newSumming(to)
		_, err = io.Copy(sum, from)
		if err = errors.Join(err, from.Close()); err == nil && sum.digest() != f.SHA256 {
			err = fmt.Errorf("%s: its digest is not that of the backup", f.File)
		}
		return err
	})
}

// alone writes the log into a folder, and compares what is in its files then.
func (r *restorer) alone(ctx context.Context) error {
	dir := filepath.Join(r.data, "log")
	out, err := eventlog.NewRebuild(ctx, dir, r.first(), r.Logger)
	if err != nil {
		return err
	}
	err = r.fill(ctx, out)
	if err = errors.Join(err, out.Finish(ctx, err == nil)); err != nil {
		return err
	}
	cut, err := eventlog.TakeCut(dir)
	if err != nil {
		return err
	}
	return r.compare(ctx, fileLog{cut})
}

// first gives the first frame of each stream.
func (r *restorer) first() map[string]uint64 {
	first := make(map[string]uint64)
	for i := range r.m.Streams {
		first[r.m.Streams[i].Name] = r.m.Streams[i].First
	}
	return first
}

func (r *restorer) fill(ctx context.Context, out *eventlog.Rebuild) error {
	total, done := r.m.Size(), int64(0)
	progress := func(n int64) {
		if done += n; r.Progress != nil {
			r.Progress(done, total)
		}
	}
	for _, b := range r.m.Blobs {
		name, err := blobFile(b.Digest)
		if err != nil {
			return err
		}
		body, err := os.ReadFile(filepath.Join(r.from, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		if err := out.Blob(ctx, b.Digest, body); err != nil {
			return err
		}
		progress(b.Bytes)
	}
	for _, note := range r.m.Notes {
		if err := out.Note(ctx, note); err != nil {
			return err
		}
	}
	for _, note := range r.m.Editions {
		if err := out.Edition(ctx, note); err != nil {
			return err
		}
	}
	for i := range r.m.Streams {
		s := &r.m.Streams[i]
		for _, seg := range s.Segments {
			_, _, err := readSegment(filepath.Join(r.from, filepath.FromSlash(seg.File)), func(m *message) error {
				progress(messageHeader + int64(len(m.body)))
				if err := ctx.Err(); err != nil || m.seq < s.First {
					return err
				}
				return out.Frame(ctx, s.Name, m.seq, m.body)
			})
			if err != nil {
				return fmt.Errorf("%s: %w", seg.File, err)
			}
		}
	}
	return nil
}

// compare reads the new log and compares it with the backup.
func (r *restorer) compare(ctx context.Context, cut Log) error {
	for i := range r.m.Streams {
		s := &r.m.Streams[i]
		check := eventlog.NewChecker(s.Name)
		ext, err := cut.Scan(ctx, s.Name, 0, func(e *eventlog.Entry) error {
			_, err := check.Check(e.Seq, e.Body)
			return err
		}, nil)
		if err != nil {
			return err
		}
		if seq, sum, records := check.Tail(); ext.First != s.First || seq != s.Last || sum != s.Sum || records != s.Records {
			return fmt.Errorf("stream %s was written as frames %d to %d, and the backup has %d to %d", s.Name, ext.First, seq, s.First, s.Last)
		}
	}
	index, err := cut.Blobs(ctx)
	if err != nil {
		return err
	}
	for _, b := range r.m.Blobs {
		if _, err := index.Get(b.Digest); err != nil {
			return err
		}
	}
	return nil
}
