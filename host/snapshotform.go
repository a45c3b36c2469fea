package host

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
)

// The form of a snapshot, version 2; version 1 had neither holdings nor topics and is
// read as well:
//
//	offset size
//	0      4    "rhsn"
//	4      1    version: 2
//	5      3    0
//	8      4    CRC-32C of everything from offset 12 on, little-endian
//	12          a zstd frame of what laneCapture.write writes
//
// Numbers in it are uvarint; text and bytes a uvarint length and as many bytes; a
// time is 0 for none, or nanoseconds of the second plus 1 and the Unix seconds as a
// varint.
const (
	snapshotMagic   = "rhsn"
	snapshotVersion = 2
	snapshotHeader  = 12
)

// errSnapshot is the error of bytes that are no snapshot, or are damaged.
var errSnapshot = errors.New("the snapshot is damaged, or of another version")

// The bounds of what is read: they keep damaged lengths from taking memory.
const (
	maxSnapshotText  = 64 << 20
	maxSnapshotPiece = 64 << 30
	snapshotWindow   = 8 << 20 // of the compression
)

// formWriter writes numbers and pieces. The first error sticks.
type formWriter struct {
	w   *bufio.Writer
	buf []byte
	err error
}

func (f *formWriter) put(b []byte) {
	if f.err == nil {
		_, f.err = f.w.Write(b)
	}
}

func (f *formWriter) uint(n uint64) {
	f.buf = binary.AppendUvarint(f.buf[:0], n)
	f.put(f.buf)
}

func (f *formWriter) text(s string) {
	f.uint(uint64(len(s)))
	if f.err == nil {
		_, f.err = f.w.WriteString(s)
	}
}

func (f *formWriter) bytes(b []byte) {
	f.uint(uint64(len(b)))
	f.put(b)
}

// raw writes bytes, or that there are none.
func (f *formWriter) raw(b []byte) {
	if b == nil {
		f.uint(0)
		return
	}
	f.uint(uint64(len(b)) + 1)
	f.put(b)
}

func (f *formWriter) time(t time.Time) {
	if t.IsZero() {
		f.uint(0)
		return
	}
	f.uint(uint64(t.Nanosecond()) + 1)
	f.buf = binary.AppendVarint(f.buf[:0], t.Unix())
	f.put(f.buf)
}

// formReader reads what a formWriter wrote. The first mistake sticks; what is read
// after it is zero.
type formReader struct {
	r       *bufio.Reader
	version byte
	err     error
}

func (f *formReader) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("%w: "+format, append([]any{errSnapshot}, args...)...)
	}
}

func (f *formReader) broken(err error) {
	if err != nil {
		f.fail("%w", err)
	}
}

func (f *formReader) uint() uint64 {
	if f.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(f.r)
	f.broken(err)
	return n
}

// piece reads bytes with their length before them. Memory is taken as they come.
func (f *formReader) piece(n, most uint64) []byte {
	if n > most {
		f.fail("a piece of %d bytes", n)
	}
	if f.err != nil {
		return nil
	}
	const step = 1 << 20
	b := make([]byte, min(n, step))
	for at := uint64(0); at < n; {
		if at == uint64(len(b)) {
			b = append(b, make([]byte, min(n-at, max(at, step)))...)
		}
		if _, err := io.ReadFull(f.r, b[at:]); err != nil {
			f.broken(err)
			return nil
		}
		at = uint64(len(b))
	}
	return b
}

func (f *formReader) text() string  { return string(f.piece(f.uint(), maxSnapshotText)) }
func (f *formReader) bytes() []byte { return f.piece(f.uint(), maxSnapshotPiece) }

func (f *formReader) raw() []byte {
	n := f.uint()
	if n == 0 {
		return nil
	}
	return f.piece(n-1, maxSnapshotPiece)
}

// latestSecond is beyond any time that the log can have.
const latestSecond = 253_402_300_800

func (f *formReader) time() time.Time {
	ns := f.uint()
	if ns == 0 || f.err != nil {
		return time.Time{}
	}
	sec, err := binary.ReadVarint(f.r)
	f.broken(err)
	if ns > uint64(time.Second) || sec > latestSecond || sec < -latestSecond {
		f.fail("a time of %d s and %d ns", sec, ns)
	}
	if f.err != nil {
		return time.Time{}
	}
	return time.Unix(sec, int64(ns-1)).UTC()
}

// each reads a number and calls fn as often, until the first mistake.
func (f *formReader) each(fn func()) {
	for n := f.uint(); n > 0 && f.err == nil; n-- {
		fn()
	}
}

// sealer is the outside of a snapshot: it compresses what is written to it.
type sealer struct {
	out bytes.Buffer
	z   *zstd.Encoder
}

func newSealer() (*sealer, error) {
	s := &sealer{}
	s.out.WriteString(snapshotMagic)
	s.out.Write([]byte{snapshotVersion, 0, 0, 0, 0, 0, 0, 0})
	var err error
	s.z, err = zstd.NewWriter(&s.out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(snapshotWindow/8))
	return s, err
}

// seal gives the bytes of the snapshot.
func (s *sealer) seal() ([]byte, error) {
	if err := s.z.Close(); err != nil {
		return nil, err
	}
	b := s.out.Bytes()
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[snapshotHeader:], crc32.MakeTable(crc32.Castagnoli)))
	return b, nil
}

// unseal checks the outside of a snapshot, and hands what is in it to read.
func unseal(b []byte, read func(*formReader)) error {
	if len(b) < snapshotHeader || string(b[:4]) != snapshotMagic {
		return fmt.Errorf("%w: it does not begin like one", errSnapshot)
	}
	if v := b[4]; v < 1 || v > snapshotVersion {
		return fmt.Errorf("%w: it is of version %d, and this release reads versions 1 to %d", errSnapshot, v, snapshotVersion)
	}
	body := b[snapshotHeader:]
	if binary.LittleEndian.Uint32(b[8:]) != crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) {
		return fmt.Errorf("%w: its checksum is wrong", errSnapshot)
	}
	z, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(snapshotWindow))
	if err != nil {
		return fmt.Errorf("%w: %w", errSnapshot, err)
	}
	defer z.Close()
	f := &formReader{r: bufio.NewReaderSize(z, 1<<16), version: b[4]}
	read(f)
	if f.err == nil {
		if _, err := f.r.ReadByte(); !errors.Is(err, io.EOF) {
			f.fail("something follows its end")
		}
	}
	return f.err
}
