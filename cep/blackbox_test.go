package cep_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
)

// The cases of this file are written from the description of the rule language
// alone. Events are written `ID SECONDS NAME=JSON …`, one after a semicolon: the type of
// an event is the letters its id begins with, its time is that many seconds after
// midnight, and the rest is its payload. `~ SECONDS` only moves time on. A match is
// written `rule@SECONDS:trigger element=id,id …`, a timeout with `!` for the
// trigger.

// boxStart is the zero of the times in this file.
var boxStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// boxLines turns the short form of events into NDJSON.
func boxLines(t testing.TB, events string) [][]byte {
	t.Helper()
	var lines [][]byte
	for text := range strings.SplitSeq(events, ";") {
		f := strings.Fields(text)
		if len(f) == 0 {
			continue
		}
		require.GreaterOrEqual(t, len(f), 2, "%q", text)
		sec, err := strconv.ParseFloat(f[1], 64)
		require.NoError(t, err)
		at := boxStart.Add(time.Duration(sec * float64(time.Second))).Format(time.RFC3339Nano)
		if f[0] == "~" {
			lines = append(lines, fmt.Appendf(nil, `{"watermark":%q}`, at))
			continue
		}
		data := make([]string, 0, len(f))
		for _, kv := range f[2:] {
			k, v, _ := strings.Cut(kv, "=")
			data = append(data, strconv.Quote(k)+":"+v)
		}
		lines = append(lines, fmt.Appendf(nil, `{"type":%q,"id":%q,"time":%q,"data":{%s}}`,
			strings.TrimRight(f[0], "0123456789"), f[0], at, strings.Join(data, ",")))
	}
	return lines
}

// boxText writes a match in the short form.
func boxText(m *cep.Match) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s@%s", m.Rule.Name, boxTime(m.At))
	if m.Timeout {
		b.WriteString("!")
	} else {
		b.WriteString(":" + m.Trigger)
	}
	if w := m.Window; w != nil {
		fmt.Fprintf(&b, " [%s,%s]", boxTime(w.From), boxTime(w.To))
		for _, l := range w.Let {
			fmt.Fprintf(&b, " %s=%s", l.Name, l.Value.AppendJSON(nil))
		}
	}
	if m.Score != nil {
		fmt.Fprintf(&b, " score=%v", *m.Score)
	}
	for _, e := range m.Bind {
		b.WriteString(" " + e.Element + "=")
		for i, ev := range e.Events {
			if i > 0 {
				b.WriteString(",")
			}
			b.WriteString(ev.ID)
		}
	}
	return b.String()
}

func boxTime(at time.Time) string {
	return strconv.FormatFloat(at.Sub(boxStart).Seconds(), 'f', -1, 64)
}

func boxProgram(t testing.TB, rules string) *cep.Program {
	t.Helper()
	list, err := cep.ParseRules("box.yaml", []byte(rules))
	require.NoError(t, err)
	p, err := cep.Compile(list)
	require.NoError(t, err)
	return p
}

// boxCached gives the program as it comes back from the cache.
func boxCached(t testing.TB, p *cep.Program) *cep.Program {
	t.Helper()
	b, ok := p.AppendCache(nil, "key")
	require.True(t, ok)
	c, err := cep.LoadProgram(b, "key")
	require.NoError(t, err)
	require.Equal(t, p.Digest(), c.Digest())
	return c
}

// boxFeed plays lines to a matcher as Stream does, but its matcher can be
// exchanged between two lines. Matches are written down only at the end, when all
// buffers have been overwritten.
type boxFeed struct {
	t    testing.TB
	m    *cep.Matcher
	ms   []cep.Match
	last uint64
}

func (f *boxFeed) line(n int, text []byte) {
	f.last = uint64(n)
	pos := cep.Position{Seq: f.last}
	buf := bytes.Clone(text)
	var mark struct{ Watermark time.Time }
	if json.Unmarshal(buf, &mark) == nil && !mark.Watermark.IsZero() {
		f.ms = f.m.Advance(mark.Watermark, pos, f.ms)
		return
	}
	ev, err := event.ParseLoose(buf)
	require.NoError(f.t, err)
	if ev.ID == "" {
		ev.ID = fmt.Sprintf("line-%d", n)
	}
	if ev.Source == "" {
		ev.Source = "match"
	}
	at := ev.Time
	if at.IsZero() {
		ev.Time = f.m.Now()
	}
	f.ms = f.m.Feed(&ev, pos, at, f.ms)
	for i := range buf {
		buf[i] = 'X'
	}
	ev = event.Event{}
}

