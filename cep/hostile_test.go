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

	"github.com/rhost/rhost/cep"
)

func rulesOf(t testing.TB, text string) []*cep.Rule {
	t.Helper()
	rules, err := cep.ParseRules("h.yaml", []byte(text))
	require.NoError(t, err)
	return rules
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
---
rule: alike
when: {pattern: "a{2,} then b", by: data.k, within: 12s, define: {a: type == "a", b: 'type == "b" && data.n == last(a).data.n'}, limit: {runs: 4}}
---
rule: alike-too
when: {pattern: "a{2,} then c", by: data.k, within: 12s, define: {a: type == "a", c: 'type == "c" && data.n == last(a).data.n'}, limit: {runs: 4}}
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
