package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host"
)

func TestShowStatus(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := &host.Summary{
		Version: "1", App: "app", Data: ".rhost", API: "http://127.0.0.1:4000", Began: at, Rules: []string{"a", "b"},
		Sources:  []host.SourceSummary{{Name: "in", Kind: "files"}},
		Counts:   host.Counts{Events: 2000, Matches: 1, Actions: 3, Failed: 1, BadRecords: 2},
		Revision: &host.Revision{At: at, Text: "~a 1 unchanged", Changes: []host.RuleChange{{Rule: "a", Action: "drained", Open: 1200, Why: "the new version does not mean the same"}}, More: 3},
		Matching: &host.Matching{Now: at, Keys: 2, Open: 5, More: 7, Rules: []host.RuleCounts{
			{Rule: "a", Draining: true, Matches: 4, Open: 3, Keys: 1, Rejected: 9, Stopped: "it broke a promise"}, {Rule: "b", Timeouts: 2},
		}},
	}
	s.Sources[0].State, s.Sources[0].Error = "waiting", "no \x1b file"
	var out bytes.Buffer
	require.NoError(t, showStatus(newStyle(&out), s, at.Add(90*time.Second)))
	assert.Equal(t, strings.TrimPrefix(`
rhost 1  app  up 1m30s · data .rhost · api http://127.0.0.1:4000
since the start: 2,000 events, 1 match, 3 actions (1 failed), 2 dead letters
source in (files) waiting  no · file
2 rules, as they are since 2026-03-01 12:00:00: ~a 1 unchanged
  drained a: the old version finishes the 1,200 it has open (the new version does not mean the same)
  and 3 more rules; rhost status --json names some
time of the lane 2026-03-01 12:00:00 · 5 open, of 2 keys
RULE          MATCHES  OPEN  KEYS  TIMEOUTS
a (draining)  4        3     1     0
b             0        0     0     2
note: rule a: 9 start events refused: limit.runs was reached
note: rule a: stopped: it broke a promise
… and 7 rules; --json has more
`, "\n"), out.String())

	out.Reset()
	s.Matching, s.Busy = nil, "the lane does not answer"
	require.NoError(t, showStatus(newStyle(&out), s, at))
	assert.Contains(t, out.String(), "\nthe lane does not answer\n")

	out.Reset()
	s.Quota = &host.QuotaSummary{
		Tenant: "ops", Events: 3 << 20, Payloads: 1 << 20, Held: 5 << 20, State: 2048, MaxState: 1 << 20, Rate: 5 << 20,
		Refused: map[string]uint64{"state": 1, "events.held": 2000}, Full: "events.held",
	}
	require.NoError(t, showStatus(newStyle(&out), s, at))
	assert.Contains(t, out.String(), `
tenant ops holds 3 MiB of events and 1 MiB of payloads, 5 MiB at the most · 2 KiB of 1 MiB of state · up to 5 MiB/s
  quota events.held has refused 2,000 times, now
  quota state has refused 1 time
`)
}

// An operator asks a running host why rules did not match, and reads what an edit
// did.
func TestWhyNotOfARunningHost(t *testing.T) {
	app, data := t.TempDir(), t.TempDir()
	const rules = "rule: pair\nwhen: {pattern: a then b, define: {a: type == \"a\", b: type == \"b\"}, limit: {runs: 1}}\n" +
		"---\nrule: slow\nwhen: {window: tumbling 1000h, by: data.host, let: {n: \"count()\"}, having: n > 2}\n" +
		"---\nrule: nightly\nwhen: {schedule: \"0 3 * * *\"}\n"
	write(t, app, "rules/r.yaml", rules)
	p := start(t, "run", app, "--data", data, "--listen", "off", "--json")
	p.waitFor(`"ready"`)
	say := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		code := run(t.Context(), append(args, "--data", data), stdio{strings.NewReader(""), &out, &errs})
		require.Zero(t, code, errs.String())
		return out.String()
	}
	for range 2 {
		say("emit", "--type", "a", "--payload", `{"host":"db1"}`)
	}
	assert.Eventually(t, func() bool { return strings.Contains(say("status"), `"rejected": 1`) }, 10*time.Second, 20*time.Millisecond)
	text := say("explain", "pair", "--why-not")
	assert.Contains(t, text, "waited for b\n")
	assert.Contains(t, text, "in the host: live, as it is since ")
	assert.Contains(t, text, "0 matches, 1 open\n1 start event refused: limit.runs was reached\n")
	text = say("explain", "slow", "--why-not")
	assert.Regexp(t, `(?m)^1 window open; the first ends at .*:00:00\. If no more events came, they would end with\n    ✗ .* … .*  db1  \{"n":2\}$`, text)
	assert.Regexp(t, `the schedule 0 3 \* \* \* comes next at .* 03:00:00\n`, say("explain", "nightly", "--why-not"))
	assert.Contains(t, say("explain", "slow", "--why-not", "--json"), `"open": [`)

	write(t, app, "rules/r.yaml", strings.Replace(rules, "b: type == \"b\"", "b: type == \"c\"", 1))
	assert.Eventually(t, func() bool {
		return strings.Contains(p.said(), "reloaded rules: ~pair 2 unchanged\n  drained pair: the old version finishes the 1 it has open\n")
	}, 10*time.Second, 20*time.Millisecond, "%s", p.said())
	assert.Contains(t, say("explain", "pair", "--why-not"), "an earlier version, which finishes what it has open: 0 matches, 1 open\n")
	p.interrupt()
	assert.Contains(t, p.said(), "note: rule pair: 1 start event refused: limit.runs was reached\n")
}
