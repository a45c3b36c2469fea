package cep

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lines plays NDJSON through a rule, with a snapshot written and read after every
// line, and gives the matches as `rhost match` prints them, ids left out.
func lines(t *testing.T, rules, events string, until string) []string {
	t.Helper()
	p := mustCompile(t, rules)
	s := NewStream(p, Options{})
	var out []Match
	var err error
	n := 0
	for line := range strings.Lines(events) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		n++
		out, err = s.Line(n, []byte(line), out)
		require.NoError(t, err)
		s.m, err = RestoreMatcher(p, Options{}, s.m.AppendSnapshot(nil))
		require.NoError(t, err)
	}
	if until != "" {
		at, err := time.Parse(time.RFC3339, until)
		require.NoError(t, err)
		out = s.AdvanceTo(at, out)
	}
	var text []string
	for i := range out {
		line := string(out[i].AppendJSON(nil))
		id := strings.Index(line, `,"id":"`)
		text = append(text, line[:id]+line[id+len(`,"id":""`)+len(out[i].ID):])
	}
	return text
}

func TestWindowRules(t *testing.T) {
	const events = `
		{"type":"req","id":"1","time":"2026-01-01T00:00:01Z","data":{"host":"a","ms":10}}
		{"type":"req","id":"2","time":"2026-01-01T00:00:02Z","data":{"host":"b","ms":5}}
		{"type":"other","id":"3","time":"2026-01-01T00:00:03Z","data":{"host":"a","ms":1000}}
		{"type":"req","id":"4","time":"2026-01-01T00:00:04Z","data":{"host":"a","ms":30}}
		{"type":"req","id":"5","time":"2026-01-01T00:00:11Z","data":{"host":"a","ms":7}}`
	assert.Equal(t, []string{
		`{"rule":"w","at":"2026-01-01T00:00:10Z","trigger":"time","window":["2026-01-01T00:00:00Z","2026-01-01T00:00:10Z"],"let":{"n":2,"mean":20},"bind":{}}`,
		`{"rule":"w","at":"2026-01-01T00:00:10Z","trigger":"time","window":["2026-01-01T00:00:00Z","2026-01-01T00:00:10Z"],"let":{"n":1,"mean":5},"bind":{}}`,
		`{"rule":"w","at":"2026-01-01T00:00:20Z","trigger":"time","window":["2026-01-01T00:00:10Z","2026-01-01T00:00:20Z"],"let":{"n":1,"mean":7},"bind":{}}`,
	}, lines(t, `
rule: w
when: {window: tumbling 10s, by: data.host, where: 'type == "req"', let: {n: "count()", mean: "avg(data.ms)"}}
`, events, "2026-01-01T00:01:00Z"))
	assert.Equal(t, []string{
		`{"rule":"c","at":"2026-01-01T00:00:03Z","trigger":"3","window":["2026-01-01T00:00:01Z","2026-01-01T00:00:03Z"],"let":{"top":1000},"bind":{}}`,
	}, lines(t, "rule: c\nwhen: {window: count 3, let: {top: max(data.ms)}}\n", events, "2026-01-01T00:01:00Z"))
}

func TestScheduleRules(t *testing.T) {
	const rule = "rule: s\nwhen: {schedule: \"*/10 * * * *\", missed: %}\n"
	const events = `
		{"type":"x","time":"2026-01-01T00:05:00Z"}
		{"type":"x","time":"2026-01-01T00:10:00Z"}
		{"type":"x","time":"2026-01-01T00:35:00Z"}`
	at := func(clock string) string {
		return `{"rule":"s","at":"2026-01-01T` + clock + `:00Z","trigger":"time","bind":{}}`
	}
	assert.Equal(t, []string{at("00:10"), at("00:30")}, lines(t, strings.Replace(rule, "%", "once", 1), events, ""))
	assert.Equal(t, []string{at("00:10"), at("00:20"), at("00:30")}, lines(t, strings.Replace(rule, "%", "all", 1), events, ""))
	assert.Equal(t, []string{at("00:10")}, lines(t, strings.Replace(rule, "%", "none", 1), events, ""))

	// A jump to the end of the calendar is one step, not a million.
	began := time.Now()
	far := lines(t, "rule: s\nwhen: {schedule: \"@every 1s\"}\n", `{"type":"x","time":"2026-01-01T00:00:00Z"}`, "9999-12-31T23:59:59Z")
	assert.Equal(t, []string{`{"rule":"s","at":"9999-12-31T23:59:59Z","trigger":"time","bind":{}}`}, far)
	assert.Less(t, time.Since(began), 5*time.Second)
}

