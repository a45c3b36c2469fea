package guest

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Map is a JSON object.
type Map map[string]any

// Raw is JSON text, passed on as it is.
type Raw []byte

// marshaler is json.Marshaler, without the package.
type marshaler interface{ MarshalJSON() ([]byte, error) }

// encode returns v as JSON text; nil stands for nothing. what names the service
// in errors.
func encode(what string, v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	b, err := appendJSON(nil, v, 0)
	if err != nil {
		return nil, errors.New(what + ": " + err.Error())
	}
	return b, nil
}

var (
	errDepth  = errors.New("the value is nested too deep; does it hold itself?")
	errNumber = errors.New("infinity and not-a-number have no form in JSON")
	errType   = errors.New("a value of this type; use guest.Map, a basic type, a slice of these, or encoding/json and guest.Raw")
)

// appendJSON appends v. It knows the types that handlers build answers from and
// does without reflection, which would double the size of a small plugin.
func appendJSON(dst []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return appendBool(dst, v), nil
	case string:
		return appendText(dst, v), nil
	case Raw:
		return append(dst, v...), nil
	case Map:
		return appendMap(dst, v, depth)
	case map[string]any:
		return appendMap(dst, v, depth)
	case map[string]string:
		return appendMap(dst, v, depth)
	case []any:
		return appendList(dst, v, depth)
	case []string:
		return appendList(dst, v, depth)
	case []Map:
		return appendList(dst, v, depth)
	case []int:
		return appendList(dst, v, depth)
	case []float64:
		return appendList(dst, v, depth)
	case marshaler:
		b, err := v.MarshalJSON()
		return append(dst, b...), err
	}
	return appendNumber(dst, v)
}

func appendNumber(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int8:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int16:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case uint:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint8:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint16:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	case float32:
		return appendFloat(dst, float64(v))
	case float64:
		return appendFloat(dst, v)
	}
	return nil, errType
}

// appendMap appends the members in the order of their names, so that the same
// value always gives the same text.
func appendMap[T any](dst []byte, m map[string]T, depth int) ([]byte, error) {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, key := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, key), ':')
		var err error
		if dst, err = appendJSON(dst, m[key], depth+1); err != nil {
			return nil, errors.New(key + ": " + err.Error())
		}
	}
	return append(dst, '}'), nil
}

func appendList[T any](dst []byte, list []T, depth int) ([]byte, error) {
	dst = append(dst, '[')
	for i, item := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendJSON(dst, item, depth+1); err != nil {
			return nil, errors.New("[" + strconv.Itoa(i) + "]: " + err.Error())
		}
	}
	return append(dst, ']'), nil
}

func appendBool(dst []byte, v bool) []byte { return strconv.AppendBool(dst, v) }

func appendFloat(dst []byte, f float64) ([]byte, error) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, errNumber
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64), nil
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64), nil
}

// appendText appends s as a JSON string. Bytes that are not UTF-8 become the
// replacement character.
func appendText(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		i++
	}
	return append(dst, '"')
}
