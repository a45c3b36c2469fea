package event_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
)

// with gives a small valid event with more members.
func with(members string) string {
	return `{"specversion":"1.0","id":"1","source":"/s","type":"t"` + members + `}`
}

func TestParse(t *testing.T) {
	ev, err := event.Parse([]byte(login))
	require.NoError(t, err)
	assert.Equal(t, "8f14e45f-ceea-467f-9575-7d3c1a2b4c5d", ev.ID)
	assert.Equal(t, "/auth/eu-1", ev.Source)
	assert.Equal(t, "auth.failure", ev.Type)
	assert.Equal(t, time.Date(2026, 1, 1, 0, 0, 7, 250e6, time.UTC), ev.Time)
	assert.True(t, ev.IsJSON())
	assert.Equal(t, byte('{'), ev.Data[0])
	assert.NoError(t, ev.Validate())
}

func TestParseAttributes(t *testing.T) {
	ev, err := event.Parse([]byte(with(`,"zone":"b","area":7,"ok":true,"subject":"a\u00e4\n"`)))
	require.Error(t, err, "a control character in an attribute")
	assert.ErrorContains(t, err, "subject")
	assert.Empty(t, ev)

	ev, err = event.Parse([]byte(with(`,"zone":"b","area":7,"ok":true,"none":null,"subject":"a\u00e4\ud83d\ude00"`)))
	require.NoError(t, err)
	assert.Equal(t, "aä😀", ev.Subject)
	assert.Equal(t, []event.Attr{
		{Name: "area", Value: event.NumberValue(7)},
		{Name: "ok", Value: event.BoolValue(true)},
		{Name: "zone", Value: event.StringValue("b")},
	}, ev.Ext)
}

func TestParseData(t *testing.T) {
	for _, tt := range []struct{ name, members, data, contentType string }{
		{"none", ``, "", ""},
		{"raw", `,"data": {"a" : 1} `, `{"a" : 1}`, ""},
		{"null", `,"data":null`, `null`, ""},
		{"text", `,"data":"a\"b","datacontenttype":"text/plain"`, `a"b`, "text/plain"},
		{"JSON text", `,"data":"ab","datacontenttype":"application/json"`, `"ab"`, "application/json"},
		{"suffix", `,"datacontenttype":"application/vnd.x+json; charset=utf-8","data":[1]`, `[1]`, "application/vnd.x+json; charset=utf-8"},
		{"bytes", `,"data_base64":"AAH/"`, "\x00\x01\xff", "application/octet-stream"},
		{"JSON in bytes", `,"data_base64":"WzFd","datacontenttype":"text/json"`, "[1]", "text/json"},
	} {
		ev, err := event.Parse([]byte(with(tt.members)))
		require.NoError(t, err, tt.name)
		assert.Equal(t, tt.data, string(ev.Data), tt.name)
		assert.Equal(t, tt.contentType, ev.DataContentType, tt.name)
		again, err := event.Parse(ev.AppendJSON(nil))
		require.NoError(t, err, tt.name)
		assert.True(t, ev.Equal(&again), "%s: %s", tt.name, ev.AppendJSON(nil))
	}
}

