package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// smallestRunRecord is what a record takes at least: kind, and the lengths of
// key and body.
const smallestRunRecord = 3

// runSizeOf is the exact size of a frame of recs.
func runSizeOf(recs []RunRecord) int {
	size := headerSize
	for i := range recs {
		r := &recs[i]
		size += 1 + uvarintSize(len(r.Key)) + len(r.Key) + uvarintSize(len(r.Body)) + len(r.Body)
	}
	return size
}

func uvarintSize(n int) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], uint64(n))
}

// appendRunFrame encodes recs as the frame h describes and seals it. dst must
// be empty.
func appendRunFrame(dst []byte, h *header, recs []RunRecord) []byte {
	dst = append(dst, make([]byte, headerSize)...)
	for i := range recs {
		dst = append(dst, byte(recs[i].Kind))
		dst = appendString(dst, recs[i].Key)
		dst = appendBytes(dst, recs[i].Body)
	}
	h.count = uint32(len(recs))
	h.seal(dst)
	return dst
}

// decodeRunFrame takes the stored bytes of a run frame to pieces. The records'
// bodies are parts of b.
func decodeRunFrame(b []byte) (header, []RunRecord, error) {
	h, err := parseHeader(b, runFrame)
	if err != nil {
		return h, nil, err
	}
	if h.table != 0 || h.lanes != 0 {
		return h, nil, errors.New("it has a lane table, which run frames have not")
	}
	if err := h.checkCount(len(b)-headerSize, smallestRunRecord); err != nil {
		return h, nil, err
	}
	recs := make([]RunRecord, h.count)
	c := cursor{b: b[headerSize:]}
	for i := range recs {
		recs[i] = RunRecord{Kind: RunKind(c.byte()), Key: string(c.bytes()), Body: c.bytes()}
		if c.failed || recs[i].Kind == 0 {
			return h, nil, fmt.Errorf("record %d is cut short or out of bounds", i)
		}
	}
	if len(c.b) != 0 {
		return h, nil, fmt.Errorf("%d bytes follow the last record", len(c.b))
	}
	return h, recs, nil
}