// boxRun is what came of playing lines.
type boxRun struct {
	full    []string // as `rhost match` prints them, ids included
	short   []string // in the short form
	stats   cep.Stats
	stopped []cep.RuleError
}

func boxRunOf(m *cep.Matcher, ms []cep.Match) boxRun {
	r := boxRun{stats: m.Stats(), stopped: m.Stopped()}
	for i := range r.stats.Rules {
		r.stats.Rules[i].Bytes = 0 // room that was made and is kept is among them
	}
	for i := range ms {
		r.full = append(r.full, string(ms[i].AppendJSON(nil)))
		r.short = append(r.short, boxText(&ms[i]))
	}
	return r
}

// boxPlay plays lines to a matcher; around says what else happens before each.
func boxPlay(t testing.TB, p *cep.Program, o cep.Options, lines [][]byte, until float64, around func(f *boxFeed, i int)) boxRun {
	t.Helper()
	f := &boxFeed{t: t, m: cep.NewMatcher(p, o)}
	for i, line := range lines {
		if around != nil {
			around(f, i)
		}
		f.line(i+1, line)
	}
	if until > 0 {
		f.ms = f.m.Advance(boxAt(until), cep.Position{Seq: f.last}, f.ms)
	}
	return boxRunOf(f.m, f.ms)
}

func boxAt(sec float64) time.Time { return boxStart.Add(time.Duration(sec * float64(time.Second))) }

// boxStream plays lines through a Stream, one buffer for all of them.
func boxStream(t testing.TB, p *cep.Program, o cep.Options, lines [][]byte, until float64) boxRun {
	t.Helper()
	s := cep.NewStream(p, o)
	var ms []cep.Match
	var buf []byte
	for i, line := range lines {
		buf = append(buf[:0], line...)
		var err error
		ms, err = s.Line(i+1, buf, ms)
		require.NoError(t, err)
		for k := range buf {
			buf[k] = 'X'
		}
	}
	if until > 0 {
		ms = s.AdvanceTo(boxAt(until), ms)
	}
	return boxRunOf(s.Matcher(), ms)
}

// boxAll plays lines in every way that must make no difference, and gives what
// all of them give.
func boxAll(t testing.TB, rules string, lines [][]byte, until float64) boxRun {
	t.Helper()
	p, twin := boxProgram(t, rules), boxProgram(t, rules)
	o := cep.Options{Tenant: "box"}
	want := boxStream(t, p, o, lines, until)
	seen := make(map[string]bool)
	for i := range want.full {
		id, _, _ := strings.Cut(want.full[i], `,"at"`)
		assert.False(t, seen[id], "one id for two matches: %s", want.full[i])
		seen[id] = true
	}
	same := func(how string, got boxRun) {
		t.Helper()
		assert.Equal(t, want.full, got.full, how)
		assert.Equal(t, fmt.Sprint(want.stopped), fmt.Sprint(got.stopped), how)
		assert.Equal(t, want.stats, got.stats, how)
	}
	same("matcher", boxPlay(t, p, o, lines, until, nil))
	cached := boxCached(t, p)
	for _, r := range p.Rules() {
		a, aok := p.Plan(r.Name)
		b, bok := cached.Plan(r.Name)
		assert.Equal(t, aok, bok, "cached plan of %s", r.Name)
		assert.Equal(t, a, b, "cached plan of %s", r.Name)
	}
	same("cached", boxStream(t, cached, o, lines, until))
	explain := o
	explain.Explain = true
	same("explained", boxStream(t, p, explain, lines, until))
	same("time in small steps", boxPlay(t, p, o, lines, until, func(f *boxFeed, i int) {
		if at, ok := boxTimeOf(lines[i]); ok && f.m.Now().After(boxStart.Add(-time.Hour)) {
			for range 3 {
				f.ms = f.m.Advance(f.m.Now().Add(at.Sub(f.m.Now())/2), cep.Position{Seq: 7777}, f.ms)
			}
		}
	}))
	programs := []*cep.Program{p, twin, cached}
	same("swapped", boxPlay(t, p, o, lines, until, func(f *boxFeed, i int) {
		assert.Empty(t, f.m.Swap(programs[(i+1)%3]))
	}))
	same("restored", boxPlay(t, p, o, lines, until, func(f *boxFeed, i int) {
		snap := f.m.AppendSnapshot(nil)
		m, err := cep.RestoreMatcher(programs[i%3], o, snap)
		require.NoError(t, err)
		assert.Equal(t, snap, m.AppendSnapshot(nil), "a restored matcher writes the same snapshot")
		f.m = m
	}))
	return want
}

