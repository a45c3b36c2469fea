package cep_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep"
)

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

// Whatever is done to other rules between two events, and wherever a snapshot is
// taken, the same events give the same lines.
func TestEditsBetweenEventsChangeNothing(t *testing.T) {
	base := boxProgram(t, hostileRules)
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		want := play(base, cep.Options{}, log, nothing)
		p, other := base, 0
		var m *cep.Matcher
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
