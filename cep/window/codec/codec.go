// Package codec writes and reads the small binary forms that triggers keep their
// state in: whole numbers as varints, floats as their eight bytes, texts with
// their length before them.
//
// The Append functions append to a slice and give it back. A Reader takes the
// same parts off again, in the same order; the bytes it reads may be anybody's.
// After the first part that does not fit, a Reader gives zero values and Err
// says what was wrong, so that callers check once, at the end. It never takes
// more memory than the bytes it was given.
package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/rhost/rhost/event"
)

// maxSeconds bounds the times that are read, to some thirty thousand years
// around 1970; no event can carry one outside.
const maxSeconds = 1 << 40

// AppendFloat appends the eight bytes of f.
func AppendFloat(dst []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
}

// AppendUint appends a whole number.
func AppendUint(dst []byte, n uint64) []byte { return binary.AppendUvarint(dst, n) }

// AppendText appends a text, or any bytes.
func AppendText[T string | []byte](dst []byte, s T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// AppendTime appends a point in time; its zone is not kept.
func AppendTime(dst []byte, t time.Time) []byte {
	dst = binary.AppendVarint(dst, t.Unix())
	return binary.AppendUvarint(dst, uint64(t.Nanosecond()))
}

// AppendValue appends a value of any kind.
func AppendValue(dst []byte, v event.Value) []byte {
	dst = append(dst, byte(v.Kind()))
	switch v.Kind() {
	case event.Bool:
		if v.Bool() {
			return append(dst, 1)
		}
		return append(dst, 0)
	case event.Number:
		return AppendFloat(dst, v.Number())
	case event.Time:
		return AppendTime(dst, v.Time())
	case event.String:
		return AppendText(dst, v.Str())
	case event.List, event.Map:
		return AppendText(dst, v.Raw())
	default:
		return dst
	}
}

// Reader takes parts off the start of bytes. The texts and values it gives have
// bytes of their own.
type Reader struct {
	b   []byte
	n   int // bytes there were
	err error
}

// NewReader reads from the start of b.
func NewReader(b []byte) *Reader { return &Reader{b: b, n: len(b)} }

// Rest is what has not been read.
func (r *Reader) Rest() []byte { return r.b }

// Err is the first thing that was wrong, nil if nothing was.
func (r *Reader) Err() error { return r.err }

// Fail notes that what was read makes no sense; the first reason stays.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("byte %d: %s", r.n-len(r.b), fmt.Sprintf(format, args...))
		r.b = nil
	}
}

// Check fails unless ok.
func (r *Reader) Check(ok bool, reason string) {
	if !ok {
		r.Fail("%s", reason)
	}
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.b) == 0 {
		r.Fail("cut short")
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// Bool reads a byte that is 0 or 1.
func (r *Reader) Bool() bool {
	c := r.Byte()
	r.Check(c <= 1, "a flag that is neither 0 nor 1")
	return c == 1
}

// Uint reads a whole number.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.Fail("no whole number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Int reads a whole number of at most limit.
func (r *Reader) Int(limit int) int {
	v := r.Uint()
	if v > uint64(limit) {
		r.Fail("%d is above %d", v, limit)
		return 0
	}
	return int(v)
}

// Len reads the length of a list of at most limit items that take at least one
// byte each.
func (r *Reader) Len(limit int) int {
	n := r.Int(limit)
	if n > len(r.b) {
		r.Fail("a list of %d items in %d bytes", n, len(r.b))
		return 0
	}
	return n
}

// Float reads a number that may be infinite or none.
func (r *Reader) Float() float64 {
	if len(r.b) < 8 {
		r.Fail("cut short")
		return 0
	}
	f := math.Float64frombits(binary.LittleEndian.Uint64(r.b))
	r.b = r.b[8:]
	return f
}

// Text reads a text of at most limit bytes.
func (r *Reader) Text(limit int) []byte {
	n := r.Len(limit)
	text := append([]byte(nil), r.b[:n]...)
	r.b = r.b[n:]
	return text
}

// Time reads a point in time.
func (r *Reader) Time() time.Time {
	sec, n := binary.Varint(r.b)
	if n <= 0 {
		r.Fail("no time")
		return time.Time{}
	}
	r.b = r.b[n:]
	nanos := r.Uint()
	if sec > maxSeconds || sec < -maxSeconds || nanos >= uint64(time.Second) {
		r.Fail("a time that cannot be")
		return time.Time{}
	}
	return time.Unix(sec, int64(nanos)).UTC()
}

// Value reads a value whose text has at most limit bytes.
func (r *Reader) Value(limit int) event.Value {
	kind := event.Kind(r.Byte())
	switch kind {
	case event.Missing:
		return event.Value{}
	case event.Null:
		return event.NullValue()
	case event.Bool:
		return event.BoolValue(r.Bool())
	case event.Number:
		return event.NumberValue(r.Float())
	case event.Time:
		return event.TimeValue(r.Time())
	case event.String:
		return event.StringValue(string(r.Text(limit)))
	case event.List, event.Map:
		v := event.RawValue(r.Text(limit))
		r.Check(v.Kind() == kind, "a list or map that is not JSON")
		return v
	}
	r.Fail("a value of unknown kind %d", kind)
	return event.Value{}
}
