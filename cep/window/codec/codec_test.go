package codec_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/window/codec"
	"github.com/rhost/rhost/event"
)

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, f := rapid.Uint64().Draw(t, "n"), rapid.Float64().Draw(t, "f")
		text := rapid.String().Draw(t, "text")
		at := time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "sec"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC()
		values := []event.Value{
			{},
			event.NullValue(), event.BoolValue(true), event.BoolValue(false), event.NumberValue(f),
			event.StringValue(text), event.TimeValue(at), event.ValueOf([]any{text, f}), event.ValueOf(map[string]any{text: n}),
		}
		b := codec.AppendFloat(codec.AppendUint(nil, n), f)
		b = codec.AppendTime(codec.AppendText(b, text), at)
		for _, v := range values {
			b = codec.AppendValue(b, v)
		}
		b = append(b, 1, 'r')
		r := codec.NewReader(b)
		assert.Equal(t, n, r.Uint())
		assert.Equal(t, f, r.Float())
		assert.Equal(t, text, string(r.Text(1<<16)))
		assert.Equal(t, at, r.Time())
		for _, v := range values {
			got := r.Value(1 << 16)
			assert.True(t, v.Equal(got), "want %v, got %v", v, got)
		}
		assert.True(t, r.Bool())
		require.NoError(t, r.Err())
		assert.Equal(t, "r", string(r.Rest()))
	})
}

func TestBadBytes(t *testing.T) {
	for name, tt := range map[string]struct {
		b    []byte
		read func(r *codec.Reader)
		want string
	}{
		"nothing":         {nil, func(r *codec.Reader) { r.Byte() }, "byte 0: cut short"},
		"half a float":    {make([]byte, 7), func(r *codec.Reader) { r.Float() }, "byte 0: cut short"},
		"no number":       {[]byte{0x80}, func(r *codec.Reader) { r.Uint() }, "byte 0: no whole number"},
		"above a limit":   {[]byte{9}, func(r *codec.Reader) { r.Int(8) }, "byte 1: 9 is above 8"},
		"a long list":     {[]byte{200, 1, 0}, func(r *codec.Reader) { r.Len(1000) }, "byte 2: a list of 200 items in 1 bytes"},
		"half a text":     {[]byte{3, 'a'}, func(r *codec.Reader) { r.Text(8) }, "byte 1: a list of 3 items in 1 bytes"},
		"nanoseconds":     {codec.AppendUint([]byte{0}, 1e9), func(r *codec.Reader) { r.Time() }, "a time that cannot be"},
		"far away":        {codec.AppendTime(nil, time.Unix(math.MaxInt32<<16, 0)), func(r *codec.Reader) { r.Time() }, "a time that cannot be"},
		"no time":         {nil, func(r *codec.Reader) { r.Time() }, "byte 0: no time"},
		"kind":            {[]byte{99}, func(r *codec.Reader) { r.Value(8) }, "byte 1: a value of unknown kind 99"},
		"a broken list":   {codec.AppendText([]byte{byte(event.List)}, "[1"), func(r *codec.Reader) { r.Value(8) }, "a list or map that is not JSON"},
		"flag":            {[]byte{2}, func(r *codec.Reader) { r.Bool() }, "byte 1: a flag that is neither 0 nor 1"},
		"the first error": {[]byte{2}, func(r *codec.Reader) { r.Bool(); r.Float(); r.Fail("later") }, "byte 1: a flag"},
	} {
		t.Run(name, func(t *testing.T) {
			r := codec.NewReader(tt.b)
			tt.read(r)
			require.ErrorContains(t, r.Err(), tt.want)
			assert.Zero(t, r.Uint(), "nothing follows an error")
		})
	}
}
