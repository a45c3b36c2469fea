package lua

import (
	"fmt"
	"strconv"

	glua "github.com/yuin/gopher-lua"

	"github.com/rhost/rhost/sandbox/script"
)

// builder makes Lua values of JSON.
//
// An object becomes a table in which null members are absent; a list becomes a
// table that remembers being one, so that an empty list stays a list; null
// inside a list is rhost.null, which keeps the places of the others.
type builder struct{ *guest }

// decode reads one JSON value and charges for what it makes.
func (g *guest) decode(text []byte) (glua.LValue, error) {
	if !g.Spend(int64(len(text)) / 8) {
		return nil, script.ErrStopped
	}
	return script.Decode(text, script.Builder[glua.LValue](builder{g}))
}

func (b builder) Null() glua.LValue            { return glua.LNil }
func (b builder) Bool(v bool) glua.LValue      { return glua.LBool(v) }
func (b builder) Number(f float64) glua.LValue { return glua.LNumber(f) }

func (b builder) String(s string) (glua.LValue, bool) { return glua.LString(s), b.text(len(s)) }

func (b builder) Object() (glua.LValue, bool) {
	return b.main.CreateTable(0, 4), b.Alloc(tableBytes)
}

func (b builder) Member(object glua.LValue, name string, value glua.LValue) bool {
	if value == glua.LNil {
		return true
	}
	object.(*glua.LTable).RawSetString(name, value) //nolint:errcheck,forcetypeassert // made by Object
	return b.text(len(name)) && b.Alloc(entryBytes)
}

func (b builder) List(items []glua.LValue) (glua.LValue, bool) {
	tb := b.main.CreateTable(len(items), 0)
	tb.Metatable = b.arrays
	for i, v := range items {
		if v == glua.LNil {
			v = b.null
		}
		tb.RawSetInt(i+1, v)
	}
	return tb, b.Alloc(tableBytes + slotBytes*int64(len(items)))
}

// encode writes a Lua value as JSON of at most limit bytes.
//
// A table is a list when it has a first item, t[1], or when it is marked as one
// by rhost.array or by having been read from one; an empty table that is not
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
		return nil, script.ErrStopped
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
		return script.ErrStopped
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
	return tb.Metatable == glua.LValue(g.arrays) || tb.RawGetInt(1) != glua.LNil
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
