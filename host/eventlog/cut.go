package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A Cut is what the folder of a log holds at one moment, read from the files
// alone: the storage engine is not started, nothing is written, and a host may
// be running on the folder meanwhile.
//
// It is a moment that a crash could have left. What the host decided (RUN) was
// decided from frames of EV that were on disk before, and what it emitted into
// EV was recorded in RUN before; so the sizes of EV's files, taken while those
// of RUN stayed the same, go with them. Blobs are on disk before anything names
// them, and are therefore listed last.
//
// A Cut is safe for concurrent use.
type Cut struct {
	dir   string
	parts map[string][]part
	said  [witnessSlots]*testimony
}

// part is a block file and how much of it belongs to the cut.
type part struct {
	block
	size int64
}

// Entry is a stored message. Its bytes are the reader's to keep.
type Entry struct {
	Seq     uint64
	At      time.Time // when the engine stored it
	Subject string
	Body    []byte
	Gone    bool // nothing but a note that message Seq was deleted

	path   string // of the block
	offset int64  // of Body in it
}

// Extent sums up the entries of a stream.
type Extent struct {
	First, Last uint64 // 0 when there is none
	Count       uint64
	Bytes       int64
	Torn        int64 // bytes of a write at the end that was never acknowledged
}

// ErrMoved means that files of a Cut have gone: what they held was purged, or
// the engine has written them anew. A new Cut has what there is now.
var ErrMoved = errors.New("the log's files have changed meanwhile")

// What the streams of frames of group 0 are called.
const (
	evName  = "EV"
	runName = "RUN"
)

// cutTries bounds how often the files are looked at until RUN stands still. A
// frame takes a hundred times as long as a look.
const cutTries = 1000

// TakeCut looks at the log in dir. It takes no lock.
func TakeCut(dir string) (*Cut, error) {
	c := &Cut{dir: dir, parts: make(map[string][]part)}
	var err error
	if c.said, err = readWitness(dir); err != nil {
		return nil, fmt.Errorf("look at log %s: %w", dir, err)
	}
	names, err := streamsIn(dir)
	if err != nil {
		return nil, fmt.Errorf("look at log %s: %w", dir, err)
	}
	// Whatever is neither EV nor RUN and comes before the blobs is about what
	// RUN held at the time it was written.
	late := func(name string) bool { return name == blobStream }
	early := func(name string) bool {
		return !late(name) && !isStream(name, evName) && !isStream(name, runName)
	}
	err = errors.Join(c.list(names, early), c.listStill(names), c.list(names, late))
	if err != nil {
		return nil, fmt.Errorf("look at log %s: %w", dir, err)
	}
	return c, nil
}

// listStill lists EV while RUN does not change.
func (c *Cut) listStill(names []string) error {
	run := func(name string) bool { return isStream(name, runName) }
	if err := c.list(names, run); err != nil {
		return err
	}
	for range cutTries {
		was := make(map[string][]part)
		for _, name := range names {
			if run(name) {
				was[name] = c.parts[name]
			}
		}
		err := c.list(names, func(name string) bool { return isStream(name, evName) })
		if err := errors.Join(err, c.list(names, run)); err != nil {
			return err
		}
		still := true
		for name, parts := range was {
			still = still && slices.Equal(parts, c.parts[name])
		}
		if still {
			return nil
		}
	}
	return errors.New("the host decides without a pause; try again")
}

func (c *Cut) list(names []string, want func(string) bool) error {
	for _, name := range names {
		if !want(name) {
			continue
		}
		blocks, err := listBlocks(streamDir(c.dir, name))
		if err != nil {
			return err
		}
		parts := make([]part, 0, len(blocks))
		for _, b := range blocks {
			info, err := os.Stat(b.path)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s: %w", b.path, ErrMoved)
			}
			if err != nil {
				return err
			}
			parts = append(parts, part{b, info.Size()})
		}
		c.parts[name] = parts
	}
	return nil
}

func streamDir(dir, name string) string {
	return filepath.Join(dir, filepath.FromSlash(streamsPath), name, messagesPath)
}

