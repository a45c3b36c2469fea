package v1

import "encoding/binary"

// Version is the first field of an input frame.
const Version = 1

// Flags of an input frame.
const (
	flagEvent = 1 << 0 // the call has an event
	flagTime  = 1 << 1 // the event has a time
	flagData  = 1 << 2 // the event has data
	flagJSON  = 1 << 3 // the data is JSON
	flagWith  = 1 << 4 // the step has arguments
)

// Input is the frame that rhost_invoke is called with.
type Input struct {
	Attempt uint32 // 1 for the first try
	Key     string // idempotency key of the step
	Match   []byte // JSON: the match that caused the call
	With    []byte // JSON object: arguments of the step; nil when it has none
	// HasEvent is false when time completed the match; Event is zero then.
	HasEvent bool
	Event    Event
}

// Event is the event that completed the match.
type Event struct {
	ID, Source, Type, Subject   string
	DataContentType, DataSchema string
	HasTime                     bool
	Sec                         int64  // Unix time
	Nsec                        uint32 // 0 to 999,999,999
	Data                        []byte // as it came; nil when the event has none
	JSON                        bool   // Data is JSON text
	Ext                         []Attr // sorted by name
}

// Kind is the type of an extension attribute.
type Kind uint8

// The kinds, which say what Attr holds.
const (
	KindNull   Kind = 0 // nothing
	KindBool   Kind = 1 // u8: 0 or 1
	KindNumber Kind = 2 // f64
	KindString Kind = 3 // string
	KindTime   Kind = 4 // i64 seconds, u32 nanoseconds
	KindList   Kind = 5 // bytes: JSON text
	KindMap    Kind = 6 // bytes: JSON text
)

// Attr is one extension attribute.
type Attr struct {
	Name string
	Kind Kind
	Bits uint64 // KindBool: 0 or 1; KindNumber: IEEE 754 bits; KindTime: seconds, two's complement
	Nsec uint32 // KindTime
	Text string // KindString, KindList, KindMap
}

// AppendInput appends the frame of in.
func AppendInput(dst []byte, in *Input) []byte {
	e := &in.Event
	dst = binary.LittleEndian.AppendUint16(dst, Version)
	dst = binary.LittleEndian.AppendUint16(dst, in.flags())
	dst = binary.LittleEndian.AppendUint32(dst, in.Attempt)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Sec))
	dst = binary.LittleEndian.AppendUint32(dst, e.Nsec)
	dst = appendString(dst, in.Key)
	dst = appendBytes(dst, in.Match)
	dst = appendBytes(dst, in.With)
	dst = appendString(dst, e.ID)
	dst = appendString(dst, e.Source)
	dst = appendString(dst, e.Type)
	dst = appendString(dst, e.Subject)
	dst = appendString(dst, e.DataContentType)
	dst = appendString(dst, e.DataSchema)
	dst = appendBytes(dst, e.Data)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.Ext)))
	for i := range e.Ext {
		dst = appendAttr(dst, &e.Ext[i])
	}
	return dst
}

func (in *Input) flags() uint16 {
	var f uint16
	set := func(on bool, bit uint16) {
		if on {
			f |= bit
		}
	}
	set(in.HasEvent, flagEvent)
	set(in.Event.HasTime, flagTime)
	set(in.Event.Data != nil, flagData)
	set(in.Event.JSON, flagJSON)
	set(in.With != nil, flagWith)
	return f
}

func appendAttr(dst []byte, a *Attr) []byte {
	dst = appendString(dst, a.Name)
	dst = append(dst, byte(a.Kind))
	switch a.Kind {
	case KindNull:
	case KindBool:
		dst = append(dst, byte(a.Bits))
	case KindNumber:
		dst = binary.LittleEndian.AppendUint64(dst, a.Bits)
	case KindTime:
		dst = binary.LittleEndian.AppendUint64(dst, a.Bits)
		dst = binary.LittleEndian.AppendUint32(dst, a.Nsec)
	case KindString, KindList, KindMap:
		dst = appendString(dst, a.Text)
	}
	return dst
}

// DecodeInput reads a frame. The result lies in b. Bytes after the last field
// are left for fields of later minor versions and ignored.
func DecodeInput(b []byte) (Input, error) {
	r := reader{b: b, msg: "input"}
	var in Input
	if v := r.u16("version"); r.err == nil && v != Version {
		r.fail("version", "is not 1; the bytes are not an input frame of rhost.v1")
	}
	flags := r.u16("flags")
	in.Attempt = r.u32("attempt")
	in.Event.Sec = int64(r.u64("event.time"))
	in.Event.Nsec = r.u32("event.time")
	in.Key = r.string("key")
	in.Match = r.bytes("match")
	in.With = r.bytes("with")
	in.HasEvent = flags&flagEvent != 0
	in.Event.HasTime = flags&flagTime != 0
	in.Event.JSON = flags&flagJSON != 0
	in.Event.read(&r)
	if flags&flagWith == 0 {
		in.With = nil
	}
	if flags&flagData == 0 {
		in.Event.Data = nil
	}
	if err := r.error(); err != nil {
		return Input{}, err
	}
	return in, nil
}

// read reads the variable part of the event.
func (e *Event) read(r *reader) {
	e.ID = r.string("event.id")
	e.Source = r.string("event.source")
	e.Type = r.string("event.type")
	e.Subject = r.string("event.subject")
	e.DataContentType = r.string("event.datacontenttype")
	e.DataSchema = r.string("event.dataschema")
	e.Data = r.bytes("event.data")
	e.Ext = readAttrs(r)
}

// minAttr is the size of the smallest attribute: an empty name and a kind.
const minAttr = 5

func readAttrs(r *reader) []Attr {
	n := r.u32("event.ext")
	if n == 0 {
		return nil
	}
	if uint64(n)*minAttr > uint64(len(r.b)) {
		r.fail("event.ext", "counts more attributes than the message has room for")
		return nil
	}
	attrs := make([]Attr, n)
	for i := range attrs {
		attrs[i].read(r)
	}
	return attrs
}

func (a *Attr) read(r *reader) {
	const field = "event.ext"
	a.Name = r.string(field)
	a.Kind = Kind(r.u8(field))
	switch a.Kind {
	case KindNull:
	case KindBool:
		a.Bits = uint64(r.u8(field))
	case KindNumber:
		a.Bits = r.u64(field)
	case KindTime:
		a.Bits = r.u64(field)
		a.Nsec = r.u32(field)
	case KindString, KindList, KindMap:
		a.Text = r.string(field)
	default:
		r.fail(field, "has an unknown kind")
	}
}
