package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rhost/rhost/host/eventlog"
)

// Report says what a verification found.
type Report struct {
	Dir      string
	Manifest *Manifest
	CutOff   bool // a later backup into the folder was cut off; Manifest is the one before
	Frames   uint64
	Blobs    int
	Files    int
	Problems []error // what is wrong, each by name; none: the backup is as it was written
}

// VerifyOptions are what a verification is given besides the folder.
type VerifyOptions struct {
	// Look is given every frame that is as it was written. Its errors are problems.
	Look func(stream string, f *eventlog.CheckedFrame) error
	// Whole is asked, once everything is as it was written, what is wrong all the
	// same. Nil: nothing.
	Whole func(*Report) []error
	// Progress is told how many of how many bytes are done, now and then.
	Progress func(done, total int64)
}

// maxProblems is how many problems a report lists.
const maxProblems = 1000

// Verify reads a backup and reports everything in it that is not as it was
// written. The error says that there is no backup, or that its manifest cannot be
// read.
func Verify(ctx context.Context, dir string, o VerifyOptions) (*Report, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	v := &verifier{VerifyOptions: o, dir: dir, report: Report{Dir: dir, Manifest: m}, total: m.Size()}
	if _, err := os.Stat(filepath.Join(dir, incompleteName)); err == nil {
		v.report.CutOff = true
	}
	if err := v.all(ctx); err != nil {
		return nil, err
	}
	if o.Whole != nil && len(v.report.Problems) == 0 {
		v.report.Problems = o.Whole(&v.report)
	}
	return &v.report, nil
}

// verifier reads back what a manifest names.
type verifier struct {
	VerifyOptions
	dir    string
	only   map[string]bool // nil: everything
	report Report
	done   int64
	total  int64
}

// readBack verifies what this backup has written, before it counts.
func (w *writer) readBack(ctx context.Context) error {
	v := &verifier{dir: w.dir, only: make(map[string]bool, len(w.fresh)), report: Report{Manifest: w.now}}
	for _, name := range w.fresh {
		v.only[name] = true
	}
	if err := v.all(ctx); err != nil {
		return err
	}
	if err := errors.Join(v.report.Problems...); err != nil {
		return fmt.Errorf("what was written does not read back: %w", err)
	}
	return nil
}

func (v *verifier) skip(file string) bool { return v.only != nil && !v.only[file] }

func (v *verifier) problem(format string, args ...any) {
	if len(v.report.Problems) < maxProblems {
		v.report.Problems = append(v.report.Problems, fmt.Errorf(format, args...))
	}
}

func (v *verifier) progress(n int64) {
	v.done += n
	if v.Progress != nil {
		v.Progress(v.done, v.total)
	}
}

// all verifies everything. Its error is ctx's.
func (v *verifier) all(ctx context.Context) error {
	m := v.report.Manifest
	for i := range m.Streams {
		v.stream(ctx, &m.Streams[i])
	}
	for _, b := range m.Blobs {
		if ctx.Err() != nil {
			break
		}
		v.blob(b)
	}
	for i := range m.Files {
		f := &m.Files[i]
		if ctx.Err() != nil || v.skip(f.File) {
			continue
		}
		v.report.Files++
		v.digest(fmt.Sprintf("%s/%s", f.Root, f.Name), f.File, f.Bytes, f.SHA256)
	}
	return ctx.Err()
}

// stream verifies the segments of a stream and that they follow each other.
func (v *verifier) stream(ctx context.Context, s *Stream) {
	check := eventlog.NewChecker(s.Name)
	first, next := uint64(0), uint64(0)
	for _, seg := range s.Segments {
		if next != 0 && seg.First != next {
			v.problem("stream %s: frames %d to %d are in no segment", s.Name, next, seg.First-1)
			check.Resume()
		}
		next = seg.Last + 1
		if first == 0 {
			first = seg.First
		}
		if v.skip(seg.File) {
			check.Resume()
			continue
		}
		v.segment(ctx, s, seg, check)
		if ctx.Err() != nil {
			return
		}
	}
	switch seq, sum, records := check.Tail(); {
	case first > s.First || s.First > 0 && first == 0 || next != s.Last+1 && s.Last > 0:
		v.problem("stream %s: its segments hold frames %d to %d, and it should have %d to %d", s.Name, first, next-1, s.First, s.Last)
	case seq == s.Last && (sum != s.Sum || records != s.Records):
		v.problem("stream %s, frame %d: it is not the frame that the backup ended with", s.Name, seq)
	}
}

