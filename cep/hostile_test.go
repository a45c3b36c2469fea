package cep_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep"
)

func rulesOf(t testing.TB, text string) []*cep.Rule {
	t.Helper()
	rules, err := cep.ParseRules("h.yaml", []byte(text))
	require.NoError(t, err)
	return rules
}

func TestWhyNotOfEveryTrigger(t *testing.T) {
	for name, when := range map[string]string{
		"window":   `{window: tumbling 10s, let: {n: count()}}`,
		"schedule": `{schedule: "0 3 * * *"}`,
		"state":    `{state: data.x, above: 1}`,
		"bare":     `type == "a"`,
		"keyed":    `{condition: type == "a", by: data.k}`,
		"pattern":  `{pattern: a then b, define: {a: type == "a", b: type == "b"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := boxProgram(t, "rule: r\nwhen: "+when+"\n")
			m := cep.NewMatcher(p, cep.Options{Explain: true})
			assert.NotPanics(t, func() { m.WhyNot("r") })
			f := &boxFeed{t: t, m: m}
			for i, l := range boxLines(t, "x1 1 x=0; a1 2 x=0; a2 20 x=3 k=1; a3 40") {
				f.line(i+1, l)
			}
			assert.NotPanics(t, func() { m.WhyNot("r") })
		})
	}
}

// A matcher may go back to an earlier program, which has fewer places.
func TestSwapBackToFewerRules(t *testing.T) {
	for _, explain := range []bool{false, true} {
		p1 := boxProgram(t, "rule: r\nwhen: type == \"a\"\n")
		p2, err := p1.Edit(rulesOf(t, "rule: s\nwhen: type == \"a\"\n---\nrule: u\nwhen: {pattern: a then b, define: {a: type == \"a\", b: type == \"b\"}}\n"), nil)
		require.NoError(t, err)
		f := &boxFeed{t: t, m: cep.NewMatcher(p2, cep.Options{Explain: explain})}
		f.line(1, boxLines(t, "a1 1")[0])
		f.m.Swap(p1)
		assert.NotPanics(t, func() { f.line(2, boxLines(t, "a2 2")[0]) }, "explain %v", explain)
		f.m.Swap(p2)
		assert.NotPanics(t, func() { f.line(3, boxLines(t, "a3 3")[0]) }, "explain %v", explain)
		assert.Equal(t, []string{"r@1:a1 event=a1", "s@1:a1 event=a1", "r@2:a2 event=a2", "r@3:a3 event=a3", "s@3:a3 event=a3"}, boxRunOf(f.m, f.ms).short)
	}
}

// A program that Edit put together and that AppendCache takes comes back as it is.
func TestCacheOfEdited(t *testing.T) {
	for name, first := range map[string]string{
		"off":      "rule: x\nmode: off\nwhen: type == \"x\"\n",
		"schedule": "rule: x\nwhen: {schedule: \"0 3 * * *\"}\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := boxProgram(t, first+"---\nrule: y\nwhen: type == \"y\"\n")
			p, err := p.Edit(rulesOf(t, "rule: x\nwhen: type == \"x\"\n"), nil)
			require.NoError(t, err)
			want := boxStream(t, p, cep.Options{}, boxLines(t, "x1 1; y1 2"), 0)
			assert.Equal(t, []string{"x@1:x1 event=x1", "y@2:y1 event=y1"}, want.short)
			b, ok := p.AppendCache(nil, "k")
			if !ok {
				return
			}
			c, err := cep.LoadProgram(b, "k")
			require.NoError(t, err)
			assert.Equal(t, want.full, boxStream(t, c, cep.Options{}, boxLines(t, "x1 1; y1 2"), 0).full)
		})
	}
}

// What a rule that drains may still do: finish what is open, from the events it
// would have seen, and begin nothing.
func TestDrain(t *testing.T) {
	for _, tt := range []struct {
		name, v1, v2, before, after string
		until                       float64
		want                        []string
	}{
		{
			"window without where", `{window: tumbling 10s, let: {n: count()}}`, `{window: tumbling 10s, let: {n: count(), m: count()}}`,
			"x1 1; x2 2", "x3 3; x4 14", 30,
			[]string{"r@10:time [0,10] n=3", "r@10:time [0,10] n=1 m=1", "r@20:time [10,20] n=1 m=1"},
		},
		{
			"window with where", `{window: tumbling 10s, where: type == "x", let: {n: count()}}`, `{window: tumbling 10s, where: type == "x", let: {n: count(), m: count()}}`,
			"x1 1; x2 2", "x3 3; x4 14", 30,
			[]string{"r@10:time [0,10] n=3", "r@10:time [0,10] n=1 m=1", "r@20:time [10,20] n=1 m=1"},
		},
		{
			"sliding", `{window: sliding 10s every 5s, where: type == "x", let: {n: count()}}`, `{window: sliding 10s every 5s, where: type == "x", let: {n: count(), m: count()}}`,
			"x1 6", "x2 8; x3 13; x4 18; x5 23; x6 28", 100,
			[]string{
				"r@10:time [0,10] n=2", "r@10:time [0,10] n=1 m=1",
				"r@15:time [5,15] n=3", "r@15:time [5,15] n=2 m=2", // the last that was open
				"r@20:time [10,20] n=2 m=2", "r@25:time [15,25] n=2 m=2", "r@30:time [20,30] n=2 m=2", "r@35:time [25,35] n=1 m=1",
			},
		},
		{
			"count window", `{window: count 3, let: {n: count()}}`, `{window: count 3, let: {n: count(), m: count()}}`,
			"x1 1; x2 2", "x3 3; x4 4; x5 5; x6 6", 0,
			[]string{"r@3:x3 [1,3] n=3", "r@5:x5 [3,5] n=3 m=3"},
		},
		{
			"state for", `{state: data.v, above: 1, for: 10s}`, `{state: data.v, above: 2, for: 10s}`,
			"x1 1 v=5", "x2 3 v=0", 60, nil,
		},
		{
			"state changes", `{state: data.v, where: type == "x", changes: true}`, `{state: data.v, where: type != "y", changes: true}`,
			"x1 1 v=5; x2 2 v=6", "x3 3 v=7; x4 4 v=8; x5 5 v=9", 0,
			[]string{"r@2:x2 event=x2", "r@4:x4 event=x4", "r@5:x5 event=x5"},
		},
		{
			"state above", `{state: data.v, where: type == "x", above: 10}`, `{state: data.v, where: type == "x", above: 11}`,
			"x1 1 v=50", "x2 2 v=0; x3 3 v=50", 0,
			[]string{"r@1:x1 event=x1", "r@3:x3 event=x3"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			one, two := boxProgram(t, "rule: r\nwhen: "+tt.v1+"\n"), boxProgram(t, "rule: r\nwhen: "+tt.v2+"\n")
			f := &boxFeed{t: t, m: cep.NewMatcher(one, cep.Options{})}
			n := 0
			for _, l := range boxLines(t, tt.before) {
				n++
				f.line(n, l)
			}
			f.m.Swap(two)
			for _, l := range boxLines(t, tt.after) {
				n++
				m, err := cep.RestoreMatcher(two, cep.Options{}, f.m.AppendSnapshot(nil), one)
				require.NoError(t, err)
				f.m = m
				f.line(n, l)
			}
			if tt.until > 0 {
				f.ms = f.m.Advance(boxAt(tt.until), cep.Position{}, f.ms)
			}
			got := boxRunOf(f.m, f.ms)
			assert.Equal(t, tt.want, got.short)
			for _, r := range got.stats.Rules {
				assert.False(t, r.Draining, "%+v", r)
			}
		})
	}
}

// Off means off, also for what drains.
func TestOffEndsWhatDrains(t *testing.T) {
	v := func(mode, a string) *cep.Program {
		return boxProgram(t, "rule: r\nmode: "+mode+"\nwhen: {pattern: a then b, define: {a: 'type == \"a\" && data.v > "+a+"', b: type == \"b\"}}\n")
	}
	f := &boxFeed{t: t, m: cep.NewMatcher(v("live", "1"), cep.Options{})}
	f.line(1, boxLines(t, "a1 1 v=9")[0])
	f.m.Swap(v("live", "2"))
	f.line(2, boxLines(t, "a2 2 v=9")[0])
	f.m.Swap(v("off", "2"))
	f.line(3, boxLines(t, "b1 3")[0])
	assert.Empty(t, boxRunOf(f.m, f.ms).short)
}

// Names may be exchanged; what they stand for is then something else.
func TestKeptOnlyIfItMeansTheSame(t *testing.T) {
	one := boxProgram(t, "rule: r\nwhen: {pattern: p then q then r, define: {p: type == \"a\", q: type == \"a\", r: type == \"b\" && data.n == p.data.n}}\n")
	two := boxProgram(t, "rule: r\nwhen: {pattern: q then p then r, define: {p: type == \"a\", q: type == \"a\", r: type == \"b\" && data.n == p.data.n}}\n")
	f := &boxFeed{t: t, m: cep.NewMatcher(one, cep.Options{})}
	f.line(1, boxLines(t, "a1 1 n=1")[0])
	f.line(2, boxLines(t, "a2 2 n=2")[0])
	ch := f.m.Swap(two)
	require.Len(t, ch, 1)
	assert.Equal(t, cep.Drained, ch[0].Action)
	f.line(3, boxLines(t, "b1 3 n=1")[0])
	assert.Equal(t, []string{"r@3:b1 p=a1 q=a2 r=b1"}, boxRunOf(f.m, f.ms).short)
}

// A schedule that a restored program has besides begins at the time of the snapshot.
func TestRestoreWithMoreRules(t *testing.T) {
	one := boxProgram(t, "rule: r\nwhen: {pattern: a then b, define: {a: type == \"a\", b: type == \"b\"}}\n")
	two := boxProgram(t, "rule: r\nwhen: {pattern: a then b, define: {a: type == \"a\", b: type == \"b\"}}\n---\nrule: s\nwhen: {schedule: \"* * * * *\"}\n")
	f := &boxFeed{t: t, m: cep.NewMatcher(one, cep.Options{})}
	f.line(1, boxLines(t, "a1 1")[0])
	m, err := cep.RestoreMatcher(two, cep.Options{}, f.m.AppendSnapshot(nil))
	require.NoError(t, err)
	ms := m.Advance(boxAt(70), cep.Position{}, nil)
	assert.Len(t, ms, 1)
}

// Two partial matches of different ways through a pattern are two matches only if
// something tells them apart.
func TestIdentityOfTimeouts(t *testing.T) {
	for _, pattern := range []string{"(a then b) | (c then d)", "a then (b | (c then d))", "a then b? then c", "a then (b & c)", "a then b* then c", "(a then b?){2}", "a then b{1,2} then c"} {
		rules := "rule: r\nwhen:\n  pattern: " + pattern + "\n  skip: none\n  within: 10s\n  on_timeout: emit\n  define: {"
		for i, e := range []string{"a", "b", "c", "d"} {
			if !assert.NotEmpty(t, e) || !containsName(pattern, e) {
				continue
			}
			rules += fmt.Sprintf("%s: 'data.n > %d', ", e, i)
		}
		boxAll(t, rules+"}\n", boxLines(t, "x1 1 n=1; x2 2 n=2; x3 3 n=3; x4 4 n=4; x5 5 n=9; x6 6 n=2"), 60)
	}
}

func containsName(pattern, name string) bool {
	for _, r := range pattern {
		if string(r) == name {
			return true
		}
	}
	return false
}

// hostileRules has a rule for every way in which a matcher keeps state.
const hostileRules = replayRules + `
---
rule: tumbling
when: {window: tumbling 5s, by: data.k, let: {n: count(), q: "quantile(data.n, 0.9)", u: distinct(data.n), t: "topk(data.n, 2)"}}
---
rule: sliding
when: {window: sliding 10s every 2s, by: data.k, where: type == "a", let: {s: sum(data.n), c: "corr(data.n, data.k)"}}
---
rule: session
when: {window: session 3s, by: data.k, let: {n: count(), sl: slope(data.n)}}
---
rule: number
when: {window: count 3, by: data.k, let: {lo: min(data.n), f: first(data.n)}}
---
rule: clock
when: {schedule: "*/7 * * * *", missed: all}
---
rule: level
when: {state: data.n, above: 2, for: 3s, by: data.k}
---
rule: value
when: {state: data.n, changes: true, by: data.k}
---
rule: many
when: {pattern: a then any b, define: {a: type == "a", b: type == "b"}, by: data.k, within: 9s, skip: none}
---
rule: until
when: {pattern: a+ then b, define: {a: {where: type == "a", until: data.n == 0, gap: 8s}, b: {where: type == "b", wait: 5s}}, by: data.k, within: 30s, on_timeout: emit}
`

func hostileLog(n int) [][]byte {
	var lines [][]byte
	types := []string{"a", "b", "a", "c", "a", "d", "b"}
	for i := range n {
		lines = append(lines, fmt.Appendf(nil, `{"type":%q,"id":"e%d","time":%q,"data":{"k":%d,"n":%d}}`,
			types[i*i%7], i, boxAt(float64(i)*1.5).Format("2006-01-02T15:04:05.999Z07:00"), i%3, i*7%5))
	}
	return lines
}

// Damaged bytes are refused; those whose checksum is right again are refused or
// give a matcher that works.
func TestDamagedSnapshots(t *testing.T) {
	p := boxProgram(t, hostileRules)
	f := &boxFeed{t: t, m: cep.NewMatcher(p, cep.Options{})}
	log := hostileLog(30)
	for i, l := range log {
		f.line(i+1, l)
	}
	snap := f.m.AppendSnapshot(nil)
	for i := range snap {
		_, err := cep.RestoreMatcher(p, cep.Options{}, snap[:i])
		require.ErrorIs(t, err, cep.ErrSnapshot, "%d bytes", i)
		bad := bytes.Clone(snap)
		bad[i] ^= 1 << (i % 8)
		_, err = cep.RestoreMatcher(p, cep.Options{}, bad)
		require.ErrorIs(t, err, cep.ErrSnapshot, "byte %d", i)
	}
	const head = len("rhost-cep\x01") + 4
	again := 0
	for i := head; i < len(snap); i += 13 {
		bad := bytes.Clone(snap)
		flip := []byte{1, 0x80, 0xff}[i%3]
		bad[i] ^= flip
		binary.BigEndian.PutUint32(bad[head-4:], crc32.Checksum(bad[head:], crc32.MakeTable(crc32.Castagnoli)))
		if survives(t, p, bad, log, fmt.Sprintf("byte %d of %d ^ %#x", i, len(snap), flip)) {
			again++
		}
	}
	assert.Positive(t, again)
}

func survives(t *testing.T, p *cep.Program, snap []byte, log [][]byte, what string) (restored bool) {
	t.Helper()
	began := time.Now()
	defer func() {
		if x := recover(); x != nil {
			t.Errorf("%s: %v\n%.1500s", what, x, debug.Stack())
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s: took %v", what, took)
		}
	}()
	m, err := cep.RestoreMatcher(p, cep.Options{}, snap)
	if err != nil {
		return false
	}
	f := &boxFeed{t: t, m: m}
	for i, l := range log[:12] {
		f.line(100+i, bytes.Replace(l, []byte("2026-01-01T00:00"), []byte("2026-01-01T00:01"), 1))
	}
	f.ms = m.Advance(boxAt(1e6), cep.Position{}, f.ms)
	for i := range f.ms {
		f.ms[i].AppendJSON(nil)
		f.ms[i].Key()
	}
	m.AppendSnapshot(nil)
	return true
}

func TestDamagedCaches(t *testing.T) {
	p := boxProgram(t, hostileRules)
	b, ok := p.AppendCache(nil, "key")
	require.True(t, ok)
	for i := 0; i < len(b); i += 7 {
		_, err := cep.LoadProgram(b[:i], "key")
		require.ErrorIs(t, err, cep.ErrCache)
		bad := bytes.Clone(b)
		bad[i] ^= 1 << (i % 8)
		_, err = cep.LoadProgram(bad, "key")
		require.ErrorIs(t, err, cep.ErrCache, "byte %d", i)
	}
	_, err := cep.LoadProgram(b, "other")
	require.ErrorIs(t, err, cep.ErrCache)
}

// Clocks may jump to the end of the calendar, and back: timers fire once each,
// time does not go back, and nothing takes long.
func TestClockJumps(t *testing.T) {
	p := boxProgram(t, hostileRules)
	began := time.Now()
	for _, jumps := range [][]string{
		{"9999-12-31T23:59:59.999999999Z", "2026-01-01T00:00:00Z", "0000-01-01T00:00:00Z"},
		{"0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z"},
		{"1969-12-31T23:59:59Z", "2300-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.5Z"},
		{"2262-04-11T23:47:16Z", "2262-04-11T23:47:17Z", "2600-01-01T00:00:00Z"},
	} {
		for _, mark := range []bool{false, true} {
			s := cep.NewStream(p, cep.Options{})
			var ms []cep.Match
			var err error
			n := 0
			feed := func(line []byte) {
				n++
				before := s.Matcher().Now()
				ms, err = s.Line(n, line, ms[:0])
				require.NoError(t, err)
				require.False(t, s.Matcher().Now().Before(before))
				if at, ok := s.Matcher().NextDeadline(); ok {
					require.True(t, at.After(s.Matcher().Now()), "%v is due at %v", at, s.Matcher().Now())
				}
				m, err := cep.RestoreMatcher(p, cep.Options{}, s.Matcher().AppendSnapshot(nil))
				require.NoError(t, err)
				require.Equal(t, s.Matcher().Now(), m.Now())
			}
			for _, l := range hostileLog(10) {
				feed(l)
			}
			for _, at := range jumps {
				if mark {
					feed(fmt.Appendf(nil, `{"watermark":%q}`, at))
				}
				for _, typ := range []string{"a", "a", "b", "c"} {
					feed(fmt.Appendf(nil, `{"type":%q,"time":%q,"data":{"k":1,"n":3}}`, typ, at))
				}
			}
			for _, l := range hostileLog(10) {
				feed(l)
			}
			ms = s.AdvanceTo(time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), ms[:0])
			ms = s.AdvanceTo(time.Date(292277026596, 1, 1, 0, 0, 0, 0, time.UTC), ms)
			ms = s.AdvanceTo(time.Unix(1<<62, 0), ms)
			for i := range ms {
				ms[i].AppendJSON(nil)
			}
		}
	}
	assert.Less(t, time.Since(began), 5*time.Second)
}

// hostilePatterns are patterns that take exponential work where nobody takes care.
func TestExponentialPatterns(t *testing.T) {
	var long strings.Builder
	for i := range 30 {
		fmt.Fprintf(&long, "(a%d | b%d)? then ", i, i)
	}
	define := func(names ...string) string {
		var b strings.Builder
		for i, n := range names {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, `%s: type == "x"`, n)
		}
		return b.String()
	}
	var all []string
	for i := range 30 {
		all = append(all, fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i))
	}
	for name, rest := range map[string]string{
		"loops":        `pattern: a+ then b+ then c+ then d+ then e, define: {` + define("a", "b", "c", "d") + `, e: type == "e"}`,
		"any loops":    `pattern: a then any b+ then any c+ then any d+ then e, define: {a: type == "x", b: {where: type == "x", repeat: any}, c: {where: type == "x", repeat: any}, d: {where: type == "x", repeat: any}, e: type == "e"}`,
		"any combos":   `pattern: "a{5,} then e", define: {a: {where: type == "x", repeat: any}, e: type == "e"}`,
		"correlated":   `pattern: "a{5,} then e", define: {a: {where: type == "x", repeat: any}, e: 'type == "e" && sum(a.data.n) > 1.0'}`,
		"nested":       `pattern: (((a+ then b)+ then c)+ then d)+ then e, define: {` + define("a", "b", "c", "d") + `, e: type == "e"}`,
		"optional":     `pattern: ` + long.String() + `e, define: {` + define(all...) + `, e: type == "e"}`,
		"conjunctions": `pattern: ((a & b & c & d) & (f & g)) then e, define: {` + define("a", "b", "c", "d", "f", "g") + `, e: type == "e"}`,
		"thousand":     `pattern: "a{900} then e", define: {a: {where: type == "x", repeat: any}, e: type == "e"}`,
		"greedy":       `pattern: a* then b* then c* then e, define: {a: {where: type == "x", greedy: true}, b: {where: type == "x", greedy: true}, c: {where: type == "x", greedy: true}, e: type == "e"}`,
	} {
		for _, skip := range []string{"none", "past-last"} {
			if skip == "none" && name != "any combos" {
				continue // each takes a second to give out as many matches as there may be
			}
			t.Run(name+", "+skip, func(t *testing.T) {
				began := time.Now()
				rules, err := cep.ParseRules("e.yaml", []byte("rule: r\nwhen: {"+rest+", skip: "+skip+", limit: {runs: 100}, within: 1h}\n"))
				require.NoError(t, err)
				p, err := cep.Compile(rules)
				if err != nil {
					t.Log(err)
					return
				}
				compiled := time.Since(began)
				s := cep.NewStream(p, cep.Options{})
				n, given := 0, 0
				feed := func(typ string) {
					n++
					ms, err := s.Line(n, fmt.Appendf(nil, `{"type":%q,"data":{"n":1}}`, typ), nil)
					require.NoError(t, err)
					given += len(ms)
				}
				for range 30 {
					feed("x")
				}
				fed := time.Since(began) - compiled
				feed("e")
				st := s.Matcher().Stats().Rules
				t.Logf("compiled in %v, fed in %v, ended in %v: %d matches, %+v", compiled, fed, time.Since(began)-compiled-fed, given, st)
				snap := s.Matcher().AppendSnapshot(nil)
				assert.Less(t, len(snap), 64<<20)
				assert.Less(t, time.Since(began), 20*time.Second)
			})
		}
	}
}

// Keys cost little, and all of their memory is free after their time.
func TestManyKeys(t *testing.T) {
	const keys = 20_000
	for name, when := range map[string]string{
		"dfa":     `{pattern: a then b, by: data.k, within: 10s, define: {a: type == "a", b: type == "b"}}`,
		"cea":     `{pattern: a then any b, skip: none, by: data.k, within: 10s, define: {a: type == "a", b: type == "b"}}`,
		"nfa":     `{pattern: a then b, by: data.k, within: 10s, define: {a: type == "a", b: 'type == "b" && data.n > a.data.n'}}`,
		"window":  `{window: tumbling 10s, by: data.k, let: {n: count(), q: "quantile(data.n, 0.5)", u: distinct(data.n)}}`,
		"session": `{window: session 5s, by: data.k, let: {n: count()}}`,
		"state":   `{state: data.n, above: 2, for: 5s, by: data.k}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := boxProgram(t, "rule: r\nwhen: "+when+"\n")
			s := cep.NewStream(p, cep.Options{})
			heap := func() uint64 {
				runtime.GC()
				var st runtime.MemStats
				runtime.ReadMemStats(&st)
				return st.HeapAlloc
			}
			before := heap()
			var line []byte
			var ms []cep.Match
			var err error
			for i := range keys {
				line = fmt.Appendf(line[:0], `{"type":"a","id":"x","source":"s","time":"2026-01-01T00:00:01Z","data":{"k":"key-%d","n":1}}`, i)
				ms, err = s.Line(i+1, line, ms[:0])
				require.NoError(t, err)
			}
			held := heap()
			st := s.Matcher().Stats()
			if name != "state" { // which knows of keys only while they are above
				assert.Equal(t, keys, st.Keys)
			}
			ms = s.AdvanceTo(boxAt(30), ms[:0])
			given := len(ms)
			ms = nil
			for i := range 3 {
				_, err = s.Line(keys+i, fmt.Appendf(nil, `{"type":"z","time":"2026-01-01T01:00:00Z","data":{}}`), nil)
				require.NoError(t, err)
			}
			after := heap()
			end := s.Matcher().Stats()
			t.Logf("%d bytes per key, %d after; %d matches; %+v", int64(held-before)/keys, (int64(after)-int64(before))/keys, given, end.Rules)
			assert.LessOrEqual(t, end.Keys, 1)
			assert.Less(t, (int64(after)-int64(before))/keys, int64(60), "bytes per key that are kept")
		})
	}
}

