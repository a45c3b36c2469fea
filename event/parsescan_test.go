package event

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const small = `{"specversion":"1.0","id":"1","source":"/s","type":"t"`

func mustSet(tb testing.TB, texts ...string) *PathSet {
	tb.Helper()
	paths := make([]Path, len(texts))
	for i, s := range texts {
		p, err := ParsePath(s)
		require.NoError(tb, err)
		paths[i] = p
	}
	return NewPathSet(paths)
}

// wide has paths of all sorts, also into one another and some twice.
func wide(tb testing.TB) *PathSet {
	tb.Helper()
	return mustSet(tb, "type", "id", "time", "source", "subject", "ext.a", "ext.zone", "data", "data.a", "data.b", "data.a.b", "data.a[0]", "data[1]", "data[0].a",
		"data.a", `data[""]`, "data.long_key_1", "data.long_key_2.a", `data["é"]`, `data["a\x00"]`, "data.seven77", "data.eight888")
}

// agree holds the one pass against the reference, and its values against those
// of a pass of their own.
func agree(t require.TestingT, set *PathSet, b []byte) {
	b = slices.Clip(b)
	for _, loose := range []bool{false, true} {
		want, wantErr := refParse(b, !loose)
		got, err := parse(b, !loose)
		require.Equal(t, wantErr, err, "%q", b)
		require.Equal(t, want, got, "%q", b)

		ev := Event{ID: "of the event before"}
		dst := []Value{BoolValue(true)}
		dst, err = set.ParseScan(b, loose, &ev, dst)
		require.Equal(t, wantErr, err, "%q", b)
		require.Equal(t, want, ev, "%q", b)
		require.Equal(t, set.Scan(&want, nil), dst, "%q", b)
	}
	ref := refParser{d: b}
	if ref.utf8() {
		if i := ref.value(ref.space(0), 1); i >= 0 && ref.space(i) != len(b) {
			ref.fail(ref.space(i), "", "text after the JSON value")
		}
	}
	err := CheckJSON(b)
	if ref.err == nil {
		require.NoError(t, err, "%q", b)
	} else {
		require.Equal(t, ref.err, err, "%q", b)
	}
	require.True(t, err != nil || json.Valid(b), "%q", b)
}

func TestParseScan(t *testing.T) {
	set := wide(t)
	for _, s := range []string{
		small + `,"data":{"a":{"b":[1,2]},"b":"x\ny","long_key_1":true,"long_key_2":{"a":-1.5e3},"":null,"é":"ü","a\u0000":1,"seven77":7,"eight888":8}}`,
		small + `,"data":[{"a":1},2,3],"zone":"b","a":5,"time":"2026-01-02T03:04:05.678+01:00","subject":"s"}`,
		small + `,"data":{"a":1},"datacontenttype":"application/json"}`,
		small + `,"data":"{\"a\":1}","datacontenttype":"text/plain"}`,
		small + `,"datacontenttype":"text/plain","data":{"a":1}}`,
		small + `,"data_base64":"eyJhIjoxfQ==","datacontenttype":"application/json"}`,
		small + `,"data":{"a":1},"data_base64":"e30="}`,
		small + `,"data":"a"}`, small + `,"data":null}`, small + `,"data":{"\u0061":[1]}}`,
		small + `,"data":{"a":1,"\u0061":2}}`, small + `,"\u0069d":"2"}`,
		`{"id":"1"}`, `{"type":""}`, `{"type":"t","id":null,"time":"x"}`, `{"type":"t","time":"2026-02-30T00:00:00Z","data":}`,
		small + `,"source":"b c"}`, small + "}\xff", small + ",\"data\":\"\xff\",}", small + `,"data":"é` + strings.Repeat("x", 20) + `\u00e9"}`,
	} {
		agree(t, set, []byte(s))
	}
	_, err := set.ParseScan([]byte(small+`,"data":"`+strings.Repeat("x", MaxSize)+`"}`), false, new(Event), nil)
	assert.ErrorContains(t, err, "over the limit of 1048576")
}

