package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/event"
)

// full has every attribute.
func full() event.Event {
	return event.Event{
		ID: "a\"b", Source: "/s", Type: "t", Subject: "ä😀", Time: time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC),
		DataContentType: "application/json; charset=utf-8", DataSchema: "https://example.com/s",
		Ext: []event.Attr{
			{Name: "a", Value: event.BoolValue(true)},
			{Name: "b", Value: event.NumberValue(-7)},
			{Name: "c", Value: event.StringValue("x\\y")},
		},
		Data: []byte(`{"a":[1,2]}`),
	}
}

func TestAppendJSON(t *testing.T) {
	ev := full()
	require.NoError(t, ev.Validate())
	got := string(ev.AppendJSON([]byte("> ")))
	assert.Equal(t, `> {"specversion":"1.0","id":"a\"b","source":"/s","type":"t","subject":"ä😀","time":"2026-01-02T03:04:05.0000006Z",`+
		`"datacontenttype":"application/json; charset=utf-8","dataschema":"https://example.com/s","a":true,"b":-7,"c":"x\\y","data":{"a":[1,2]}}`, got)

	lines := event.Event{Type: "t", Data: []byte("{\r\n\"a\":\n1}")}
	assert.Equal(t, `{"specversion":"1.0","type":"t","data":{"a":1}}`, string(lines.AppendJSON(nil)))
}

func TestJSONInterfaces(t *testing.T) {
	ev := full()
	b, err := json.Marshal(map[string]any{"e": ev, "p": &ev})
	require.NoError(t, err)
	var back map[string]event.Event
	require.NoError(t, json.Unmarshal(b, &back))
	for _, got := range back {
		assert.True(t, ev.Equal(&got))
	}
	assert.Error(t, json.Unmarshal([]byte(`{"type":"t"}`), &ev))
	assert.Equal(t, "t", ev.Type)
}

func TestEventFromTheWorldRoundTrips(t *testing.T) {
	text := rapid.String().Filter(func(s string) bool { return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < 0x20 }) < 0 })
	name := rapid.StringMatching(`[a-z][a-z0-9]{0,8}x`)
	value := rapid.OneOf(rapid.Map(text, event.StringValue), rapid.Map(rapid.Bool(), event.BoolValue),
		rapid.Map(rapid.Int32(), func(i int32) event.Value { return event.NumberValue(float64(i)) }))
	rapid.Check(t, func(t *rapid.T) {
		ev := event.Event{ID: text.Draw(t, "id"), Source: "/s", Type: text.Draw(t, "type")}
		if rapid.Bool().Draw(t, "timed") {
			ev.Time = time.Unix(rapid.Int64Range(-62135596800+1, 253402300799).Draw(t, "sec"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).UTC()
		}
		for n, v := range rapid.MapOfN(name, value, 0, 4).Draw(t, "ext") {
			ev.SetExt(n, v)
		}
		switch rapid.IntRange(0, 3).Draw(t, "data") {
		case 1:
			ev.Data = event.ValueOf(genJSON(2).Draw(t, "doc")).AppendJSON(nil)
		case 2:
			ev.DataContentType, ev.Data = "text/plain", []byte(rapid.String().Draw(t, "text"))
		case 3:
			ev.DataContentType, ev.Data = "application/x", rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		}
		require.NoError(t, ev.Validate())
		back, err := event.Parse(ev.AppendJSON(nil))
		require.NoError(t, err, "%s", ev.AppendJSON(nil))
		if len(ev.Data) == 0 && ev.Data != nil {
			require.Empty(t, back.Data)
			back.Data = ev.Data
		}
		require.True(t, ev.Equal(&back), "%s", ev.AppendJSON(nil))

		back, rest, err := event.DecodeBinary(append(ev.AppendBinary([]byte("x")), "rest"...)[1:])
		require.NoError(t, err)
		require.Equal(t, "rest", string(rest))
		require.True(t, ev.Equal(&back))
		clone := ev.Clone()
		require.True(t, ev.Equal(&clone))
	})
}

