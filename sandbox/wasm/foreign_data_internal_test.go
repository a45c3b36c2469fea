package wasm

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/abi"
)

// Whatever a guest gives, its output is JSON that says the same, or nothing.
func TestForeignOutput(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"null", "null"},
		{" {\"a\": 1}", " {\"a\": 1}"},
		{"{\"a\": 1", `"{\"a\": 1"`},
		{"1 2", `"1 2"`},
		{"NaN", `"NaN"`},
		{"\xff\x00", `{"base64":"/wA="}`},
		{"\"\xff\"", `{"base64":"Iv8i"}`},
	} {
		out, err := foreignOutput([]byte(tt.text), 100)
		require.NoError(t, err)
		assert.Equal(t, tt.want, string(out), "%q", tt.text)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) })).Draw(t, "text")
		out, err := foreignOutput(text, 10<<10)
		require.NoError(t, err)
		if len(text) == 0 {
			require.Nil(t, out)
			return
		}
		require.True(t, json.Valid(out))
		if utf8.Valid(text) && !json.Valid(text) {
			var said string
			require.NoError(t, json.Unmarshal(out, &said))
			require.Equal(t, string(text), said)
		}
	})
}

// A variable is read as it was set, through JSON that holds any bytes.
func TestVariablesAsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 1, 50), rapid.Map(rapid.StringN(1, 50, -1), func(s string) []byte { return []byte(s) })).Draw(t, "value")
		stored := varJSON(value)
		require.True(t, json.Valid(stored))
		require.Equal(t, value, varBytes(stored))
	})
	assert.Nil(t, varJSON(nil), "nothing deletes the key")
	for stored, want := range map[string]string{`12.5`: "12.5", `{"a":1}`: `{"a":1}`, `null`: "", `{"base64":"?"}`: `{"base64":"?"}`} {
		assert.Equal(t, want, string(varBytes(json.RawMessage(stored))), stored)
	}
}

func TestArgumentsOfTheStep(t *testing.T) {
	for _, tt := range []struct {
		with string
		want arguments
	}{
		{"", arguments{export: "own"}},
		{`{"other":1,"Export":"x"}`, arguments{export: "own"}},
		{`{"export":"step","input":null}`, arguments{export: "step", given: true}},
		{`{"input":"a\u0000b","args":["x",1,true,null,["y"]]}`, arguments{export: "own", given: true, input: []byte("a\x00b"), args: []string{"x", "1", "true", "", `["y"]`}}},
		{`{"input":[1, 2]}`, arguments{export: "own", given: true, input: []byte("[1, 2]")}},
	} {
		a, err := readArguments(&abi.Call{Export: "own", With: json.RawMessage(tt.with)})
		require.NoError(t, err)
		assert.Equal(t, tt.want, a, tt.with)
	}
}
