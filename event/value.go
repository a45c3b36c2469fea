package event

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// Kind is the type of a Value.
type Kind uint8

// The kinds of values. Missing is what a path that leads nowhere gives; Null
// is a JSON null that is there.
const (
	Missing Kind = iota
	Null
	Bool
	Number
	String
	Time
	List
	Map
)

// String gives the kind's name in lower case.
func (k Kind) String() string {
	switch k {
	case Missing:
		return "missing"
	case Null:
		return "null"
	case Bool:
		return "bool"
	case Number:
		return "number"
	case String:
		return "string"
	case Time:
		return "time"
	case List:
		return "list"
	case Map:
		return "map"
	}
	return "kind " + strconv.Itoa(int(k))
}

// Value is what a path leads to. It is small (32 bytes) and meant to be passed
// by value; the zero Value is Missing. Strings, lists and maps alias the bytes
// they were found in. Compare values with Equal: == would compare how lists
// are spelled.
type Value struct {
	kind  Kind
	nanos uint32 // Time: nanoseconds within the second
	bits  uint64 // Bool: 0 or 1; Number: IEEE bits; Time: Unix seconds
	text  string // String: the text; List, Map: JSON text
}

// NullValue is JSON's null.
func NullValue() Value { return Value{kind: Null} }

// BoolValue is true or false.
func BoolValue(b bool) Value {
	v := Value{kind: Bool}
	if b {
		v.bits = 1
	}
	return v
}

// NumberValue is a number; like JSON, rhost knows only doubles.
func NumberValue(f float64) Value { return Value{kind: Number, bits: math.Float64bits(f)} }

// StringValue is a text.
func StringValue(s string) Value { return Value{kind: String, text: s} }

// TimeValue is a point in time. The zone is not kept: Time gives UTC.
func TimeValue(t time.Time) Value {
	return Value{kind: Time, bits: uint64(t.Unix()), nanos: uint32(t.Nanosecond())}
}

// RawValue is the value of a JSON text, which must stay unchanged: lists and
// maps alias it. A text that is not JSON gives Missing.
func RawValue(b []byte) Value {
	p := parser{d: b}
	i := p.space(0)
	end := p.value(i, 0, nil)
	if p.verdict() != nil || p.space(end) != len(b) {
		return Value{}
	}
	v, _ := read(b[:end], i)
	return v
}

// ValueOf gives the Value of a plain Go value: nil, bool, any number, string,
// time.Time, json.Number, a Value, or whatever encoding/json can write. What it
// cannot write (a channel, NaN inside a list) is Missing.
func ValueOf(x any) Value {
	switch x := x.(type) {
	case nil:
		return NullValue()
	case Value:
		return x
	case bool:
		return BoolValue(x)
	case string:
		return StringValue(x)
	case float64:
		return NumberValue(x)
	case float32:
		return NumberValue(float64(x))
	case int:
		return NumberValue(float64(x))
	case int64:
		return NumberValue(float64(x))
	case int32:
		return NumberValue(float64(x))
	case uint64:
		return NumberValue(float64(x))
	case uint32:
		return NumberValue(float64(x))
	case time.Time:
		return TimeValue(x)
	case json.Number:
		return RawValue([]byte(x))
	}
	b, err := json.Marshal(x)
	if err != nil {
		return Value{} // documented: what JSON cannot say is missing
	}
	return RawValue(b)
}

// Kind says what v is.
func (v Value) Kind() Kind { return v.kind }

// Bool gives a Bool's truth, and false for every other kind.
func (v Value) Bool() bool { return v.kind == Bool && v.bits != 0 }

// Number gives a Number, and 0 for every other kind.
func (v Value) Number() float64 {
	if v.kind != Number {
		return 0
	}
	return math.Float64frombits(v.bits)
}

// Str gives a String's text, and "" for every other kind.
func (v Value) Str() string {
	if v.kind != String {
		return ""
	}
	return v.text
}

// Time gives a Time in UTC, and the zero time for every other kind.
func (v Value) Time() time.Time {
	if v.kind != Time {
		return time.Time{}
	}
	return time.Unix(int64(v.bits), int64(v.nanos)).UTC()
}

// Raw gives the JSON text of a List or Map, and nil for every other kind. The
// bytes belong to the event and must not be changed.
func (v Value) Raw() []byte {
	if v.kind != List && v.kind != Map {
		return nil
	}
	return bytesOf(v.text)
}

// Any gives the plain Go value: nil for Missing and Null, bool, float64,
// string, time.Time, []any or map[string]any.
func (v Value) Any() any {
	switch v.kind {
	case Bool:
		return v.Bool()
	case Number:
		return v.Number()
	case String:
		return v.text
	case Time:
		return v.Time()
	case List, Map:
		var x any
		if err := json.Unmarshal(v.Raw(), &x); err != nil {
			return nil // only a payload that was never checked gets here
		}
		return x
	default:
		return nil
	}
}

// Equal reports whether v and w are the same kind and the same value; numbers
// compare as numbers, so NaN differs from itself. Lists and maps are equal when
// their content is, however it is spaced or ordered. Missing equals Missing.
func (v Value) Equal(w Value) bool {
	if v.kind != w.kind {
		return false
	}
	switch v.kind {
	case Number:
		return v.Number() == w.Number()
	case List, Map:
		return v.text == w.text || equalAny(v.Any(), w.Any())
	default:
		return v == w
	}
}

func equalAny(a, b any) bool {
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equalAny(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k := range a {
			if bv, ok := b[k]; !ok || !equalAny(a[k], bv) {
				return false
			}
		}
		return true
	}
	return a == b
}

// AppendJSON appends v as JSON: a Time as RFC 3339 text; Missing, and numbers
// that JSON has no word for, as null.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.kind {
	case Bool:
		return strconv.AppendBool(dst, v.Bool())
	case Number:
		return appendNumber(dst, v.Number())
	case String:
		return appendString(dst, v.text)
	case Time:
		dst = append(dst, '"')
		dst = v.Time().AppendFormat(dst, time.RFC3339Nano)
		return append(dst, '"')
	case List, Map:
		return appendLine(dst, v.Raw())
	default:
		return append(dst, "null"...)
	}
}

// MarshalJSON is AppendJSON for encoding/json.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// String shows v to a person: texts bare, the rest as JSON.
func (v Value) String() string {
	switch v.kind {
	case Missing:
		return "<missing>"
	case String:
		return v.text
	case Time:
		return v.Time().Format(time.RFC3339Nano)
	default:
		return string(v.AppendJSON(nil))
	}
}