func boxTimeOf(line []byte) (time.Time, bool) {
	var l struct{ Time, Watermark time.Time }
	if json.Unmarshal(line, &l) != nil {
		return time.Time{}, false
	}
	if l.Time.IsZero() {
		l.Time = l.Watermark
	}
	return l.Time, !l.Time.IsZero()
}

type boxCase struct {
	name   string
	when   string // what stands after `when:` of the rule r, or whole rules
	events string
	until  float64
	want   []string
}

func boxCheck(t *testing.T, cases []boxCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rules := c.when
			if !strings.Contains(rules, "rule: ") {
				rules = "rule: r\nwhen:\n  " + strings.ReplaceAll(strings.TrimSpace(c.when), "\n", "\n  ") + "\n"
			}
			got := boxAll(t, rules, boxLines(t, c.events), c.until)
			want := make([]string, 0, len(c.want))
			for _, w := range c.want {
				if !strings.Contains(w, "@") {
					t.Fatalf("%q has no time", w)
				}
				want = append(want, w)
			}
			assert.Equal(t, want, append([]string{}, got.short...))
		})
	}
}

func TestBoxPatterns(t *testing.T) {
	loop := func(pattern, a, rest string) string {
		return "pattern: " + pattern + "\ndefine: {a: {where: type == \"a\", " + a + "}" + rest
	}
	boxCheck(t, []boxCase{
		{
			"fails then ok", `pattern: fail{5,} then ok
define: {fail: type == "fail", ok: type == "ok"}`, "fail1 1; fail2 2; fail3 3; fail4 4; fail5 5; fail6 6; ok1 7", 0,
			[]string{"r@7:ok1 fail=fail1,fail2,fail3,fail4,fail5,fail6 ok=ok1"},
		},
		{"next", "pattern: a next b" + boxTwo, "a1 1; b1 2; a2 3; c1 4; b2 5", 0, []string{"r@2:b1 a=a1 b=b1"}},
		{"then, past the last", "pattern: a then b" + boxTwo, "a1 1; a2 2; c1 3; b1 4; b2 5", 0, []string{"r@4:b1 a=a1 b=b1"}},
		{"then, no skip", "pattern: a then b\nskip: none" + boxTwo, "a1 1; a2 2; c1 3; b1 4; b2 5", 0, []string{"r@4:b1 a=a1 b=b1", "r@4:b1 a=a2 b=b1"}},
		{"then any, no skip", "pattern: a then any b\nskip: none" + boxTwo, "a1 1; b1 2; b2 3; b3 4", 0, []string{"r@2:b1 a=a1 b=b1", "r@3:b2 a=a1 b=b2", "r@4:b3 a=a1 b=b3"}},
		{"then any, to next", "pattern: a then any b\nskip: to-next" + boxTwo, "a1 1; a2 2; b1 3; b2 4", 0, []string{"r@3:b1 a=a1 b=b1", "r@3:b1 a=a2 b=b1"}},
		{"then not, amid", "pattern: a then not b then c" + boxThree, "a1 1; d1 2; c1 3; a2 4; b1 5; c2 6; c3 7", 0, []string{"r@3:c1 a=a1 c=c1"}},
		{"then not, at the end", "pattern: a then not b\nwithin: 10s" + boxTwo, "a1 1; a2 20; b1 29; a3 40; b2 50", 100, []string{"r@11:time a=a1", "r@50:time a=a3"}},
		{"next not", "pattern: a next not b then c" + boxThree, "a1 1; b1 2; c1 3; a2 4; c2 5; a3 6; d1 7; b2 8; c3 9", 0, []string{"r@5:c2 a=a2 c=c2", "r@9:c3 a=a3 c=c3"}},
		{"next sees only its key", "pattern: a next b\nby: data.k" + boxTwo, `a1 1 k=1; c1 2 k=2; x1 3; b1 4 k=1; a2 5 k=1; c2 6 k=1; b2 7 k=1`, 0, []string{"r@4:b1 a=a1 b=b1"}},
		{"either", "pattern: (a | b) then c\nskip: none" + boxThree, "a1 1; b1 2; c1 3", 0, []string{"r@3:c1 a=a1 c=c1", "r@3:c1 b=b1 c=c1"}},
		{"either binds the left", `pattern: (a | b) then c
skip: none
define: {a: data.n > 1, b: data.n > 0, c: type == "c"}`, "x1 1 n=2; x2 2 n=1; c1 3", 0, []string{"r@3:c1 a=x1 c=c1", "r@3:c1 b=x2 c=c1"}},
		{"either, by precedence", "pattern: a then b | c" + boxThree, "a1 1; c1 2; b1 3; b2 4; a2 5; b3 6", 0, []string{"r@2:c1 a=a1 c=c1", "r@6:b3 a=a2 b=b3"}},
		{"either of sequences", "pattern: ((a then b) | c) then d\nskip: none" + boxFour, "a1 1; c1 2; d1 3; b1 4; d2 5", 0, []string{"r@3:d1 c=c1 d=d1", "r@5:d2 a=a1 b=b1 d=d2"}},
		{"both", "pattern: (a & b) then c" + boxThree, "b1 1; d1 2; a1 3; d2 4; c1 5; a2 6; c2 7; b2 8; c3 9", 0, []string{"r@5:c1 a=a1 b=b1 c=c1", "r@9:c3 a=a2 b=b2 c=c3"}},
		{"both are distinct", `pattern: a & b
define: {a: data.n > 1, b: data.n > 0}`, "x1 1 n=2; x2 2 n=1; x3 3 n=1; x4 4 n=1; x5 5 n=2", 0, []string{"r@2:x2 a=x1 b=x2", "r@5:x5 a=x5 b=x3"}},
		{"both of four", "pattern: a & b & c & d" + boxFour, "d1 1; c1 2; d2 3; b1 4; a1 5", 0, []string{"r@5:a1 a=a1 b=b1 c=c1 d=d1"}},
		{"both of sequences", "pattern: ((a then b) & c) then d" + boxFour, "a1 1; c1 2; d1 3; b1 4; d2 5", 0, []string{"r@5:d2 a=a1 b=b1 c=c1 d=d2"}},
		{"twice, no skip", "pattern: a{2} then b\nskip: none" + boxTwo, "a1 1; a2 2; a3 3; b1 4", 0, []string{"r@4:b1 a=a1,a2 b=b1", "r@4:b1 a=a2,a3 b=b1"}},
		{"most events", "pattern: a{2,3} then b" + boxTwo, "a1 1; a2 2; a3 3; a4 4; b1 5", 0, []string{"r@5:b1 a=a1,a2,a3 b=b1"}},
		{"most events first", "pattern: a{2,3} then b\nskip: none" + boxTwo, "a1 1; a2 2; a3 3; b1 4", 0, []string{"r@4:b1 a=a1,a2,a3 b=b1", "r@4:b1 a=a1,a2 b=b1", "r@4:b1 a=a2,a3 b=b1"}},
		{"loop last", "pattern: a+\nskip: none" + boxOne, "a1 1; a2 2", 0, []string{"r@1:a1 a=a1", "r@2:a2 a=a1,a2", "r@2:a2 a=a2"}},
		{"absent first", "pattern: a? then b\nskip: none" + boxTwo, "b0 1; a1 2; a2 3; b1 4", 0, []string{"r@1:b0 b=b0", "r@4:b1 a=a1 b=b1", "r@4:b1 a=a2 b=b1", "r@4:b1 b=b1"}},
		{"group", "pattern: (a then b){2} then c" + boxThree, "a1 1; b1 2; c1 3; a2 4; d1 5; b2 6; c2 7", 0, []string{"r@7:c2 a=a1,a2 b=b1,b2 c=c2"}},
		{"named group", `pattern: ab{2}
define: {ab: {pattern: a then b, repeat: next}, a: type == "a", b: type == "b"}`, "a1 1; b1 2; c1 3; a2 4; b2 5; a3 6; b3 7", 0, []string{"r@7:b3 a=a2,a3 b=b2,b3"}},
		{"consecutive", loop("a{2,} then b", "repeat: next", `, b: type == "b"}`), "a1 1; c1 2; a2 3; a3 4; b1 5", 0, []string{"r@5:b1 a=a2,a3 b=b1"}},
		{
			"combinations", loop("c then any a{1,} then any b", "repeat: any", `, b: type == "b", c: type == "c"}`+"\nskip: none\nemit: ordered"), "c1 1; a1 2; a2 3; b1 4", 0,
			[]string{"r@4:b1 c=c1 a=a1,a2 b=b1", "r@4:b1 c=c1 a=a1 b=b1", "r@4:b1 c=c1 a=a2 b=b1"},
		},
		{"until", loop("a+ then b", "until: data.stop", `, b: type == "b"}`), "a1 1; a2 2; a3 3 stop=true; a4 4; b1 5", 0, []string{"r@5:b1 a=a1,a2 b=b1"}},
		{"gap", loop("a{3} then b", "gap: 5s", `, b: type == "b"}`), "a1 1; a2 6; a3 10.9; a4 11; b1 12", 0, []string{"r@12:b1 a=a2,a3,a4 b=b1"}},
		{"wait", loop("b then a", "wait: 10s", `, b: type == "b"}`), "b1 1; a1 11; b2 20; a2 29.999", 0, []string{"r@29.999:a2 b=b2 a=a2"}},
		{"within gap", "pattern: a then b then c\nwithin: {gap: 5s}" + boxThree, "a1 1; b1 5; c1 9; a2 20; b2 25; c2 26", 0, []string{"r@9:c1 a=a1 b=b1 c=c1"}},
		{"within", "pattern: a then b\nwithin: 10s\non_timeout: emit" + boxTwo, "a1 1; b1 10.999; a2 20; b2 30", 0, []string{"r@10.999:b1 a=a1 b=b1", "r@30! a=a2"}},
		{"timeouts", "pattern: a then b then c\nwithin: 10s\non_timeout: emit\nskip: none" + boxThree, "a1 1; a2 2; b1 3; ~ 11; ~ 11.5", 20, []string{"r@11! a=a1 b=b1", "r@12! a=a2 b=b1"}},
		{"skip, none", "pattern: b+ next c\nskip: none" + boxBC, "b1 1; b2 2; b3 3; c1 4", 0, []string{"r@4:c1 b=b1,b2,b3 c=c1", "r@4:c1 b=b2,b3 c=c1", "r@4:c1 b=b3 c=c1"}},
		{"skip, to first", "pattern: b+ next c\nskip: {to-first: b}" + boxBC, "b1 1; b2 2; b3 3; c1 4", 0, []string{"r@4:c1 b=b1,b2,b3 c=c1", "r@4:c1 b=b2,b3 c=c1", "r@4:c1 b=b3 c=c1"}},
		{"skip, to last", "pattern: b+ next c\nskip: {to-last: b}" + boxBC, "b1 1; b2 2; b3 3; c1 4", 0, []string{"r@4:c1 b=b1,b2,b3 c=c1", "r@4:c1 b=b3 c=c1"}},
		{"immediate prunes what began earlier", "pattern: a then c" + boxJoin, "a1 1 n=1; a2 2 n=2; c2 3 n=2; c1 4 n=1", 0, []string{"r@3:c2 a=a2 c=c2"}},
		{"immediate, no skip", "pattern: a then c\nskip: none" + boxJoin, "a1 1 n=1; a2 2 n=2; c2 3 n=2; c1 4 n=1", 0, []string{"r@3:c2 a=a2 c=c2", "r@4:c1 a=a1 c=c1"}},
		{"ordered waits", "pattern: a then c\nemit: ordered" + boxJoin, "a1 1 n=1; a2 2 n=2; c2 3 n=2; c1 4 n=1", 0, []string{"r@4:c1 a=a1 c=c1"}},
		{"ordered, no skip", "pattern: a then c\nemit: ordered\nskip: none" + boxJoin, "a1 1 n=1; a2 2 n=2; c2 3 n=2; c1 4 n=1", 0, []string{"r@3:c2 a=a2 c=c2", "r@4:c1 a=a1 c=c1"}},
		{"ordered, released by time", "pattern: a then c\nemit: ordered\nwithin: 10s" + boxJoin, "a1 1 n=1; a2 2 n=2; c2 3 n=2; c1 12 n=1", 0, []string{"r@11:c2 a=a2 c=c2"}},
		{"two rules, one event", "rule: z\nwhen: type == \"x\"\n---\nrule: y\nwhen: type == \"x\"\n", "x1 1", 0, []string{"z@1:x1 event=x1", "y@1:x1 event=x1"}},
		{
			"aggregates", "pattern: a+ then b\ndefine: {a: type == \"a\", b: type == \"b\" && count(a) >= 2 && sum(a.data.n) > 5.0 && data.n < avg(a.data.n)}",
			"a1 1 n=3; b1 2 n=1; a2 3 n=4; b2 4 n=9; b3 5 n=3", 0,
			[]string{"r@5:b3 a=a1,a2 b=b3"},
		},
	})
}

