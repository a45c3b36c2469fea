package cep_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
)

// thousandRules is 1,000 rules over four fields: 20 types, each with 50 rules
// that want a user, a host's prefix or a size.
func thousandRules() string {
	var b strings.Builder
	for i := range 1000 {
		cond := fmt.Sprintf(`type == "t%d" && data.user == "u%d" && data.size > 100`, i%20, i)
		switch i % 4 {
		case 1:
			cond = fmt.Sprintf(`type == "t%d" && data.ip == "10.0.0.%d" && data.host.startsWith("web")`, i%20, i)
		case 2:
			cond = fmt.Sprintf(`type == "t%d" && data.user in ["u%d", "v%d"]`, i%20, i, i)
		}
		fmt.Fprintf(&b, "---\nrule: r%d\nwhen: '%s'\n", i, cond)
	}
	return b.String()
}

// benchEvents makes events of 300 bytes of JSON, of which 1 in 100 matches a
// rule.
func benchEvents(n int) [][]byte {
	events := make([][]byte, n)
	for i := range events {
		user := fmt.Sprintf("nobody%d", i%977)
		if i%100 == 0 {
			user = fmt.Sprintf("u%d", i/100*20%1000)
		}
		text := fmt.Sprintf(`{"specversion":"1.0","id":"e%07d","source":"/bench/source","type":"t%d","time":"2026-01-01T00:00:00Z","data":{"seq":%d,"user":%q,"action":"login","tags":["a","b"],"ip":"192.168.%d.%d","host":"db%d.example.com","size":%d,"note":"","agent":{"name":"sshd","pid":%d}}}`,
			i, i%20, i, user, i%200, i%250, i%40, 500+i%500, i%30000)
		pad := strings.Repeat("x", max(0, 300-len(text)))
		events[i] = []byte(strings.Replace(text, `"note":""`, `"note":"`+pad+`"`, 1))
	}
	return events
}

func mustProgram(tb testing.TB, rules string) *cep.Program {
	tb.Helper()
	parsed, err := cep.ParseRules("bench.yaml", []byte(rules))
	require.NoError(tb, err)
	p, err := cep.Compile(parsed)
	require.NoError(tb, err)
	return p
}

