package yamldoc

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Unmarshaler is a type that reads itself from a node. An error that is an
// *Error or Errors is taken as it is; any other gets the node's position.
type Unmarshaler interface {
	DecodeYAML(n *Node) error
}

// Decode fills v, a pointer, from n. It is strict: a key that a struct does not
// have is an error (with a guess at what was meant), and so is a value of the
// wrong type. It goes on after a problem and returns all of them as Errors; what
// could be read is then filled in. Fields whose key is absent keep their
// value, so defaults can be set before. A nil n fills in nothing.
//
// It knows string (also from a number or boolean, as written), bool, integers,
// floats, time.Duration ("1m30s", "7d"), Bytes ("32MiB"), slices, maps with text
// keys, pointers, structs, any, Node and *Node (kept as they are),
// encoding.TextUnmarshaler and Unmarshaler. A struct field's key stands in
// its tag `yaml:"name"`, or is its name in lower case; "-" leaves the field out,
// an embedded struct's fields count as the outer's. A field of type Pos tagged
// `yaml:",pos"` receives the position of the struct's node. Nothing (an empty value)
// is fine for lists, maps, structs and pointers, and an error for the others.
func Decode(n *Node, v any) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		panic(fmt.Sprintf("yamldoc: Decode into %T, want a pointer", v))
	}
	if n == nil {
		return nil
	}
	var d decoder
	d.value(n, rv.Elem(), "")
	return d.errs.Err()
}

type decoder struct{ errs Errors }

func (d *decoder) bad(n *Node, path, fix, format string, args ...any) {
	d.errs = append(d.errs, Errorf(n.Pos, path, CodeType, fix, format, args...))
}

// wrong reports a value of another kind than wanted.
func (d *decoder) wrong(n *Node, path, want string) {
	got := n.Kind.String()
	if n.Kind == String || n.Kind == Number || n.Kind == Bool {
		got = strconv.Quote(n.Text)
	}
	d.bad(n, path, "write "+want, "must be %s, is %s", want, got)
}

//nolint:gochecknoglobals // constants
var (
	nodeType     = reflect.TypeFor[Node]()
	posType      = reflect.TypeFor[Pos]()
	durationType = reflect.TypeFor[time.Duration]()
	bytesType    = reflect.TypeFor[Bytes]()
)

