package event_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rhost/rhost/event"
)

// login is the event of the throughput target: 300 bytes, of which a rule set
// reads four places.
const login = `{"specversion":"1.0","id":"8f14e45f-ceea-467f-9575-7d3c1a2b4c5d","source":"/auth/eu-1","type":"auth.failure","time":"2026-01-01T00:00:07.250Z",` +
	`"data":{"user":"alice","ip":"203.0.113.77","method":"password","port":52514,"tty":"ssh","geo":{"cc":"DE","city":"Berlin"},"tags":["ssh","pam"],"tries":3,"ok":false}}`

var loginPaths = []string{"type", "data.user", "data.ip", "data.tries"}

func mustPaths(tb testing.TB, texts ...string) []event.Path {
	tb.Helper()
	paths := make([]event.Path, len(texts))
	for i, s := range texts {
		p, err := event.ParsePath(s)
		if err != nil {
			tb.Fatal(err)
		}
		paths[i] = p
	}
	return paths
}

func mustParse(tb testing.TB, s string) event.Event {
	tb.Helper()
	ev, err := event.Parse([]byte(s))
	if err != nil {
		tb.Fatal(err)
	}
	return ev
}

func BenchmarkParse(b *testing.B) {
	text := []byte(login)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	ev := mustParse(b, login)
	set := event.NewPathSet(mustPaths(b, loginPaths...))
	var dst []event.Value
	b.SetBytes(int64(len(ev.Data)))
	b.ReportAllocs()
	for b.Loop() {
		dst = set.Scan(&ev, dst)
	}
	if dst[3].Number() != 3 {
		b.Fatal(dst)
	}
}

// BenchmarkScanAbsent never finds one of its paths, so it walks all of it.
func BenchmarkScanAbsent(b *testing.B) {
	ev := mustParse(b, login)
	set := event.NewPathSet(mustPaths(b, "type", "data.user", "data.geo.zip", "data.none"))
	var dst []event.Value
	b.ReportAllocs()
	for b.Loop() {
		dst = set.Scan(&ev, dst)
	}
}

func BenchmarkParseAndScan(b *testing.B) {
	text := []byte(login)
	set := event.NewPathSet(mustPaths(b, loginPaths...))
	var dst []event.Value
	b.ReportAllocs()
	for b.Loop() {
		ev, err := event.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		dst = set.Scan(&ev, dst)
	}
}

func BenchmarkParseScan(b *testing.B) {
	text := []byte(login)
	set := event.NewPathSet(mustPaths(b, loginPaths...))
	var ev event.Event
	var dst []event.Value
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = set.ParseScan(text, false, &ev, dst); err != nil {
			b.Fatal(err)
		}
	}
	if dst[3].Number() != 3 {
		b.Fatal(dst)
	}
}

// BenchmarkParseScanShapes is ParseScan beside Parse and Scan for events of
// other shapes: many fields, long texts, other scripts, much white space.
func BenchmarkParseScanShapes(b *testing.B) {
	var fields strings.Builder
	for i := range 60 {
		fmt.Fprintf(&fields, `"event_field_%d":"value %d",`, i, i)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(login), "", "  "); err != nil {
		b.Fatal(err)
	}
	head := login[:strings.Index(login, `"user"`)]
	for _, shape := range []struct{ name, text string }{
		{"fields", head + fields.String() + `"user":"alice","ip":"::1","tries":3}}`},
		{"text", head + `"user":"alice","message":"` + strings.Repeat("all is well. ", 500) + `","tries":3}}`},
		{"script", head + `"user":"Ευαγγελία","message":"` + strings.Repeat("όλα καλά. ", 20) + `","tries":3}}`},
		{"pretty", pretty.String()},
	} {
		text := []byte(shape.text)
		set := event.NewPathSet(mustPaths(b, loginPaths...))
		var ev event.Event
		var dst []event.Value
		b.Run(shape.name+"/one", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if dst, err = set.ParseScan(text, false, &ev, dst); err != nil || dst[3].Number() != 3 {
					b.Fatal(dst, err)
				}
			}
		})
		b.Run(shape.name+"/two", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				ev, err := event.Parse(text)
				if err != nil {
					b.Fatal(err)
				}
				dst = set.Scan(&ev, dst)
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	ev := mustParse(b, login)
	p := mustPaths(b, "data.tries")[0]
	b.ReportAllocs()
	for b.Loop() {
		if ev.Get(p).Number() != 3 {
			b.Fatal()
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	ev := mustParse(b, login)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = ev.AppendJSON(dst[:0])
	}
}

func BenchmarkDecodeBinary(b *testing.B) {
	ev := mustParse(b, login)
	text := ev.AppendBinary(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := event.DecodeBinary(text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodingJSON is what the standard library takes for the same event:
// to check it, and to decode it.
func BenchmarkEncodingJSON(b *testing.B) {
	text := []byte(login)
	b.Run("Valid", func(b *testing.B) {
		for b.Loop() {
			if !json.Valid(text) {
				b.Fatal()
			}
		}
	})
	b.Run("Unmarshal", func(b *testing.B) {
		for b.Loop() {
			var ev struct {
				ID, Source, Type, Time string
				Data                   map[string]any
			}
			if err := json.Unmarshal(text, &ev); err != nil {
				b.Fatal(err)
			}
		}
	})
}
