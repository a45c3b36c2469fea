package host

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/host/api"
)

const countedRules = `
rule: pair
when: {pattern: a then b, define: {a: type == "a", b: type == "b"}, by: data.ip, limit: {runs: 1}}
---
rule: strict
when: {pattern: x then y, define: {x: type == "x", y: type == "y"}, skip: {to-first: x, on_miss: error}}
---
rule: load
when: {window: count 3, let: {n: "count()"}, where: type == "load", having: n > 5}
---
rule: idle
mode: "off"
when: type == "a"
`

func (l *liveHost) status() (s Summary) {
	l.t.Helper()
	raw, err := l.api().Status(l.t.Context())
	require.NoError(l.t, err)
	require.NoError(l.t, json.Unmarshal(raw, &s))
	return s
}

// What bounds made different is in the status, also after a restart: the log is
// replayed.
func TestStatusCounts(t *testing.T) {
	app := newApp(t, map[string]string{"rules/r.yaml": countedRules})
	l := app.start()
	assert.Empty(t, l.status().Matching.Rules, "nothing has happened yet")
	l.send(ev("a", 0, `{"ip":1}`), ev("a", 1, `{"ip":1}`), ev("a", 2, `{}`), ev("a", 3, `{"ip":2}`), ev("b", 4, `{"ip":2}`), ev("load", 5, `{}`), ev("x", 6, `{}`), ev("y", 7, `{}`))
	l.settle()
	want := []RuleCounts{
		{Rule: "pair", Matches: 1, Keyless: 1, Rejected: 1, Open: 1, Keys: 1},
		{Rule: "load", Open: 1, Keys: 1},
	}
	check := func() {
		t.Helper()
		s := l.status()
		require.Empty(t, s.Busy)
		require.Len(t, s.Matching.Rules, 3)
		stopped := s.Matching.Rules[0]
		assert.Equal(t, "strict", stopped.Rule, "what was stopped comes first")
		assert.Contains(t, stopped.Stopped, "skip")
		s.Matching.Rules = s.Matching.Rules[1:]
		for i := range s.Matching.Rules {
			s.Matching.Rules[i].Version, s.Matching.Rules[i].Bytes = "", 0
		}
		assert.Equal(t, want, s.Matching.Rules)
		assert.Equal(t, []int{2, 2}, []int{s.Matching.Open, s.Matching.Keys})
		assert.EqualValues(t, 2, want[0].Bounded())
	}
	check()
	l.stop()
	l = app.start()
	check()
	assert.Equal(t, "+pair +strict +load +idle 0 unchanged", l.status().Revision.Text)
	l.stop()
	m, err := l.Matching(context.Background())
	require.NoError(t, err, "how it ended is known when it has")
	assert.Len(t, m.Rules, 3)
}

// A lane that does not answer leaves the status without what only it knows.
func TestStatusOfABusyLane(t *testing.T) {
	app := newApp(t, map[string]string{"rules/r.yaml": "rule: r\nwhen: type == \"a\"\n"})
	l := app.start()
	hold, held := make(chan struct{}), make(chan struct{})
	go func() {
		assert.NoError(t, l.lane.ask(context.Background(), func() { close(held); <-hold }))
	}()
	<-held
	defer func() { require.NoError(t, l.lane.ask(t.Context(), func() {})) }() // the one above has ended
	defer close(hold)
	s := l.status()
	assert.Nil(t, s.Matching)
	assert.Contains(t, s.Busy, "the lane does not answer")
	assert.Equal(t, []string{"r"}, s.Rules, "the rest is there")
}

