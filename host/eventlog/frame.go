package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// The bytes of a frame; doc.go has the table.
const (
	frameMagic   = "rhlg"
	frameVersion = 1
	headerSize   = 64

	eventFrame frameType = 1
	runFrame   frameType = 2
	noteFrame  frameType = 3
)

// frameType says which of the record layouts a frame has.
type frameType uint8

// header is the fixed part of a frame. crc, length and count are filled in by
// seal.
type header struct {
	typ    frameType
	crc    uint32 // of everything after the field itself
	length uint32
	count  uint32 // records
	table  uint32 // offset of the lane table; run frames have none
	seq    uint64 // the frame's own sequence in its stream
	writer uint64 // drawn by each process that opens the log
	first  uint64 // records in the stream before this frame
	base   int64  // Unix nanoseconds; no record is older
	prev   uint32 // crc of the frame before; 0 in the first
	lanes  uint32 // lanes known to the log after this frame
}

//nolint:gochecknoglobals // a table that never changes
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal completes the frame in b, whose first headerSize bytes are reserved for
// the header: it writes h with its length and checksum, which it also sets in h.
func (h *header) seal(b []byte) {
	h.length = uint32(len(b))
	le := binary.LittleEndian
	copy(b, frameMagic)
	b[4], b[5], b[6], b[7] = frameVersion, byte(h.typ), 0, 0
	le.PutUint32(b[12:], h.length)
	le.PutUint32(b[16:], h.count)
	le.PutUint32(b[20:], h.table)
	le.PutUint64(b[24:], h.seq)
	le.PutUint64(b[32:], h.writer)
	le.PutUint64(b[40:], h.first)
	le.PutUint64(b[48:], uint64(h.base))
	le.PutUint32(b[56:], h.prev)
	le.PutUint32(b[60:], h.lanes)
	h.crc = checksum(b)
	le.PutUint32(b[8:], h.crc)
}

// checksum is the checksum of the frame in b.
func checksum(b []byte) uint32 { return crc32.Checksum(b[12:], castagnoli) }

// parseHeader checks b as far as that goes without reading its records:
// magic, version, type, length and checksum.
func parseHeader(b []byte, typ frameType) (header, error) {
	var h header
	if len(b) < headerSize {
		return h, fmt.Errorf("%d bytes are too few for a frame header", len(b))
	}
	if string(b[:4]) != frameMagic {
		return h, fmt.Errorf("it starts with % x, not with the mark of a frame", b[:4])
	}
	if b[4] != frameVersion {
		return h, fmt.Errorf("it has format version %d; this program reads version %d", b[4], frameVersion)
	}
	if frameType(b[5]) != typ || b[6] != 0 || b[7] != 0 {
		return h, fmt.Errorf("it is of type % x, not %d", b[5:8], typ)
	}
	le := binary.LittleEndian
	h = header{
		typ:    typ,
		crc:    le.Uint32(b[8:]),
		length: le.Uint32(b[12:]),
		count:  le.Uint32(b[16:]),
		table:  le.Uint32(b[20:]),
		seq:    le.Uint64(b[24:]),
		writer: le.Uint64(b[32:]),
		first:  le.Uint64(b[40:]),
		base:   int64(le.Uint64(b[48:])),
		prev:   le.Uint32(b[56:]),
		lanes:  le.Uint32(b[60:]),
	}
	if int64(h.length) != int64(len(b)) {
		return h, fmt.Errorf("it says it has %d bytes and has %d", h.length, len(b))
	}
	if sum := checksum(b); sum != h.crc {
		return h, fmt.Errorf("its checksum is %08x, not %08x", sum, h.crc)
	}
	return h, nil
}

// checkCount reports a record count that size bytes of records cannot hold, so
// that a reader may allocate for it.
func (h *header) checkCount(size, smallest int) error {
	if h.count == 0 {
		return errors.New("it has no records")
	}
	if int64(h.count)*int64(smallest) > int64(size) {
		return fmt.Errorf("its %d bytes cannot hold %d records", size, h.count)
	}
	return nil
}

// A cursor takes a frame's variable part to pieces. After the first thing
// missing or out of bounds it has failed and returns zeros.
type cursor struct {
	b      []byte
	failed bool
}

func (c *cursor) byte() byte {
	b := c.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

// bytes returns the next field: its length, then that many bytes. The result
// is a part of the frame.
func (c *cursor) bytes() []byte {
	n := c.uvarint()
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	return c.take(int(n))
}

func (c *cursor) take(n int) []byte {
	if n > len(c.b) {
		c.fail()
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) fail() { c.b, c.failed = nil, true }

func appendBytes(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}
