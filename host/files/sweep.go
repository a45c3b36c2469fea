package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Sweep forgets what is older than keep: it empties the trash of each folder of
// what was deleted before then, and the journal of operations that ended before
// then. An operation that comes again, or is undone, after that finds nothing.
func (e *Executor) Sweep(ctx context.Context, keep time.Duration) error {
	before := e.now().Add(-keep)
	errs := []error{sweep(ctx, e.journal.root, ".", before)}
	for _, f := range e.folders {
		errs = append(errs, sweep(ctx, f.root, trash, before))
	}
	return errors.Join(errs...)
}

// sweep removes the entries of a folder that were last changed before a time. A
// deleted file has an entry of its own in the trash, made when it was deleted.
func sweep(ctx context.Context, root *os.Root, dir string, before time.Time) error {
	d, err := root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := d.ReadDir(-1)
	errs := []error{err, d.Close()}
	for _, entry := range entries {
		if ctx.Err() != nil {
			errs = append(errs, ctx.Err())
			break
		}
		info, err := entry.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			errs = append(errs, err)
		case info.ModTime().Before(before):
			errs = append(errs, root.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(errs...)
}