func TestStateRules(t *testing.T) {
	const events = `
		{"type":"disk","id":"1","time":"2026-01-01T00:00:00Z","data":{"host":"a","use":0.9}}
		{"type":"disk","id":"2","time":"2026-01-01T00:00:30Z","data":{"host":"a","use":0.78}}
		{"type":"disk","id":"3","time":"2026-01-01T00:01:10Z","data":{"host":"a","use":0.5}}
		{"type":"disk","id":"4","time":"2026-01-01T00:02:00Z","data":{"host":"a","use":0.95}}
		{"type":"disk","id":"5","time":"2026-01-01T00:02:10Z","data":{"host":"b","use":0.1}}`
	assert.Equal(t, []string{
		`{"rule":"full","at":"2026-01-01T00:01:00Z","trigger":"time","bind":{"event":["1"]}}`,
		`{"rule":"full","at":"2026-01-01T00:03:00Z","trigger":"time","bind":{"event":["4"]}}`,
	}, lines(t, "rule: full\nwhen: {state: data.use, by: data.host, above: 0.8, tolerance: 0.05, for: 1m}\n", events, "2026-01-01T01:00:00Z"))
	assert.Equal(t, []string{
		`{"rule":"full","at":"2026-01-01T00:00:00Z","trigger":"1","bind":{"event":["1"]}}`,
		`{"rule":"full","at":"2026-01-01T00:02:00Z","trigger":"4","bind":{"event":["4"]}}`,
	}, lines(t, "rule: full\nwhen: {state: data.use, by: data.host, above: 0.8}\n", events, ""))
}

func TestTriggersAreChecked(t *testing.T) {
	for _, tt := range []struct{ rule, want string }{
		{"rule: w\nwhen: {window: sideways 5m, let: {n: count()}}\n", "r.yaml:2:16: when.window"},
		{"rule: w\nwhen: {window: tumbling 5m, let: {n: avrg(data.x)}}\n", "r.yaml:2:38: when.let.n"},
		{"rule: s\nwhen: {schedule: \"61 * * * *\"}\n", "r.yaml:2:19: when.schedule"},
		{"rule: s\nwhen: {state: data.x, matches: \"(\"}\n", "r.yaml:2:"},
	} {
		_, err := Compile(parsed(t, tt.rule))
		require.ErrorContains(t, err, tt.want)
	}
}

func TestHaving(t *testing.T) {
	const rule = `
rule: w
when: {window: tumbling 10s, by: data.host, let: {n: "count()", top: "topk(data.user, 1)"}, having: 'n >= 2 && top[0].value == "amy"'}
`
	const events = `
		{"type":"x","time":"2026-01-01T00:00:01Z","data":{"host":"a","user":"amy"}}
		{"type":"x","time":"2026-01-01T00:00:02Z","data":{"host":"a","user":"amy"}}
		{"type":"x","time":"2026-01-01T00:00:02Z","data":{"host":"b","user":"amy"}}
		{"type":"x","time":"2026-01-01T00:00:02Z","data":{"host":"c","user":"bob"}}
		{"type":"x","time":"2026-01-01T00:00:03Z","data":{"host":"c","user":"bob"}}`
	assert.Equal(t, []string{
		`{"rule":"w","at":"2026-01-01T00:00:10Z","trigger":"time","window":["2026-01-01T00:00:00Z","2026-01-01T00:00:10Z"],"let":{"n":2,"top":[{"value":"amy","count":2}]},"bind":{}}`,
	}, lines(t, rule, events, "2026-01-01T00:01:00Z"))

	for _, having := range []string{`m > 1`, `type == "x"`, `data.n > 1 && data.x > 1`, `n +`} {
		_, err := Compile(parsed(t, "rule: w\nwhen: {window: count 3, let: {n: count()}, having: '"+having+"'}\n"))
		require.ErrorContains(t, err, "r.yaml:2:5", having)
	}
}

func TestScore(t *testing.T) {
	const rule = `
rule: s
when:
  pattern: fail{2,} then ok
  define: {fail: type == "fail", ok: type == "ok"}
  score: count(fail) / 4
  at_least: 0.75
`
	const events = `
		{"type":"fail"}
		{"type":"fail"}
		{"type":"ok"}
		{"type":"fail"}
		{"type":"fail"}
		{"type":"fail"}
		{"type":"ok"}
		{"type":"fail"}
		{"type":"fail"}
		{"type":"fail"}
		{"type":"fail"}
		{"type":"fail"}
		{"type":"ok"}`
	assert.Equal(t, []string{
		`{"rule":"s","at":"1970-01-01T00:00:00Z","trigger":"line-7","score":0.75,"bind":{"fail":["line-4","line-5","line-6"],"ok":["line-7"]}}`,
		`{"rule":"s","at":"1970-01-01T00:00:00Z","trigger":"line-13","score":1,"bind":{"fail":["line-8","line-9","line-10","line-11","line-12"],"ok":["line-13"]}}`,
	}, lines(t, rule, events, ""))
	assert.Equal(t, []string{
		`{"rule":"s","at":"1970-01-01T00:00:00Z","trigger":"line-1","score":0.5,"bind":{"event":["line-1"]}}`,
	}, lines(t, "rule: s\nwhen: {condition: type == \"x\", score: event.data.p, at_least: 0.1}\n", `
		{"type":"x","data":{"p":0.5}}
		{"type":"x","data":{"p":0.01}}
		{"type":"x","data":{"q":1}}`, ""))
}
