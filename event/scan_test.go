package event_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/event"
)

func TestScan(t *testing.T) {
	ev := mustParse(t, `{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-01-01T00:00:07Z","zone":"b","n":7,
		"data": {"user" : {"name":"al\u0069ce","tags":["a",{"k":-1.5e3},[ ]]}, "odd key":null, "":true, "n":12345678901234567890, "big":{"x":[1,2]}}}`)
	tests := []struct {
		path string
		want any
		kind event.Kind
	}{
		{"type", "t", event.String},
		{"source", "/s", event.String},
		{"subject", nil, event.Missing},
		{"id", "1", event.String},
		{"time", ev.Time, event.Time},
		{"ext.zone", "b", event.String},
		{"ext.n", 7.0, event.Number},
		{"ext.none", nil, event.Missing},
		{"data.user.name", "alice", event.String},
		{"data.user.tags", []any{"a", map[string]any{"k": -1500.0}, []any{}}, event.List},
		{"data.user.tags[0]", "a", event.String},
		{"data.user.tags[1].k", -1500.0, event.Number},
		{"data.user.tags[2]", []any{}, event.List},
		{"data.user.tags[3]", nil, event.Missing},
		{"data.user[0]", nil, event.Missing},
		{`data.user.tags["0"]`, nil, event.Missing},
		{`data["odd key"]`, nil, event.Null},
		{`data[""]`, true, event.Bool},
		{"data.n", 12345678901234567890.0, event.Number},
		{"data.big.x[1]", 2.0, event.Number},
		{"data.big", map[string]any{"x": []any{1.0, 2.0}}, event.Map},
		{"data.big.x.y", nil, event.Missing},
		{"data.none.x", nil, event.Missing},
		{"data.n", 12345678901234567890.0, event.Number},
	}
	var texts []string
	for _, tt := range tests {
		texts = append(texts, tt.path)
	}
	paths := mustPaths(t, texts...)
	got := event.NewPathSet(paths).Scan(&ev, []event.Value{event.BoolValue(true)})
	require.Len(t, got, len(tests))
	for i, tt := range tests {
		assert.Equal(t, tt.kind, got[i].Kind(), tt.path)
		assert.Equal(t, tt.want, got[i].Any(), tt.path)
		assert.True(t, got[i].Equal(ev.Get(paths[i])), tt.path)
	}
}

func TestScanManyKeysOfOneObject(t *testing.T) {
	var texts []string
	for _, k := range "abcdefghijklmnopqrst" {
		texts = append(texts, "data."+string(k))
	}
	ev := event.Event{Data: []byte(`{"z":0,"t":20,"a":1,"b":[2],"j":{"x":1},"k":"k"}`)}
	got := event.NewPathSet(mustPaths(t, texts...)).Scan(&ev, nil)
	assert.Equal(t, 1.0, got[0].Number())
	assert.Equal(t, "[2]", string(got[1].Raw()))
	assert.Equal(t, "k", got[10].Str())
	assert.Equal(t, 20.0, got[19].Number())
}

func TestScanOtherData(t *testing.T) {
	paths := append(mustPaths(t, "data", "data.x", "data[0]"), event.Path{}, event.PathOf("nothing", "x"), event.PathOf("type", "x"), event.PathOf("data").At(-1))
	set := event.NewPathSet(paths)
	for _, tt := range []struct {
		ev   event.Event
		want event.Value
	}{
		{event.Event{}, event.Value{}},
		{event.Event{Data: []byte(" 5 ")}, event.NumberValue(5)},
		{event.Event{Data: []byte(`[]`)}, event.RawValue([]byte("[]"))},
		{event.Event{Data: []byte("a b"), DataContentType: "text/plain"}, event.StringValue("a b")},
		{event.Event{Data: []byte("\xff"), DataContentType: "text/plain"}, event.Value{}},
	} {
		got := set.Scan(&tt.ev, nil)
		assert.True(t, tt.want.Equal(got[0]), "%s: %s", tt.ev.Data, got[0])
		for i, v := range got {
			assert.True(t, v.Equal(tt.ev.Get(paths[i])))
			assert.True(t, i == 0 || v.Kind() == event.Missing, paths[i])
		}
	}
}

func TestScanDoesNotAllocate(t *testing.T) {
	ev := mustParse(t, login)
	set := event.NewPathSet(mustPaths(t, loginPaths...))
	dst := make([]event.Value, set.Len())
	text := []byte(login)
	assert.Zero(t, testing.AllocsPerRun(100, func() { dst = set.Scan(&ev, dst) }))
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := event.Parse(text); err != nil {
			t.Error(err)
		}
	}))
}

