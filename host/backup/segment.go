package backup

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"
)

const (
	segmentMagic   = "rhsg"
	segmentVersion = 1
	segmentHeader  = 8
	messageHeader  = 24
	maxMessage     = 8 << 20
	// maxSegment is how large a segment grows.
	maxSegment = 64 << 20
)

//nolint:gochecknoglobals // a table that never changes
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// message is one message of a stream.
type message struct {
	seq  uint64
	at   time.Time
	body []byte
}

// appendMessage encodes a message.
func appendMessage(dst []byte, m *message) []byte {
	start := len(dst)
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(len(m.body)))
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint64(dst, m.seq)
	dst = le.AppendUint64(dst, uint64(m.at.UnixNano()))
	dst = append(dst, m.body...)
	le.PutUint32(dst[start+4:], crc32.Checksum(dst[start+8:], castagnoli))
	return dst
}

// segmentReader reads the messages of a segment.
type segmentReader struct {
	r  *bufio.Reader
	at int64
}

func newSegmentReader(r io.Reader) (*segmentReader, error) {
	s := &segmentReader{r: bufio.NewReaderSize(r, 1<<20)}
	var head [segmentHeader]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return nil, fmt.Errorf("it is too short for a segment: %w", err)
	}
	if string(head[:4]) != segmentMagic {
		return nil, fmt.Errorf("it starts with % x, not with the mark of a segment", head[:4])
	}
	if head[4] != segmentVersion {
		return nil, fmt.Errorf("it has format version %d; this program reads version %d", head[4], segmentVersion)
	}
	s.at = segmentHeader
	return s, nil
}

// next returns the next message, or io.EOF after the last. The bytes are the
// caller's.
func (s *segmentReader) next() (message, error) {
	var head [messageHeader]byte
	n, err := io.ReadFull(s.r, head[:])
	if n == 0 && errors.Is(err, io.EOF) {
		return message{}, io.EOF
	}
	if err != nil {
		return message{}, fmt.Errorf("byte %d: a message is cut short", s.at)
	}
	le := binary.LittleEndian
	size := le.Uint32(head[:])
	if size > maxMessage {
		return message{}, fmt.Errorf("byte %d: a message says that it has %d bytes", s.at, size)
	}
	m := message{seq: le.Uint64(head[8:]), at: time.Unix(0, int64(le.Uint64(head[16:]))).UTC(), body: make([]byte, size)}
	if _, err := io.ReadFull(s.r, m.body); err != nil {
		return message{}, fmt.Errorf("byte %d: message %d is cut short", s.at, m.seq)
	}
	if sum := crc32.Update(crc32.Checksum(head[8:], castagnoli), castagnoli, m.body); sum != le.Uint32(head[4:]) {
		return message{}, fmt.Errorf("byte %d: message %d does not have its checksum", s.at, m.seq)
	}
	s.at += messageHeader + int64(size)
	return m, nil
}

// readSegment hands the messages of a file to fn and returns the file's size and
// digest.
func readSegment(name string, fn func(*message) error) (n int64, digest string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close() //nolint:errcheck // it was only read
	sum := newSumming(io.Discard)
	s, err := newSegmentReader(io.TeeReader(f, sum))
	for err == nil {
		var m message
		if m, err = s.next(); err == nil {
			err = fn(&m)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return sum.n, sum.digest(), err
}
