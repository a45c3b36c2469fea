package backup

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rhost/rhost/host/eventlog"
)

// copyStream adds the frames of one stream that the backup before does not have.
func (w *writer) copyStream(ctx context.Context, cut Log, name string) error {
	c := streamCopy{w: w, s: Stream{Name: name}, check: eventlog.NewChecker(name)}
	if w.was != nil {
		if old := w.was.Stream(name); old != nil {
			c.s = *old
			c.s.Segments = append([]Segment{}, old.Segments...)
		}
	}
	from := c.s.Last
	if from > 0 {
		c.check.Follow(c.s.Last, c.s.Sum, c.s.Records)
	}
	sums := make(map[uint64]uint32) // of the frame that was acknowledged last
	acked, _, _ := cut.Acked(name)
	ext, err := cut.Scan(ctx, name, from, func(e *eventlog.Entry) error {
		if e.Seq == from {
			return c.same(e)
		}
		f, err := c.add(e)
		if err == nil && e.Seq == acked {
			sums[acked] = f.Sum
		}
		return err
	}, nil)
	if err == nil {
		err = c.end()
	}
	switch {
	case err != nil:
		return c.drop(err)
	case from > 0 && ext.Last == 0:
		return fmt.Errorf("stream %s ends before frame %d, which the folder has: it is another log's, or the log has lost it; `rhost doctor` says which; name an empty folder", name, from)
	}
	c.s.letGo(cut.Floor(name))
	w.now.Streams = append(w.now.Streams, c.s)
	return cut.CheckEnds(name, eventlog.Extent{First: c.s.First, Last: c.s.Last}, sums)
}

// letGo forgets the frames before floor: the blobs that they name may be gone.
func (s *Stream) letGo(floor uint64) {
	if s.First == 0 || floor <= s.First {
		return
	}
	s.First = floor
	for len(s.Segments) > 0 && s.Segments[0].Last < floor {
		s.Segments = s.Segments[1:]
	}
}

// streamCopy writes the segments of one stream.
type streamCopy struct {
	w     *writer
	s     Stream
	check *eventlog.Checker

	file *os.File // the segment being written; nil between two
	out  *summing
	buf  *bufio.Writer
	seg  Segment
	tmp  []byte
}

// same compares the frame that the backup ends with.
func (c *streamCopy) same(e *eventlog.Entry) error {
	f, err := eventlog.NewChecker(c.s.Name).Check(e.Seq, e.Body)
	if err != nil {
		return err
	}
	if f.Sum != c.s.Sum {
		return fmt.Errorf("frame %d of stream %s is not the one that the folder has: it is another log's; name an empty folder", e.Seq, c.s.Name)
	}
	return nil
}

func (c *streamCopy) add(e *eventlog.Entry) (*eventlog.CheckedFrame, error) {
	if c.s.Last > 0 && e.Seq > c.s.Last+1 {
		return nil, fmt.Errorf("stream %s has let go of frame %d, which would be the next of the folder; name an empty folder", c.s.Name, c.s.Last+1)
	}
	f, err := c.check.Check(e.Seq, e.Body)
	if err != nil {
		return nil, err
	}
	if c.w.Look != nil {
		if err := c.w.Look(c.s.Name, f); err != nil {
			return nil, err
		}
	}
	if c.file == nil {
		if err := c.open(e.Seq); err != nil {
			return nil, err
		}
	}
	at := e.At
	if at.IsZero() {
		at = f.At // of frames that do not come from files
	}
	c.tmp = appendMessage(c.tmp[:0], &message{seq: e.Seq, at: at, body: e.Body})
	if _, err := c.buf.Write(c.tmp); err != nil {
		return nil, err
	}
	c.seg.Last = e.Seq
	if c.s.First == 0 {
		c.s.First = e.Seq
	}
	c.s.Last, c.s.Sum, c.s.Records = c.check.Tail()
	c.w.added.Frames++
	c.w.progress(int64(len(c.tmp)))
	if c.out.n+int64(c.buf.Buffered()) >= maxSegment {
		return f, c.end()
	}
	return f, nil
}

// open begins a segment, under a name that no manifest has.
func (c *streamCopy) open(first uint64) error {
	c.seg = Segment{File: fmt.Sprintf("streams/%s/%020d.seg", c.s.Name, first), First: first}
	full := filepath.Join(c.w.dir, filepath.FromSlash(c.seg.File))
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(full, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	c.file, c.out = f, newSumming(f)
	c.buf = bufio.NewWriterSize(c.out, 1<<20)
	_, err = c.buf.Write([]byte{'r', 'h', 's', 'g', segmentVersion, 0, 0, 0})
	return err
}

// end completes the segment, if there is one.
func (c *streamCopy) end() error {
	if c.file == nil {
		return nil
	}
	if err := c.buf.Flush(); err != nil {
		return err
	}
	c.seg.Bytes, c.seg.SHA256 = c.out.n, c.out.digest()
	c.s.Segments = append(c.s.Segments, c.seg)
	c.w.added.Bytes += c.seg.Bytes
	c.w.fresh = append(c.w.fresh, c.seg.File)
	f := c.file
	c.file = nil
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(f.Name()))
}

// drop closes what an error left open, and passes the error on.
func (c *streamCopy) drop(err error) error {
	if c.file != nil {
		_ = c.file.Close() // the next backup removes it
	}
	return err
}
