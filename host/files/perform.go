package files

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// partialError is the error of an operation that changed something before it
// failed. Its plan is kept, so that the next attempt goes on from there.
type partialError struct{ err error }

func (e *partialError) Error() string { return e.err.Error() }

func (e *partialError) Unwrap() error { return e.err }

// perform carries out a plan. again says that it may have been begun before.
func (e *Executor) perform(ctx context.Context, p plan, again bool) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, explain(p.From, err)
	}
	out := struct {
		Path string `json:"path"`
		Undo *plan  `json:"undo"`
	}{Path: p.From.String()}
	var err error
	switch p.Op {
	case "move":
		err = e.move(ctx, p, again)
		out.Path, out.Undo = p.To.String(), &plan{Op: "move", From: p.To, To: p.From, Unmake: p.Made}
	case "copy":
		err = e.copy(ctx, p, again)
		out.Path, out.Undo = p.To.String(), &plan{Op: "remove", From: p.To, File: p.File, Unmake: p.Made}
	case "tag":
		err = e.tag(p)
		out.Undo = &plan{Op: "tag", From: p.From, Tags: p.Prev}
	case "remove":
		err = e.remove(p)
	default:
		err = failf(KindFail, "%s: the journal holds an operation %q that is not known", p.From, p.Op)
	}
	if err == nil {
		err = e.unmake(p)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// unmake removes the folders that an operation had made, once its undo has left
// them. One that something else is in by now stays.
func (e *Executor) unmake(p plan) error {
	for _, dir := range p.Unmake {
		root, err := e.root(p.From)
		if err != nil {
			return err
		}
		err = root.Remove(filepath.FromSlash(dir))
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if info, statErr := root.Lstat(filepath.FromSlash(dir)); statErr == nil && info.IsDir() {
			return nil
		}
		return &partialError{explain(place{p.From.Folder, dir}, err)}
	}
	return nil
}

// move takes a file or folder to its new place, or finds that it did so before.
func (e *Executor) move(ctx context.Context, p plan, again bool) error {
	src, srcErr := e.lstat(p.From)
	dst, dstErr := e.lstat(p.To)
	gone, free := errors.Is(srcErr, fs.ErrNotExist), errors.Is(dstErr, fs.ErrNotExist)
	copied := again && p.From.Folder != p.To.Folder && dstErr == nil && stampOf(dst).equal(p.File)
	switch {
	case srcErr != nil && !gone:
		return explain(p.From, srcErr)
	case dstErr != nil && !free:
		return explain(p.To, dstErr)
	case gone && !free && again:
		return nil
	case gone:
		return failf(KindFail, "%s: no such file", p.From)
	case free && p.From.Folder == p.To.Folder:
		return e.rename(p, src.IsDir())
	case free:
		if err := e.transfer(ctx, p); err != nil {
			return err
		}
	case !copied && !os.SameFile(src, dst):
		return exists(p.To)
	}
	return e.drop(p.From)
}

func exists(at place) error {
	return failf(KindFail, "%s: exists already, and nothing is replaced", at)
}

// drop removes what a move leaves behind once its file is at the new place.
func (e *Executor) drop(at place) error {
	root, err := e.root(at)
	if err != nil {
		return err
	}
	if err := root.Remove(osName(at)); err != nil {
		return &partialError{explain(at, err)}
	}
	return e.sync(at)
}

// rename moves within a folder.
func (e *Executor) rename(p plan, dir bool) error {
	root, err := e.root(p.From)
	if err != nil {
		return err
	}
	if err := e.parents(p.To); err != nil {
		return err
	}
	if err := appear(root, osName(p.From), osName(p.To), dir); err != nil {
		return explain(p.To, err)
	}
	return errors.Join(e.sync(p.From), e.sync(p.To))
}

// appear gives a file another name, unless that is taken. A link cannot replace
// anything, a rename can, so a rename is left to folders and to file systems
// that know no links.
func appear(root *os.Root, from, to string, dir bool) error {
	if !dir {
		err := root.Link(from, to)
		if err == nil {
			if err := root.Remove(from); err != nil {
				return &partialError{err}
			}
			return nil
		}
		if errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if _, err := root.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EEXIST}
	}
	return root.Rename(from, to)
}

// copy copies a file, or finds that it did so before.
func (e *Executor) copy(ctx context.Context, p plan, again bool) error {
	dst, err := e.lstat(p.To)
	switch {
	case err == nil && again && stampOf(dst).equal(p.File):
		return nil
	case err == nil:
		return exists(p.To)
	case !errors.Is(err, fs.ErrNotExist):
		return explain(p.To, err)
	}
	return e.transfer(ctx, p)
}