func TestBinary(t *testing.T) {
	ev := full()
	ev.SetExt("d", event.TimeValue(ev.Time))
	ev.SetExt("e", event.NullValue())
	b := ev.AppendBinary(nil)
	assert.Less(t, len(b), len(ev.AppendJSON(nil)))
	got, rest, err := event.DecodeBinary(b)
	require.NoError(t, err)
	assert.Empty(t, rest)
	assert.Equal(t, ev, got)
	for n := range b {
		_, rest, err := event.DecodeBinary(b[:n])
		var bad *event.SyntaxError
		require.ErrorAs(t, err, &bad)
		assert.Len(t, rest, n)
	}
	b[0] = 2
	_, _, err = event.DecodeBinary(b)
	assert.ErrorContains(t, err, "it was written by a later release")
	_, _, err = event.DecodeBinary([]byte{1, 0x10, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	assert.Error(t, err, "a count beyond the bytes")
}

func FuzzDecodeBinary(f *testing.F) {
	ev := full()
	f.Add(ev.AppendBinary(nil))
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		ev, _, err := event.DecodeBinary(b)
		if err != nil {
			return
		}
		again, rest, err := event.DecodeBinary(ev.AppendBinary(nil))
		require.NoError(t, err)
		assert.Empty(t, rest)
		assert.Equal(t, ev.AppendBinary(nil), again.AppendBinary(nil))
		_ = ev.Validate()
		_ = ev.AppendJSON(nil)
		_ = ev.Get(event.PathOf("data", "a"))
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(login))
	ev := full()
	f.Add(ev.AppendJSON(nil))
	f.Add([]byte(with(`,"data_base64":"AA==","x":1`)))
	f.Add([]byte(with(`,"\u0078":null,"data":"x","datacontenttype":"text/a"`)))
	f.Add([]byte("[" + with("") + "," + with(`,"time":"2026-01-01T00:00:00+01:00"`) + "]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		ev, err := event.Parse(b)
		batch, batchErr := event.ParseBatch(append(append([]byte("["), b...), ']'))
		if err != nil {
			var syntax *event.SyntaxError
			var field *event.FieldError
			require.True(t, errors.As(err, &syntax) || errors.As(err, &field), "%T", err)
			require.Zero(t, ev)
			return
		}
		require.True(t, json.Valid(b))
		require.NoError(t, ev.Validate())
		require.NoError(t, batchErr)
		require.Len(t, batch, 1)
		require.True(t, ev.Equal(&batch[0]))
		text := ev.AppendJSON(nil)
		require.NotContains(t, string(text), "\n")
		again, err := event.Parse(text)
		require.NoError(t, err, "%s", text)
		require.Equal(t, text, again.AppendJSON(nil))
	})
}

func FuzzParseBatch(f *testing.F) {
	f.Add([]byte("[" + with("") + ",{}," + with(`,"a":{}`) + "]"))
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		evs, err := event.ParseBatch(b)
		if err != nil {
			require.Nil(t, evs)
			require.NotEmpty(t, err.Error())
			return
		}
		require.True(t, json.Valid(b))
		for i := range evs {
			require.NoError(t, evs[i].Validate())
		}
	})
}

func TestCloneKeepsNothingElse(t *testing.T) {
	text := []byte(login)
	ev, err := event.Parse(text)
	require.NoError(t, err)
	c := ev.Clone()
	clear(text)
	assert.Equal(t, "auth.failure", c.Type)
	assert.Equal(t, "alice", c.Get(event.PathOf("data", "user")).Str())
	var empty event.Event
	assert.Equal(t, event.Event{}, empty.Clone())
}

