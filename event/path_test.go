package event_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
)

func TestParsePath(t *testing.T) {
	for in, want := range map[string][]string{
		"type":                       {"type"},
		"source":                     {"source"},
		"subject":                    {"subject"},
		"time":                       {"time"},
		"id":                         {"id"},
		"ext.region":                 {"ext", "region"},
		`ext["1st"]`:                 {"ext", "1st"},
		"ext.1st":                    {"ext", "1st"},
		"data":                       {"data"},
		"data.user.name":             {"data", "user", "name"},
		"data.items[0].id":           {"data", "items", "[0]", "id"},
		"data[12]":                   {"data", "[12]"},
		`data["odd key"]['a.b'].c`:   {"data", "odd key", "a.b", "c"},
		`data["a\"b]"]["é"]`:         {"data", `a"b]`, "é"},
		`data['it\'s "x"']`:          {"data", `it's "x"`},
		`data["plain"]["_x9"]["9x"]`: {"data", "plain", "_x9", "9x"},
		`data[""]`:                   {"data", ""},
		`data["0"]`:                  {"data", "0"},
	} {
		p, err := event.ParsePath(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, p.Parts(), in)
		again, err := event.ParsePath(p.String())
		require.NoError(t, err, p.String())
		assert.Equal(t, p, again)
	}
	a, err := event.ParsePath(`data["user"]['name']`)
	require.NoError(t, err)
	assert.Equal(t, "data.user.name", a.String())
	assert.Equal(t, event.PathOf("data", "user", "name"), a)
	assert.Equal(t, []event.Step{{Key: "a", Index: -1}, {Index: 3}}, event.PathOf("data", "a").At(3).Steps())
	assert.Equal(t, `data["[0]"]`, event.PathOf("data", "[0]").String())
	assert.True(t, event.Path{}.IsZero())
	assert.Nil(t, event.Path{}.Parts())
}

func TestParsePathErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  `starts with none of type, source, subject, time, id, data, ext; a payload field is written data.NAME`,
		"user.name":                         `starts with none of`,
		"datax":                             `starts with none of`,
		"type.x":                            `type has no fields; use type alone`,
		"ext":                               `names no extension; write ext.NAME`,
		"ext[0]":                            `names no extension`,
		"ext.a.b":                           `an extension attribute has no fields; use ext.a alone`,
		"ext.Zone":                          `only a-z and 0-9 can`,
		"data.":                             `no plain name after the dot`,
		"data..a":                           `no plain name after the dot`,
		"data.user-name":                    `"user-name" is not a plain name; write it as ["NAME"]`,
		"data.0":                            `.0 is neither a name nor an index; write ["0"] for a key, [0] for a list index`,
		"data.1st":                          `write ["1st"] for a key`,
		"data[":                             `expected a list index or a quoted name`,
		"data[-1]":                          `expected a list index or a quoted name`,
		"data[1":                            `expected a list index or a quoted name`,
		"data[99999999999]":                 `list index 99999999999 is too large`,
		`data["a`:                           `does not close`,
		`data["a"`:                          `does not close`,
		`data["a\`:                          `does not close`,
		`data["\q"]`:                        `is not a quoted name`,
		`data["a"]x`:                        `expected a dot or a bracket before "x"`,
		"data.ä":                            `no plain name`,
		"data.a b":                          `is not a plain name`,
		"data" + strings.Repeat(".a", 4000): `the limit is 4096`,
	} {
		_, err := event.ParsePath(in)
		if assert.Error(t, err, in) {
			assert.Contains(t, err.Error(), want, in[:min(len(in), 100)])
		}
	}
}

func TestPathText(t *testing.T) {
	var p event.Path
	require.NoError(t, p.UnmarshalText([]byte("data.a")))
	b, err := p.MarshalText()
	require.NoError(t, err)
	assert.Equal(t, "data.a", string(b))
	assert.Error(t, p.UnmarshalText([]byte("x")))
	assert.Equal(t, "data.a", p.String())
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"type", "data.a[0]", `data["a\"b"]['c']`, "ext.9a", `data["\u00e9\xff"]`, "data.a.b[7].c", `data['\'"\"']`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := event.ParsePath(s)
		if err != nil {
			return
		}
		again, err := event.ParsePath(p.String())
		require.NoError(t, err)
		assert.Equal(t, p, again)
		built := event.PathOf(p.Root())
		for _, st := range p.Steps() {
			if st.Index >= 0 {
				built = built.At(st.Index)
			} else {
				built = built.Field(st.Key)
			}
		}
		assert.Equal(t, p, built)
		ev := event.Event{Data: []byte(`{"a":[{"b":1}]}`)}
		assert.True(t, ev.Get(p).Equal(event.NewPathSet([]event.Path{p}).Scan(&ev, nil)[0]))
	})
}
