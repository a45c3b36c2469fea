package cep

import (
	"encoding/binary"
	"math"

	"github.com/rhost/rhost/event"
)

// appendKey writes the key of an event; ok is false when a part is missing. Each
// part says what it is and how long, so that different keys never look alike.
func (pl *plan) appendKey(b []byte, fields []event.Value) (key []byte, ok bool) {
	for _, slot := range pl.by {
		v := fields[slot]
		if v.Kind() == event.Missing {
			return b, false
		}
		b = appendKeyPart(b, v)
	}
	return b, true
}

func appendKeyPart(b []byte, v event.Value) []byte {
	b = append(b, byte(v.Kind()))
	switch v.Kind() {
	case event.String:
		b = binary.AppendUvarint(b, uint64(len(v.Str())))
		return append(b, v.Str()...)
	case event.Number:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(sameKey(v).Number()))
	case event.Bool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case event.Time:
		t := v.Time()
		b = binary.BigEndian.AppendUint64(b, uint64(t.Unix()))
		return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
	default: // lists and maps are alike when they are written alike
		b = binary.AppendUvarint(b, uint64(len(v.Raw())))
		return append(b, v.Raw()...)
	}
}