const (
	boxOne   = "\ndefine: {a: type == \"a\"}"
	boxTwo   = "\ndefine: {a: type == \"a\", b: type == \"b\"}"
	boxBC    = "\ndefine: {b: type == \"b\", c: type == \"c\"}"
	boxThree = "\ndefine: {a: type == \"a\", b: type == \"b\", c: type == \"c\"}"
	boxFour  = "\ndefine: {a: type == \"a\", b: type == \"b\", c: type == \"c\", d: type == \"d\"}"
	boxJoin  = "\ndefine: {a: type == \"a\", c: type == \"c\" && data.n == a.data.n}"
)

func TestBoxKeysAndLimits(t *testing.T) {
	two := "\ndefine: {a: type == \"a\", b: type == \"b\"}"
	boxCheck(t, []boxCase{
		{"number and text", "pattern: a then b\nby: data.k" + two, `a1 1 k=1; b1 2 k="1"; b2 3 k=1.0; a2 4 k="1"; b3 5 k="1"`, 0, []string{"r@3:b2 a=a1 b=b2", "r@5:b3 a=a2 b=b3"}},
		{"minus zero, exponents", "pattern: a then b\nby: data.k" + two, `a1 1 k=0; b1 2 k=-0.0; a2 3 k=100; b2 4 k=1e2`, 0, []string{"r@2:b1 a=a1 b=b1", "r@4:b2 a=a2 b=b2"}},
		{"null, booleans", "pattern: a then b\nby: data.k" + two, `a1 1 k=true; b1 2 k="true"; b2 3 k=1; b3 4 k=true; a2 5 k=false; b4 6 k=false`, 0, []string{"r@4:b3 a=a1 b=b3", "r@6:b4 a=a2 b=b4"}},
		{"several", "pattern: a then b\nby: [data.k, data.l]" + two, `a1 1 k="x" l="yz"; b1 2 k="xy" l="z"; b2 3 k="x"; b3 4 l="yz"; b4 5 k="x" l="yz"`, 0, []string{"r@5:b4 a=a1 b=b4"}},
		{"attributes", "pattern: a then b\nby: [source, data.k]" + two, `a1 1 k=1; b1 2 k=1`, 0, []string{"r@2:b1 a=a1 b=b1"}},
		{"condition by key", "condition: type == \"a\"\nby: data.k", `a1 1 k=1; a2 2; a3 3 k=null`, 0, []string{"r@1:a1 event=a1", "r@3:a3 event=a3"}},
	})
	for _, tt := range []struct {
		full, pattern     string
		rejected, dropped uint64
		want              []string
	}{
		{"reject", "a then b", 1, 0, []string{"r@4:b1 a=a1 b=b1", "r@4:b1 a=a2 b=b1"}},
		{"drop-oldest", "a then b", 0, 1, []string{"r@4:b1 a=a2 b=b1", "r@4:b1 a=a3 b=b1"}},
		{"reject", "a then any b", 1, 0, []string{"r@4:b1 a=a1 b=b1", "r@4:b1 a=a2 b=b1"}},
		{"drop-oldest", "a then any b", 0, 1, []string{"r@4:b1 a=a2 b=b1", "r@4:b1 a=a3 b=b1"}},
		{"reject", "a then c? then b", 1, 0, []string{"r@4:b1 a=a1 b=b1", "r@4:b1 a=a2 b=b1"}},
		{"drop-oldest", "a then c? then b", 0, 1, []string{"r@4:b1 a=a2 b=b1", "r@4:b1 a=a3 b=b1"}},
	} {
		define := `{a: type == "a", b: type == "b"}`
		if strings.Contains(tt.pattern, "c") {
			define = `{a: type == "a", b: 'type == "b" && data.n != a.data.n', c: type == "c"}`
		}
		rule := "rule: r\nwhen: {pattern: " + tt.pattern + ", skip: none, limit: {runs: 2, full: " + tt.full + "}, define: " + define + "}\n"
		got := boxAll(t, rule, boxLines(t, "a1 1 n=1; a2 2 n=1; a3 3 n=1; b1 4 n=2"), 0)
		assert.Equal(t, tt.want, got.short, rule)
		require.Len(t, got.stats.Rules, 1)
		assert.Equal(t, tt.rejected, got.stats.Rules[0].Rejected, rule)
		assert.Equal(t, tt.dropped, got.stats.Rules[0].Dropped, rule)
	}
	got := boxAll(t, "rule: r\nwhen: {pattern: a then b, by: data.k, define: {a: type == \"a\", b: type == \"b\"}}\n", boxLines(t, "a1 1; a2 2 k=1; b1 3; x1 4"), 0)
	require.Len(t, got.stats.Rules, 1)
	assert.Equal(t, uint64(2), got.stats.Rules[0].Keyless)
	for pattern, want := range map[string]string{
		"a? then b": "r", // nothing to skip to
		"a then b":  "",  // the first b is not the first event
	} {
		skip := "{to-first: a, on_miss: error}"
		if want == "" {
			skip = "{to-first: b, on_miss: error}"
		}
		got := boxAll(t, "rule: r\nwhen: {pattern: "+pattern+", skip: "+skip+", define: {a: type == \"a\", b: type == \"b\"}}\n", boxLines(t, "a0 1; x1 1; b1 2; b2 2; b3 3"), 0)
		assert.Len(t, got.stopped, len(want), pattern)
		assert.Len(t, got.short, 1-len(want), pattern)
	}
}

