package eventlog

import (
	"fmt"
	"time"
)

// Checker reads the stored frames of one stream, one after the other, and
// checks each as the log itself does: mark, version, length, checksum, number,
// the checksum of the frame before, the count of records before, and that its
// records can be told apart. It takes any frame as the first.
//
// A Checker belongs to one goroutine.
type Checker struct {
	stream string
	typ    frameType
	tail   chain
}

// NewChecker checks frames of stream, one of EV and RUN or of their likes of
// other groups.
func NewChecker(stream string) *Checker {
	typ := eventFrame
	if isStream(stream, runName) {
		typ = runFrame
	}
	return &Checker{stream: stream, typ: typ}
}

// CheckedFrame is a frame that is as it was written.
type CheckedFrame struct {
	Seq     uint64
	Sum     uint32    // CRC-32C
	Before  uint64    // records of the stream before this frame
	At      time.Time // base time
	Records []Record  // in EV
	Runs    []RunRecord
}

// Count is how many records the frame has.
func (f *CheckedFrame) Count() int { return len(f.Records) + len(f.Runs) }

// Follow has the Checker go on after a frame that was checked before.
func (c *Checker) Follow(seq uint64, sum uint32, records uint64) {
	c.tail = chain{seq: seq, crc: sum, records: records}
}

// Check checks what is stored as frame seq. The records' bodies are parts of b.
// The error is a *CorruptError.
func (c *Checker) Check(seq uint64, b []byte) (*CheckedFrame, error) {
	h, f, err := c.decode(b)
	if err == nil {
		err = c.tail.check(&h, seq)
	}
	if err != nil {
		return nil, corrupt(c.stream, seq, err.Error())
	}
	c.tail.follow(&h)
	f.Seq, f.Sum, f.Before, f.At = h.seq, h.crc, h.first, time.Unix(0, h.base).UTC()
	return f, nil
}

func (c *Checker) decode(b []byte) (header, *CheckedFrame, error) {
	if c.typ == runFrame {
		h, recs, err := decodeRunFrame(b)
		return h, &CheckedFrame{Runs: recs}, err
	}
	f, err := decodeEventFrame(b)
	if err != nil {
		return header{}, nil, err
	}
	return f.header, &CheckedFrame{Records: f.records}, nil
}

// Resume forgets what came before: the next frame is taken as a first one.
func (c *Checker) Resume() { c.tail = chain{} }

// Tail is the last frame that was good, by its number and checksum, and how many
// records the stream has up to it.
func (c *Checker) Tail() (seq uint64, sum uint32, records uint64) {
	return c.tail.seq, c.tail.crc, c.tail.records
}

// CheckEnds compares what Scan found of a stream with what is known to have been
// released and to have been acknowledged. sums holds checksums of frames, by their
// numbers; of a frame that it does not have, only the number is compared.
func (c *Cut) CheckEnds(stream string, ext Extent, sums map[uint64]uint32) error {
	seq, crc, ok := c.Acked(stream)
	floor := max(c.Floor(stream), 1)
	switch sum, known := sums[seq]; {
	case ext.First > floor && (ok || floor > 1):
		return corrupt(stream, floor, fmt.Sprintf("the stream starts with frame %d", ext.First))
	case !ok:
	case ext.Last < seq:
		return corrupt(stream, ext.Last+1, fmt.Sprintf("the stream ends with frame %d, yet frame %d had been stored", ext.Last, seq))
	case known && sum != crc:
		return corrupt(stream, seq, fmt.Sprintf("its checksum is %08x; frame %d was stored with %08x", sum, seq, crc))
	}
	return nil
}