func TestScanAttrs(t *testing.T) {
	set := mustSet(t, "id", "data.n", "ext.zone")
	var ev Event
	dst, err := set.ParseScan([]byte(`{"type":"t","data":{"n":1}}`), true, &ev, nil)
	require.NoError(t, err)
	assert.Equal(t, []Value{{}, NumberValue(1), {}}, dst)
	ev.ID = "line-1"
	ev.SetExt("zone", StringValue("b"))
	set.ScanAttrs(&ev, dst)
	assert.Equal(t, []Value{StringValue("line-1"), NumberValue(1), StringValue("b")}, dst)
}

func TestParseScanDoesNotAllocate(t *testing.T) {
	set := mustSet(t, "type", "data.user", "data.n", "data.list[1].x", "data.many77", "data.an_attribute_of_many_33")
	var many strings.Builder
	for i := range 25 {
		fmt.Fprintf(&many, `"many%d":%d,"an_attribute_of_many_%d":"é",`, i, i, i)
	}
	for _, data := range []string{
		`{"user":"alice","n":-12.5,"list":[{"x":0},{"x":1}]}`,
		`{` + many.String() + `"user":"ünï","n":1,"list":[{"x":0},{"x":1}]}`,
	} {
		text := []byte(small + `,"time":"2026-01-01T00:00:07.25Z","data":` + data + `}`)
		var ev Event
		var err error
		dst := make([]Value, set.Len())
		assert.Zero(t, testing.AllocsPerRun(100, func() { dst, err = set.ParseScan(text, false, &ev, dst) }))
		require.NoError(t, err)
		assert.Equal(t, 1.0, dst[3].Number())
	}
}