// BenchmarkThousandRules: the field scan, the index and the matches.
func BenchmarkThousandRules(b *testing.B) {
	m := cep.NewMatcher(mustProgram(b, thousandRules()), cep.Options{Tenant: "bench"})
	raw := benchEvents(10_000)
	events := make([]event.Event, len(raw))
	for i := range raw {
		ev, err := event.Parse(raw[i])
		require.NoError(b, err)
		events[i] = ev
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var out []cep.Match
	b.SetBytes(int64(len(raw[1])))
	b.ReportAllocs()
	matched := 0
	for i := 0; b.Loop(); i++ {
		out = m.Feed(&events[i%len(events)], cep.Position{Seq: uint64(i)}, at, out[:0])
		matched += len(out)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(100*float64(matched)/float64(b.N), "%matched")
}

// BenchmarkThousandRulesParse also parses each event from its JSON.
func BenchmarkThousandRulesParse(b *testing.B) {
	m := cep.NewMatcher(mustProgram(b, thousandRules()), cep.Options{Tenant: "bench"})
	raw := benchEvents(10_000)
	var out []cep.Match
	b.SetBytes(int64(len(raw[1])))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ev, err := event.Parse(raw[i%len(raw)])
		if err != nil {
			b.Fatal(err)
		}
		out = m.Feed(&ev, cep.Position{Seq: uint64(i)}, ev.Time, out[:0])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkUntouched is an event that no rule wants: it must not allocate.
func BenchmarkUntouched(b *testing.B) {
	m := cep.NewMatcher(mustProgram(b, thousandRules()), cep.Options{})
	ev, err := event.Parse(benchEvents(2)[1])
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if out := m.Feed(&ev, cep.Position{}, time.Time{}, nil); out != nil {
			b.Fatal("matched")
		}
	}
}

// BenchmarkLatency measures single events, from Feed to match.
func BenchmarkLatency(b *testing.B) {
	for _, c := range []struct {
		name, rule string
		kinds      []string
	}{
		{"simple", "rule: r\nwhen: type == \"ok\" && data.n > 5\n", []string{"ok"}},
		{"complex", `
rule: r
when:
  pattern: fail{5,} then ok
  define:
    fail: type == "fail"
    ok: type == "ok" && data.user == last(fail).data.user
  by: data.ip
  within: 2m
`, append(slices.Repeat([]string{"fail"}, 37), "ok")},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := cep.NewMatcher(mustProgram(b, c.rule), cep.Options{})
			var took []time.Duration
			var out []cep.Match
			at := time.Unix(0, 0)
			for i := 0; b.Loop(); i++ {
				kind := c.kinds[i%len(c.kinds)]
				ev := event.Event{ID: "e", Type: kind, Data: []byte(`{"ip":"10.0.0.1","user":"amy","n":7}`)}
				at = at.Add(time.Second)
				start := time.Now()
				out = m.Feed(&ev, cep.Position{Seq: uint64(i)}, at, out[:0])
				if kind == "ok" && len(out) == 1 {
					took = append(took, time.Since(start))
				}
			}
			if len(took) == 0 {
				return
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
		})
	}
}

// BenchmarkKeys opens a partial match for each of many keys and reports what one
// costs, the event it holds included.
func BenchmarkKeys(b *testing.B) {
	const keys = 100_000
	rules := `
rule: r
when:
  pattern: a{3,} then b
  define: {a: 'type == "a"', b: 'type == "b"'}
  by: data.ip
  within: 1h
`
	for b.Loop() {
		m := cep.NewMatcher(mustProgram(b, rules), cep.Options{})
		before := heapBytes()
		for i := range keys {
			ev := event.Event{ID: "e", Type: "a", Data: fmt.Appendf(nil, `{"ip":"10.%d.%d.%d"}`, i>>16, i>>8&255, i&255)}
			m.Feed(&ev, cep.Position{Seq: uint64(i)}, time.Unix(int64(i/100), 0), nil)
		}
		b.ReportMetric(float64(heapBytes()-before)/keys, "B/key")
		runtime.KeepAlive(m)
	}
}

func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkSequence is a then b then c over 20 event types.
func BenchmarkSequence(b *testing.B) {
	m := cep.NewMatcher(mustProgram(b, `
rule: r
when:
  pattern: a then b then c
  define: {a: 'type == "t0"', b: 'type == "t1"', c: 'type == "t2"'}
  within: 1m
`), cep.Options{})
	events := make([]event.Event, 1000)
	for i := range events {
		events[i] = event.Event{ID: "e", Type: fmt.Sprintf("t%d", i*7919%20), Data: []byte(`{"ip":"10.0.0.1","user":"amy","n":7}`)}
	}
	var out []cep.Match
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		out = m.Feed(&events[i%len(events)], cep.Position{Seq: uint64(i)}, time.UnixMilli(int64(i)), out[:0])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkFlood is one key under attack: failures without end, far more than the
// limit of open starts, in one long window.
func BenchmarkFlood(b *testing.B) {
	m := cep.NewMatcher(mustProgram(b, `
rule: r
when:
  pattern: fail{5,} then ok
  define:
    fail: type == "fail"
    ok: type == "ok" && data.user == last(fail).data.user
  by: data.ip
  within: 2m
`), cep.Options{})
	ev := event.Event{ID: "e", Type: "fail", Data: []byte(`{"ip":"10.0.0.1","user":"amy"}`)}
	at := time.Unix(0, 0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at = at.Add(10 * time.Millisecond)
		m.Feed(&ev, cep.Position{Seq: uint64(i)}, at, nil)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(m.Stats().Runs), "runs")
}
