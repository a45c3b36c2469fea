package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// ErrSnapshot is the error of bytes that are no snapshot of this release's, or
// are damaged.
var ErrSnapshot = errors.New("the snapshot is damaged or of another version")

// Encoder writes a snapshot: the states of rules, and the events they hold, each
// of them once. The zero Encoder is ready for use.
//
// States are written by the goroutine they belong to. Events do not change, so
// AppendEvents, which writes those and puts everything together, may be called
// from another one afterwards, while the states go on.
type Encoder struct {
	buf    []byte
	events []*Held
	id     uint64 // of this encoder, in the upper half; 0 before the first event
}

// encoders counts those that wrote an event.
var encoders atomic.Uint32 //nolint:gochecknoglobals // tells encoders apart in what they mark

// Grow makes room for n bytes, so that writing them does not copy what is there.
func (e *Encoder) Grow(n int) { e.buf = slices.Grow(e.buf, n) }

// Len is how many bytes were written, the events not counted.
func (e *Encoder) Len() int { return len(e.buf) }

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
	if e.id == 0 {
		e.id = uint64(encoders.Add(1)) << 32
	}
	if h.written&^uint64(math.MaxUint32) != e.id {
		e.events = append(e.events, h)
		h.written = e.id | uint64(len(e.events))
	}
	e.Uint(h.written & math.MaxUint32)
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

// See says what the conditions of the events look up when they are explained:
// tables are not part of a snapshot.
func (d *Decoder) See(t *predicate.Tables) {
	for _, h := range d.events {
		h.Seen.Tables = t
	}
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