func TestBoxWindows(t *testing.T) {
	boxCheck(t, []boxCase{
		{
			"aggregates", `window: tumbling 10s
let: {n: count(), nv: count(data.v), s: sum(data.v), a: avg(data.v), lo: min(data.v), hi: max(data.v), f: first(data.v), l: last(data.v), d: delta(data.v), u: distinct(data.v), sd: stddev(data.v), q: "quantile(data.v, 0.5)", k: "topk(data.u, 1)", sl: slope(data.v), r: rate(), rv: rate(data.v), c: "corr(data.v, data.w)"}`,
			`x1 1 v=2 w=9 u="p"; x2 4 v=8 w=6 u="q"; x3 7 v=14 w=3 u="q"; x4 8; x5 10 v=100`, 10.5,
			[]string{`r@10:time [0,10] n=4 nv=3 s=24 a=8 lo=2 hi=14 f=2 l=14 d=12 u=3 sd=6 q=8 k=[{"value":"q","count":2}] sl=2 r=0.4 rv=2 c=-1`},
		},
		{"nothing to work on", "window: tumbling 10s\nlet: {n: count(), s: sum(data.v), u: distinct(data.v)}", "x1 1; x2 2 v=\"t\"", 20, []string{"r@10:time [0,10] n=2 s=0 u=1"}},
		{"sliding", "window: sliding 10s every 5s\nlet: {n: count()}", "x1 6; x2 10; x3 12", 100, []string{
			"r@10:time [0,10] n=1", "r@15:time [5,15] n=3", "r@20:time [10,20] n=2",
		}},
		{"session", "window: session 5s\nlet: {n: count()}", "x1 1; x2 4; x3 9", 100, []string{"r@9:time [1,9] n=2", "r@14:time [9,14] n=1"}},
		{
			"count by key", "window: count 2\nby: data.k\nlet: {s: sum(data.v)}", "x1 1 k=1 v=1; x2 1 k=2 v=5; x3 1 k=1 v=2; x4 1 k=1 v=3; x5 1 k=1 v=4; x6 2 v=7", 0,
			[]string{"r@1:x3 [1,1] s=3", "r@1:x5 [1,1] s=7"},
		},
		{"where and having", "window: tumbling 10s\nwhere: type == \"x\"\nlet: {n: count()}\nhaving: n >= 2", "x1 1; y1 2; x2 11; x3 12; y2 13", 30, []string{"r@20:time [10,20] n=2"}},
		{"keys in the order of their first events", "window: tumbling 10s\nby: data.k\nlet: {n: count()}", "x1 1 k=2; x2 2 k=1; x3 3 k=2; x4 4 k=0", 10, []string{
			"r@10:time [0,10] n=2", "r@10:time [0,10] n=1", "r@10:time [0,10] n=1",
		}},
		{"an earlier time", "window: tumbling 10s\nlet: {n: count()}", "x1 15; x2 2; x3 19", 30, []string{"r@20:time [10,20] n=3"}},
	})
}

