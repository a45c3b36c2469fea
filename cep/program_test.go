package cep_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

func TestCompileReportsEverything(t *testing.T) {
	first, err := cep.ParseRules("a.yaml", []byte("rule: twice\nwhen: type == \"a\"\n"))
	require.NoError(t, err)
	second, err := cep.ParseRules("b.yaml", []byte(`# a comment
rule: twice
when: type == "b"
---
rule: broken
when:
  pattern: a then b
  define:
    a: data.x == 
    b: nope.y == 1
---
rule: sleeping
mode: "off"
when: lower(1) == "x"
`))
	require.NoError(t, err)
	_, err = cep.Compile(append(first, second...))
	var all yamldoc.Errors
	require.ErrorAs(t, err, &all)
	text := err.Error()
	assert.Contains(t, text, "b.yaml:2:1: rule: twice is also the name of the rule at a.yaml:1:1; rename one of them")
	for _, want := range []string{"b.yaml:9:", "b.yaml:10:8: ", "b.yaml:14:"} {
		assert.Contains(t, text, want)
	}
	codes := cep.Codes()
	for _, e := range all {
		assert.Contains(t, codes, e.Code)
	}
}

func TestTooManyConditions(t *testing.T) {
	names := make([]string, 70)
	var define strings.Builder
	for i := range names {
		names[i] = "e" + strings.Repeat("x", i)
		define.WriteString("    " + names[i] + ": data.n == " + strings.Repeat("1", i%15+1) + " && data.m == " + strings.Repeat("2", i/15+1) + "\n")
	}
	rules, err := cep.ParseRules("r.yaml", []byte("rule: long\nwhen:\n  pattern: "+strings.Join(names, " then ")+"\n  define:\n"+define.String()))
	require.NoError(t, err)
	_, err = cep.Compile(rules)
	require.ErrorContains(t, err, "r.yaml:3:12: when.pattern: a pattern has at most 64 conditions; simplify the pattern or split the rule")
}