func TestValidate(t *testing.T) {
	ev := event.Event{
		Source: "a b", Type: "x\ny", Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), DataContentType: "json", DataSchema: "x", Subject: "\xff",
		Ext: []event.Attr{{"b", event.NumberValue(0.5)}, {"a", event.RawValue([]byte("[]"))}, {"Up", event.BoolValue(true)}, {"type", event.BoolValue(true)}, {"x_", event.Value{}}},
	}
	err := ev.Validate()
	for _, want := range []string{
		"id: is missing", "source: has a space", "type: has the control character", "time: is in year 10000", "datacontenttype: \"json\" is not a media type",
		"dataschema: \"x\" is not an absolute URI", "subject: is not valid UTF-8", "b: is not a whole number", "a: is a list", "a: extensions are not sorted",
		"Up: is not a CloudEvents attribute: names are lower case; write up", "type: is the name of an attribute of CloudEvents itself", "x_: cannot be the name",
	} {
		assert.ErrorContains(t, err, want)
	}
	big := event.Event{ID: "1", Source: "/s", Type: "t", DataContentType: "a/b", Data: make([]byte, event.MaxSize)}
	assert.ErrorContains(t, big.Validate(), "over the limit of 1048576; send a reference")
}

func TestSetExtCopies(t *testing.T) {
	var a event.Event
	a.SetExt("b", event.NumberValue(1))
	b := a
	b.SetExt("a", event.NumberValue(2))
	b.SetExt("b", event.NumberValue(3))
	assert.Equal(t, 1.0, a.Lookup("b").Number())
	assert.Equal(t, 3.0, b.Lookup("b").Number())
	assert.Equal(t, "a", b.Ext[0].Name)
	assert.Equal(t, event.Missing, a.Lookup("a").Kind())
}

func TestValue(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, tt := range []struct {
		in   any
		kind event.Kind
		json string
		str  string
	}{
		{nil, event.Null, `null`, `null`},
		{true, event.Bool, `true`, `true`},
		{7, event.Number, `7`, `7`},
		{int64(-7), event.Number, `-7`, `-7`},
		{uint64(7), event.Number, `7`, `7`},
		{int32(7), event.Number, `7`, `7`},
		{uint32(7), event.Number, `7`, `7`},
		{float32(0.5), event.Number, `0.5`, `0.5`},
		{1e21, event.Number, `1e+21`, `1e+21`},
		{uint8(7), event.Number, `7`, `7`},
		{json.Number("1.25"), event.Number, `1.25`, `1.25`},
		{math.NaN(), event.Number, `null`, `null`},
		{"a\"\x01\xff\n\r\t", event.String, `"a\"\u0001` + "\ufffd" + `\n\r\t"`, "a\"\x01\xff\n\r\t"},
		{now, event.Time, `"2026-01-02T03:04:05.000000006Z"`, `2026-01-02T03:04:05.000000006Z`},
		{[]int{1, 2}, event.List, `[1,2]`, `[1,2]`},
		{struct{ A []string }{[]string{"x"}}, event.Map, `{"A":["x"]}`, `{"A":["x"]}`},
		{event.StringValue("x"), event.String, `"x"`, `x`},
		{make(chan int), event.Missing, `null`, `<missing>`},
	} {
		v := event.ValueOf(tt.in)
		assert.Equal(t, tt.kind, v.Kind(), "%v", tt.in)
		assert.Equal(t, tt.json, string(v.AppendJSON(nil)))
		assert.Equal(t, tt.str, v.String())
		assert.NotEmpty(t, v.Kind().String())
		b, err := json.Marshal(v)
		require.NoError(t, err)
		assert.True(t, json.Valid(b))
	}
	assert.Equal(t, now, event.TimeValue(now.In(time.FixedZone("", 3600))).Any())
	assert.True(t, event.ValueOf(map[string]any{"a": []any{1, "x"}, "b": nil}).Equal(event.RawValue([]byte(` {"b": null, "a":[1.0,"\u0078"]}`))))
	for _, pair := range [][2]string{{`[1]`, `[2]`}, {`[1]`, `[1,2]`}, {`{"a":1}`, `{"b":1}`}, {`{"a":1}`, `{"a":1,"b":2}`}, {`[[1]]`, `[1]`}, {`[{}]`, `[1]`}, {`1`, `"1"`}, {`null`, `x`}} {
		assert.False(t, event.RawValue([]byte(pair[0])).Equal(event.RawValue([]byte(pair[1]))), pair)
	}
	assert.False(t, event.ValueOf(math.NaN()).Equal(event.ValueOf(math.NaN())))
	assert.True(t, event.Value{}.Equal(event.Value{}))
	wrong := event.NullValue()
	assert.Equal(t, []any{false, 0.0, "", time.Time{}, []byte(nil)}, []any{wrong.Bool(), wrong.Number(), wrong.Str(), wrong.Time(), wrong.Raw()})
}

