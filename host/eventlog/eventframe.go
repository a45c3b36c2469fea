package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

const (
	maxTenant = 255
	maxKey    = 4096

	shapeKey   = 1 << 0 // the record has a Key
	shapeDedup = 1 << 1 // the record has a DedupKey

	// smallestRecord and smallestLane are what an entry takes at least: the
	// bound of what a reader allocates for a frame of a given size.
	smallestRecord = 6 // kind, flags, shape, lane, time, length of the body
	smallestLane   = 3 // length of the tenant, lane, base
)

// laneKey names a lane.
type laneKey struct {
	tenant string
	lane   uint32
}

// laneMark is an entry of a frame's lane table: base records of the lane lie
// in front of the frame.
type laneMark struct {
	laneKey
	base uint64
}

// eventFrameData is a frame of stream EV taken to pieces.
type eventFrameData struct {
	header
	marks   []laneMark
	records []Record
}

// appendRecord encodes r, whose lane is entry lane of the frame's table and
// which came sincePrev nanoseconds after the record before it.
func appendRecord(dst []byte, r *Record, lane int, sincePrev int64) []byte {
	var shape byte
	if r.Key != "" {
		shape |= shapeKey
	}
	if r.Dedup != (DedupKey{}) {
		shape |= shapeDedup
	}
	dst = append(dst, byte(r.Kind), byte(r.Flags), shape)
	dst = binary.AppendUvarint(dst, uint64(lane))
	dst = binary.AppendUvarint(dst, uint64(sincePrev))
	if shape&shapeKey != 0 {
		dst = appendString(dst, r.Key)
	}
	if shape&shapeDedup != 0 {
		dst = append(dst, r.Dedup[:]...)
	}
	return appendBytes(dst, r.Body)
}

func appendMark(dst []byte, m laneMark) []byte {
	dst = appendString(dst, m.tenant)
	dst = binary.AppendUvarint(dst, uint64(m.lane))
	return binary.AppendUvarint(dst, m.base)
}

// checkRecord reports what makes r impossible to store.
func checkRecord(r *Record) error {
	switch {
	case r.Kind == 0:
		return errors.New("it has no kind")
	case len(r.Tenant) > maxTenant:
		return fmt.Errorf("its tenant has %d bytes, more than %d", len(r.Tenant), maxTenant)
	case len(r.Key) > maxKey:
		return fmt.Errorf("its key has %d bytes, more than %d", len(r.Key), maxKey)
	}
	return nil
}

// sizeOf bounds the bytes that recs can add to a frame, lane table included.
func sizeOf(recs []Record) int {
	size := 0
	for i := range recs {
		r := &recs[i]
		size += 3 + 4 + 1 + 3 + len(r.Key) + 4 + len(r.Body)
		if r.Dedup != (DedupKey{}) {
			size += len(r.Dedup)
		}
		// A lane enters the table once a frame; within one call the last one
		// used is the one most likely to come again.
		if i == 0 || r.Tenant != recs[i-1].Tenant || r.Lane != recs[i-1].Lane {
			size += markSize(r.Tenant)
		}
	}
	return size + binary.MaxVarintLen64 // the first record's time
}

// markSize bounds an entry of the lane table.
func markSize(tenant string) int {
	return 2 + len(tenant) + binary.MaxVarintLen32 + binary.MaxVarintLen64
}

// decodeEventFrame takes the stored bytes of a frame to pieces. The records'
// bodies are parts of b. Whatever b holds, decoding allocates no more than a
// small multiple of its length.
func decodeEventFrame(b []byte) (*eventFrameData, error) {
	h, err := parseHeader(b, eventFrame)
	if err != nil {
		return nil, err
	}
	if h.table < headerSize || h.table > h.length {
		return nil, fmt.Errorf("its lane table starts at %d of %d bytes", h.table, h.length)
	}
	f := &eventFrameData{header: h}
	if f.marks, err = decodeMarks(b[h.table:]); err != nil {
		return nil, err
	}
	if err := h.checkCount(int(h.table)-headerSize, smallestRecord); err != nil {
		return nil, err
	}
	f.records = make([]Record, h.count)
	return f, f.decodeRecords(b[headerSize:h.table])
}

func decodeMarks(b []byte) ([]laneMark, error) {
	c := cursor{b: b}
	n := c.uvarint()
	if n > uint64(len(c.b)/smallestLane) {
		return nil, fmt.Errorf("its lane table of %d bytes cannot hold %d lanes", len(b), n)
	}
	marks := make([]laneMark, n)
	for i := range marks {
		m := laneMark{laneKey: laneKey{tenant: string(c.bytes())}}
		lane := c.uvarint()
		m.lane, m.base = uint32(lane), c.uvarint()
		if lane > math.MaxUint32 || m.base > math.MaxInt64 {
			return nil, fmt.Errorf("entry %d of its lane table is out of bounds", i)
		}
		marks[i] = m
	}
	if c.failed || len(c.b) != 0 {
		return nil, errors.New("its lane table does not end where it should")
	}
	return marks, nil
}

// decodeRecords fills f.records from the frame's middle part.
func (f *eventFrameData) decodeRecords(b []byte) error {
	c := cursor{b: b}
	next := make([]uint64, len(f.marks)) // next sequence of each lane
	for i, m := range f.marks {
		next[i] = m.base + 1
	}
	at := f.base
	for i := range f.records {
		r := &f.records[i]
		r.Kind, r.Flags = Kind(c.byte()), Flags(c.byte())
		shape, lane, delta := c.byte(), c.uvarint(), c.uvarint()
		if shape&shapeKey != 0 {
			r.Key = string(c.bytes())
		}
		if shape&shapeDedup != 0 {
			copy(r.Dedup[:], c.take(len(r.Dedup)))
		}
		r.Body = c.bytes()
		if c.failed {
			return fmt.Errorf("record %d is cut short", i)
		}
		if lane >= uint64(len(next)) || delta > math.MaxInt64 || at > math.MaxInt64-int64(delta) ||
			shape&^(shapeKey|shapeDedup) != 0 || r.Kind == 0 {
			return fmt.Errorf("record %d is out of bounds", i)
		}
		at += int64(delta)
		r.Ingest = time.Unix(0, at).UTC()
		r.Tenant, r.Lane, r.LaneSeq = f.marks[lane].tenant, f.marks[lane].lane, next[lane]
		next[lane]++
	}
	if len(c.b) != 0 {
		return fmt.Errorf("%d bytes follow the last record", len(c.b))
	}
	return nil
}

// frame is f as readers see it.
func (f *eventFrameData) frame() *Frame { return &Frame{Seq: f.seq, Records: f.records} }

// ends returns, for each entry of f.marks, the lane's last sequence after the frame.
func (f *eventFrameData) ends() []laneMark {
	ends := make([]laneMark, len(f.marks))
	at := make(map[laneKey]int, len(f.marks))
	for i, m := range f.marks {
		ends[i] = m
		at[m.laneKey] = i
	}
	for i := range f.records {
		r := &f.records[i]
		ends[at[laneKey{r.Tenant, r.Lane}]].base = r.LaneSeq
	}
	return ends
}