func TestPlan(t *testing.T) {
	p := mustProgram(t, `
rule: bare
when: type == "a" && data.user == "amy"
---
rule: brute-force
when:
  pattern: fail{5,} then ok
  define:
    fail: type in ["auth.failure", "auth.error"]
    ok: type == "auth.success" && data.user == last(fail).data.user
  by: [data.ip, subject]
  within: 2m
---
rule: strict
when:
  pattern: any_event next any_event2
  define: {any_event: data.n > 1, any_event2: data.n < 1}
---
rule: sleeping
mode: "off"
when: type == "a"
`)
	bare, ok := p.Plan("bare")
	require.True(t, ok)
	assert.Equal(t, "stateless", bare.Engine)
	assert.Equal(t, `type == "a" (hash, shared by 1): the rarest of its tests; the others are checked when it holds`, bare.Elements[0].Index)

	force, ok := p.Plan("brute-force")
	require.True(t, ok)
	assert.Equal(t, "nfa", force.Engine)
	assert.Equal(t, "it follows any pattern; not dfa: conditions compare with events bound before; not cea: a condition compares with events bound before", force.Why)
	assert.Equal(t, `type in ["auth.failure", "auth.error"] (hash, shared by 1): its only test`, force.Elements[0].Index)
	assert.True(t, force.Elements[1].Correlated)
	assert.False(t, force.SeesAll)
	assert.Equal(t, []string{"data.ip", "subject"}, force.By)
	assert.Equal(t, "1000 start events per key (later ones are refused), 65536 partial matches, each for 2m0s", force.Bound)
	text, err := json.Marshal(force)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"engine":"nfa"`)

	strict, ok := p.Plan("strict")
	require.True(t, ok)
	assert.True(t, strict.SeesAll)
	assert.Equal(t, "data.n > 1 (interval, shared by 1): its only test", strict.Elements[0].Index)

	_, ok = p.Plan("sleeping")
	assert.False(t, ok, "a rule that is off is not matched")
	_, ok = p.Plan("nope")
	assert.False(t, ok)
	r, ok := p.Rule("sleeping")
	require.True(t, ok)
	assert.Equal(t, cep.Off, r.Mode)
	assert.Len(t, p.Rules(), 4)
}

func TestDigestFollowsTheRules(t *testing.T) {
	a := mustProgram(t, "rule: a\nwhen: type == \"a\"\n")
	same := mustProgram(t, "# a comment\nrule: a\nwhen:   type == \"a\"\n")
	other := mustProgram(t, "rule: a\nwhen: type == \"b\"\n")
	assert.Equal(t, a.Digest(), same.Digest())
	assert.NotEqual(t, a.Digest(), other.Digest())
}

// What a match holds is its own: the caller may reuse the event and its bytes.
func TestMatchOwnsItsEvents(t *testing.T) {
	m := cep.NewMatcher(mustProgram(t, `
rule: r
when:
  pattern: a then b
  define: {a: type == "a", b: type == "b" && data.n == a.data.n}
  by: data.k
`), cep.Options{Tenant: "t"})
	buf := make([]byte, 0, 200)
	feed := func(text string, seq uint64) []cep.Match {
		buf = append(buf[:0], text...)
		ev, err := event.ParseLoose(buf)
		require.NoError(t, err)
		ms := m.Feed(&ev, cep.Position{Seq: seq}, time.Unix(int64(seq), 0), nil)
		clear(buf)
		return ms
	}
	require.Empty(t, feed(`{"type":"a","id":"first","data":{"n":1,"k":"key"}}`, 1))
	ms := feed(`{"type":"b","id":"second","data":{"n":1,"k":"key"}}`, 2)
	require.Len(t, ms, 1)
	got := ms[0]
	assert.Equal(t, "first", got.Bound("a")[0].ID)
	assert.JSONEq(t, `{"n":1,"k":"key"}`, string(got.Bound("b")[0].Data))
	assert.Empty(t, got.Bound("c"))
	assert.Equal(t, "second", got.TriggerEvent.ID)
	assert.Equal(t, cep.Position{Seq: 2}, got.TriggerPos)
	assert.Equal(t, "key", got.Key())
	assert.Regexp(t, "^m-[a-z2-7]{32}$", got.ID)
	assert.Equal(t, time.Unix(2, 0).UTC(), got.At)
	assert.Nil(t, got.Why)
	assert.Equal(t, cep.Reason{
		Element: "b", Event: "second", Condition: `type == "b" && data.n == a.data.n`,
		Atoms: []cep.Atom{
			{Text: `type == "b"`, Result: "true", Values: []cep.Seen{{Path: "type", Value: []byte(`"b"`)}}},
			{Text: "data.n == a.data.n", Result: "true", Values: []cep.Seen{{Path: "data.n", Value: []byte("1")}, {Path: "a.data.n", Value: []byte("1")}}},
		},
	}, got.Explain()[1])
}

func TestDeadlines(t *testing.T) {
	m := cep.NewMatcher(mustProgram(t, `
rule: r
when:
  pattern: a then not b
  define: {a: type == "a", b: type == "b"}
  by: data.k
  within: 10s
`), cep.Options{})
	_, ok := m.NextDeadline()
	assert.False(t, ok)
	assert.Equal(t, int64(0), m.Now().Unix())
	feed := func(kind, key string, at int64) {
		m.Feed(&event.Event{ID: kind, Type: kind, Data: []byte(`{"k":"` + key + `"}`)}, cep.Position{}, time.Unix(at, 0), nil)
	}
	feed("a", "x", 100)
	feed("a", "y", 103)
	at, ok := m.NextDeadline()
	require.True(t, ok)
	assert.Equal(t, int64(110), at.Unix())
	feed("b", "y", 104)
	ms := m.Advance(time.Unix(200, 0), cep.Position{Seq: 7}, nil)
	require.Len(t, ms, 1)
	assert.Equal(t, int64(110), ms[0].At.Unix())
	assert.Equal(t, "time", ms[0].Trigger)
	assert.Nil(t, ms[0].TriggerEvent)
	assert.Equal(t, cep.Position{Seq: 7}, ms[0].TriggerPos)
	s := m.Stats()
	assert.Equal(t, []int{0, 0, 0}, []int{s.Keys, s.Runs, s.Timers}, "quiet keys are gone")
	assert.Equal(t, uint64(1), s.Rules[0].Matches)
}

func TestRunTest(t *testing.T) {
	rules, err := cep.ParseRules("rules/a.yaml", []byte(`
rule: big
mode: "off"
when: type == "order" && data.total > 100
tests:
  - {given: [{type: order, data: {total: 500}}, {type: order, data: {total: 5}}], expect: {matches: 1}}
  - {given: fixtures/orders.ndjson, expect: {matches: 3}}
`))
	require.NoError(t, err)
	tests := rules[0].Tests
	res, err := cep.RunTest(rules[0], tests[0], nil, nil)
	require.NoError(t, err)
	assert.True(t, res.Passed())
	assert.Len(t, res.Matches, 1)
	assert.NotEmpty(t, res.Matches[0].Why)

	res, err = cep.RunTest(rules[0], tests[1], []byte("{\"type\":\"order\",\"data\":{\"total\":101}}\n"), nil)
	require.NoError(t, err)
	assert.False(t, res.Passed())
	assert.Equal(t, []string{"1 matches instead of 3"}, res.Failed)

	_, err = cep.RunTest(rules[0], tests[1], []byte("{\"type\":\"order\"}\n{\n"), nil)
	require.ErrorContains(t, err, "fixtures/orders.ndjson: line 2: ")
}

func TestTemplates(t *testing.T) {
	docs, err := yamldoc.Parse("r.yaml", []byte("text: \"${count(fail)} failures of ${ok.data.user}\"\nbad: ${nope.x}\n"))
	require.NoError(t, err)
	rules, err := cep.ParseRules("r.yaml", []byte("rule: r\nwhen:\n  pattern: fail+ then ok\n  define: {fail: type == \"f\", ok: type == \"o\"}\n"))
	require.NoError(t, err)
	ts := cep.NewTemplates()
	tmpl, err := ts.New(rules[0], docs[0].Get("text"))
	require.NoError(t, err)
	assert.Equal(t, []string{"fail", "ok"}, tmpl.Refs().Elements)
	fail := &event.Event{ID: "1", Type: "f"}
	ok := &event.Event{ID: "2", Type: "o", Data: []byte(`{"user":"amy"}`)}
	text, err := tmpl.Eval(cep.Vars{Event: ok, Bind: map[string][]*event.Event{"fail": {fail, fail}, "ok": {ok}}})
	require.NoError(t, err)
	assert.Equal(t, "2 failures of amy", text)
	_, err = cep.NewTemplate(rules[0], docs[0].Get("bad"))
	require.ErrorContains(t, err, "r.yaml:2:8: ")
}

// The events that every rule must see are few; one that nobody wants costs no
// memory.
func TestUntouchedEventAllocatesNothing(t *testing.T) {
	m := cep.NewMatcher(mustProgram(t, thousandRules()), cep.Options{})
	ev, err := event.Parse(benchEvents(2)[1])
	require.NoError(t, err)
	m.Feed(&ev, cep.Position{}, time.Time{}, nil)
	assert.Zero(t, testing.AllocsPerRun(100, func() { m.Feed(&ev, cep.Position{}, time.Time{}, nil) }))
}

// FuzzStream: no line can do harm, and the same lines give the same matches.
func FuzzStream(f *testing.F) {
	f.Add([]byte(`{"type":"a","id":"1","data":{"k":1,"n":2}}`), []byte(`{"watermark":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"type":"a","time":"9999-12-31T23:59:59Z","data":{"k":null}}`), []byte(`{"type":"b","data":{"n":1e308}}`))
	if raw, err := os.ReadFile("testdata/time.txt"); err == nil {
		for line := range strings.SplitSeq(string(raw), "\n") {
			f.Add([]byte(line), []byte(line))
		}
	}
	p := mustProgram(f, replayRules)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		play := func(explain bool) (out []byte) {
			s := cep.NewStream(p, cep.Options{Explain: explain})
			for i := range 12 {
				line := a
				if i%3 == 2 {
					line = b
				}
				ms, err := s.Line(i+1, line, nil)
				if err != nil {
					require.Empty(t, ms)
				}
				for j := range ms {
					require.True(t, json.Valid(ms[j].AppendJSON(nil)))
					out = ms[j].AppendJSON(out)
				}
			}
			return out
		}
		require.Equal(t, string(play(false)), string(play(true)))
	})
}
