package script

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Builder makes the values of a language out of JSON. Each of its methods
// charges for what it makes, and answers false when the call has to stop.
type Builder[V any] interface {
	Null() V
	Bool(b bool) V
	Number(f float64) V
	String(s string) (V, bool)
	// Object makes an object with no members, and Member adds one to it.
	Object() (V, bool)
	Member(object V, name string, value V) bool
	// List makes a list of items, which it may keep.
	List(items []V) (V, bool)
}

// ErrStopped is the error of a text that was not read to its end because the
// call has to stop.
var ErrStopped = errors.New("the call was stopped")

// Decode reads one JSON value, nested at most MaxNesting levels, in the order in
// which it is written.
func Decode[V any](text []byte, b Builder[V]) (V, error) {
	d := &decoder[V]{text: text, build: b}
	v, err := d.value()
	if err == nil && d.next() != 0 {
		err = d.missing("the end")
	}
	return v, err
}

type decoder[V any] struct {
	build Builder[V]
	text  []byte
	pos   int
	depth int
}

func (d *decoder[V]) missing(what string) error {
	return fmt.Errorf("json: offset %d: %s is missing", d.pos, what)
}

// next skips white space and gives the byte that follows; 0 at the end.
func (d *decoder[V]) next() byte {
	for d.pos < len(d.text) {
		switch c := d.text[d.pos]; c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

func (d *decoder[V]) value() (v V, err error) {
	switch c := d.next(); {
	case c == '{':
		return d.nested((*decoder[V]).object)
	case c == '[':
		return d.nested((*decoder[V]).list)
	case c == '"':
		s, err := d.str()
		if err != nil {
			return v, err
		}
		return stoppable(d.build.String(s))
	case c == 't':
		return d.build.Bool(true), d.word("true")
	case c == 'f':
		return d.build.Bool(false), d.word("false")
	case c == 'n':
		return d.build.Null(), d.word("null")
	case c == '-' || c >= '0' && c <= '9':
		return d.number()
	}
	return v, d.missing("a value")
}

func stoppable[V any](v V, ok bool) (V, error) {
	if !ok {
		return v, ErrStopped
	}
	return v, nil
}

func (d *decoder[V]) nested(read func(*decoder[V]) (V, error)) (v V, err error) {
	if d.depth++; d.depth > MaxNesting {
		return v, ErrTooDeep
	}
	d.pos++
	v, err = read(d)
	d.depth--
	return v, err
}

func (d *decoder[V]) word(w string) error {
	if len(d.text)-d.pos < len(w) || string(d.text[d.pos:d.pos+len(w)]) != w {
		return d.missing(w)
	}
	d.pos += len(w)
	return nil
}

func (d *decoder[V]) number() (v V, err error) {
	start := d.pos
	for d.pos < len(d.text) && numeric(d.text[d.pos]) {
		d.pos++
	}
	f, err := strconv.ParseFloat(string(d.text[start:d.pos]), 64)
	if err != nil {
		return v, fmt.Errorf("json: offset %d: %w", start, err)
	}
	return d.build.Number(f), nil
}

func numeric(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'
}

// str reads the string at d.pos.
func (d *decoder[V]) str() (string, error) {
	start := d.pos
	plain := true
	for d.pos++; d.pos < len(d.text) && d.text[d.pos] != '"'; d.pos++ {
		switch c := d.text[d.pos]; {
		case c == '\\':
			plain = false
			d.pos++
		case c < ' ' || c >= utf8.RuneSelf:
			plain = false
		}
	}
	if d.pos >= len(d.text) {
		return "", d.missing(`'"'`)
	}
	d.pos++
	if plain {
		return string(d.text[start+1 : d.pos-1]), nil
	}
	var s string
	if err := json.Unmarshal(d.text[start:d.pos], &s); err != nil {
		return "", fmt.Errorf("json: offset %d: %w", start, err)
	}
	return s, nil
}

func (d *decoder[V]) object() (V, error) {
	object, ok := d.build.Object()
	if !ok {
		return object, ErrStopped
	}
	for first := true; ; first = false {
		switch c := d.next(); {
		case c == '}':
			d.pos++
			return object, nil
		case !first && c != ',':
			return object, d.missing("',' or '}'")
		case !first:
			d.pos++
		}
		if d.next() != '"' {
			return object, d.missing("a key")
		}
		name, err := d.str()
		if err != nil {
			return object, err
		}
		if d.next() != ':' {
			return object, d.missing("':'")
		}
		d.pos++
		v, err := d.value()
		if err != nil {
			return object, err
		}
		if !d.build.Member(object, name, v) {
			return object, ErrStopped
		}
	}
}

func (d *decoder[V]) list() (list V, err error) {
	var items []V
	for first := true; ; first = false {
		switch c := d.next(); {
		case c == ']':
			d.pos++
			return stoppable(d.build.List(items))
		case !first && c != ',':
			return list, d.missing("',' or ']'")
		case !first:
			d.pos++
		}
		v, err := d.value()
		if err != nil {
			return list, err
		}
		items = append(items, v)
	}
}