// genJSON draws a JSON document with keys and texts that need care.
func genJSON(depth int) *rapid.Generator[any] {
	scalars := []*rapid.Generator[any]{
		rapid.Just(any(nil)), rapid.Bool().AsAny(), rapid.String().AsAny(),
		rapid.Float64().Filter(func(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }).AsAny(),
		rapid.Map(rapid.Int32(), func(i int32) any { return float64(i) }),
		rapid.Map(rapid.IntRange(-99999, 99999), func(i int) any { return float64(i) / 1000 }),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	key := rapid.OneOf(rapid.StringMatching(`[a-e]{1,2}`), rapid.String())
	return rapid.OneOf(append(scalars,
		rapid.Map(rapid.SliceOfN(genJSON(depth-1), 0, 4), func(s []any) any { return s }),
		rapid.Map(rapid.MapOfN(key, genJSON(depth-1), 0, 12), func(m map[string]any) any { return m }))...)
}

// places lists every path into x, with some that lead nowhere.
func places(p event.Path, x any, visit func(event.Path, any, bool)) {
	visit(p, x, true)
	switch x := x.(type) {
	case map[string]any:
		for k, v := range x {
			places(p.Field(k), v, visit)
		}
		visit(p.At(0), nil, false)
		visit(p.Field("no such key"), nil, false)
	case []any:
		for i, v := range x {
			places(p.At(i), v, visit)
		}
		visit(p.At(len(x)), nil, false)
		visit(p.Field("0"), nil, false)
	default:
		visit(p.Field("x"), nil, false)
	}
}

// checkScan holds every way of reading data against encoding/json's.
func checkScan(t require.TestingT, data []byte) {
	var doc any
	require.NoError(t, json.Unmarshal(data, &doc))
	ev := event.Event{Data: data}
	var paths []event.Path
	var want []event.Value
	places(event.PathOf("data"), doc, func(p event.Path, x any, there bool) {
		paths = append(paths, p)
		if there {
			want = append(want, event.ValueOf(x))
		} else {
			want = append(want, event.Value{})
		}
	})
	const most = 300
	paths, want = paths[:min(len(paths), most)], want[:min(len(want), most)]
	got := event.NewPathSet(paths).Scan(&ev, nil)
	for i, p := range paths {
		require.True(t, want[i].Equal(got[i]), "Scan %s of %q = %s, want %s", p, data, got[i], want[i])
		require.True(t, want[i].Equal(ev.Get(p)), "Get %s of %q = %s, want %s", p, data, ev.Get(p), want[i])
		parsed, err := event.ParsePath(p.String())
		require.NoError(t, err)
		require.Equal(t, p, parsed)
	}
	// One at a time the pass ends early; the answers stay.
	for i := 0; i < len(paths); i += 7 {
		one := event.NewPathSet(paths[i:i+1]).Scan(&ev, nil)
		require.True(t, want[i].Equal(one[0]), "alone: %s of %q = %s, want %s", paths[i], data, one[0], want[i])
	}
}

func TestScanIsWhatEncodingJSONSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := genJSON(3).Draw(t, "doc")
		data, err := json.Marshal(doc)
		require.NoError(t, err)
		if rapid.Bool().Draw(t, "indent") {
			data, err = json.MarshalIndent(doc, " ", "\t")
			require.NoError(t, err)
		}
		checkScan(t, data)
		ev, err := event.Parse([]byte(with(`,"data":` + string(data))))
		require.NoError(t, err)
		require.Equal(t, string(data), string(ev.Data))
	})
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{`{"a":[1,{"b":"\u00e9\\"}],"":-0.5e-3}`, `[[[]]]`, `"x"`, `{"a":`, `{"a" 1}`, `[1 2]`, `{"a":1,"a":2}`, "{\"a\":\"\x01\"}", `"\ud800"`} {
		f.Add([]byte(s))
	}
	set := event.NewPathSet([]event.Path{
		event.PathOf("data"), event.PathOf("data", "a"), event.PathOf("data", "a").At(1), event.PathOf("data", "a", "b"), event.PathOf("data").At(0), event.PathOf("data", ""),
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		ev := event.Event{ID: "1", Source: "/s", Type: "t", Data: slices.Clip(data)}
		for _, v := range set.Scan(&ev, nil) { // whatever the bytes are
			_, _ = v.Any(), v.String()
		}
		if data == nil || ev.Validate() != nil {
			return
		}
		checkScan(t, data)
	})
}

func TestValidateData(t *testing.T) {
	ok := event.Event{ID: "1", Source: "/s", Type: "t"}
	for _, data := range []string{`{"a":1,"a":1}`, `1 2`, ``, `nul`, `tru`, `+1`, `.5`, `1.`, `1e`, `-`, `"\u12g4"`, `[`, `{"a"}`, "\"\xff\"", `{1:2}`, strings.Repeat("[", 64) + strings.Repeat("]", 64)} {
		ok.Data = []byte(data)
		assert.ErrorContains(t, ok.Validate(), "data: is not JSON", data)
	}
	for _, data := range []string{" 1 ", `-0`, `0.5E+7`, `"\\\"\/\b\f\n\r\t\u00Ff"`, `[ ]`, `{ }`, "{\n\"a\" :\t[ 1 , 2 ]\r\n}", `{"a":1,"b":{"a":1}}`} {
		ok.Data = []byte(data)
		assert.NoError(t, ok.Validate(), data)
		assert.True(t, json.Valid(ok.Data))
	}
}