func (d *decoder) value(n *Node, v reflect.Value, path string) {
	if d.special(n, v, path) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if n.Kind == Null {
			return
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(n, v.Elem(), path)
	case reflect.Struct:
		d.object(n, v, path)
	case reflect.Slice:
		d.slice(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Interface:
		if v.NumMethod() != 0 {
			panic("yamldoc: cannot decode into " + v.Type().String())
		}
		if x := n.Any(); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		d.scalar(n, v, path)
	}
}

// special handles the types that read themselves or that we know by name.
func (d *decoder) special(n *Node, v reflect.Value, path string) bool {
	switch v.Type() {
	case nodeType:
		v.Set(reflect.ValueOf(*n))
		return true
	case reflect.PointerTo(nodeType):
		v.Set(reflect.ValueOf(n))
		return true
	case durationType:
		parseInto(d, n, v, path, ParseDuration, "a duration such as 250ms, 1m30s or 7d")
		return true
	case bytesType:
		parseInto(d, n, v, path, ParseBytes, "a size such as 64KiB or 32MiB")
		return true
	}
	if !v.CanAddr() {
		return false
	}
	switch u := v.Addr().Interface().(type) {
	case Unmarshaler:
		d.own(n, path, u.DecodeYAML(n))
		return true
	case encoding.TextUnmarshaler:
		if n.Kind == List || n.Kind == Map || n.Kind == Null {
			d.wrong(n, path, "a text")
			return true
		}
		d.own(n, path, u.UnmarshalText([]byte(n.Text)))
		return true
	}
	return false
}

// own takes the error of a type that read itself.
func (d *decoder) own(n *Node, path string, err error) {
	var many Errors
	var one *Error
	switch {
	case err == nil:
	case errors.As(err, &many):
		d.errs = append(d.errs, many...)
	case errors.As(err, &one):
		d.errs = append(d.errs, one)
	default:
		d.bad(n, path, "", "%v", err)
	}
}

func parseInto[T any](d *decoder, n *Node, v reflect.Value, path string, parse func(string) (T, error), want string) {
	if n.Kind != String && n.Kind != Number {
		d.wrong(n, path, want)
		return
	}
	x, err := parse(n.Text)
	if err != nil {
		d.wrong(n, path, want)
		return
	}
	v.Set(reflect.ValueOf(x))
}

func (d *decoder) scalar(n *Node, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.String:
		if n.Kind == Null || n.Kind == List || n.Kind == Map {
			d.wrong(n, path, "a text")
			return
		}
		v.SetString(n.Text)
	case reflect.Bool:
		if n.Kind != Bool {
			d.wrong(n, path, "true or false")
			return
		}
		v.SetBool(n.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, ok := integer(n)
		if !ok || v.OverflowInt(i) {
			d.wrong(n, path, wholeNumber(v.Type()))
			return
		}
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		i, ok := integer(n)
		if !ok || i < 0 || v.OverflowUint(uint64(i)) {
			d.wrong(n, path, wholeNumber(v.Type()))
			return
		}
		v.SetUint(uint64(i))
	case reflect.Float32, reflect.Float64:
		if n.Kind != Number {
			d.wrong(n, path, "a number")
			return
		}
		v.SetFloat(n.Float())
	default:
		panic("yamldoc: cannot decode into " + v.Type().String())
	}
}

func wholeNumber(t reflect.Type) string {
	s := "a whole number"
	if bits := t.Bits(); bits < 64 || t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64 {
		s += " in the range of " + t.Kind().String()
	}
	return s
}

// integer gives the whole number that n holds, also when it is written as 1e6.
func integer(n *Node) (int64, bool) {
	if n.Kind != Number {
		return 0, false
	}
	if s, ok := dropUnderscores(n.Text); ok || strings.ContainsAny(n.Text, "xo") {
		if i, err := strconv.ParseInt(s, 0, 64); err == nil {
			return i, true
		}
		if i, err := strconv.ParseInt(n.Text, 0, 64); err == nil {
			return i, true
		}
	}
	f := n.Float()
	if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

func (d *decoder) slice(n *Node, v reflect.Value, path string) {
	switch n.Kind {
	case Null:
		return
	case List:
	default:
		d.wrong(n, path, "a list")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items))
	for i, it := range n.Items {
		d.value(it, out.Index(i), item(path, i))
	}
	v.Set(out)
}

func (d *decoder) mapping(n *Node, v reflect.Value, path string) {
	if v.Type().Key().Kind() != reflect.String {
		panic("yamldoc: cannot decode into " + v.Type().String())
	}
	switch n.Kind {
	case Null:
		return
	case Map:
	default:
		d.wrong(n, path, "a map")
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Keys)))
	}
	for _, e := range n.Keys {
		x := reflect.New(v.Type().Elem()).Elem()
		d.value(e.Value, x, join(path, e.Key))
		v.SetMapIndex(reflect.ValueOf(e.Key).Convert(v.Type().Key()), x)
	}
}

func (d *decoder) object(n *Node, v reflect.Value, path string) {
	if n.Kind != Map && n.Kind != Null {
		d.wrong(n, path, "a map")
		return
	}
	fields := make(map[string]reflect.Value)
	collect(v, n.Pos, fields)
	for _, e := range n.Keys {
		at := join(path, e.Key)
		f, ok := fields[e.Key]
		if !ok {
			d.errs = append(d.errs, Errorf(e.Pos, at, CodeKey, suggest(e.Key, fields), "unknown key"))
			continue
		}
		d.value(e.Value, f, at)
	}
}

// collect finds the fields of a struct by key and fills in its position.
func collect(v reflect.Value, pos Pos, fields map[string]reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-":
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct && f.Type != posType:
			collect(v.Field(i), pos, fields)
		case !f.IsExported():
		case opts == "pos" && f.Type == posType:
			v.Field(i).Set(reflect.ValueOf(pos))
		case name == "":
			fields[strings.ToLower(f.Name)] = v.Field(i)
		default:
			fields[name] = v.Field(i)
		}
	}
}

// suggest says which key was meant, or which there are.
func suggest(key string, fields map[string]reflect.Value) string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	return Suggest(key, names)
}

// Suggest is the fix for an unknown key: the known one that it may have been
// meant to be, or else the list of those there are.
func Suggest(key string, known []string) string {
	known = slices.Sorted(slices.Values(known))
	best, least := "", 1+max(1, len(key)/3)
	for _, k := range known {
		if dist := distance(strings.ToLower(key), k); dist < least {
			best, least = k, dist
		}
	}
	switch {
	case best != "":
		return "did you mean " + best + "?"
	case len(known) == 0:
		return "there are no keys here"
	}
	return "known keys are " + strings.Join(known, ", ")
}

// distance counts the edits (insert, delete, replace, swap neighbours) from a
// to b.
func distance(a, b string) int {
	const most = 64 // a key longer than that was not mistyped
	if len(a) > most || len(b) > most {
		return most
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
