package predicate

import (
	"fmt"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/rhost/rhost/event"
)

// valueOf turns a CEL scalar into an event's value; lists, maps, durations and
// errors are Missing.
func valueOf(v ref.Val) event.Value {
	switch v := v.(type) {
	case types.Null:
		return event.NullValue()
	case types.Bool:
		return event.BoolValue(bool(v))
	case types.Double:
		return event.NumberValue(float64(v))
	case types.Int:
		return event.NumberValue(float64(v))
	case types.String:
		return event.StringValue(string(v))
	case types.Timestamp:
		return event.TimeValue(v.Time)
	}
	return event.Value{}
}

// valOf turns a value into a CEL one; Missing is CEL's error.
func valOf(v event.Value) ref.Val {
	switch v.Kind() {
	case event.Null:
		return types.NullValue
	case event.Bool:
		return types.Bool(v.Bool())
	case event.Number:
		return types.Double(v.Number())
	case event.String:
		return types.String(v.Str())
	case event.Time:
		return types.Timestamp{Time: v.Time()}
	case event.List, event.Map:
		return types.DefaultTypeAdapter.NativeToValue(v.Any())
	default:
		return types.NewErr("no value")
	}
}

// plain turns a CEL value into the JSON-like one that a template gives.
func plain(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return int64(v), nil
	case types.Double:
		return whole(float64(v))
	case types.String:
		return string(v), nil
	case types.Timestamp:
		return formatTime(v.Time), nil
	case types.Duration:
		return string(v.ConvertToType(types.StringType).(types.String)), nil //nolint:errcheck,forcetypeassert // a duration has a text
	case traits.Mapper:
		return plainMap(v)
	case traits.Lister:
		return plainList(v)
	}
	return nil, fmt.Errorf("a %s cannot be used here", v.Type())
}

func plainMap(m traits.Mapper) (any, error) {
	out := make(map[string]any)
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		key, ok := k.(types.String)
		if !ok {
			return nil, fmt.Errorf("the key %v of a map is not a text", k.Value())
		}
		x, err := plain(m.Get(k))
		if err != nil {
			return nil, err
		}
		out[string(key)] = x
	}
	return out, nil
}

func plainList(l traits.Lister) (any, error) {
	out := []any{}
	for it := l.Iterator(); it.HasNext() == types.True; {
		x, err := plain(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}
