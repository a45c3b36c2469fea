package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
)

const (
	batchEvents = 2000
	batchBytes  = 512 << 10
	// maxLine is the longest line, with its line break.
	maxLine = event.MaxSize + 2
	// maxUnsaved is how much of no interest may be read without a checkpoint.
	maxUnsaved = 4 << 20
)

// tail is one run of a Source: an open file and the place in it.
type tail struct {
	*Source
	sink connect.Sink

	f    *os.File
	info fs.FileInfo // of f, when it was opened
	at   place
	done bool // nobody writes to f any more: it is a copy

	want    int64     // how much to read at once
	seen    int64     // size up to which there is no line break
	unsaved int64     // read since the last checkpoint
	quiet   time.Time // since when f, which was renamed, has not grown; zero: not renamed
}

// open goes on at p in the file at path; a zero Inode means from p.Offset of
// whatever is there.
func (t *tail) open(path string, p place) error {
	f, info, err := open(path)
	if err != nil {
		return err
	}
	p.Inode = inode(info)
	return t.use(f, info, p)
}

func (t *tail) use(f *os.File, info fs.FileInfo, p place) error {
	err := t.close()
	t.f, t.info, t.at = f, info, p
	t.done, t.quiet, t.seen, t.want = false, time.Time{}, 0, batchBytes
	return err
}

func (t *tail) close() error {
	if t.f == nil {
		return nil
	}
	err := t.f.Close()
	t.f = nil
	return err
}

