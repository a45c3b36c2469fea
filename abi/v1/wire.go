package v1

import (
	"encoding/binary"
	"unsafe"
)

// Error is the error of a message that cannot be read.
type Error struct {
	Message string // "input", "state_cas"
	Field   string // where reading stopped
	Reason  string
}

func (e *Error) Error() string { return e.Message + ": " + e.Field + ": " + e.Reason }

const reasonShort = "the message ends inside this field"

// reader walks over one message. After the first failure it reads nothing more
// and keeps the error, so that a decoder checks once, at the end.
type reader struct {
	b   []byte // what is left
	msg string
	err *Error
}

func (r *reader) fail(field, reason string) {
	if r.err == nil {
		r.err = &Error{Message: r.msg, Field: field, Reason: reason}
	}
	r.b = nil
}

// error returns the first failure as an error, or nil.
func (r *reader) error() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

func (r *reader) u8(field string) uint8 {
	if len(r.b) < 1 {
		r.fail(field, reasonShort)
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) u16(field string) uint16 {
	if len(r.b) < 2 {
		r.fail(field, reasonShort)
		return 0
	}
	v := binary.LittleEndian.Uint16(r.b)
	r.b = r.b[2:]
	return v
}

func (r *reader) u32(field string) uint32 {
	if len(r.b) < 4 {
		r.fail(field, reasonShort)
		return 0
	}
	v := binary.LittleEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

func (r *reader) u64(field string) uint64 {
	if len(r.b) < 8 {
		r.fail(field, reasonShort)
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

// bytes returns a field that lies in the message. Its capacity ends with it, so
// that an append cannot write into the next field.
func (r *reader) bytes(field string) []byte {
	n := r.u32(field)
	if uint64(n) > uint64(len(r.b)) {
		r.fail(field, reasonShort)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) string(field string) string { return view(r.bytes(field)) }

func (r *reader) tail() []byte {
	v := r.b
	r.b = nil
	return v
}

// view returns b as a string without copying it.
func view(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func appendBytes(dst, v []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v)))
	return append(dst, v...)
}

func appendString(dst []byte, v string) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v)))
	return append(dst, v...)
}
