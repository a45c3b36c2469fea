package guest_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/sdk/guest"
)

func TestGet(t *testing.T) {
	doc := guest.JSON([]byte(` {"user": {"name": "Zo\u00eb", "uid": 1000}, "items": [{"id": "a"}, {"id": "b"}, [1, 2]],
		"odd key": {"x.y": true}, "dot.ted": 1, "pi": 3.25, "big": 9007199254740993, "none": null, "\u00e9": "é"} `))
	for _, tt := range []struct {
		path string
		kind guest.Kind
		text string
	}{
		{"user.name", guest.String, "Zoë"},
		{"user.uid", guest.Number, "1000"},
		{"items[1].id", guest.String, "b"},
		{"items[2][0]", guest.Number, "1"},
		{"items[3]", guest.Missing, ""},
		{"items.id", guest.Missing, ""},
		{`["odd key"]["x.y"]`, guest.Bool, "true"},
		{`["odd key"].x`, guest.Missing, ""},
		{`["dot.ted"]`, guest.Number, "1"},
		{"big", guest.Number, "9007199254740993"},
		{"none", guest.Null, ""},
		{"none.x", guest.Missing, ""},
		{"é", guest.String, "é"},
		{"user", guest.Object, `{"name": "Zo\u00eb", "uid": 1000}`},
		{"items[2]", guest.List, "[1, 2]"},
		{"user.", guest.Missing, ""},
		{".user", guest.Missing, ""},
		{"items[x]", guest.Missing, ""},
		{"items[-1]", guest.Missing, ""},
		{"items[0", guest.Missing, ""},
		{`["odd key"`, guest.Missing, ""},
		{"items[0]id", guest.Missing, ""},
	} {
		v := doc.Get(tt.path)
		assert.Equal(t, tt.kind, v.Kind(), tt.path)
		assert.Equal(t, tt.text, v.String(), tt.path)
	}
	assert.EqualValues(t, 9007199254740993, doc.Get("big").Int())
	assert.InDelta(t, 3.25, doc.Get("pi").Float(), 0)
	assert.EqualValues(t, 3, doc.Get("pi").Int())
	assert.Equal(t, 3, doc.Get("items").Len())
	assert.Equal(t, 2, doc.Get("user").Len())
	assert.True(t, doc.Get(`["odd key"]["x.y"]`).Bool())
}

func TestWrongKindsReadAsZero(t *testing.T) {
	for _, text := range []string{"", "null", "true", `"7"`, "[7]", `{"a":7}`} {
		v := guest.JSON([]byte(text))
		assert.Zero(t, v.Int(), text)
		assert.Zero(t, v.Float(), text)
	}
	assert.False(t, guest.JSON([]byte("1")).Bool())
}

// TestReadsWhatEncodingJSONReads compares every part of any document.
func TestReadsWhatEncodingJSONReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawJSON(t, 3)
		text, err := json.Marshal(want)
		require.NoError(t, err)
		if rapid.Bool().Draw(t, "indent") {
			text, err = json.MarshalIndent(want, "", "\t")
			require.NoError(t, err)
		}
		assert.Equal(t, want, plainValue(guest.JSON(text)))
	})
}

func drawJSON(t *rapid.T, depth int) any {
	most := 5
	if depth == 0 {
		most = 3
	}
	switch rapid.IntRange(0, most).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return float64(rapid.Int32().Draw(t, "number")) / 8
	case 3:
		return rapid.String().Draw(t, "text")
	case 4:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			list = append(list, drawJSON(t, depth-1))
		}
		return list
	}
	object := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(t, "members") {
		object[rapid.String().Draw(t, "name")] = drawJSON(t, depth-1)
	}
	return object
}

func plainValue(v guest.Value) any {
	switch v.Kind() {
	case guest.Bool:
		return v.Bool()
	case guest.Number:
		return v.Float()
	case guest.String:
		return v.String()
	case guest.List:
		list := []any{}
		for _, item := range v.Items() {
			list = append(list, plainValue(item))
		}
		return list
	case guest.Object:
		object := map[string]any{}
		for key, item := range v.Members() {
			object[key] = plainValue(item)
			if got := plainValue(v.Key(key)); !assert.ObjectsAreEqual(object[key], got) {
				return "Key(" + key + ") differs from Members"
			}
		}
		return object
	case guest.Missing, guest.Null:
	}
	return nil
}

func TestOutputIsWhatEncodingJSONWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawJSON(t, 3)
		want, err := json.Marshal(v)
		require.NoError(t, err)
		got, err := encodeOutput(v)
		require.NoError(t, err)
		assert.JSONEq(t, string(want), string(got))
	})
}

func TestEncodeKinds(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{nil, "null"},
		{true, "true"},
		{-5, "-5"},
		{uint8(5), "5"},
		{int64(math.MinInt64), "-9223372036854775808"},
		{uint64(math.MaxUint64), "18446744073709551615"},
		{1e21, "1e+21"},
		{float32(0.5), "0.5"},
		{"a\"\\\n\x01\xff", `"a\"\\\n\u0001�"`},
		{guest.Map{"b": 1, "a": []string{"x"}}, `{"a":["x"],"b":1}`},
		{map[string]string{"k": "v"}, `{"k":"v"}`},
		{[]any{1, "x", nil}, `[1,"x",null]`},
		{[]guest.Map{{"a": 1}}, `[{"a":1}]`},
		{[]int{1, 2}, `[1,2]`},
		{[]float64{1.5}, `[1.5]`},
		{guest.Raw(`{"raw":1}`), `{"raw":1}`},
		{guest.JSON([]byte(` [1] `)), `[1]`},
		{guest.Map{"gone": guest.Value{}}, `{"gone":null}`},
		{json.RawMessage(`{"r":1}`), `{"r":1}`},
	} {
		got, err := encodeOutput(tt.v)
		require.NoError(t, err, "%v", tt.v)
		assert.Equal(t, tt.want, string(got), "%v", tt.v)
	}
}

func TestEncodeRefuses(t *testing.T) {
	loop := guest.Map{}
	loop["self"] = loop
	for _, tt := range []struct {
		v    any
		want string
	}{
		{math.Inf(1), "output: infinity and not-a-number have no form in JSON"},
		{guest.Map{"a": []any{1, math.NaN()}}, "output: a: [1]: infinity and not-a-number have no form in JSON"},
		{struct{}{}, "output: a value of this type; use guest.Map, a basic type, a slice of these, or encoding/json and guest.Raw"},
	} {
		_, err := encodeOutput(tt.v)
		assert.EqualError(t, err, tt.want)
	}
	_, err := encodeOutput(loop)
	assert.ErrorContains(t, err, "does it hold itself?")
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"a":[1,{"b":"c\u00e9"}],"d":null}`, "a[1].b")
	f.Add(`[[[[`, "[0][0]")
	f.Add(`{"a":"\ud83d`, `["a`)
	f.Fuzz(func(t *testing.T, text, path string) {
		// Whatever the bytes, reading stays inside them.
		v := guest.JSON([]byte(text))
		plainValue(v)
		part := v.Get(path)
		_, _, _ = part.String(), part.Int(), part.Float()
		if json.Valid([]byte(text)) {
			assert.True(t, v.Exists())
		}
	})
}