// genText draws the text of an event, with the spaces, escapes and keys that
// need care; most are right, some have a bit of damage.
func genText() *rapid.Generator[[]byte] {
	keys := []string{"a", "b", "é", "seven77", "eight888", "long_key_1", "long_key_2", "long_key_other_1", "", `\u0061`, `a\u0000`, `\"`}
	names := []string{"specversion", "id", "source", "type", "time", "subject", "data", "data_base64", "datacontenttype", "dataschema", "zone", "a", "Zone", `\u0069d`}
	scalars := []string{`"x"`, `""`, `"1234567"`, `"12345678"`, `"123456789 é"`, `"\u00e9\n"`, "0", "-0", "-1.5e3", "1e400", "12345678901234567890", "true", "false", "null", `"2026-01-02T03:04:05.6Z"`, `"1.0"`, `"application/json"`, `"text/plain"`, `"e30="`, "tru", "01", "{}", "[]"}
	bits := []string{"", "{", "}", "[", "]", ",", ":", `"`, `\`, " ", "\n", "\x01", "\xff", "é", "0", "-", "e", `,"a":1`}
	return rapid.Custom(func(t *rapid.T) []byte {
		var b []byte
		space := func() {
			if rapid.IntRange(0, 30).Draw(t, "space") == 0 {
				b = append(b, rapid.SampledFrom([]string{" ", "\t\r\n", "  "}).Draw(t, "white")...)
			}
		}
		var value func(depth int)
		object := func(keys []string, depth, most int) {
			b = append(b, '{')
			for i := range rapid.IntRange(0, most).Draw(t, "n") {
				if i > 0 {
					b = append(b, ',')
				}
				space()
				k := rapid.SampledFrom(keys).Draw(t, "key")
				if rapid.IntRange(0, 3).Draw(t, "new") > 0 {
					k += fmt.Sprint(i)
				}
				b = append(append(append(b, '"'), k...), '"')
				space()
				b = append(b, ':')
				space()
				value(depth)
				space()
			}
			b = append(b, '}')
		}
		value = func(depth int) {
			switch k := rapid.IntRange(0, 5).Draw(t, "kind"); {
			case depth == 0 || k > 2:
				b = append(b, rapid.SampledFrom(scalars).Draw(t, "scalar")...)
			case k == 2:
				b = append(b, '[')
				for i := range rapid.IntRange(0, 3).Draw(t, "items") {
					if i > 0 {
						b = append(b, ',')
					}
					space()
					value(depth - 1)
					space()
				}
				b = append(b, ']')
			default:
				object(keys, depth-1, rapid.SampledFrom([]int{3, 8, 60}).Draw(t, "most"))
			}
		}
		if rapid.IntRange(0, 3).Draw(t, "made up") == 0 {
			object(names, 2, 6)
		} else {
			b = append(b, small...)
			b = append(b, `,"data":`...)
			value(3)
			b = append(b, `}`...)
		}
		if rapid.IntRange(0, 2).Draw(t, "damage") == 0 {
			at := rapid.IntRange(0, len(b)).Draw(t, "at")
			cut := rapid.IntRange(0, 2).Draw(t, "cut")
			b = slices.Concat(b[:at], []byte(rapid.SampledFrom(bits).Draw(t, "bit")), b[min(at+cut, len(b)):])
		}
		return b
	})
}

func TestParseIsTheReference(t *testing.T) {
	set := wide(t)
	gen := genText()
	rapid.Check(t, func(t *rapid.T) { agree(t, set, gen.Draw(t, "text")) })
}

func FuzzParseScan(f *testing.F) {
	set := wide(f)
	for i := range 200 {
		f.Add(genText().Example(i))
	}
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, set, b) })
}

// TestParseIsLinear gives texts that make a careless parser slow.
func TestParseIsLinear(t *testing.T) {
	set := wide(t)
	repeat := func(format string, args ...func(int) any) string {
		var b strings.Builder
		for i := 0; b.Len() < MaxSize/4; i++ {
			var vals []any
			for _, a := range args {
				vals = append(vals, a(i))
			}
			fmt.Fprintf(&b, format, vals...)
		}
		return b.String()
	}
	up, down := func(i int) any { return i }, func(i int) any { return 1<<20 - i }
	for name, text := range map[string]string{
		"keys":            small + `,"data":{` + repeat(`"k%d":0,`, up) + `"z":0}}`,
		"escaped keys":    small + `,"data":{` + repeat(`"\u0061%d":0,`, up) + `"z":0}}`,
		"long keys":       small + `,"data":{` + repeat(`"a key of which the start and end are the same %07d the end of the key":0,`, up) + `"z":0}}`,
		"objects of many": small + `,"data":[` + repeat(`{"a":1,"a0":0,"a1":1,"b":{"c":1,"\u0064":1}},`) + `0]}`,
		"extensions":      small + `,` + repeat(`"a%d":0,`, down) + `"data":0}`,
		"nulls":           small + `,` + repeat(`"a%d":null,`, down) + `"data":0}`,
		"digits":          small + `,"data":` + repeat("1234567890") + `}`,
		"fraction":        small + `,"data":[0.` + repeat("1234567890") + `]}`,
		"quotes":          small + `,"data":"` + repeat(`\"`) + `"}`,
		"wide text":       small + `,"data":"` + repeat(`é`) + `"}`,
		"open":            small + `,"data":` + repeat(`[`),
		"spaces":          small + `,"data":` + repeat(` `) + `1}`,
		"lists":           small + `,"data":[` + repeat(`[[],{}],`) + `0]}`,
		"time":            small + `,"time":"2026-01-01T00:00:00.` + repeat("0") + `Z"}`,
	} {
		start := time.Now()
		var ev Event
		dst, err := set.ParseScan([]byte(text), false, &ev, nil)
		if err == nil {
			for range 10 {
				set.ScanAttrs(&ev, dst)
			}
			_ = ev.Get(PathOf("data", "a"))
		}
		assert.Less(t, time.Since(start), 2*time.Second, name)
	}
}
