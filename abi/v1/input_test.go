package v1_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
)

func TestEveryCutIsAnErrorThatNamesAField(t *testing.T) {
	b := v1.AppendInput(nil, goldenInput())
	for n := range b {
		_, err := v1.DecodeInput(b[:n])
		var e *v1.Error
		require.ErrorAs(t, err, &e, "%d of %d bytes", n, len(b))
		assert.Equal(t, "input", e.Message)
		assert.NotEmpty(t, e.Field)
	}
}

func TestDecodeInputIgnoresLaterFields(t *testing.T) {
	b := append(v1.AppendInput(nil, goldenInput()), "a later minor version"...)
	got, err := v1.DecodeInput(b)
	require.NoError(t, err)
	assert.Equal(t, *goldenInput(), got)
}

func TestDecodeInputRefusesOtherVersions(t *testing.T) {
	b := v1.AppendInput(nil, goldenInput())
	b[0] = 2
	_, err := v1.DecodeInput(b)
	assert.EqualError(t, err, "input: version: is not 1; the bytes are not an input frame of rhost.v1")
}

func TestDecodeInputCannotBeTalkedIntoAllocating(t *testing.T) {
	b := v1.AppendInput(nil, &v1.Input{})
	copy(b[len(b)-4:], "\xff\xff\xff\xff") // four thousand million attributes
	_, err := v1.DecodeInput(b)
	assert.EqualError(t, err, "input: event.ext: counts more attributes than the message has room for")
}

func TestAbsentIsNotEmpty(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   v1.Input
	}{
		{"nothing", v1.Input{}},
		{"empty with", v1.Input{With: []byte{}}},
		{"empty data", v1.Input{HasEvent: true, Event: v1.Event{Data: []byte{}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := v1.DecodeInput(v1.AppendInput(nil, &tt.in))
			require.NoError(t, err)
			assert.Equal(t, tt.in.With == nil, got.With == nil, "with")
			assert.Equal(t, tt.in.Event.Data == nil, got.Event.Data == nil, "data")
		})
	}
}

func TestInputRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawInput(t)
		got, err := v1.DecodeInput(v1.AppendInput(nil, &want))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	})
}

func drawInput(t *rapid.T) v1.Input {
	text := rapid.String()
	in := v1.Input{
		Attempt:  rapid.Uint32().Draw(t, "attempt"),
		Key:      text.Draw(t, "key"),
		Match:    []byte(text.Draw(t, "match")),
		HasEvent: rapid.Bool().Draw(t, "event"),
		Event: v1.Event{
			ID: text.Draw(t, "id"), Source: text.Draw(t, "source"), Type: text.Draw(t, "type"),
			Subject: text.Draw(t, "subject"), DataContentType: text.Draw(t, "content type"), DataSchema: text.Draw(t, "schema"),
			HasTime: rapid.Bool().Draw(t, "time"), Sec: rapid.Int64().Draw(t, "sec"), Nsec: rapid.Uint32().Draw(t, "nsec"),
			JSON: rapid.Bool().Draw(t, "json"),
		},
	}
	if rapid.Bool().Draw(t, "with") {
		in.With = []byte(text.Draw(t, "with text"))
	}
	if rapid.Bool().Draw(t, "data") {
		in.Event.Data = []byte(text.Draw(t, "data text"))
	}
	for range rapid.IntRange(0, 4).Draw(t, "attributes") {
		in.Event.Ext = append(in.Event.Ext, drawAttr(t))
	}
	return in
}

func drawAttr(t *rapid.T) v1.Attr {
	a := v1.Attr{
		Name: rapid.String().Draw(t, "name"),
		Kind: v1.Kind(rapid.IntRange(int(v1.KindNull), int(v1.KindMap)).Draw(t, "kind")),
	}
	switch a.Kind {
	case v1.KindNull:
	case v1.KindBool:
		a.Bits = rapid.Uint64Range(0, 1).Draw(t, "bool")
	case v1.KindNumber:
		a.Bits = rapid.Uint64().Draw(t, "number")
	case v1.KindTime:
		a.Bits, a.Nsec = rapid.Uint64().Draw(t, "sec"), rapid.Uint32().Draw(t, "nsec")
	case v1.KindString, v1.KindList, v1.KindMap:
		a.Text = rapid.String().Draw(t, "text")
	}
	return a
}

// TestNumbersAgreeWithABI ties the wire's numbers to the meanings of package
// abi, which this package does not import.
func TestNumbersAgreeWithABI(t *testing.T) {
	statuses := map[v1.Status]abi.Status{
		v1.StatusOK: abi.StatusOK, v1.StatusNotFound: abi.StatusNotFound, v1.StatusTooSmall: abi.StatusTooSmall,
		v1.StatusDenied: abi.StatusDenied, v1.StatusInvalid: abi.StatusInvalid, v1.StatusConflict: abi.StatusConflict,
		v1.StatusLimit: abi.StatusLimit, v1.StatusTimeout: abi.StatusTimeout, v1.StatusUnavailable: abi.StatusUnavailable,
		v1.StatusInternal: abi.StatusInternal, v1.StatusUnsupported: abi.StatusUnsupported,
	}
	for wire, meaning := range statuses {
		assert.Equal(t, uint32(meaning), uint32(wire), "%v", meaning)
	}
	assert.EqualValues(t, abi.ResultOK, v1.ResultOK)
	assert.EqualValues(t, abi.ResultFail, v1.ResultFail)
	assert.EqualValues(t, abi.ResultRetry, v1.ResultRetry)
	assert.EqualValues(t, abi.ResultDrop, v1.ResultDrop)
}

func TestPack(t *testing.T) {
	st, n := v1.Unpack(v1.Pack(v1.StatusTooSmall, 1<<31+5))
	assert.Equal(t, v1.StatusTooSmall, st)
	assert.Equal(t, 1<<31+5, n)
}

func FuzzDecodeInput(f *testing.F) {
	f.Add(v1.AppendInput(nil, goldenInput()))
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := v1.DecodeInput(b)
		var e *v1.Error
		if err != nil {
			require.True(t, errors.As(err, &e))
			return
		}
		again, err := v1.DecodeInput(v1.AppendInput(nil, &in))
		require.NoError(t, err)
		assert.Equal(t, in, again)
	})
}

func FuzzRequests(f *testing.F) {
	for _, m := range golden() {
		f.Add(m.append)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// Every reader gives a result that appends to the same bytes, or an error.
		for name, m := range golden() {
			if name == "input" {
				continue
			}
			again, err := m.read(b)
			if err == nil && len(again) == len(b) {
				assert.Equal(t, b, again, name)
			}
		}
	})
}

func BenchmarkDecodeInput(b *testing.B) {
	frame := v1.AppendInput(nil, goldenInput())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v1.DecodeInput(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendInput(b *testing.B) {
	in := goldenInput()
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = v1.AppendInput(buf[:0], in)
	}
}
