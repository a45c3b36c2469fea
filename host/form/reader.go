package form

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Reader takes pieces off the start of bytes. The zero Reader has none.
type Reader struct {
	b   []byte
	err error
}

// NewReader reads b.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Err is the first mistake.
func (r *Reader) Err() error { return r.err }

// Fail notes a mistake that the caller has found.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	r.b = nil
}

func (r *Reader) short() { r.Fail("it is cut short") }

// Rest is what has not been read; nothing after a mistake.
func (r *Reader) Rest() []byte { return r.b }

// Skip goes on with rest, the end of what Rest gave, after the caller has read what is
// before it.
func (r *Reader) Skip(rest []byte) {
	if r.err == nil {
		r.b = rest
	}
}

// End fails when something is left.
func (r *Reader) End() {
	if n := len(r.b); n > 0 {
		r.Fail("%d bytes too many", n)
	}
}

// Uint reads a number.
func (r *Reader) Uint() uint64 {
	n, used := binary.Uvarint(r.b)
	if used <= 0 {
		r.short()
		return 0
	}
	r.b = r.b[used:]
	return n
}

// Int reads a number that may be negative.
func (r *Reader) Int() int64 {
	n, used := binary.Varint(r.b)
	if used <= 0 {
		r.short()
		return 0
	}
	r.b = r.b[used:]
	return n
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.b) == 0 {
		r.short()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// Count reads how many things follow, called what, of at least least bytes each: so
// many that they may be there.
func (r *Reader) Count(least int, what string) int {
	n := r.Uint()
	if n > uint64(len(r.b)/least) {
		r.Fail("%d %s", n, what)
		return 0
	}
	return int(n)
}

// Take reads n bytes, which stay those of the Reader.
func (r *Reader) Take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.short()
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// Text reads a text.
func (r *Reader) Text() string { return string(r.Take(r.Uint())) }

// Raw reads bytes, which are the caller's, or nil.
func (r *Reader) Raw() []byte {
	n := r.Uint()
	if n == 0 {
		return nil
	}
	return append([]byte{}, r.Take(n-1)...)
}

// Time reads a time.
func (r *Reader) Time() time.Time {
	ns := r.Uint()
	if ns == 0 {
		return time.Time{}
	}
	sec := r.Int()
	t, ok := timeOf(ns, sec)
	if !ok {
		r.Fail("a time of %d s and %d ns", sec, ns)
	}
	if r.err != nil {
		return time.Time{}
	}
	return t
}
