package form_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/host/form"
)

var errDamaged = errors.New("damaged")

func stream(b []byte) *form.Stream {
	return &form.Stream{R: bufio.NewReader(bytes.NewReader(b)), Most: 1 << 30, Damaged: errDamaged}
}

// TestRoundTrip: both readers read what is written in either way.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64().Draw(t, "n")
		text := rapid.String().Draw(t, "text")
		raw := rapid.SampledFrom([][]byte{nil, {}, []byte("{}"), make([]byte, 3<<20)}).Draw(t, "raw")
		at := time.Unix(rapid.Int64Range(-form.LatestSecond, form.LatestSecond).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
		if rapid.Bool().Draw(t, "no time") {
			at = time.Time{}
		}
		b := binary.AppendUvarint(nil, n)
		b = form.AppendTime(form.AppendRaw(form.AppendText(b, text), raw), at)
		var out bytes.Buffer
		w := form.Writer{W: bufio.NewWriter(&out)}
		w.Uint(n)
		w.Text(text)
		w.Raw(raw)
		w.Time(at)
		require.NoError(t, w.W.Flush())
		require.NoError(t, w.Err())
		require.True(t, bytes.Equal(b, out.Bytes()))

		r := form.NewReader(b)
		require.Equal(t, []any{n, text, raw, at}, []any{r.Uint(), r.Text(), r.Raw(), r.Time()})
		r.End()
		require.NoError(t, r.Err())
		s := stream(b)
		require.Equal(t, []any{n, text, raw, at}, []any{s.Uint(), s.Text(), s.Raw(), s.Time()})
		require.NoError(t, s.Err())
	})
}

// TestMistakes: the first one sticks, and is named.
func TestMistakes(t *testing.T) {
	r := form.NewReader(form.AppendText(nil, "text")[:3])
	assert.Empty(t, r.Text())
	assert.Zero(t, r.Uint())
	assert.True(t, r.Time().IsZero())
	require.EqualError(t, r.Err(), "it is cut short")
	r = form.NewReader([]byte{1, 2})
	r.Byte()
	r.End()
	require.EqualError(t, r.Err(), "1 bytes too many")
	r = form.NewReader([]byte{3, 0, 0})
	assert.Zero(t, r.Count(1, "things"))
	require.EqualError(t, r.Err(), "3 things")
	late := binary.AppendVarint([]byte{1}, form.LatestSecond+1)
	r = form.NewReader(late)
	assert.True(t, r.Time().IsZero())
	require.EqualError(t, r.Err(), "a time of 253402300801 s and 1 ns")

	s := stream(form.AppendText(nil, "text")[:3])
	assert.Empty(t, s.Text())
	s.Fail("later")
	require.EqualError(t, s.Err(), "damaged: it ends too early")
	require.ErrorIs(t, s.Err(), errDamaged)
	s = stream(binary.AppendUvarint(nil, math.MaxUint64))
	assert.Nil(t, s.Bytes())
	require.EqualError(t, s.Err(), "damaged: 18446744073709551615 where at most 1073741824 may be")
	s = stream(late)
	assert.True(t, s.Time().IsZero())
	require.EqualError(t, s.Err(), "damaged: a time of 253402300801 s and 1 ns")
	s = &form.Stream{R: bufio.NewReader(iotest.ErrReader(io.ErrClosedPipe)), Damaged: errDamaged}
	s.Each(func() { t.Fatal("there is nothing") })
	require.ErrorIs(t, s.Err(), io.ErrClosedPipe)
	require.ErrorIs(t, s.Err(), errDamaged)
}

// TestLengthTakesNoMemory: a length is not believed before the bytes are there.
func TestLengthTakesNoMemory(t *testing.T) {
	b := append(binary.AppendUvarint(nil, 1<<29), make([]byte, 100)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := stream(b)
	assert.Nil(t, s.Bytes())
	runtime.ReadMemStats(&after)
	require.EqualError(t, s.Err(), "damaged: it ends too early")
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
}
