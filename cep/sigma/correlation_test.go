package sigma_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/sigma"
)

// logEvent is an event of the correlations' tests, so many seconds in.
type logEvent struct {
	at   int
	data map[string]any
}

func security(at, id int, user, ip, computer string) logEvent {
	return logEvent{at, map[string]any{"Channel": "Security", "EventID": id, "TargetUserName": user, "IpAddress": ip, "Computer": computer}}
}

func whoami(at int, user, computer string) logEvent {
	return logEvent{at, map[string]any{
		"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1, "Image": `C:\Windows\System32\whoami.exe`, "CommandUser": user, "Computer": computer,
	}}
}

// matchTimes converts the correlations, keeps one of them and gives the seconds
// at which it matches.
func matchTimes(t *testing.T, title string, events []logEvent) []int {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("testdata", "correlations", "rules.yml"))
	require.NoError(t, err)
	i := sigma.New(nil)
	require.NoError(t, i.Add("rules.yml", src))
	out, problems := i.Convert()
	require.Empty(t, problems)
	n := slices.IndexFunc(out, func(c sigma.Converted) bool { return c.Title == title })
	require.GreaterOrEqual(t, n, 0, title)
	rules, err := cep.ParseRules("rule", out[n].YAML)
	if err != nil {
		t.Skipf("the rule language does not take this yet: %v", err)
	}
	p, err := cep.Compile(rules)
	require.NoError(t, err, "%s", out[n].YAML)
	s := cep.NewStream(p, cep.Options{})
	var got []int
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n, e := range events {
		line, err := json.Marshal(map[string]any{"id": fmt.Sprint(n), "type": "windows.event", "time": start.Add(time.Duration(e.at) * time.Second), "data": e.data})
		require.NoError(t, err)
		matches, err := s.Line(n+1, line, nil)
		require.NoError(t, err)
		for range matches {
			got = append(got, e.at)
		}
	}
	return got
}

func TestCorrelationsMatch(t *testing.T) {
	const fail, good = 4625, 4624
	for _, c := range []struct {
		title  string
		events []logEvent
		want   []int
	}{
		{"Failures by account", []logEvent{
			security(0, fail, "a", "1.1.1.1", "X"), security(10, fail, "b", "1.1.1.1", "X"), security(20, fail, "a", "1.1.1.1", "Y"),
			security(200, good, "a", "1.1.1.1", "X"), security(310, fail, "a", "1.1.1.1", "X"), security(315, fail, "a", "1.1.1.1", "X"),
			security(316, fail, "a", "1.1.1.1", "X"), security(317, fail, "a", "1.1.1.1", "X"),
		}, []int{315}},
		{"Failures by account", []logEvent{ // the filter leaves these out
			security(0, fail, "a", "1.1.1.1", "maint-1"), security(1, fail, "a", "1.1.1.1", "MAINT-2"), security(2, fail, "a", "1.1.1.1", "MAINT-3"),
		}, nil},
		{"Any failure counts", []logEvent{security(0, good, "a", "1.1.1.1", "X"), security(1, fail, "a", "1.1.1.1", "X"), security(2, fail, "a", "1.1.1.1", "X")}, []int{1, 2}},
		{"Password spraying", []logEvent{
			security(0, fail, "a", "1.1.1.1", "X"), security(1, fail, "b", "1.1.1.1", "X"), security(2, fail, "a", "1.1.1.1", "X"),
			security(3, fail, "b", "1.1.1.1", "X"), security(4, fail, "c", "2.2.2.2", "X"), security(601, fail, "c", "1.1.1.1", "X"),
			security(602, fail, "a", "1.1.1.1", "X"), security(603, fail, "b", "1.1.1.1", "X"), security(604, fail, "c", "1.1.1.1", "X"),
		}, []int{601, 604}},
		{"Failures on many computers and accounts", []logEvent{
			security(0, fail, "a", "1.1.1.1", "X"), security(1, fail, "a", "1.1.1.1", "X"), security(2, fail, "a", "1.1.1.1", "Y"),
		}, []int{2}},
		{"Brute force that succeeds", []logEvent{
			security(0, fail, "a", "1.1.1.1", "X"), security(100, fail, "a", "1.1.1.1", "Y"), security(200, fail, "a", "1.1.1.1", "X"),
			security(250, fail, "b", "1.1.1.1", "X"), security(260, good, "a", "1.1.1.1", "X"), // two on X, one on Y
			security(290, fail, "a", "1.1.1.1", "X"), security(400, good, "b", "1.1.1.1", "X"), security(500, good, "a", "1.1.1.1", "Z"),
		}, []int{500}},
		{"Brute force that succeeds", []logEvent{ // three within 10m, not within 5m
			security(0, fail, "a", "1.1.1.1", "X"), security(200, fail, "a", "1.1.1.1", "X"), security(310, fail, "a", "1.1.1.1", "X"), security(320, good, "a", "1.1.1.1", "X"),
		}, nil},
		{"Logon, then discovery by the same user", []logEvent{
			security(0, good, "a", "1.1.1.1", "X"), whoami(1, "b", "X"), whoami(2, "a", "Y"), whoami(3, "a", "X"), whoami(4, "a", "X"),
		}, []int{3}},
		{"Failure, logon and discovery on one computer", []logEvent{
			whoami(0, "a", "X"), security(5, good, "a", "1.1.1.1", "X"), security(6, fail, "b", "1.1.1.1", "Y"), security(7, fail, "b", "1.1.1.1", "X"),
		}, []int{7}},
		{"Two of the three", []logEvent{
			whoami(0, "a", "X"), whoami(1, "a", "X"), security(2, fail, "b", "1.1.1.1", "Y"), security(3, fail, "b", "1.1.1.1", "X"),
		}, []int{3}},
		{"Discovery and a connection to where the logon came from", []logEvent{
			{0, map[string]any{"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 3, "Initiated": "true", "DestinationIp": "9.9.9.9"}},
			security(1, good, "a", "8.8.8.8", "X"), security(2, good, "a", "9.9.9.9", "X"),
		}, []int{2}},
		{"Old way of counting", []logEvent{
			security(0, fail, "a", "1.1.1.1", "X"), security(1, fail, "a", "2.2.2.2", "X"), security(2, fail, "b", "1.1.1.1", "X"), security(3, fail, "c", "1.1.1.1", "X"),
		}, []int{3}},
		{"Old way of counting values", []logEvent{
			security(0, fail, "a", "1.1.1.1", "X"), security(1, fail, "a", "1.1.1.1", "X"), security(3, fail, "c", "1.1.1.1", "X"),
		}, []int{3}},
	} {
		t.Run(c.title, func(t *testing.T) {
			assert.Equal(t, c.want, matchTimes(t, c.title, c.events))
		})
	}
}

// A rule that serves a correlation stands alone only when asked for.
func TestGenerate(t *testing.T) {
	const rule = "title: Base\nname: base\nlogsource: {product: linux}\ndetection: {s: {a: b}, condition: s}\n"
	const correlation = "---\ntitle: Counted\ncorrelation: {type: event_count, rules: [base], timespan: 5m, condition: {gte: 2}%s}\n"
	for extra, want := range map[string][]string{"": {"counted"}, ", generate: false": {"counted"}, ", generate: true": {"base", "counted"}} {
		i := sigma.New(nil)
		require.NoError(t, i.Add("a.yml", []byte(rule+fmt.Sprintf(correlation, extra))))
		out, problems := i.Convert()
		assert.Empty(t, problems)
		var got []string
		for _, c := range out {
			got = append(got, c.Name)
		}
		assert.Equal(t, want, got, extra)
	}
}
