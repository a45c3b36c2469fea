package js

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"

	"github.com/rhost/rhost/sandbox/script"
)

// jsonParse is the interpreter's own, given only texts that are not nested too
// deep, and paid for by what they hold.
func (g *guest) jsonParse(original native) native {
	return func(call goja.FunctionCall) goja.Value {
		s := g.toString(arg(call, 0))
		text := s.String()
		if bytes, ok := weighJSON(text); !ok {
			panic(g.vm.NewTypeError("JSON is nested deeper than %d levels", script.MaxNesting))
		} else if !g.Spend(int64(len(text))/4) || !g.Alloc(bytes) {
			g.halt()
		}
		return original(goja.FunctionCall{This: call.This, Arguments: append([]goja.Value{s}, call.Arguments[min(1, len(call.Arguments)):]...)})
	}
}

// weighJSON estimates the bytes that the values in a JSON text take. ok is false
// when they are nested too deep.
func weighJSON(text string) (bytes int64, ok bool) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			start := i
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			bytes += textBytes + int64(min(i, len(text))-start)
		case '{':
			bytes += objectBytes
			depth++
		case '[':
			bytes += arrayBytes
			depth++
		case '}', ']':
			depth--
		case ',':
			bytes += 2 * itemBytes
		case ':':
			bytes += propertyBytes
		}
		if depth > script.MaxNesting {
			return 0, false
		}
	}
	return bytes, true
}

// builder makes JavaScript values of JSON.
type builder struct{ *guest }

// decode makes a value of JSON text of the host.
func (g *guest) decode(text []byte) (goja.Value, error) {
	g.must(g.Spend(int64(len(text)) / 4))
	v, err := script.Decode(text, script.Builder[goja.Value](builder{g}))
	g.must(g.Stopped() == nil)
	return v, err
}

func (b builder) Null() goja.Value            { return goja.Null() }
func (b builder) Bool(v bool) goja.Value      { return b.vm.ToValue(v) }
func (b builder) Number(f float64) goja.Value { return b.vm.ToValue(f) }

func (b builder) String(s string) (goja.Value, bool) {
	return b.vm.ToValue(s), b.Alloc(textBytes + int64(len(s)))
}

func (b builder) Object() (goja.Value, bool) { return b.vm.NewObject(), b.Alloc(objectBytes) }

// Member defines the member and does not set it: neither one called __proto__
// nor a setter that the script put into Object.prototype changes what it is.
func (b builder) Member(object goja.Value, name string, value goja.Value) bool {
	check(object.ToObject(b.vm).DefineDataProperty(name, value, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE))
	return b.Alloc(propertyBytes + int64(len(name)))
}

func (b builder) List(items []goja.Value) (goja.Value, bool) {
	list := make([]any, len(items))
	for i, v := range items {
		list[i] = v
	}
	return b.vm.NewArray(list...), b.Alloc(arrayBytes + itemBytes*int64(len(items)))
}

// stringify is JSON.stringify.
func (g *guest) stringify(call goja.FunctionCall) goja.Value {
	e := &encoder{g: g, limit: script.MaxText}
	e.options(arg(call, 1), arg(call, 2))
	holder := g.vm.NewObject()
	check(holder.DefineDataProperty("", arg(call, 0), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE))
	wrote, err := e.property(holder, "", arg(call, 0), 0)
	switch {
	case errors.Is(err, errTooLong):
		g.newText(script.MaxText + 1)
	case err != nil:
		g.throw("%s", err.Error())
	case !wrote:
		return goja.Undefined()
	}
	g.newText(int64(len(e.out)))
	return g.vm.ToValue(string(e.out))
}

// encode is the JSON of a value, at most limit bytes of it; nil for undefined.
// Unlike stringify it does not make null of numbers that are not finite, and
// does not leave functions out: a result that cannot be carried is a mistake.
func (g *guest) encode(v goja.Value, limit int) ([]byte, error) {
	e := &encoder{g: g, limit: limit, strict: true}
	wrote, err := e.property(nil, "", v, 0)
	if err != nil || !wrote {
		return nil, err
	}
	g.must(g.Spend(int64(len(e.out)) / 8))
	return e.out, nil
}

var (
	errTooLong = errors.New("too long")
	errNested  = errors.New("nested too deep")
)

type encoder struct {
	g        *guest
	out      []byte
	limit    int
	strict   bool
	replacer goja.Callable   // nil: none
	allow    map[string]bool // nil: all keys
	gap      string
	outer    []*goja.Object // being written
}

// options reads the second and third argument of JSON.stringify.
func (e *encoder) options(replacer, space goja.Value) {
	if f, ok := goja.AssertFunction(replacer); ok {
		e.replacer = f
	} else if n, ok := e.g.arrayLength(replacer); ok {
		e.allow = make(map[string]bool)
		e.g.must(e.g.Spend(n) && e.g.Alloc(n*entryBytes))
		for i := range n {
			e.allow[e.g.toString(replacer.ToObject(e.g.vm).Get(strconv.FormatInt(i, 10))).String()] = true
		}
	}
	switch s := space.(type) {
	case goja.String:
		e.gap = s.Substring(0, min(s.Length(), 10)).String()
	default:
		if !goja.IsUndefined(space) && !goja.IsNull(space) {
			e.gap = strings.Repeat(" ", int(min(max(space.ToInteger(), 0), 10)))
		}
	}
}

