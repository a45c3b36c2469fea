package lua

import (
	"encoding/json"
	"fmt"
	"strconv"

	glua "github.com/yuin/gopher-lua"

	"github.com/rhost/rhost/sandbox/script"
)

// decoder makes Lua values of JSON text. The text comes from the host, so a
// mistake in it is rare; it is an error all the same.
//
// An object becomes a table in which null members are absent; a list becomes a
// table that remembers being one, so that an empty list stays a list; null
// inside a list is rhost.null, which keeps the places of the others.
type decoder struct {
	g     *guest
	text  []byte
	pos   int
	depth int
}

// decode reads one JSON value and charges for what it makes.
func (g *guest) decode(text []byte) (glua.LValue, error) {
	if !g.Spend(int64(len(text)) / 8) {
		return nil, errStopped
	}
	d := &decoder{g: g, text: text}
	v, err := d.value()
	if err != nil {
		return nil, err
	}
	if d.space(); d.pos != len(text) {
		return nil, d.bad("the end")
	}
	return v, nil
}

func (d *decoder) bad(want string) error {
	return fmt.Errorf("json: offset %d: %s is missing", d.pos, want)
}

func (d *decoder) space() {
	for d.pos < len(d.text) {
		switch d.text[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// next skips white space and gives the byte that follows; 0 at the end.
func (d *decoder) next() byte {
	if d.space(); d.pos < len(d.text) {
		return d.text[d.pos]
	}
	return 0
}

func (d *decoder) value() (glua.LValue, error) {
	switch c := d.next(); {
	case c == '{':
		return d.nested(d.object)
	case c == '[':
		return d.nested(d.list)
	case c == '"':
		s, err := d.str()
		return glua.LString(s), err
	case c == 't':
		return glua.LTrue, d.word("true")
	case c == 'f':
		return glua.LFalse, d.word("false")
	case c == 'n':
		return glua.LNil, d.word("null")
	case c == '-' || isDigit(c):
		return d.number()
	}
	return nil, d.bad("a value")
}

func (d *decoder) nested(read func() (glua.LValue, error)) (glua.LValue, error) {
	if d.depth++; d.depth > script.MaxNesting {
		return nil, script.ErrTooDeep
	}
	defer func() { d.depth-- }()
	d.pos++
	if !d.g.Alloc(tableBytes) {
		return nil, errStopped
	}
	return read()
}

func (d *decoder) word(w string) error {
	if len(d.text)-d.pos < len(w) || string(d.text[d.pos:d.pos+len(w)]) != w {
		return d.bad(w)
	}
	d.pos += len(w)
	return nil
}

func (d *decoder) number() (glua.LValue, error) {
	start := d.pos
	for d.pos < len(d.text) && (isDigit(d.text[d.pos]) || isAlpha(d.text[d.pos]) || d.text[d.pos] == '.' || d.text[d.pos] == '-' || d.text[d.pos] == '+') {
		d.pos++
	}
	f, err := strconv.ParseFloat(string(d.text[start:d.pos]), 64)
	if err != nil {
		return nil, fmt.Errorf("json: offset %d: %w", start, err)
	}
	return glua.LNumber(f), nil
}

// str reads a string at d.pos.
func (d *decoder) str() (string, error) {
	start := d.pos
	escaped := false
	for d.pos++; d.pos < len(d.text) && d.text[d.pos] != '"'; d.pos++ {
		if d.text[d.pos] == '\\' {
			escaped = true
			d.pos++
		}
	}
	if d.pos >= len(d.text) {
		return "", d.bad(`'"'`)
	}
	d.pos++
	if !d.g.text(d.pos - start) {
		return "", errStopped
	}
	if !escaped {
		return string(d.text[start+1 : d.pos-1]), nil
	}
	var s string
	err := json.Unmarshal(d.text[start:d.pos], &s)
	return s, err
}

func (d *decoder) object() (glua.LValue, error) {
	tb := d.g.main.CreateTable(0, 4)
	for first := true; ; first = false {
		switch c := d.next(); {
		case c == '}':
			d.pos++
			return tb, nil
		case !first && c == ',':
			d.pos++
		case !first:
			return nil, d.bad("',' or '}'")
		}
		if d.next() != '"' {
			return nil, d.bad("a key")
		}
		key, err := d.str()
		if err != nil {
			return nil, err
		}
		if d.next() != ':' {
			return nil, d.bad("':'")
		}
		d.pos++
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		if v != glua.LNil {
			if !d.g.Alloc(entryBytes) {
				return nil, errStopped
			}
			tb.RawSetString(key, v)
		}
	}
}

func (d *decoder) list() (glua.LValue, error) {
	tb := d.g.main.CreateTable(4, 0)
	tb.Metatable = d.g.arrays
	for n := 1; ; n++ {
		switch c := d.next(); {
		case c == ']':
			d.pos++
			return tb, nil
		case n > 1 && c == ',':
			d.pos++
		case n > 1:
			return nil, d.bad("',' or ']'")
		}
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		if v == glua.LNil {
			v = d.g.null
		}
		if !d.g.Alloc(slotBytes) {
			return nil, errStopped
		}
		tb.RawSetInt(n, v)
	}
}

// encode writes a Lua value as JSON of at most limit bytes.
//
// A table is a list when its keys are 1 to n, or when it is marked as one by
// rhost.array or by having been read from one; an empty table that is not
// marked is an object. Other tables are objects, and their numeric keys become
// texts. A table with list items and other keys has no JSON form, nor has a
// function, a thread, a number that is not finite or a table that contains
// itself.
func (g *guest) encode(v glua.LValue, limit int) ([]byte, error) {
	e := &encoder{g: g, limit: limit}
	if err := e.value(v, 0); err != nil {
		return nil, err
	}
	if !g.Spend(int64(len(e.out)) / 8) {
		return nil, errStopped
	}
	return e.out, nil
}

type encoder struct {
	g     *guest
	out   []byte
	limit int
}

// errTooLong is the error of a value whose JSON would pass the limit.
const errTooLong = textError("too long")

func (e *encoder) value(v glua.LValue, depth int) error {
	if len(e.out) > e.limit {
		return errTooLong
	}
	if !e.g.Spend(1) {
		return errStopped
	}
	var err error
	switch v := v.(type) {
	case *glua.LNilType:
		e.out = append(e.out, "null"...)
	case glua.LBool:
		e.out = strconv.AppendBool(e.out, bool(v))
	case glua.LNumber:
		e.out, err = script.AppendNumber(e.out, float64(v))
	case glua.LString:
		e.out = script.AppendString(e.out, string(v))
	case *glua.LTable:
		if depth++; depth > script.MaxNesting {
			return script.ErrTooDeep
		}
		if e.g.isList(v) {
			return e.list(v, depth)
		}
		return e.object(v, depth)
	default:
		if v != glua.LValue(e.g.null) {
			return fmt.Errorf("a %s has no JSON form", v.Type())
		}
		e.out = append(e.out, "null"...)
	}
	return err
}

func (g *guest) isList(tb *glua.LTable) bool {
	return tb.Metatable == glua.LValue(g.arrays) || tb.Len() > 0
}

func (e *encoder) list(tb *glua.LTable, depth int) error {
	n := tb.Len()
	e.out = append(e.out, '[')
	for i := 1; i <= n; i++ {
		if i > 1 {
			e.out = append(e.out, ',')
		}
		if err := e.value(tb.RawGetInt(i), depth); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	if k, _ := tb.Next(glua.LNumber(len(viewTable(tb).array))); n > 0 && k != glua.LNil {
		return fmt.Errorf("a table with list items and the key %q has no JSON form; use two tables", scrub(k.String()))
	}
	e.out = append(e.out, ']')
	return nil
}

func (e *encoder) object(tb *glua.LTable, depth int) error {
	e.out = append(e.out, '{')
	first := true
	for k, v := tb.Next(glua.LNil); k != glua.LNil; k, v = tb.Next(k) {
		if !first {
			e.out = append(e.out, ',')
		}
		first = false
		if !glua.LVCanConvToString(k) {
			return fmt.Errorf("a key of type %s has no JSON form", k.Type())
		}
		e.out = append(script.AppendString(e.out, k.String()), ':')
		if err := e.value(v, depth); err != nil {
			return fmt.Errorf("%s: %w", k.String(), err)
		}
	}
	e.out = append(e.out, '}')
	return nil
}
