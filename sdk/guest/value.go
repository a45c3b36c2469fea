package guest

import (
	"iter"
	"strconv"
	"unsafe"
)

// Kind is the type of a Value.
type Kind uint8

// The kinds.
const (
	Missing Kind = iota // no value at all
	Null
	Bool
	Number
	String
	List
	Object
)

// Value is a piece of JSON that is read when asked. The zero Value is missing.
// Reading a value as something it is not gives the zero of that type; Kind
// tells them apart. Text that is not JSON reads as missing where it goes wrong.
type Value struct{ raw []byte }

// JSON returns the value that text holds. text must not change while the value
// is in use.
func JSON(text []byte) Value {
	i := space(text, 0)
	end := skip(text, i, 0)
	if end < 0 {
		return Value{}
	}
	return Value{raw: text[i:end:end]}
}

// Raw returns the JSON text of v, nil when v is missing. It must not be changed.
func (v Value) Raw() []byte { return v.raw }

// MarshalJSON makes a Value usable as part of what Emit and others take.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.raw == nil {
		return []byte("null"), nil
	}
	return v.raw, nil
}

// Exists reports whether v is there; null is.
func (v Value) Exists() bool { return len(v.raw) > 0 }

// Kind returns the type of v.
func (v Value) Kind() Kind {
	if len(v.raw) == 0 {
		return Missing
	}
	switch v.raw[0] {
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	case '"':
		return String
	case '[':
		return List
	case '{':
		return Object
	}
	return Number
}

// String returns the text of a string, "" for a missing value or null, and the
// JSON text of anything else.
func (v Value) String() string {
	switch v.Kind() {
	case Missing, Null:
		return ""
	case String:
		return unquote(v.raw)
	case Bool, Number, List, Object:
	}
	return string(v.raw)
}

// Int returns a number, cut to an integer, or 0.
func (v Value) Int() int64 {
	if v.Kind() != Number {
		return 0
	}
	if n, err := strconv.ParseInt(view(v.raw), 10, 64); err == nil {
		return n
	}
	return int64(v.Float())
}

// Float returns a number, or 0.
func (v Value) Float() float64 {
	if v.Kind() != Number {
		return 0
	}
	f, err := strconv.ParseFloat(view(v.raw), 64)
	if err != nil {
		return 0
	}
	return f
}

// Bool returns a boolean, or false.
func (v Value) Bool() bool { return v.Kind() == Bool && v.raw[0] == 't' }

// Get returns the part at path: names joined by dots, places in lists in
// brackets, names of unusual form in brackets and quotes, as in
//
//	user.name    items[0].id    ["odd key"].x
//
// It is missing when there is nothing there.
func (v Value) Get(path string) Value {
	for path != "" && v.Exists() {
		step, rest, ok := nextStep(path)
		if !ok {
			return Value{}
		}
		if step.list {
			v = v.At(step.index)
		} else {
			v = v.Key(step.key)
		}
		path = rest
	}
	return v
}

// Key returns the member of an object with that name.
func (v Value) Key(name string) Value {
	for key, item := range v.members() {
		if key.is(name) {
			return item
		}
	}
	return Value{}
}

// At returns an item of a list.
func (v Value) At(index int) Value {
	for i, item := range v.Items() {
		if i == index {
			return item
		}
	}
	return Value{}
}

// Len returns the number of items of a list or of members of an object.
func (v Value) Len() int {
	n := 0
	for range v.Items() {
		n++
	}
	for range v.members() {
		n++
	}
	return n
}

// Items yields the items of a list in order; nothing for any other value.
func (v Value) Items() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		if v.Kind() != List {
			return
		}
		i := space(v.raw, 1)
		for n := 0; i < len(v.raw) && v.raw[i] != ']'; n++ {
			end := skip(v.raw, i, 1)
			if end < 0 || !yield(n, Value{raw: v.raw[i:end:end]}) {
				return
			}
			i = comma(v.raw, end)
		}
	}
}

// Members yields the members of an object in the order of the text; nothing for
// any other value.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for key, item := range v.members() {
			if !yield(unquote(key), item) {
				return
			}
		}
	}
}

// quoted is a string as it stands in the text, quotes included.
type quoted []byte

// is compares without unescaping where there is nothing to unescape.
func (q quoted) is(name string) bool {
	if len(q) >= 2 && string(q[1:len(q)-1]) == name && plain(name) {
		return true
	}
	return unquote(q) == name
}

func (v Value) members() iter.Seq2[quoted, Value] {
	return func(yield func(quoted, Value) bool) {
		if v.Kind() != Object {
			return
		}
		i := space(v.raw, 1)
		for i < len(v.raw) && v.raw[i] == '"' {
			keyEnd := stringEnd(v.raw, i)
			if keyEnd < 0 {
				return
			}
			at := space(v.raw, keyEnd)
			if at >= len(v.raw) || v.raw[at] != ':' {
				return
			}
			at = space(v.raw, at+1)
			end := skip(v.raw, at, 1)
			if end < 0 || !yield(v.raw[i:keyEnd], Value{raw: v.raw[at:end:end]}) {
				return
			}
			i = comma(v.raw, end)
		}
	}
}

// view returns b as a string without copying it.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