// resume goes on at p, wherever its file is now, or at the start of the file at
// the path when that of p is gone.
func (t *tail) resume(p place) error {
	f := p.locate(t.path)
	if f == nil {
		return t.open(t.path, place{Turn: p.Turn + 1})
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	copied := inode(info) != p.Inode
	p.Inode = inode(info)
	err = t.use(f, info, p)
	t.done = copied
	return err
}

// read submits the next lines. It reports false when there are none yet.
func (t *tail) read(ctx context.Context) (bool, error) {
	if !t.at.fits(t.f) { // truncated, or written anew
		return true, t.resume(t.at)
	}
	info, err := t.f.Stat()
	if err != nil {
		return false, err
	}
	left := info.Size() - t.at.Offset
	if left <= 0 || info.Size() == t.seen {
		return false, nil
	}
	if !t.quiet.IsZero() {
		t.quiet = time.Now()
	}
	buf := make([]byte, min(left, t.want)) // never used again: events alias it
	n, err := t.f.ReadAt(buf, t.at.Offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	buf = buf[:n]
	if t.at.Skip {
		t.skip(buf)
		return true, nil
	}
	if end := bytes.LastIndexByte(buf, '\n') + 1; end > 0 {
		t.want = batchBytes
		return true, t.lines(ctx, buf[:end])
	}
	switch {
	case n >= maxLine:
		return true, t.tooLong(ctx, buf)
	case int64(n) < left:
		t.want = maxLine // a longer line than fits a batch
		return true, nil
	}
	t.seen = info.Size()
	return false, nil
}

// lines submits whole lines in batches.
func (t *tail) lines(ctx context.Context, buf []byte) error {
	var b connect.Batch
	for len(buf) > 0 {
		n := bytes.IndexByte(buf, '\n')
		if n < 0 {
			n = len(buf) - 1 // the last line of a finished file
			t.line(&b, buf, int64(len(buf)))
		} else {
			t.line(&b, buf[:n:n], int64(n+1))
		}
		buf = buf[n+1:]
		if len(b.Events)+len(b.Bad) == batchEvents {
			if err := t.submit(ctx, b); err != nil {
				return err
			}
			b = connect.Batch{}
		}
	}
	if len(b.Events)+len(b.Bad) == 0 && t.unsaved < maxUnsaved {
		return nil // nothing is lost if this is read again
	}
	return t.submit(ctx, b)
}

// line adds the line at the place to b and moves on by size.
func (t *tail) line(b *connect.Batch, line []byte, size int64) {
	at := t.at.Offset
	t.at.Offset += size
	t.unsaved += size
	line = bytes.TrimSuffix(line, []byte("\r"))
	if at == 0 {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	if len(line) > event.MaxSize {
		b.Bad = append(b.Bad, t.bad(at, line, errTooLong))
		return
	}
	ev, ok, err := t.dec.decode(line)
	if err != nil {
		b.Bad = append(b.Bad, t.bad(at, line, err))
	}
	if !ok {
		return
	}
	if ev.ID == "" {
		ev.ID = lineID(t.at, at)
	}
	b.Events = append(b.Events, ev)
}

var errTooLong = fmt.Errorf("the line is longer than %d bytes; split it, or write a reference to its content", event.MaxSize)

func (t *tail) bad(at int64, line []byte, err error) connect.BadRecord {
	return connect.BadRecord{
		Position: fmt.Sprintf("%s: byte %d", t.path, at),
		Reason:   err.Error(),
		Raw:      bytes.Clone(line[:min(len(line), connect.MaxRaw)]),
	}
}

// tooLong gives up on a line whose beginning is buf.
func (t *tail) tooLong(ctx context.Context, buf []byte) error {
	bad := t.bad(t.at.Offset, buf, errTooLong)
	t.at.Offset += int64(len(buf))
	t.at.Skip = true
	return t.submit(ctx, connect.Batch{Bad: []connect.BadRecord{bad}})
}

// skip goes on behind a line that is too long.
func (t *tail) skip(buf []byte) {
	n := len(buf)
	if end := bytes.IndexByte(buf, '\n'); end >= 0 {
		n = end + 1
		t.at.Skip, t.want = false, batchBytes
	}
	t.at.Offset += int64(n)
	t.unsaved += int64(n)
}

// submit hands a batch on, with the place behind it.
func (t *tail) submit(ctx context.Context, b connect.Batch) error {
	t.at.seal(t.f)
	b.Cursor, b.Clock = t.at.encode(), t.clock
	if err := t.sink.Submit(ctx, b); err != nil {
		return err
	}
	t.unsaved = 0
	return nil
}

// follow goes on to the file that came after this one, once this one is read to
// its end. It reports whether there was one.
func (t *tail) follow(ctx context.Context) (bool, error) {
	info, err := os.Stat(t.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil // renamed; the next is about to be made
	case err != nil:
		return false, fmt.Errorf("path: %w", err)
	case os.SameFile(info, t.info):
		t.quiet = time.Time{}
		return false, nil
	}
	next := successor(t.path, t.at.Inode)
	if next == t.path && !t.done && !t.once {
		// The writer may hold the renamed file open for a moment.
		if t.quiet.IsZero() {
			t.quiet = time.Now()
		}
		if time.Since(t.quiet) < t.settle {
			return false, nil
		}
	}
	if err := t.rest(ctx); err != nil {
		return false, err
	}
	return true, t.open(next, place{Turn: t.at.Turn + 1})
}

// rest reads the last line of a file to which nothing will be added, even
// without a line break.
func (t *tail) rest(ctx context.Context) error {
	info, err := t.f.Stat()
	if err != nil {
		return err
	}
	left := info.Size() - t.at.Offset
	if left > 0 && !t.at.Skip {
		buf := make([]byte, left)
		if _, err := t.f.ReadAt(buf, t.at.Offset); err != nil {
			return err
		}
		if err := t.lines(ctx, buf); err != nil {
			return err
		}
	}
	if t.unsaved > 0 {
		return t.submit(ctx, connect.Batch{})
	}
	return nil
}

// lastLine gives the offset of the line that is unfinished at size: behind the
// last line break.
func lastLine(f io.ReaderAt, size int64) (int64, error) {
	const step = 64 << 10
	for end := size; end > 0; {
		from := max(end-step, 0)
		buf := make([]byte, end-from)
		if _, err := f.ReadAt(buf, from); err != nil {
			return 0, err
		}
		if n := bytes.LastIndexByte(buf, '\n'); n >= 0 {
			return from + int64(n) + 1, nil
		}
		end = from
	}
	return 0, nil
}