// transfer copies a file to where nothing is yet. It shows there whole or not
// at all, with the permissions and the time of the original.
func (e *Executor) transfer(ctx context.Context, p plan) error {
	from, err := e.root(p.From)
	if err != nil {
		return err
	}
	to, err := e.root(p.To)
	if err != nil {
		return err
	}
	if err := e.parents(p.To); err != nil {
		return err
	}
	src, err := from.OpenFile(osName(p.From), os.O_RDONLY|syscall.O_NONBLOCK, 0) // no waiting for a pipe's other end
	if err != nil {
		return explain(p.From, err)
	}
	tmp := filepath.Join(filepath.Dir(osName(p.To)), ours+"tmp-"+idOf(p.To.String()))
	err = e.fill(ctx, to, tmp, src, p)
	if err := errors.Join(err, src.Close()); err != nil {
		return errors.Join(explain(p.From, err), discard(to, tmp))
	}
	if err := appear(to, tmp, osName(p.To), false); err != nil {
		return errors.Join(explain(p.To, err), discard(to, tmp))
	}
	return e.sync(p.To)
}

// discard removes a file that may not be there.
func discard(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// fill writes the temporary file of a copy.
func (e *Executor) fill(ctx context.Context, to *os.Root, tmp string, src *os.File, p plan) error {
	info, err := src.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return failf(KindInvalid, "%s: is no file (%s)", p.From, info.Mode().Type())
	case !stampOf(info).equal(p.File):
		return failf(KindUnavailable, "%s: is being changed", p.From)
	case info.Size() > e.maxBytes:
		return failf(KindLimit, "%s: %d bytes are too many to copy; at most %d are", p.From, info.Size(), e.maxBytes)
	}
	dst, err := to.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(dst, io.LimitReader(reader{ctx, src}, info.Size()+1))
	if err == nil && n != info.Size() {
		err = failf(KindUnavailable, "%s: is being changed", p.From)
	}
	err = errors.Join(err, dst.Chmod(info.Mode().Perm()), dst.Sync(), dst.Close())
	if err != nil {
		return err
	}
	return to.Chtimes(tmp, info.ModTime(), info.ModTime())
}

// reader stops when its context ends.
type reader struct {
	ctx context.Context //nolint:containedctx // lives as long as one copy
	f   *os.File
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.f.Read(p)
}

// remove takes a copy away, as long as it is what was copied.
func (e *Executor) remove(p plan) error {
	info, err := e.lstat(p.From)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return explain(p.From, err)
	case !info.Mode().IsRegular() || !stampOf(info).equal(p.File):
		return failf(KindFail, "%s: has changed since it was copied; remove it by hand if it is not wanted", p.From)
	}
	return e.drop(p.From)
}

// tag writes the tags of a file.
func (e *Executor) tag(p plan) error {
	e.tagging.Lock()
	defer e.tagging.Unlock()
	root, err := e.root(p.From)
	if err != nil {
		return err
	}
	tags, err := e.tags(p.From)
	if err != nil {
		return err
	}
	maps.Copy(tags, p.Tags)
	maps.DeleteFunc(tags, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	name := osName(p.From) + tagSuffix
	if len(tags) == 0 {
		err = discard(root, name)
	} else {
		err = writeJSON(root, name, tags)
	}
	if err != nil {
		return explain(p.From, err)
	}
	return e.sync(p.From)
}

// writeJSON replaces a file whole.
func writeJSON(root *os.Root, name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(name), ours+"tmp-"+idOf(name))
	f, err := root.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, discard(root, tmp))
	}
	return root.Rename(tmp, name)
}

// parents makes the folders that a place needs.
func (e *Executor) parents(at place) error {
	root, err := e.root(at)
	if err != nil {
		return err
	}
	dir := path.Dir(at.Name)
	if dir == "." {
		return nil
	}
	if err := root.MkdirAll(filepath.FromSlash(dir), 0o777); err != nil {
		return explain(at, err)
	}
	return nil
}

// sync makes the name of a place durable.
func (e *Executor) sync(at place) error {
	root, err := e.root(at)
	if err != nil {
		return err
	}
	if err := syncFolder(root, filepath.FromSlash(path.Dir(at.Name))); err != nil {
		return &partialError{explain(at, err)}
	}
	return nil
}

func osName(at place) string { return filepath.FromSlash(at.Name) }