// What a change of rules does to what is open is told with it.
func TestRevisionsAreTold(t *testing.T) {
	rule := func(name, second, more string) string {
		return "rule: " + name + "\n" + more + "when: {pattern: a then b, define: {a: type == \"a\", b: type == \"" + second + "\"}}\n---\n"
	}
	app := newApp(t, map[string]string{"rules/r.yaml": rule("kept", "b", "") + rule("drained", "b", "on_change: keep\n") + rule("reset", "b", "on_change: reset\n") + rule("dropped", "b", "") + rule("same", "b", "")})
	l := app.start()
	l.send(ev("a", 0, `{}`))
	l.settle()
	app.swap("rules/r.yaml", rule("kept", "b", "severity: high\n")+rule("drained", "c", "on_change: keep\n")+rule("reset", "c", "on_change: reset\n")+rule("same", "b", "")+rule("new", "b", ""))
	rev := l.noticed("reloaded", "rules: ").Revision
	require.NotNil(t, rev)
	assert.Equal(t, "+new ~kept ~drained ~reset -dropped 1 unchanged", rev.Text)
	assert.ElementsMatch(t, []RuleChange{
		{Rule: "kept", Action: "kept", Open: 1},
		{Rule: "drained", Action: "drained", Open: 1, Why: "the new version does not mean the same"},
		{Rule: "reset", Action: "reset", Open: 1},
		{Rule: "dropped", Action: "dropped", Open: 1},
	}, rev.Changes)
	assert.Equal(t, rev, l.status().Revision)
}

func TestRevisionOfManyIsShort(t *testing.T) {
	set := &RuleSet{}
	for range 1000 {
		set.change.added = append(set.change.added, "rule")
	}
	rev := revisionOf(set, make([]cep.Change, 150), testDay)
	assert.Len(t, rev.Changes, maxChanges)
	assert.Equal(t, 50, rev.More)
	assert.Less(t, len(rev.Text), 200)
	assert.Contains(t, rev.Text, "and 980 more 0 unchanged")
}

// A running host says of every kind of rule why it did not match, and how the rule
// has fared.
func TestWhyNotOfAHost(t *testing.T) {
	app := newApp(t, map[string]string{"rules/r.yaml": countedRules})
	l := app.start()
	l.send(ev("a", 0, `{"ip":1}`), ev("a", 1, `{"ip":1}`), ev("load", 2, `{}`), ev("load", 3, `{}`))
	l.settle()
	app.swap("rules/later.yaml", "rule: nightly\nwhen: {schedule: \"0 3 * * *\"}\n---\nrule: one\nwhen: type == \"none\"\n")
	changed := l.noticed("reloaded", "+nightly").Revision.At
	ask := func(rule string) (out struct {
		Rule, Kind, Wants string
		Waiting           []string
		Filling           []struct{ Have int }
		Next              string
		Running           Running
	},
	) {
		t.Helper()
		raw, err := l.api().WhyNot(t.Context(), rule)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &out))
		assert.Equal(t, rule, out.Rule)
		return out
	}
	pair := ask("pair")
	assert.Equal(t, []string{"b"}, pair.Waiting)
	require.Len(t, pair.Running.Counts, 1)
	assert.EqualValues(t, 1, pair.Running.Counts[0].Rejected)
	assert.True(t, pair.Running.Since.Before(changed))
	load := ask("load")
	assert.Equal(t, "window", load.Kind)
	assert.Equal(t, 2, load.Filling[0].Have)
	nightly := ask("nightly")
	assert.Equal(t, "schedule", nightly.Kind)
	assert.NotEmpty(t, nightly.Next)
	assert.Equal(t, changed, nightly.Running.Since, "it has seen no event from before")
	assert.Equal(t, "live", nightly.Running.Mode)
	assert.Empty(t, ask("one").Running.Counts)

	_, err := l.api().WhyNot(t.Context(), "idle")
	require.ErrorIs(t, err, api.ErrInvalid)
	require.ErrorContains(t, err, "rule idle is off")
	_, err = l.api().WhyNot(t.Context(), "nobody")
	require.ErrorIs(t, err, api.ErrNotFound)
	l.stop()

	l = app.start()
	assert.Equal(t, changed, ask("nightly").Running.Since, "also after a restart")
}
