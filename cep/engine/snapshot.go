package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/rhost/rhost/event"
)

// ErrSnapshot is the error of bytes that are no snapshot of this release's, or
// are damaged.
var ErrSnapshot = errors.New("the snapshot is damaged or of another version")

// Encoder writes a snapshot: the states of rules, and the events they hold, each
// of them once. The zero Encoder is ready for use.
type Encoder struct {
	buf    []byte
	events []*Held
	number map[*Held]int
}

// Uint writes a number.
func (e *Encoder) Uint(n uint64) { e.buf = binary.AppendUvarint(e.buf, n) }

// Int writes a number that may be negative.
func (e *Encoder) Int(n int64) { e.buf = binary.AppendVarint(e.buf, n) }

// Bool writes a truth.
func (e *Encoder) Bool(b bool) {
	if b {
		e.buf = append(e.buf, 1)
	} else {
		e.buf = append(e.buf, 0)
	}
}

// Text writes a text.
func (e *Encoder) Text(s string) {
	e.Uint(uint64(len(s)))
	e.buf = append(e.buf, s...)
}

// Time writes a time, to the nanosecond.
func (e *Encoder) Time(t time.Time) {
	e.Int(t.Unix())
	e.Uint(uint64(t.Nanosecond()))
}

// Number writes a floating-point number, bit by bit.
func (e *Encoder) Number(f float64) {
	e.buf = binary.BigEndian.AppendUint64(e.buf, math.Float64bits(f))
}

// Bytes writes a piece of its own form; the reader takes it whole.
func (e *Encoder) Bytes(b []byte) {
	e.Uint(uint64(len(b)))
	e.buf = append(e.buf, b...)
}

// Held writes a reference to an event; nil is one too.
func (e *Encoder) Held(h *Held) {
	if h == nil {
		e.Uint(0)
		return
	}
	n, ok := e.number[h]
	if !ok {
		if e.number == nil {
			e.number = make(map[*Held]int)
		}
		e.events = append(e.events, h)
		n = len(e.events)
		e.number[h] = n
	}
	e.Uint(uint64(n))
}

// AppendEvents appends the events that were referred to, and then all that was
// written. NewDecoder reads both.
func (e *Encoder) AppendEvents(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.events)))
	var head Encoder
	for _, h := range e.events {
		head.buf = head.buf[:0]
		head.Uint(uint64(h.Pos.Lane))
		head.Uint(h.Pos.Seq)
		head.Uint(uint64(h.Pos.Index))
		head.Uint(h.Order)
		head.Time(h.At)
		dst = append(dst, head.buf...)
		dst = h.Event.AppendBinary(dst)
	}
	return append(dst, e.buf...)
}

// Decoder reads what an Encoder wrote. The first mistake sticks: what is read
// after it is zero, and Err tells of it.
type Decoder struct {
	buf    []byte
	events []*Held
	err    error
}

// NewDecoder reads the events of a snapshot and gets ready for the rest. b is not
// kept.
func NewDecoder(b []byte) (*Decoder, error) {
	d := &Decoder{buf: b}
	n := d.Len(1)
	for range n {
		h := &Held{}
		h.Pos = Position{Lane: uint32(d.Uint()), Seq: d.Uint(), Index: uint32(d.Uint())}
		h.Order, h.At = d.Uint(), d.Time()
		if d.err != nil {
			return nil, d.err
		}
		ev, rest, err := event.DecodeBinary(d.buf)
		if err != nil {
			return nil, fmt.Errorf("%w: event %d: %w", ErrSnapshot, len(d.events)+1, err)
		}
		h.Event, d.buf = ev.Clone(), rest
		h.Seen.Ev = &h.Event
		d.events = append(d.events, h)
	}
	return d, d.err
}

// Err is what was wrong with the bytes, if anything.
func (d *Decoder) Err() error { return d.err }

// Rest is the number of bytes not read yet.
func (d *Decoder) Rest() int { return len(d.buf) }

// Fail notes a mistake that the reader of a state found.
func (d *Decoder) Fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrSnapshot, fmt.Sprintf(format, args...))
		d.buf = nil
	}
}

// Uint reads a number.
func (d *Decoder) Uint() uint64 {
	n, used := binary.Uvarint(d.buf)
	if used <= 0 {
		d.Fail("it ends too early")
		return 0
	}
	d.buf = d.buf[used:]
	return n
}

// Int reads a number that may be negative.
func (d *Decoder) Int() int64 {
	n, used := binary.Varint(d.buf)
	if used <= 0 {
		d.Fail("it ends too early")
		return 0
	}
	d.buf = d.buf[used:]
	return n
}

// Bound reads a number that must be less than limit.
func (d *Decoder) Bound(limit int) int {
	n := d.Uint()
	if n >= uint64(max(limit, 0)) && d.err == nil {
		d.Fail("%d where less than %d was expected", n, limit)
	}
	if d.err != nil {
		return 0
	}
	return int(n)
}

// Len reads how many things of at least size bytes each follow.
func (d *Decoder) Len(size int) int {
	n := d.Uint()
	if n > uint64(len(d.buf)/max(size, 1)) {
		d.Fail("%d parts in %d bytes", n, len(d.buf))
		return 0
	}
	return int(n)
}

// Bool reads a truth.
func (d *Decoder) Bool() bool {
	return d.Bound(2) == 1
}

// Text reads a text.
func (d *Decoder) Text() string {
	n := d.Len(1)
	s := string(d.buf[:n])
	d.buf = d.buf[n:]
	return s
}

// Time reads a time.
func (d *Decoder) Time() time.Time {
	s, ns := d.Int(), d.Uint()
	if ns >= uint64(time.Second) {
		d.Fail("a time with %d nanoseconds", ns)
		return time.Time{}
	}
	return time.Unix(s, int64(ns)).UTC()
}

// Number reads a floating-point number.
func (d *Decoder) Number() float64 {
	if len(d.buf) < 8 {
		d.Fail("it ends too early")
		return 0
	}
	f := math.Float64frombits(binary.BigEndian.Uint64(d.buf))
	d.buf = d.buf[8:]
	return f
}

// Bytes reads a piece. It aliases the snapshot.
func (d *Decoder) Bytes() []byte {
	n := d.Len(1)
	b := d.buf[:n:n]
	d.buf = d.buf[n:]
	return b
}

// Held reads a reference to an event.
func (d *Decoder) Held() *Held {
	n := d.Bound(len(d.events) + 1)
	if n == 0 {
		return nil
	}
	return d.events[n-1]
}