// Rules and events at their limits are taken or refused, soon.
func TestLargeThings(t *testing.T) {
	began := time.Now()
	var names, set strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&names, "%sn%d", []string{"", " | "}[min(i, 1)], i)
	}
	for i := range 100_000 {
		fmt.Fprintf(&set, "%s\"v%d\"", []string{"", ", "}[min(i, 1)], i)
	}
	try := func(name, text string) *cep.Program {
		at := time.Now()
		defer func() {
			if took := time.Since(at); took > 3*time.Second {
				t.Errorf("%s took %v", name, took)
			}
		}()
		rules, err := cep.ParseRules("l.yaml", []byte(text))
		if err != nil {
			t.Logf("%s: %.150v", name, err)
			return nil
		}
		p, err := cep.Compile(rules)
		if err != nil {
			t.Logf("%s: %.150v", name, err)
			return nil
		}
		return p
	}
	var define strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&define, "    n%d: type == \"t%d\"\n", i, i)
	}
	try("a thousand names", "rule: r\nwhen:\n  pattern: ("+names.String()+") then z\n  define:\n    z: type == \"z\"\n"+define.String())
	big := try("a hundred thousand values", "rule: r\nwhen: 'data.v in ["+set.String()+"]'\n")
	require.NotNil(t, big)
	f := &boxFeed{t: t, m: cep.NewMatcher(big, cep.Options{})}
	f.line(1, boxLines(t, `x1 1 v="v99999"`)[0])
	f.line(2, boxLines(t, `x2 1 v="v100000"`)[0])
	assert.Len(t, f.ms, 1)
	try("alternatives in a condition", "rule: r\nwhen: '"+strings.TrimSuffix(strings.Repeat("data.v == 1 || ", 20_000), " || ")+"'\n")
	try("brackets", "rule: r\nwhen: '"+strings.Repeat("(", 100_000)+"true"+strings.Repeat(")", 100_000)+"'\n")
	try("not", "rule: r\nwhen: '"+strings.Repeat("!", 100_000)+"data.v'\n")
	try("lists", "rule: r\nwhen: "+strings.Repeat("[", 100_000)+"\n")
	try("maps", "rule: r\nwhen: "+strings.Repeat("{a: ", 100_000)+"\n")
	try("blocks", "rule: r\nwhen:\n"+func() string {
		var b strings.Builder
		for i := range 2000 {
			b.WriteString(strings.Repeat(" ", i+1) + "a:\n")
		}
		return b.String()
	}())
	try("groups", "rule: r\nwhen: {pattern: '"+strings.Repeat("(", 10_000)+"a"+strings.Repeat(")", 10_000)+"', define: {a: type == \"a\"}}\n")
	try("a long name", "rule: "+strings.Repeat("n", 1<<20)+"\nwhen: type == \"a\"\n")
	try("twice", "rule: r\nwhen: type == \"a\"\n---\nrule: r\nwhen: type == \"a\"\n")
	try("huge numbers", "rule: r\nwhen: data.v == 1e999 || data.v > 99999999999999999999999\n")
	re := try("regexps", `rule: r
when: data.v.matches("(a+)+(a|aa)+(a*)*b$") || data.v.matches("(x{1,100}){1,10}y")
`)
	if re != nil {
		f := &boxFeed{t: t, m: cep.NewMatcher(re, cep.Options{})}
		at := time.Now()
		f.line(1, fmt.Appendf(nil, `{"type":"x","data":{"v":%q}}`, strings.Repeat("a", 1<<14)))
		f.line(2, fmt.Appendf(nil, `{"type":"x","data":{"v":%q}}`, strings.Repeat("x", 1<<14)))
		t.Logf("regexps: %v", time.Since(at))
		assert.Less(t, time.Since(at), 10*time.Second)
	}
	p := boxProgram(t, `
rule: keyed
when: {pattern: a then b, by: data.k, within: 10s, define: {a: type == "a", b: 'type == "b" && data.v == a.data.v'}}
---
rule: text
when: data.v.contains("needle") || data.v.startsWith("hay") || data.w.x.y > 3
---
rule: window
when: {window: tumbling 10s, by: data.k, let: {t: "topk(data.v, 3)", lo: min(data.v), f: first(data.v), u: distinct(data.v), s: sum(data.n)}}
---
rule: state
when: {state: data.v, changes: true, by: data.k}
`)
	s := cep.NewStream(p, cep.Options{})
	var ms []cep.Match
	refused := 0
	at := time.Now()
	for i, data := range []string{
		`{"k":"` + strings.Repeat("k", 64<<10) + `","v":"` + strings.Repeat("v", 1<<20) + `"}`,
		`{"k":1,"v":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
		`{"k":` + strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000) + `,"v":1}`,
		`{"k":1e999,"v":-1e999,"n":1e308}`,
		`{"k":1e308,"v":1e-999,"n":1e308}`,
		`{"k":123456789012345678901234567890,"v":0.1e1,"n":1e308}`,
		`{"k":NaN,"v":Infinity}`,
		`{"k":"\ud800","v":"\u0000"}`,
		`{"k":"a","k":"b","v":1,"v":2}`,
		`{` + func() string {
			var b strings.Builder
			for i := range 50_000 {
				fmt.Fprintf(&b, `"f%d":%d,`, i, i)
			}
			return b.String()
		}() + `"k":1,"v":2}`,
	} {
		for _, typ := range []string{"a", "b"} {
			var err error
			ms, err = s.Line(i+1, fmt.Appendf(nil, `{"type":%q,"time":"2026-01-01T00:00:01Z","data":%s}`, typ, data), ms)
			if err != nil {
				refused++
				t.Logf("%.40s: %.120v", data, err)
			}
		}
		_, err := cep.RestoreMatcher(p, cep.Options{}, s.Matcher().AppendSnapshot(nil))
		require.NoError(t, err, "%.40s", data)
	}
	ms = s.AdvanceTo(boxAt(100), ms)
	for i := range ms {
		line := ms[i].AppendJSON(nil)
		assert.True(t, json.Valid(line), "%.200s", line)
		ms[i].Key()
	}
	t.Logf("events: %v, %d matches, %d refused", time.Since(at), len(ms), refused)
	assert.Less(t, time.Since(began), 15*time.Second)
}

// Programs may be shared by any number of goroutines, and edited and swapped
// meanwhile.
func TestProgramsAreShared(t *testing.T) {
	p := boxProgram(t, hostileRules+"---\nrule: regexp\nwhen: type.matches(\"^[a-c]$\") && data.n in [1, 2, 3] || data.k * 2.0 > 3.0\n")
	log := hostileLog(60)
	want := boxStream(t, p, cep.Options{}, log, 200).full
	require.NotEmpty(t, want)
	for name, shared := range map[string]*cep.Program{"compiled": p, "cached": boxCached(t, p)} {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			results := make([][]string, 4)
			for g := range results {
				wg.Go(func() {
					o := cep.Options{Explain: g == 1}
					results[g] = boxStream(t, shared, o, log, 200).full
					for _, r := range shared.Rules() {
						shared.Plan(r.Name)
					}
					_ = shared.Digest()
				})
			}
			wg.Go(func() {
				q := shared
				for i := range 5 {
					var err error
					q, err = q.Edit(rulesOf(t, fmt.Sprintf("rule: more%d\nwhen: data.f%d > 1 && data.k + 1.0 > 0.5\n---\nrule: other\nwhen: {pattern: a then b, define: {a: data.g%d == 1, b: data.n == a.data.n}}\n", i, i, i)), []string{"bare"})
					assert.NoError(t, err)
					m := cep.NewMatcher(shared, cep.Options{})
					m.Swap(q)
					m.Swap(shared)
					boxPlay(t, q, cep.Options{}, log[:10], 0, nil)
				}
			})
			wg.Wait()
			for _, got := range results {
				assert.Equal(t, want, got)
			}
		})
	}
}

// Whatever is done to other rules between two events, and wherever a snapshot is
// taken, the same events give the same lines.
func TestEditsBetweenEventsChangeNothing(t *testing.T) {
	base := boxProgram(t, hostileRules)
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		want := play(base, cep.Options{}, log, nothing)
		p, other := base, 0
		m := (*cep.Matcher)(nil)
		var lines []string
		take := func(ms []cep.Match) {
			for i := range ms {
				if !strings.HasPrefix(ms[i].Rule.Name, "other") {
					lines = append(lines, string(ms[i].AppendJSON(nil)))
				}
			}
		}
		o := cep.Options{Explain: rapid.Bool().Draw(t, "explain")}
		m = cep.NewMatcher(p, o)
		for i := range log {
			for range rapid.IntRange(0, 2).Draw(t, "steps") {
				switch rapid.IntRange(0, 5).Draw(t, "step") {
				case 0:
					other++
					q, err := p.Edit(otherRules(t, fmt.Sprintf("other%d", other%5), other), nil)
					require.NoError(t, err)
					p = q
				case 1:
					q, err := p.Edit(nil, []string{fmt.Sprintf("other%d", rapid.IntRange(0, 4).Draw(t, "gone"))})
					require.NoError(t, err)
					p = q
				case 2:
					if b, ok := p.AppendCache(nil, "k"); ok && other == 0 {
						q, err := cep.LoadProgram(b, "k")
						require.NoError(t, err)
						p = q
					}
				case 3:
					q, err := cep.Compile(p.Rules())
					require.NoError(t, err)
					p = q
				case 4:
					m.Swap(p)
				default:
					m.Swap(p)
					snap := m.AppendSnapshot(nil)
					if strings.Contains(fmt.Sprintf("%+v", m.Stats()), "Draining:true") {
						continue // needs the older program, too
					}
					r, err := cep.RestoreMatcher(p, o, snap)
					require.NoError(t, err)
					m = r
				}
			}
			ev := log[i].Clone()
			take(m.Feed(&ev, cep.Position{Lane: 3, Seq: uint64(i), Index: 1}, ev.Time, nil))
		}
		take(m.Advance(log[len(log)-1].Time.Add(time.Hour), cep.Position{}, nil))
		require.Equal(t, want, lines)
	})
}

func otherRules(t *rapid.T, name string, n int) []*cep.Rule {
	when := []string{
		`type == "a"`,
		`{pattern: a{2} then b, define: {a: type == "a", b: data.n > %d}, within: 20s}`,
		`{window: sliding 8s every 2s, by: data.k, let: {n: count(), m: sum(data.x%d)}}`,
		`{schedule: "*/5 * * * *", missed: all}`,
		`{state: data.n, changes: true}`,
		`{pattern: a next b, define: {a: type == "a", b: data.n == a.data.y%d}, by: data.k}`,
	}[rapid.IntRange(0, 5).Draw(t, "other")]
	if strings.Contains(when, "%d") {
		when = fmt.Sprintf(when, n)
	}
	when = strings.Replace(when, "pattern: a{2} then b", `pattern: "a{2} then b"`, 1)
	mode := rapid.SampledFrom([]string{"live", "off", "shadow"}).Draw(t, "mode")
	rules, err := cep.ParseRules("o.yaml", fmt.Appendf(nil, "rule: %s\nmode: %s\nwhen: %s\n", name, mode, when))
	require.NoError(t, err)
	return rules
}

// Explanations see the lookup tables that the events were matched with.
func TestExplainWithTables(t *testing.T) {
	tab, err := cep.ParseTable("bad", "bad.txt", []byte("1.1.1.1\n"))
	require.NoError(t, err)
	o := cep.Options{Explain: true, Tables: cep.NewTables(map[string]*cep.Table{"bad": tab})}
	for _, when := range []string{`data.ip in table.bad`, `{pattern: a then b, define: {a: data.ip in table.bad, b: type == "b"}}`} {
		got := cep.NewStream(boxProgram(t, "rule: r\nwhen: "+when+"\n"), o)
		var ms []cep.Match
		for i, l := range boxLines(t, `a1 1 ip="1.1.1.1"; b1 2`) {
			ms, err = got.Line(i+1, l, ms)
			require.NoError(t, err)
		}
		require.Len(t, ms, 1)
		assert.Equal(t, "true", ms[0].Why[0].Atoms[0].Result, when)
	}
}

// A rule that has done with draining needs no older program any more, and a reset
// ends what still drains.
func TestDrainedIsGone(t *testing.T) {
	v := func(n int, more string) *cep.Program {
		return boxProgram(t, fmt.Sprintf("rule: r\n%swhen: {pattern: a then b, within: 10s, define: {a: 'type == \"a\" && data.v > %d', b: type == \"b\"}}\n", more, n))
	}
	f := &boxFeed{t: t, m: cep.NewMatcher(v(1, ""), cep.Options{})}
	f.line(1, boxLines(t, "a1 1 v=9")[0])
	f.line(2, boxLines(t, "b1 1")[0])
	f.line(3, boxLines(t, "a2 1 v=9")[0])
	two := v(2, "")
	f.m.Swap(two)
	f.ms = f.m.Advance(boxAt(100), cep.Position{}, f.ms)
	_, err := cep.RestoreMatcher(two, cep.Options{}, f.m.AppendSnapshot(nil))
	assert.NoError(t, err)

	f = &boxFeed{t: t, m: cep.NewMatcher(v(1, ""), cep.Options{})}
	f.line(1, boxLines(t, "a1 1 v=9")[0])
	f.m.Swap(v(2, ""))
	f.line(2, boxLines(t, "a2 2 v=9")[0])
	f.m.Swap(v(3, "on_change: reset\n"))
	f.line(3, boxLines(t, "b1 3")[0])
	assert.Empty(t, boxRunOf(f.m, f.ms).short, "reset")
}

// Three versions at once, of programs that number fields in different ways, in
// and out of snapshots.
func TestDrainTwice(t *testing.T) {
	rule := func(extra, cond string) string {
		return extra + "rule: r\nwhen: {pattern: \"a then b{1,} then c\", skip: none, define: {a: '" + cond + "', b: 'type == \"b\" && data.n == a.data.n', c: 'type == \"c\" && data.m > sum(b.data.v)'}}\n"
	}
	one := boxProgram(t, rule("", `type == "a"`))
	two := boxProgram(t, rule("rule: x\nwhen: data.v > 1 && data.m < 1 && data.zz == 3\n---\n", `type == "a" && data.v > 1`))
	three := boxProgram(t, rule("rule: y\nwhen: data.m < 0 && data.q == 3\n---\n", `type == "a" && data.v > 2 && data.n > 0`))
	for _, restore := range []bool{false, true} {
		f := &boxFeed{t: t, m: cep.NewMatcher(one, cep.Options{Explain: !restore})}
		n := 0
		play := func(p *cep.Program, events string) {
			for _, l := range boxLines(t, events) {
				n++
				f.line(n, l)
				if restore {
					m, err := cep.RestoreMatcher(p, cep.Options{}, f.m.AppendSnapshot(nil), one, two)
					require.NoError(t, err)
					f.m = m
				}
			}
		}
		play(one, "a1 1 n=1 v=0; a2 2 n=2 v=5")
		f.m.Swap(two)
		play(two, "b1 3 n=1 v=1; a3 4 n=1 v=2")
		f.m.Swap(three)
		play(three, "b2 5 n=1 v=1; a4 6 n=2 v=3; b3 7 n=2 v=4; c1 8 m=1.5; c2 9 m=100; c3 10 m=100")
		got := boxRunOf(f.m, f.ms)
		assert.Equal(t, []string{
			"r@8:c1 a=a1 b=b1 c=c1",
			"r@8:c1 a=a3 b=b2 c=c1",
			"r@9:c2 a=a1 b=b1,b2 c=c2",
			"r@9:c2 a=a2 b=b3 c=c2",
			"r@9:c2 a=a4 b=b3 c=c2",
		}, got.short)
		ids := make(map[string]bool)
		for i := range f.ms {
			assert.False(t, ids[f.ms[i].ID])
			ids[f.ms[i].ID] = true
		}
	}
}

// Off and live, bare and stateful, gone and back, renamed: nothing of the old
// rule stays but what drains.
func TestRulesThatChangeKind(t *testing.T) {
	kinds := []string{
		"rule: r\nwhen: type == \"b\"\n",
		"rule: r\nmode: off\nwhen: type == \"b\"\n",
		"rule: r\nwhen: {pattern: a then b, define: {a: type == \"a\", b: type == \"b\"}}\n",
		"rule: r\nwhen: {schedule: \"* * * * *\"}\n",
		"rule: r\nwhen: {window: tumbling 10s, where: type == \"b\", let: {n: count()}}\n",
		"rule: r\nwhen: {state: data.v, above: 1, for: 10s}\n",
		"rule: other\nwhen: type == \"b\"\n",
		"rule: r\nwhen: {condition: type == \"b\", by: data.k}\n",
	}
	for i := range kinds {
		for j := range kinds {
			for _, edit := range []bool{false, true} {
				one := boxProgram(t, kinds[i])
				two := boxProgram(t, kinds[j])
				if edit {
					var err error
					two, err = one.Update(rulesOf(t, kinds[j]))
					require.NoError(t, err)
				}
				f := &boxFeed{t: t, m: cep.NewMatcher(one, cep.Options{Explain: true})}
				n := 0
				for round, p := range []*cep.Program{one, two, one, two} {
					assert.NotPanics(t, func() {
						f.m.Swap(p)
						for _, l := range boxLines(t, fmt.Sprintf("a1 %d v=5 k=1; a2 %d v=5; b1 %d v=0", round*5+1, round*5+2, round*5+3)) {
							n++
							f.line(n, l)
						}
						m, err := cep.RestoreMatcher(p, cep.Options{Explain: true}, f.m.AppendSnapshot(nil), one, two)
						require.NoError(t, err)
						f.m = m
					}, "%d to %d, edit %v", i, j, edit)
				}
				f.ms = f.m.Advance(boxAt(600), cep.Position{}, f.ms)
				ids := make(map[string]bool)
				for k := range f.ms {
					assert.False(t, ids[f.ms[k].ID], "%d to %d: %s", i, j, f.ms[k].AppendJSON(nil))
					ids[f.ms[k].ID] = true
				}
			}
		}
	}
}

// Many edits of one rule leave as little behind as one.
func TestEditsDoNotGrow(t *testing.T) {
	p := boxProgram(t, "rule: r\nwhen: type == \"a\"\n---\nrule: s\nwhen: type == \"b\"\n")
	m := cep.NewMatcher(p, cep.Options{})
	heap := func() int64 {
		runtime.GC()
		var st runtime.MemStats
		runtime.ReadMemStats(&st)
		return int64(st.HeapAlloc)
	}
	const edits = 4000
	before := heap()
	for i := range edits {
		q, err := p.Edit(rulesOf(t, fmt.Sprintf("rule: n%d\nwhen: data.x > %d\n---\nrule: r\nwhen: type == \"a\" && data.x < %d\n", i, i, i)), []string{fmt.Sprintf("n%d", i-1)})
		require.NoError(t, err)
		p = q
		m.Swap(p)
	}
	grown := (heap() - before) / edits
	t.Logf("%d bytes per edit", grown)
	assert.Equal(t, 3, p.Len())
	assert.Less(t, grown, int64(200))
	runtime.KeepAlive(m)
}

// on_change keeps what means the same, wherever it stands in the file, and nothing
// else.
func TestWhatSwapKeeps(t *testing.T) {
	for _, tt := range []struct {
		name, one, two string
		want           cep.Action
	}{
		{"pattern, elsewhere", `rule: r
when: {pattern: a then b, define: {a: type == "x", b: type == "b"}}`, `rule: r
description: moved
when:
  define: {b: type  ==  "b", a: (type == "x")}
  pattern: (a then (b))`, cep.Kept},
		{"limit", `rule: r
when: {pattern: a then b, define: {a: type == "x", b: type == "b"}}`, `rule: r
when: {pattern: a then b, limit: {runs: 7}, define: {a: type == "x", b: type == "b"}}`, cep.Drained},
		{"within", `rule: r
when: {pattern: a then b, within: 1h, define: {a: type == "x", b: type == "b"}}`, `rule: r
when: {pattern: a then b, within: 2h, define: {a: type == "x", b: type == "b"}}`, cep.Drained},
		{"text or number", `rule: r
when: {pattern: a then b, define: {a: type == "x", b: data.v == 1}}`, `rule: r
when: {pattern: a then b, define: {a: type == "x", b: data.v == "1"}}`, cep.Drained},
		{"window, elsewhere", `rule: r
when: {window: tumbling 10s, let: {n: count()}}`, `rule: r
description: moved
when: {window: tumbling 10s, let: {n: count()}}`, cep.Kept},
		{"window, having", `rule: r
when: {window: tumbling 10s, let: {n: count()}}`, `rule: r
when: {window: tumbling 10s, let: {n: count()}, having: n > 1}`, cep.Drained},
		{"state, elsewhere", `rule: r
when: {state: data.v, above: 1, for: 10s}`, `rule: r
description: moved
when: {state: data.v, above: 1, for: 10s}`, cep.Kept},
		{"state, for", `rule: r
when: {state: data.v, above: 1, for: 10s}`, `rule: r
when: {state: data.v, above: 1, for: 20s}`, cep.Drained},
		{"state, tolerance", `rule: r
when: {state: data.v, above: 1, for: 10s}`, `rule: r
when: {state: data.v, above: 1, for: 10s, tolerance: 0.5}`, cep.Drained},
		{"state, limit", `rule: r
when: {state: data.v, above: 1, for: 10s}`, `rule: r
when: {state: data.v, above: 1.0000001, for: 10s}`, cep.Drained},
		{"state, text or number", `rule: r
when: {state: data.v, equals: 5, for: 10s}`, `rule: r
when: {state: data.v, equals: "5", for: 10s}`, cep.Drained},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &boxFeed{t: t, m: cep.NewMatcher(boxProgram(t, tt.one+"\n"), cep.Options{})}
			f.line(1, boxLines(t, "x1 1 v=5")[0])
			ch := f.m.Swap(boxProgram(t, tt.two+"\n"))
			require.Len(t, ch, 1)
			assert.Equal(t, tt.want.String(), ch[0].Action.String())
		})
	}
}

// A schedule has nothing to drain.
func TestSchedulesDoNotDrain(t *testing.T) {
	for _, on := range []string{"drain", "keep", "reset"} {
		v := func(more string) *cep.Program {
			return boxProgram(t, "rule: r\non_change: "+on+"\n"+more+"when: {schedule: \"* * * * *\", missed: all}\n")
		}
		f := &boxFeed{t: t, m: cep.NewMatcher(v(""), cep.Options{})}
		f.line(1, boxLines(t, "x1 1")[0])
		f.m.Swap(v("description: d\n"))
		f.ms = f.m.Advance(boxAt(130), cep.Position{}, f.ms)
		assert.Equal(t, []string{"r@60:time", "r@120:time"}, boxRunOf(f.m, f.ms).short, on)
	}
}

// A promise that a draining version breaks is told like any other.
func TestDrainingRulesThatStopAreTold(t *testing.T) {
	v := func(a string) *cep.Program {
		return boxProgram(t, "rule: r\nwhen: {pattern: \"a then x? then b\", skip: {to-first: x, on_miss: error}, define: {a: type == \""+a+"\", x: type == \"x\", b: type == \"b\"}}\n")
	}
	f := &boxFeed{t: t, m: cep.NewMatcher(v("a"), cep.Options{})}
	f.line(1, boxLines(t, "a1 1")[0])
	f.m.Swap(v("aa"))
	f.line(2, boxLines(t, "b1 2")[0])
	assert.Empty(t, f.ms)
	assert.Len(t, f.m.Stopped(), 1)
}

// Events without the key are counted for every rule that would have looked at them.
func TestKeylessIsCounted(t *testing.T) {
	for _, when := range []string{
		`{window: tumbling 10s, by: data.k, let: {n: count()}}`,
		`{window: tumbling 10s, by: data.k, where: type == "x", let: {n: count()}}`,
		`{state: data.v, above: 1, by: data.k}`,
		`{condition: type == "x", by: data.k}`,
		`{pattern: a then b, by: data.k, define: {a: type == "x", b: type == "b"}}`,
	} {
		got := boxAll(t, "rule: r\nwhen: "+when+"\n", boxLines(t, "x1 1 v=5"), 0)
		if assert.Len(t, got.stats.Rules, 1, when) {
			assert.Equal(t, uint64(1), got.stats.Rules[0].Keyless, when)
		}
	}
}

// What falls due for many keys at once comes in the order in which it began.
func TestDueTogether(t *testing.T) {
	var events strings.Builder
	for i := range 50 {
		fmt.Fprintf(&events, "a%d 1 k=%d n=1; ", i, i*37%50)
	}
	for _, when := range []string{
		`{pattern: a then not b, by: data.k, within: 10s, define: {a: type == "a", b: type == "b"}}`,
		`{pattern: a then any c then b, skip: none, on_timeout: emit, by: data.k, within: 10s, define: {a: type == "a", b: type == "b", c: type == "c"}}`,
		`{pattern: a then b, on_timeout: emit, by: data.k, within: 10s, define: {a: type == "a", b: 'type == "b" && data.n > a.data.n'}}`,
		`{state: data.n, above: 0, for: 5s, by: data.k}`,
		`{window: session 10s, by: data.k, let: {f: first(data.k)}}`,
	} {
		got := boxAll(t, "rule: r\nwhen: "+when+"\n", boxLines(t, events.String()), 100).short
		require.Len(t, got, 50)
		for i, line := range got {
			want := fmt.Sprintf("=a%d", i)
			if strings.Contains(when, "window") {
				want = fmt.Sprintf("f=%d", i*37%50)
			}
			assert.True(t, strings.HasSuffix(line, want), "%s: %s is not of %s", when, line, want)
		}
	}
}
