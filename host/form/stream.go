package form

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Stream takes pieces off a bufio.Reader, and nothing beyond them.
type Stream struct {
	R       *bufio.Reader
	Most    uint64 // bytes that a piece may have
	Damaged error  // what every error is, whatever else it is
	err     error
}

// Err is the first mistake.
func (s *Stream) Err() error { return s.err }

// Fail notes a mistake that the caller has found.
func (s *Stream) Fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: "+format, append([]any{s.Damaged}, args...)...)
	}
}

// Broken notes what a reader of a part of the stream says, if it is an error.
func (s *Stream) Broken(err error) {
	switch {
	case err == nil:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		s.Fail("it ends too early")
	default:
		s.Fail("%w", err)
	}
}

// Uint reads a number.
func (s *Stream) Uint() uint64 {
	if s.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(s.R)
	if s.Broken(err); err != nil {
		return 0
	}
	return n
}

// Count reads a number of at most most.
func (s *Stream) Count(most uint64) uint64 {
	n := s.Uint()
	if n > most {
		s.Fail("%d where at most %d may be", n, most)
		return 0
	}
	return n
}

// Each reads a number and calls fn as often, until the first mistake.
func (s *Stream) Each(fn func()) {
	for n := s.Uint(); n > 0 && s.err == nil; n-- {
		fn()
	}
}

// Text reads a text.
func (s *Stream) Text() string { return string(s.Bytes()) }

// Bytes reads a text as bytes, which are the caller's.
func (s *Stream) Bytes() []byte { return s.take(s.Count(s.Most)) }

// Raw reads bytes, which are the caller's, or nil.
func (s *Stream) Raw() []byte {
	n := s.Count(s.Most + 1)
	if n == 0 {
		return nil
	}
	return s.take(n - 1)
}

// take reads n bytes. Memory is taken as they come.
func (s *Stream) take(n uint64) []byte {
	if s.err != nil {
		return nil
	}
	const step = 1 << 20
	b := make([]byte, min(n, step))
	for at := uint64(0); at < n; {
		if at == uint64(len(b)) {
			b = append(b, make([]byte, min(n-at, max(at, step)))...)
		}
		if _, err := io.ReadFull(s.R, b[at:]); err != nil {
			s.Broken(err)
			return nil
		}
		at = uint64(len(b))
	}
	return b
}

// Time reads a time.
func (s *Stream) Time() time.Time {
	ns := s.Uint()
	if ns == 0 {
		return time.Time{}
	}
	sec, err := binary.ReadVarint(s.R)
	if s.Broken(err); err != nil {
		return time.Time{}
	}
	t, ok := timeOf(ns, sec)
	if !ok {
		s.Fail("a time of %d s and %d ns", sec, ns)
	}
	return t
}