func TestBoxStates(t *testing.T) {
	boxCheck(t, []boxCase{
		{"above", "state: data.v\nabove: 10", "x1 1 v=10; x2 2 v=11; x3 3 v=12; x4 4 v=10; x5 5 v=11", 0, []string{"r@2:x2 event=x2", "r@5:x5 event=x5"}},
		{"tolerance", "state: data.v\nabove: 10\ntolerance: 2", "x1 1 v=11; x2 2 v=9; x3 3 v=11; x4 4 v=8; x5 5 v=11", 0, []string{"r@1:x1 event=x1", "r@5:x5 event=x5"}},
		{"for", "state: data.v\nabove: 10\nfor: 5s\nby: data.k", "x1 1 v=11 k=1; x2 2 v=11 k=2; x3 5 v=1 k=2; x4 6 v=1 k=1", 100, []string{"r@6:time event=x1"}},
		{"changes", "state: data.v\nchanges: true", "x1 1 v=1; x2 2 v=1; x3 3 v=2; x4 4; x5 5 v=2; x6 6 v=\"2\"", 0, []string{"r@3:x3 event=x3", "r@6:x6 event=x6"}},
		{"equals", "state: data.v\nequals: up", "x1 1 v=\"up\"; x2 2 v=\"up\"; x3 3 v=\"down\"; x4 4 v=\"up\"", 0, []string{"r@1:x1 event=x1", "r@4:x4 event=x4"}},
		{"between", "state: data.v\nbetween: [1, 3]", "x1 1 v=0; x2 2 v=1; x3 3 v=3; x4 4 v=4; x5 5 v=2", 0, []string{"r@2:x2 event=x2", "r@5:x5 event=x5"}},
		{"matches", "state: data.v\nmatches: ^err", "x1 1 v=\"ok\"; x2 2 v=\"error\"; x3 3 v=\"err\"; x4 4 v=\"noerr\"; x5 5 v=\"err\"", 0, []string{"r@2:x2 event=x2", "r@5:x5 event=x5"}},
	})
}

func TestBoxTables(t *testing.T) {
	table := func(text string) *cep.Tables {
		tab, err := cep.ParseTable("bad", "bad.txt", []byte(text))
		require.NoError(t, err)
		return cep.NewTables(map[string]*cep.Table{"bad": tab})
	}
	rule := "rule: r\nwhen: {pattern: a then b, skip: none, define: {a: 'data.ip in table.bad', b: 'type == \"b\" && a.data.ip in table.bad'}}\n"
	f := &boxFeed{t: t, m: cep.NewMatcher(boxProgram(t, rule), cep.Options{Tables: table("1.1.1.1\n2.2.2.2\n")})}
	lines := boxLines(t, `a1 1 ip="1.1.1.1"; a2 2 ip="3.3.3.3"; b1 3; a3 4 ip="3.3.3.3"; b2 5`)
	for i, l := range lines {
		if i == 3 {
			f.m.SetTables(table("3.3.3.3"))
		}
		f.line(i+1, l)
	}
	assert.Equal(t, []string{"r@3:b1 a=a1 b=b1", "r@5:b2 a=a3 b=b2"}, boxRunOf(f.m, f.ms).short)
}