// streamsIn names the streams of a log's folder; none where there is no log.
func streamsIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(streamsPath)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Streams names the streams that there are, sorted.
func (c *Cut) Streams() []string {
	var names []string
	for name := range c.parts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Size is how many bytes the files of a stream have.
func (c *Cut) Size(stream string) (n int64) {
	for _, p := range c.parts[stream] {
		n += p.size
	}
	return n
}

// Acked is the last frame of a stream that is known to have been acknowledged,
// by its number and checksum; ok is false when nothing is known of it.
func (c *Cut) Acked(stream string) (seq uint64, crc uint32, ok bool) {
	slot, known := map[string]int{evName: slotEvents, runName: slotRun}[stream]
	if !known || c.said[slot] == nil {
		return 0, 0, false
	}
	return c.said[slot].seq, c.said[slot].crc, true
}

// Floor is the first frame of a stream that somebody may still need: what lies
// before it was released, and may be there or not. 0 when nothing was.
func (c *Cut) Floor(stream string) uint64 {
	slot, known := map[string]int{evName: slotEventFloor, runName: slotRunFloor}[stream]
	if !known || c.said[slot] == nil {
		return 0
	}
	return c.said[slot].seq
}

// Clean reports whether the log was closed in good order.
func (c *Cut) Clean() bool { return c.said[slotClean] != nil && c.said[slotClean].seq == 1 }

// Scan hands the entries of a stream with the sequence from or a later one to
// fn, in order, each checked against its own checksum; what lies below the
// stream's Floor is left out. What is damaged is given to bad, which may end the
// scan with an error, or go on with what follows by returning nil; a nil bad ends
// it. The extent covers what fn was given.
func (c *Cut) Scan(ctx context.Context, stream string, from uint64, fn func(*Entry) error, bad func(*CorruptError) error) (Extent, error) {
	if bad == nil {
		bad = func(err *CorruptError) error { return err }
	}
	from = max(from, c.Floor(stream))
	s := cutScan{stream: stream, from: from, fn: fn, bad: bad}
	parts := c.parts[stream]
	first, err := firstPart(parts, from)
	if err != nil {
		return s.ext, err
	}
	for i := first; i < len(parts); i++ {
		if err := ctx.Err(); err != nil {
			return s.ext, err
		}
		if err := s.block(parts[i], i == len(parts)-1); err != nil {
			return s.ext, err
		}
	}
	return s.ext, nil
}

// firstPart finds the last block that begins at or before from.
func firstPart(parts []part, from uint64) (int, error) {
	for i := len(parts) - 1; i > 0 && from > 0; i-- {
		head, err := readPart(part{parts[i].block, min(parts[i].size, entryHeader)})
		if err != nil {
			return 0, err
		}
		if len(head) < entryHeader {
			continue
		}
		if seq := binary.LittleEndian.Uint64(head[4:]); seq&entryControl == 0 && seq != 0 && seq <= from {
			return i, nil
		}
	}
	return 0, nil
}

// readPart reads what of a block belongs to the cut.
func readPart(p part) ([]byte, error) {
	f, err := os.Open(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", p.path, ErrMoved)
	}
	if err != nil {
		return nil, err
	}
	buf := make([]byte, p.size)
	_, err = io.ReadFull(f, buf)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) && p.size > 0 {
		err = fmt.Errorf("%s: %w", p.path, ErrMoved)
	}
	return buf, errors.Join(err, f.Close())
}

// cutScan walks the blocks of one stream.
type cutScan struct {
	stream string
	from   uint64
	fn     func(*Entry) error
	bad    func(*CorruptError) error
	last   uint64 // sequence before
	ext    Extent
}

func (s *cutScan) corrupt(seq uint64, reason string) error {
	return s.bad(corrupt(s.stream, seq, reason))
}

func (s *cutScan) block(p part, final bool) error {
	buf, err := readPart(p)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", s.stream, err)
	}
	check, err := newEntryCheck(s.stream, p.index)
	if err != nil {
		return err
	}
	for at := 0; at < len(buf); {
		size, ok := check.check(buf[at:])
		if ok {
			if err := s.entry(buf[at:at+size], p.path, int64(at)); err != nil {
				return err
			}
			at += size
			continue
		}
		if final && tornTail(buf[at:], s.stream, p.index) {
			s.ext.Torn = int64(len(buf) - at)
			return nil
		}
		err := s.corrupt(s.last+1, fmt.Sprintf("an entry does not check out at byte %d of %s", at, p.path))
		if err != nil {
			return err
		}
		next := nextEntry(check, buf[at:])
		if next == 0 {
			return nil // the rest of the block cannot be told apart
		}
		at += next
	}
	return nil
}

// nextEntry finds where the entry after a damaged one begins, by the length that
// the damaged one gives; 0 when that leads nowhere.
func nextEntry(check entryCheck, b []byte) int {
	if len(b) < entryHeader {
		return 0
	}
	size := int(binary.LittleEndian.Uint32(b) &^ entryHasHdr)
	if size < entryHeader || size >= len(b) {
		return 0
	}
	if _, ok := check.check(b[size:]); !ok {
		return 0
	}
	return size
}

// entry takes one good entry to pieces.
func (s *cutScan) entry(b []byte, path string, at int64) error {
	le := binary.LittleEndian
	seq := le.Uint64(b[4:])
	e := &Entry{Seq: seq &^ entryControl, At: time.Unix(0, int64(le.Uint64(b[12:]))).UTC(), Gone: seq&entryControl != 0}
	if e.Gone || e.Seq == 0 {
		if dense(s.stream) {
			return nil
		}
		return s.fn(e)
	}
	if s.last != 0 && e.Seq != s.last+1 && dense(s.stream) {
		if err := s.corrupt(s.last+1, fmt.Sprintf("frame %d follows frame %d", e.Seq, s.last)); err != nil {
			return err
		}
	}
	s.last = e.Seq
	if e.Seq < s.from {
		return nil
	}
	subject := entryHeader + int(le.Uint16(b[20:]))
	body := subject
	if le.Uint32(b)&entryHasHdr != 0 {
		if body+4 > len(b)-entryHash {
			return s.corrupt(e.Seq, "its headers are longer than itself")
		}
		body += 4 + int(le.Uint32(b[subject:]))
	}
	if body > len(b)-entryHash {
		return s.corrupt(e.Seq, "its headers are longer than itself")
	}
	e.Subject, e.Body = string(b[entryHeader:subject]), b[body:len(b)-entryHash]
	e.path, e.offset = path, at+int64(body)
	if s.ext.First == 0 {
		s.ext.First = e.Seq
	}
	s.ext.Last = e.Seq
	s.ext.Count++
	s.ext.Bytes += int64(len(e.Body))
	return s.fn(e)
}

// readWitness reads what a log's witness says, without opening it for good; a
// missing file says nothing.
func readWitness(dir string) (said [witnessSlots]*testimony, err error) {
	b, err := os.ReadFile(filepath.Join(dir, witnessName))
	if errors.Is(err, fs.ErrNotExist) {
		return said, nil
	}
	for i := range said {
		if end := (i + 1) * witnessSlot; end <= len(b) {
			said[i] = parseTestimony(b[i*witnessSlot : end])
		}
	}
	return said, err
}
