package window

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"time"

	"github.com/rhost/rhost/cep/window/codec"
	"github.com/rhost/rhost/event"
)

// appendKey appends a text that two values share exactly when they are equal,
// and that sorts numbers, times and texts as such.
func appendKey(dst []byte, v *event.Value) []byte {
	dst = append(dst, byte(v.Kind()))
	switch v.Kind() {
	case event.Bool:
		return append(dst, byte(boolean(v.Bool())))
	case event.Number:
		return binary.BigEndian.AppendUint64(dst, sortable(v.Number()))
	case event.Time:
		dst = binary.BigEndian.AppendUint64(dst, uint64(v.Time().Unix())^1<<63)
		return binary.BigEndian.AppendUint32(dst, uint32(v.Time().Nanosecond()))
	case event.String:
		return append(dst, v.Str()...)
	case event.List, event.Map:
		if plain := v.Any(); plain != nil { // nil: no JSON after all
			if b, err := json.Marshal(plain); err == nil { // sorts keys and spells numbers one way
				return append(dst, b...)
			}
		}
		return append(dst, v.Raw()...)
	default:
		return dst
	}
}

// sortable gives the bits of f so that they compare as f does; 0 and -0 are one.
func sortable(f float64) uint64 {
	b := math.Float64bits(f + 0)
	if b>>63 == 1 {
		return ^b
	}
	return b | 1<<63
}

func unsortable(b uint64) float64 {
	if b>>63 == 1 {
		return math.Float64frombits(b &^ (1 << 63))
	}
	return math.Float64frombits(^b)
}

// appendKeyJSON appends the value of a key as JSON.
func appendKeyJSON(dst []byte, key string) []byte {
	switch kind, rest := event.Kind(key[0]), key[1:]; kind {
	case event.Bool:
		return event.BoolValue(rest[0] == 1).AppendJSON(dst)
	case event.Number:
		return event.NumberValue(unsortable(binary.BigEndian.Uint64([]byte(rest)))).AppendJSON(dst)
	case event.Time:
		sec := int64(binary.BigEndian.Uint64([]byte(rest)) ^ 1<<63)
		nanos := binary.BigEndian.Uint32([]byte(rest[8:]))
		return event.TimeValue(time.Unix(sec, int64(nanos))).AppendJSON(dst)
	case event.String:
		return event.StringValue(rest).AppendJSON(dst)
	default:
		return append(dst, rest...)
	}
}

// maxKey bounds a key. JSON that is spelled anew may be longer than it was: a
// byte such as < becomes six.
const maxKey = 6*MaxValue + 1

// readKey reads a key from a snapshot and makes sure that it is one.
func readKey(r *codec.Reader) string {
	key := string(r.Text(maxKey))
	ok := key != ""
	if ok {
		n := len(key) - 1
		switch event.Kind(key[0]) {
		case event.Bool:
			ok = n == 1
		case event.Number:
			ok = n == 8
		case event.Time:
			ok = n == 12
		case event.String:
		case event.List, event.Map:
			ok = json.Valid([]byte(key[1:]))
		default:
			ok = false
		}
	}
	if !ok {
		r.Fail("a value to count that is none")
	}
	return key
}

// hashKey is the hash that distinct counts by. It is a part of SHA-256 and
// not one of the quick hashes: whoever can choose field values could make as many
// of those collide as they like, and be counted once.
func hashKey(key []byte) uint64 {
	sum := sha256.Sum256(key)
	return binary.LittleEndian.Uint64(sum[:8])
}
