package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rhost/rhost/host/eventlog"
)

// copyBlobs adds the blobs that the folder does not have yet. What it has is
// named by its digest, and was checked when it was written.
func (w *writer) copyBlobs(ctx context.Context, cut Log) error {
	index, err := cut.Blobs(ctx)
	if err != nil {
		return err
	}
	have := make(map[string]int64)
	if w.was != nil {
		for _, b := range w.was.Blobs {
			have[b.Digest] = b.Bytes
		}
	}
	for _, digest := range index.Digests() {
		if err := ctx.Err(); err != nil {
			return err
		}
		size, ok := have[digest]
		delete(have, digest)
		if !ok {
			if size, err = w.copyBlob(index, digest); err != nil {
				return err
			}
		}
		w.now.Blobs = append(w.now.Blobs, Blob{Digest: digest, Bytes: size})
		w.progress(size)
	}
	return nil
}

func (w *writer) copyBlob(index Blobs, digest string) (int64, error) {
	b, err := index.Get(digest)
	if err != nil {
		// One that nobody needs any more may be removed at any time.
		return 0, fmt.Errorf("%w: %w", eventlog.ErrMoved, err)
	}
	name, err := blobFile(digest)
	if err != nil {
		return 0, err
	}
	err = writeFile(filepath.Join(w.dir, filepath.FromSlash(name)), 0o600, func(f *os.File) error {
		_, err := f.Write(b)
		return err
	})
	w.added.Blobs++
	w.added.Bytes += int64(len(b))
	w.fresh = append(w.fresh, name)
	return int64(len(b)), err
}

// copyFiles copies the files, all of them each time: they are small, and change.
func (w *writer) copyFiles(ctx context.Context) error {
	for _, src := range w.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := w.copyFile(src)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has gone since it was listed
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", src.Path, err)
		}
		w.now.Files = append(w.now.Files, *f)
		w.added.Bytes += f.Bytes
		w.fresh = append(w.fresh, f.File)
		w.progress(f.Bytes)
	}
	return nil
}

func (w *writer) copyFile(src Source) (*File, error) {
	from, err := os.Open(src.Path)
	if err != nil {
		return nil, err
	}
	defer from.Close() //nolint:errcheck // it was only read
	info, err := from.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f := &File{
		Root: src.Root, Name: src.Name, Mode: info.Mode().Perm(),
		File: fmt.Sprintf("files/%d/%s/%s", w.now.Number, src.Root, src.Name),
	}
	err = writeFile(filepath.Join(w.dir, filepath.FromSlash(f.File)), 0o600, func(to *os.File) error {
		sum := newSumming(to)
		_, err := io.Copy(sum, from)
		f.Bytes, f.SHA256 = sum.n, sum.digest()
		return err
	})
	return f, err
}
