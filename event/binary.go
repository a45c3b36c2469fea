package event

import (
	"encoding/binary"
	"math"
	"time"
)

// The binary form, version 1:
//
//	byte     1, the version
//	byte     flags: which parts follow
//	text     id, source, type
//	text     subject, datacontenttype, dataschema    each if its flag is set
//	varint, uvarint   Unix seconds, nanoseconds      if flagTime
//	uvarint, {text name, value}                      if flagExt
//	text     data                                    if flagData
//
// A text is a uvarint length and its bytes. A value is a kind byte and then: a
// Bool one byte, a Number eight bytes (IEEE, little-endian), a String a text, a
// Time a varint and a uvarint.
const binaryVersion = 1

const (
	flagSubject = 1 << iota
	flagContentType
	flagSchema
	flagTime
	flagExt
	flagData
	flagsKnown = 1<<iota - 1
)

// AppendBinary appends the event's compact form, which DecodeBinary reads. The
// form is versioned: later releases read what this one writes.
func (e *Event) AppendBinary(dst []byte) []byte {
	at := len(dst) + 1
	dst = append(dst, binaryVersion, 0)
	dst = appendText(dst, e.ID)
	dst = appendText(dst, e.Source)
	dst = appendText(dst, e.Type)
	for _, o := range []struct {
		flag byte
		text string
	}{{flagSubject, e.Subject}, {flagContentType, e.DataContentType}, {flagSchema, e.DataSchema}} {
		if o.text != "" {
			dst[at] |= o.flag
			dst = appendText(dst, o.text)
		}
	}
	if !e.Time.IsZero() {
		dst[at] |= flagTime
		dst = appendTime(dst, e.Time.Unix(), e.Time.Nanosecond())
	}
	if len(e.Ext) > 0 {
		dst[at] |= flagExt
		dst = binary.AppendUvarint(dst, uint64(len(e.Ext)))
		for _, a := range e.Ext {
			dst = appendText(dst, a.Name)
			dst = a.Value.appendBinary(dst)
		}
	}
	if e.Data != nil {
		dst[at] |= flagData
		dst = appendText(dst, alias(e.Data))
	}
	return dst
}

func (v Value) appendBinary(dst []byte) []byte {
	dst = append(dst, byte(v.kind))
	switch v.kind {
	case Bool:
		return append(dst, byte(v.bits))
	case Number:
		return binary.LittleEndian.AppendUint64(dst, v.bits)
	case Time:
		return appendTime(dst, int64(v.bits), int(v.nanos))
	case String, List, Map:
		return appendText(dst, v.text)
	default:
		return dst
	}
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func appendTime(dst []byte, sec int64, nanos int) []byte {
	dst = binary.AppendVarint(dst, sec)
	return binary.AppendUvarint(dst, uint64(nanos))
}

// DecodeBinary reads what AppendBinary wrote at the start of b and gives the
// rest of b. The event aliases b, which must not change afterwards. It checks
// the form, not the content: the payload is taken to be what it was when it was
// written. The error is a *SyntaxError.
func DecodeBinary(b []byte) (Event, []byte, error) {
	var ev Event
	if len(b) < 2 {
		return ev, b, &SyntaxError{Offset: len(b), Msg: "the binary event is cut"}
	}
	if b[0] != binaryVersion || b[1]&^flagsKnown != 0 {
		return ev, b, &SyntaxError{Msg: "not a binary event of version 1", Fix: "it was written by a later release; run that one"}
	}
	flags := b[1]
	d := decoder{b: b, i: 2}
	ev.ID, ev.Source, ev.Type = d.text(), d.text(), d.text()
	if flags&flagSubject != 0 {
		ev.Subject = d.text()
	}
	if flags&flagContentType != 0 {
		ev.DataContentType = d.text()
	}
	if flags&flagSchema != 0 {
		ev.DataSchema = d.text()
	}
	if flags&flagTime != 0 {
		ev.Time = d.time()
	}
	if flags&flagExt != 0 {
		ev.Ext = d.ext()
	}
	if flags&flagData != 0 {
		ev.Data = d.bytes()
	}
	if d.bad {
		return Event{}, b, &SyntaxError{Offset: d.i, Msg: "the binary event is cut or damaged"}
	}
	return ev, b[d.i:], nil
}

// decoder reads parts of the binary form; after the first that does not fit it
// is bad and gives zero values.
type decoder struct {
	b   []byte
	i   int
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b[d.i:])
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.i += n
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b[d.i:])
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.i += n
	return v
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.b)-d.i) {
		d.bad = true
		return nil
	}
	b := d.b[d.i : d.i+int(n) : d.i+int(n)]
	d.i += int(n)
	return b
}

func (d *decoder) bytes() []byte { return d.take(d.uvarint()) }
func (d *decoder) text() string  { return alias(d.bytes()) }

func (d *decoder) time() time.Time {
	sec, nanos := d.varint(), d.uvarint()
	if nanos >= 1e9 {
		d.bad = true
		return time.Time{}
	}
	return time.Unix(sec, int64(nanos)).UTC()
}

func (d *decoder) ext() []Attr {
	n := d.uvarint()
	if n > uint64(len(d.b)-d.i)/2 { // an attribute takes two bytes at least
		d.bad = true
		return nil
	}
	ext := make([]Attr, n)
	for i := range ext {
		ext[i] = Attr{Name: d.text(), Value: d.value()}
	}
	return ext
}

func (d *decoder) value() Value {
	k := d.take(1)
	if k == nil {
		return Value{}
	}
	switch kind := Kind(k[0]); kind {
	case Missing, Null:
		return Value{kind: kind}
	case Bool:
		b := d.take(1)
		return BoolValue(len(b) == 1 && b[0] != 0)
	case Number:
		if b := d.take(8); b != nil {
			return NumberValue(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
	case String, List, Map:
		return Value{kind: kind, text: d.text()}
	case Time:
		return TimeValue(d.time())
	default:
		d.bad = true
	}
	return Value{}
}