// property writes the value of a key, and reports false when it has none to
// write.
func (e *encoder) property(holder *goja.Object, key string, v goja.Value, depth int) (bool, error) {
	if len(e.out) > e.limit {
		return false, errTooLong
	}
	e.g.must(e.g.Spend(1))
	if o, ok := v.(*goja.Object); ok {
		if toJSON, ok := goja.AssertFunction(valueOr(o.Get("toJSON"))); ok {
			r, err := toJSON(o, e.g.vm.ToValue(key))
			rethrow(err)
			v = r
		}
	}
	if e.replacer != nil {
		r, err := e.replacer(holder, e.g.vm.ToValue(key), v)
		rethrow(err)
		v = r
	}
	return e.value(valueOr(v), depth)
}

func (e *encoder) value(v goja.Value, depth int) (bool, error) {
	switch v := v.(type) {
	case goja.String:
		e.text(v)
		return true, nil
	case *goja.Symbol:
		return false, e.refuse("a symbol")
	case *goja.Object:
		return e.object(v, depth)
	}
	switch x := v.Export().(type) {
	case nil:
		if goja.IsUndefined(v) {
			return false, nil
		}
		e.out = append(e.out, "null"...)
	case bool:
		e.out = strconv.AppendBool(e.out, x)
	default:
		return true, e.number(v.ToFloat())
	}
	return true, nil
}

func (e *encoder) refuse(what string) error {
	if !e.strict {
		return nil
	}
	return fmt.Errorf("%s has no JSON form", what)
}

func (e *encoder) number(f float64) (err error) {
	before := len(e.out)
	e.out, err = script.AppendNumber(e.out, f)
	if err != nil && !e.strict {
		e.out = append(e.out[:before], "null"...)
		return nil
	}
	return err
}

// text writes a string. Half of a surrogate pair, which UTF-8 cannot carry,
// becomes U+FFFD.
func (e *encoder) text(s goja.String) {
	if 3*s.Length()+len(e.out) > 8*e.limit {
		e.out = append(e.out, make([]byte, e.limit+1)...) // found too long at the next value
		return
	}
	text := s.String()
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	e.out = script.AppendString(e.out, text)
}

func (e *encoder) object(o *goja.Object, depth int) (bool, error) {
	switch o.ClassName() {
	case "Function", "AsyncFunction", "GeneratorFunction":
		return false, e.refuse("a function")
	case "Number":
		return true, e.number(o.ToFloat())
	case "String":
		e.text(e.g.toString(o))
		return true, nil
	case "Boolean":
		e.out = strconv.AppendBool(e.out, o.Export() == true)
		return true, nil
	case "Map", "Set", "WeakMap", "WeakSet", "Promise":
		if e.strict {
			return false, e.refuse("a " + o.ClassName())
		}
	}
	if _, ok := goja.AssertFunction(o); ok {
		return false, e.refuse("a function")
	}
	if slices.Contains(e.outer, o) {
		return false, errors.New("an object that contains itself has no JSON form")
	}
	if depth >= script.MaxNesting {
		return false, script.ErrTooDeep
	}
	e.outer = append(e.outer, o)
	defer func() { e.outer = e.outer[:len(e.outer)-1] }()
	if n, ok := e.g.arrayLength(o); ok {
		return true, e.list(o, n, depth+1)
	}
	return true, e.members(o, depth+1)
}

func (e *encoder) list(o *goja.Object, n int64, depth int) error {
	e.out = append(e.out, '[')
	for i := range n {
		e.separate(i > 0, depth)
		key := strconv.FormatInt(i, 10)
		wrote, err := e.property(o, key, valueOr(o.Get(key)), depth)
		if err != nil {
			return within("["+key+"]", err)
		}
		if !wrote {
			e.out = append(e.out, "null"...)
		}
	}
	e.finish(n > 0, depth)
	e.out = append(e.out, ']')
	return nil
}

func (e *encoder) members(o *goja.Object, depth int) error {
	e.out = append(e.out, '{')
	wrote := false
	keys := o.Keys()
	e.g.must(e.g.Spend(int64(len(keys))))
	for _, key := range keys {
		if e.allow != nil && !e.allow[key] {
			continue
		}
		before := len(e.out)
		e.separate(wrote, depth)
		e.out = append(script.AppendString(e.out, key), ':')
		if e.gap != "" {
			e.out = append(e.out, ' ')
		}
		ok, err := e.property(o, key, valueOr(o.Get(key)), depth)
		if err != nil {
			return within(key, err)
		}
		if !ok {
			e.out = e.out[:before]
			continue
		}
		wrote = true
	}
	e.finish(wrote, depth)
	e.out = append(e.out, '}')
	return nil
}

// within names the place of an error, unless the place does not matter or would
// be longer than anybody reads.
func within(key string, err error) error {
	if errors.Is(err, errTooLong) || errors.Is(err, script.ErrTooDeep) {
		return err
	}
	return fmt.Errorf("%s: %w", key, err)
}

func (e *encoder) separate(comma bool, depth int) {
	if comma {
		e.out = append(e.out, ',')
	}
	e.newline(depth)
}

func (e *encoder) finish(wrote bool, depth int) {
	if wrote {
		e.newline(depth - 1)
	}
}

func (e *encoder) newline(depth int) {
	if e.gap != "" {
		e.out = append(append(e.out, '\n'), strings.Repeat(e.gap, depth)...)
	}
}