func TestNewID(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	a, b := event.NewID(at), event.NewID(at.Add(time.Microsecond))
	assert.Less(t, a, b)
	assert.NotEqual(t, a, event.NewID(at))
	u, err := uuid.Parse(a)
	require.NoError(t, err)
	assert.Equal(t, uuid.Version(7), u.Version())
	assert.Equal(t, uuid.RFC4122, u.Variant())
	sec, ns := u.Time().UnixTime()
	assert.WithinDuration(t, at, time.Unix(sec, ns), time.Millisecond)
}

// small reads one byte at a time, or fails.
type small struct {
	b   []byte
	err error
}

func (r *small) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, r.err
	}
	p[0], r.b = r.b[0], r.b[1:]
	return 1, nil
}

func TestReader(t *testing.T) {
	long := strings.Repeat("x", 50)
	in := "\ufeff{\"a\":1}\r\n\n  \r\nb\n" + long + "\n\xff\nlast"
	for name, r := range map[string]*event.Reader{
		"at once":  event.NewReader(strings.NewReader(in), 40),
		"by bytes": event.NewReader(&small{[]byte(in), errEOF}, 40),
	} {
		line, text, err := r.Next()
		require.NoError(t, err, name)
		assert.Equal(t, 1, line)
		assert.Equal(t, `{"a":1}`, string(text))
		keep := text
		line, text, err = r.Next()
		require.NoError(t, err)
		assert.Equal(t, 4, line)
		assert.Equal(t, "b", string(text))
		_, text, err = r.Next()
		assert.EqualError(t, err, "line 5: longer than 40 bytes; split the event, or send a reference to its payload")
		var bad *event.LineError
		require.ErrorAs(t, err, &bad)
		assert.Equal(t, int64(strings.Index(in, long)), bad.Offset)
		assert.Contains(t, long, string(text))
		line, text, err = r.Next()
		assert.EqualError(t, err, "line 6: invalid UTF-8; write the stream as UTF-8")
		assert.Equal(t, 6, line)
		assert.Equal(t, "\xff", string(text))
		assert.True(t, r.Complete())
		_, text, err = r.Next()
		require.NoError(t, err)
		assert.Equal(t, "last", string(text))
		assert.False(t, r.Complete())
		_, _, err = r.Next()
		assert.Equal(t, errEOF, err)
		assert.Equal(t, `{"a":1}`, string(keep))
	}
	_, _, err := event.NewReader(&small{err: errors.ErrUnsupported}, 0).Next()
	assert.Equal(t, errors.ErrUnsupported, err)
}

func TestReaderLongLines(t *testing.T) {
	var in bytes.Buffer
	for i := range 40 {
		in.WriteString(strings.Repeat(string(rune('a'+i%26)), 10_000*i))
		in.WriteByte('\n')
	}
	in.WriteString(strings.Repeat("z", 3<<20))
	r := event.NewReader(&in, 1<<20)
	for i := 1; i < 40; i++ {
		line, text, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, i+1, line)
		require.Len(t, text, 10_000*i)
	}
	_, _, err := r.Next()
	assert.ErrorContains(t, err, "line 41: longer than 1048576 bytes")
	assert.False(t, r.Complete())
	_, _, err = r.Next()
	assert.Equal(t, errEOF, err)
}

var errEOF = io.EOF