func (v *verifier) segment(ctx context.Context, s *Stream, seg Segment, check *eventlog.Checker) {
	last := seg.First - 1
	n, digest, err := readSegment(filepath.Join(v.dir, filepath.FromSlash(seg.File)), func(m *message) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if m.seq != last+1 {
			return fmt.Errorf("frame %d follows frame %d", m.seq, last)
		}
		last = m.seq
		v.progress(messageHeader + int64(len(m.body)))
		f, err := check.Check(m.seq, m.body)
		if err != nil {
			v.problem("%s: %w", seg.File, reason(err))
			check.Resume()
			return nil
		}
		v.report.Frames++
		if v.Look != nil && m.seq >= s.First {
			if err := v.Look(s.Name, f); err != nil {
				v.problem("stream %s, frame %d: %w", s.Name, m.seq, err)
			}
		}
		return nil
	})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		v.problem("%s: frames %d to %d of stream %s: %w", seg.File, last+1, seg.Last, s.Name, err)
		check.Resume()
	case last != seg.Last:
		v.problem("%s: it ends with frame %d of stream %s, and should with %d", seg.File, last, s.Name, seg.Last)
		check.Resume()
	case n != seg.Bytes || digest != seg.SHA256:
		v.problem("%s: its digest is %s, not %s", seg.File, short(digest), short(seg.SHA256))
	}
}

// reason is what is wrong with a frame, without the advice for a log.
func reason(err error) error {
	if corrupt, ok := errors.AsType[*eventlog.CorruptError](err); ok {
		return fmt.Errorf("stream %s, frame %d: %s", corrupt.Stream, corrupt.Seq, corrupt.Reason)
	}
	return err
}

func (v *verifier) blob(b Blob) {
	name, err := blobFile(b.Digest)
	if err == nil && v.skip(name) {
		return
	}
	if err != nil {
		v.problem("%w", err)
		return
	}
	v.report.Blobs++
	v.digest("blob "+b.Digest, name, b.Bytes, b.Digest[len("sha256:"):])
}

// digest compares a file with what it should be.
func (v *verifier) digest(what, file string, size int64, want string) {
	f, err := os.Open(filepath.Join(v.dir, filepath.FromSlash(file)))
	if errors.Is(err, fs.ErrNotExist) {
		v.problem("%s: %s is missing", what, file)
		return
	}
	sum := sha256.New()
	var n int64
	if err == nil {
		n, err = io.Copy(sum, f)
		err = errors.Join(err, f.Close())
	}
	v.progress(n)
	have := hex.EncodeToString(sum.Sum(nil))
	switch {
	case err != nil:
		v.problem("%s: %s: %w", what, file, err)
	case n != size:
		v.problem("%s: %s has %d bytes, not %d", what, file, n, size)
	case have != want:
		v.problem("%s: %s has the digest %s, not %s", what, file, short(have), short(want))
	}
}

// Blob reads a blob of the backup.
func (r *Report) Blob(digest string) ([]byte, error) {
	name, err := blobFile(digest)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(r.Dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s: the backup has none", digest)
	}
	return b, err
}

// File gives the place of a copied file; "" when the backup has none of it.
func (r *Report) File(root, name string) string {
	for i := range r.Manifest.Files {
		if f := &r.Manifest.Files[i]; f.Root == root && f.Name == name {
			return filepath.Join(r.Dir, filepath.FromSlash(f.File))
		}
	}
	return ""
}
