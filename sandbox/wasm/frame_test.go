package wasm

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/event"
)

func TestMatchIsWhatEncodingJSONWrites(t *testing.T) {
	var f frame
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		m := abi.Match{
			Tenant: text.Draw(t, "tenant"), Rule: text.Draw(t, "rule"), Version: text.Draw(t, "version"), ID: text.Draw(t, "id"),
			At:      time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "at"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC(),
			Trigger: text.Draw(t, "trigger"),
			Bind:    rapid.MapOf(text, rapid.SliceOfN(text, 0, 3)).Draw(t, "bind"),
		}
		for name, ids := range m.Bind {
			if ids == nil {
				m.Bind[name] = []string{} // an element is never bound to null
			}
		}
		want, err := json.Marshal(m)
		require.NoError(t, err)
		in, err := v1.DecodeInput(f.build(&abi.Call{Match: m}))
		require.NoError(t, err)
		assert.JSONEq(t, string(want), string(in.Match))
	})
}

func TestFrameHasTheWholeEvent(t *testing.T) {
	at := time.Date(2026, 5, 20, 21, 45, 7, 8, time.UTC)
	call := &abi.Call{
		Event: event.Event{
			ID: "e", Source: "s", Type: "t", Subject: "u", Time: at, DataContentType: "text/plain", DataSchema: "d", Data: []byte("x"),
		},
		With: json.RawMessage(`{}`), Attempt: 3, Key: "k",
	}
	for name, v := range map[string]event.Value{
		"bool": event.BoolValue(true), "number": event.NumberValue(1.5), "text": event.StringValue("x"), "time": event.TimeValue(at),
		"list": event.RawValue([]byte("[1]")), "map": event.RawValue([]byte(`{"a":1}`)), "zero": event.NullValue(),
	} {
		call.Event.SetExt(name, v)
	}
	var f frame
	got, err := v1.DecodeInput(f.build(call))
	require.NoError(t, err)
	assert.Equal(t, v1.Event{
		ID: "e", Source: "s", Type: "t", Subject: "u", DataContentType: "text/plain", DataSchema: "d",
		HasTime: true, Sec: at.Unix(), Nsec: 8, Data: []byte("x"),
		Ext: []v1.Attr{
			{Name: "bool", Kind: v1.KindBool, Bits: 1},
			{Name: "list", Kind: v1.KindList, Text: "[1]"},
			{Name: "map", Kind: v1.KindMap, Text: `{"a":1}`},
			{Name: "number", Kind: v1.KindNumber, Bits: math.Float64bits(1.5)},
			{Name: "text", Kind: v1.KindString, Text: "x"},
			{Name: "time", Kind: v1.KindTime, Bits: uint64(at.Unix()), Nsec: 8},
			{Name: "zero", Kind: v1.KindNull},
		},
	}, got.Event)
	assert.True(t, got.HasEvent)
	assert.Equal(t, "{}", string(got.With))
	assert.EqualValues(t, 3, got.Attempt)
	assert.Equal(t, "k", got.Key)

	got, err = v1.DecodeInput(f.build(&abi.Call{}))
	require.NoError(t, err)
	assert.False(t, got.HasEvent)
	assert.Zero(t, got.Event)
}
