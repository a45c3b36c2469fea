package cep

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/rhost/rhost/event"
)

// appendKeyPart writes a part of a key. Each says what it is and how long, so that
// different keys never look alike.
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

// keyValues reads the parts of a key that appendKeyPart wrote.
func keyValues(key string) []event.Value {
	var parts []event.Value
	b := []byte(key)
	for len(b) > 0 {
		kind := event.Kind(b[0])
		b = b[1:]
		switch kind {
		case event.Number:
			if len(b) < 8 {
				return parts
			}
			parts = append(parts, event.NumberValue(math.Float64frombits(binary.BigEndian.Uint64(b))))
			b = b[8:]
		case event.Bool:
			if len(b) < 1 {
				return parts
			}
			parts = append(parts, event.BoolValue(b[0] == 1))
			b = b[1:]
		case event.Time:
			if len(b) < 12 {
				return parts
			}
			s, ns := binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:])
			parts = append(parts, event.TimeValue(time.Unix(int64(s), int64(ns)).UTC()))
			b = b[12:]
		default:
			n, used := binary.Uvarint(b)
			if used <= 0 || n > uint64(len(b)-used) {
				return parts
			}
			text := b[used : used+int(n)]
			b = b[used+int(n):]
			switch kind {
			case event.String:
				parts = append(parts, event.StringValue(string(text)))
			case event.Null:
				parts = append(parts, event.NullValue())
			default:
				parts = append(parts, event.RawValue(text))
			}
		}
	}
	return parts
}

// sameKey makes equal values equal as keys: -0 is 0.
func sameKey(v event.Value) event.Value {
	if v.Kind() == event.Number && v.Number() == 0 {
		return event.NumberValue(0)
	}
	return v
}
