package cep_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
)

// replayRules has a rule for every way in which a matcher keeps state.
const replayRules = `
rule: bare
when: type == "a" && data.n > 2
---
rule: loop
when:
  pattern: a{2,} then b
  define: {a: type == "a", b: type == "b"}
  by: data.k
  within: 20s
---
rule: joined
when:
  pattern: a{2,} then b
  define: {a: type == "a", b: type == "b" && data.n == last(a).data.n}
  within: 20s
---
rule: counted
when:
  pattern: a+ then b
  define: {a: type == "a", b: type == "b" && count(a) > 2}
  within: 30s
  limit: {runs: 3, full: drop-oldest}
---
rule: strict
when:
  pattern: a next b next not c
  define: {a: type == "a", b: type == "b", c: type == "c"}
  by: data.k
---
rule: absent
when:
  pattern: a then not b
  define: {a: type == "a", b: type == "b"}
  by: [data.k, data.n]
  within: 7s
---
rule: ordered
when:
  pattern: a then b? then c
  define: {a: type == "a", b: type == "b", c: type == "c" && data.n == a.data.n}
  within: 15s
  emit: ordered
---
rule: timeouts
when:
  pattern: a then b then c
  define: {a: type == "a", b: type == "b", c: type == "c"}
  within: 9s
  skip: none
  on_timeout: emit
  limit: {runs: 2}
`

// drawLog draws events with growing times.
func drawLog(t *rapid.T) []event.Event {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	events := make([]event.Event, rapid.IntRange(1, 40).Draw(t, "events"))
	for i := range events {
		now = now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "gap")) * time.Millisecond)
		data := fmt.Sprintf(`{"k":%d,"n":%d}`, rapid.IntRange(0, 1).Draw(t, "k"), rapid.IntRange(0, 3).Draw(t, "n"))
		events[i] = event.Event{
			ID: fmt.Sprintf("e%d", i), Source: "s", Time: now, Data: []byte(data),
			Type: rapid.SampledFrom([]string{"a", "a", "b", "c", "d"}).Draw(t, "type"),
		}
	}
	return events
}

// play feeds a log; before each event, between may do something to the matcher
// and gives the matches that come of it.
func play(p *cep.Program, o cep.Options, log []event.Event, between func(m *cep.Matcher, i int) []cep.Match) []string {
	m := cep.NewMatcher(p, o)
	var lines []string
	take := func(ms []cep.Match) {
		for i := range ms {
			lines = append(lines, string(ms[i].AppendJSON(nil)))
		}
	}
	for i := range log {
		take(between(m, i))
		ev := log[i].Clone()
		pos := cep.Position{Lane: 3, Seq: uint64(i), Index: 1}
		take(m.Feed(&ev, pos, ev.Time, nil))
		ev = event.Event{} // the caller may do with it what it likes
	}
	take(m.Advance(log[len(log)-1].Time.Add(time.Hour), cep.Position{}, nil))
	return lines
}

func nothing(*cep.Matcher, int) []cep.Match { return nil }

// The same log gives the same lines, ids included, whatever happens between its
// events that is no event: programs swapped for identical ones, time moved on in
// smaller steps, explanations asked for.
func TestReplayGivesTheSame(t *testing.T) {
	rules, err := cep.ParseRules("replay.yaml", []byte(replayRules))
	require.NoError(t, err)
	compile := func() *cep.Program {
		p, err := cep.Compile(rules)
		require.NoError(t, err)
		return p
	}
	programs := []*cep.Program{compile(), compile()}
	require.Equal(t, programs[0].Digest(), programs[1].Digest())
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		want := play(programs[0], cep.Options{Tenant: "t"}, log, nothing)
		seen := make(map[string]bool)
		for _, line := range want {
			require.False(t, seen[line], "twice: %s", line)
			seen[line] = true
		}
		swaps := rapid.SliceOfN(rapid.IntRange(0, 2), len(log), len(log)).Draw(t, "between")
		got := play(programs[0], cep.Options{Tenant: "t", Explain: rapid.Bool().Draw(t, "explain")}, log, func(m *cep.Matcher, i int) []cep.Match {
			switch swaps[i] {
			case 1:
				m.Swap(programs[i%2])
			case 2:
				return m.Advance(m.Now().Add(log[i].Time.Sub(m.Now())/2), cep.Position{Seq: 999}, nil)
			}
			return nil
		})
		require.Equal(t, want, got)
		other := play(programs[0], cep.Options{Tenant: "u"}, log, nothing)
		require.Len(t, other, len(want))
		for i := range other {
			require.NotEqual(t, want[i], other[i], "another tenant has other ids")
		}
	})
}

// A matcher that saw the log up to some place, from a program that had another
// rule in between, goes on as if nothing had happened.
func TestSwapLeavesOtherRulesAlone(t *testing.T) {
	full := mustProgram(t, replayRules)
	fewer := mustProgram(t, replayRules[:strings.LastIndex(replayRules, "---")])
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		at := rapid.IntRange(0, len(log)-1).Draw(t, "swap at")
		keep := func(lines []string) (kept []string) {
			for _, l := range lines {
				if !strings.Contains(l, `"rule":"timeouts"`) {
					kept = append(kept, l)
				}
			}
			return kept
		}
		want := keep(play(full, cep.Options{}, log, nothing))
		got := keep(play(full, cep.Options{}, log, func(m *cep.Matcher, i int) []cep.Match {
			if i == at {
				m.Swap(fewer)
			}
			return nil
		}))
		require.Equal(t, want, got)
	})
}