func TestParseErrors(t *testing.T) {
	deep := strings.Repeat("[", 63) + strings.Repeat("]", 63)
	_, err := event.Parse([]byte(with(`,"data":` + deep)))
	require.NoError(t, err, "63 levels in the event's own")

	for _, tt := range []struct{ in, want string }{
		{``, `the JSON ends where {, the start of an event, should follow at offset 0; the event is cut; send it whole`},
		{`[1]`, `unexpected '[' where {, the start of an event, should be at offset 0`},
		{`{}`, `specversion: is missing, and so is id, source, type (offset 0); every event needs specversion ("1.0"), id, source and type`},
		{`{"specversion":"1.0","id":"1","source":"/s"}`, `type: is missing (offset 0); every event needs`},
		{`{"specversion":"0.3","id":"1","source":"/s","type":"t"}`, `specversion: "0.3" is not supported (offset 15); send CloudEvents 1.0`},
		{with(`,"time":"yesterday"`), `time: "yesterday" is not an RFC 3339 time (offset 62); write it as 2026-01-02T15:04:05Z`},
		{with(`,"time":"2026-01-02T1:04:05Z"`), `time: `},
		{with(`,"time":5`), `time: must be a text, is 5 (offset 62); put it into quotes`},
		{with(`,"subject":""`), `subject: is empty (offset 65); give it a text or leave it out`},
		{with(`,"id":"2"`), `the key "id" is there twice at offset 55; keep one of them`},
		{with(`,"data":{"a":1,"b":{"a":2},"\u0061":3}`), `the key "a" is there twice at offset 81`},
		{with(`,"data":1,"data_base64":"AA=="`), `data_base64: is there beside data (offset 78); send one of them`},
		{with(`,"data_base64":"?"`), `data_base64: is not base64 (offset 69)`},
		{with(`,"data_base64":"Zm9v","datacontenttype":"application/json"`), `data_base64: does not hold JSON, though datacontenttype says "application/json": unexpected 'f'`},
		{with(`,"data":{},"datacontenttype":"text/xml"`), `data: is JSON, though datacontenttype says "text/xml" (offset 62); send it as a text or in data_base64`},
		{with(`,"datacontenttype":"json"`), `datacontenttype: "json" is not a media type (offset 73); write it as type/subtype`},
		{with(`,"dataschema":"x"`), `dataschema: "x" is not an absolute URI`},
		{`{"specversion":"1.0","id":"1","source":"a b","type":"t"}`, `source: has a space; it is a URI reference (offset 39); write %20 for the space`},
		{with(`,"Subject":"x"`), `Subject: is not a CloudEvents attribute: names are lower case (offset 65); write subject`},
		{with(`,"user_id":"x"`), `user_id: cannot be the name of an attribute, which is of a-z and 0-9 (offset 65); rename it, or move it into data`},
		{with(`,"ext":{"a":1}`), `ext: is a map; extension attributes are texts, booleans or whole numbers (offset 61); move it into data`},
		{with(`,"ext":1.5`), `ext: is not a whole number`},
		{with(`,"data":{"a":01}`), `unexpected '1' where a comma or } should be at offset 68`},
		{with(`,"data":1e999`), `number out of the range of a double at offset 62`},
		{with(`,"data":"a` + "\n" + `"`), `raw control character 0x0a in a text at offset 64`},
		{with(`,"data":"\x"`), `bad escape in a text at offset 63`},
		{with(`,"data":"` + "\xff" + `"`), `invalid UTF-8 byte 0xff at offset 63`},
		{with(`,"data":[` + deep + `]`), `JSON nested deeper than 64 levels at offset 125; flatten the payload`},
		{with(`,"data":[1,]`), `unexpected ']' where a value should be`},
		{with(``)[:40], `the JSON ends where`},
		{with(``) + `x`, `unexpected 'x' where the end of the event should be at offset 55`},
		{with(`,"data":"` + strings.Repeat("x", event.MaxSize) + `"`), `the event has 1048641 bytes, over the limit of 1048576, at offset 0`},
	} {
		_, err := event.Parse([]byte(tt.in))
		if assert.Error(t, err, tt.in) {
			assert.Contains(t, err.Error(), tt.want, tt.in[:min(len(tt.in), 200)])
		}
	}
}

func TestParseManyKeys(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, `"k%d":{"a":1,"b":2},`, i)
	}
	start := time.Now()
	_, err := event.Parse([]byte(with(`,"data":{` + b.String() + `"last":0}`)))
	require.NoError(t, err)
	_, err = event.Parse([]byte(with(`,"data":{` + b.String() + `"k7":0}`)))
	assert.ErrorContains(t, err, `"k7" is there twice`)
	assert.Less(t, time.Since(start), 2*time.Second)
}

func TestParseLoose(t *testing.T) {
	ev, err := event.ParseLoose([]byte(`{"type":"t"}`))
	require.NoError(t, err)
	assert.Equal(t, event.Event{Type: "t"}, ev)
	_, err = event.ParseLoose([]byte(`{"id":"1"}`))
	assert.EqualError(t, err, "type: is missing (offset 0); every event needs a type")
	_, err = event.ParseLoose([]byte(`{"type":"t","time":"x"}`))
	assert.Error(t, err)
}

func TestParseBatch(t *testing.T) {
	evs, err := event.ParseBatch([]byte(` [ ` + with(``) + ` , ` + with(`,"data":1`) + `]` + "\n"))
	require.NoError(t, err)
	require.Len(t, evs, 2)
	assert.Equal(t, "1", string(evs[1].Data))

	evs, err = event.ParseBatch([]byte(`[]`))
	require.NoError(t, err)
	assert.Empty(t, evs)

	_, err = event.ParseBatch([]byte(`[` + with(``) + `,{},` + with(`,"time":1`) + `]`))
	var bad *event.BatchError
	require.ErrorAs(t, err, &bad)
	assert.Equal(t, []int{1, 2}, bad.Indices())
	assert.ErrorContains(t, err, "event 1: specversion: is missing")
	assert.ErrorContains(t, err, "event 2: time: must be a text, is 1 (offset 122)")
	var field *event.FieldError
	assert.ErrorAs(t, err, &field)

	_, err = event.ParseBatch([]byte(`[` + with(``) + `,{"id":]`))
	require.ErrorAs(t, err, &bad)
	assert.Equal(t, []int{1}, bad.Indices())
	for _, in := range []string{``, `{}`, `[] x`, `[{}`, "[\"\xff\"]"} {
		_, err = event.ParseBatch([]byte(in))
		assert.Error(t, err, in)
	}
}
