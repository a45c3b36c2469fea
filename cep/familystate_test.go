package cep

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
)

// siblings are rules that wait for a code each, after failures.
func siblings(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, `---
rule: r%d
when:
  pattern: fail{3} then ok
  define: {fail: type == "fail", ok: 'type == "ok" && data.code == %d && data.user == last(fail).data.user'}
  by: data.ip
  within: 1m
  limit: {runs: 4}
`, i, i)
	}
	return b.String()
}

// feeder feeds a matcher events, a second apart.
type feeder struct {
	t *testing.T
	m *Matcher
	n int
}

func (f *feeder) feed(kind, data string) (rules []string) {
	f.n++
	ev := &event.Event{ID: fmt.Sprint("e", f.n), Source: "s", Type: kind, Data: []byte(data)}
	for _, m := range f.m.Feed(ev, Position{Seq: uint64(f.n)}, time.Unix(int64(f.n), 0), nil) {
		rules = append(rules, m.Rule.Name)
	}
	return rules
}

func (f *feeder) fail(n int) {
	for range n {
		require.Empty(f.t, f.feed("fail", `{"ip":1,"user":"u"}`))
	}
}

func (f *feeder) families() []*family { return f.m.stems[0].families }

func (f *feeder) stats(rule string) RuleStats {
	all := f.m.Stats().Rules
	i := slices.IndexFunc(all, func(s RuleStats) bool { return s.Rule == rule })
	require.GreaterOrEqual(f.t, i, 0, rule)
	return all[i]
}

// What many rules have open alike is kept once, in memory and in a snapshot, and
// still each of them knows what it holds.
func TestFamilyKeepsOnce(t *testing.T) {
	few, many := &feeder{t: t, m: NewMatcher(mustCompile(t, siblings(0, 2)), Options{})}, &feeder{t: t, m: NewMatcher(mustCompile(t, siblings(0, 200)), Options{})}
	for _, f := range []*feeder{few, many} {
		f.fail(30)
		assert.Equal(t, few.stats("r1").Runs, f.stats("r1").Runs)
		assert.Equal(t, few.stats("r1").Rejected, f.stats("r1").Rejected)
		require.Len(t, f.families(), 1)
		require.Empty(t, f.families()[0].forks)
	}
	require.Equal(t, uint64(26), many.stats("r199").Rejected)
	assert.Len(t, many.m.Stats().Rules, 200)
	const perRule = 120 // its name, version and counts
	a, b := len(few.m.AppendSnapshot(nil)), len(many.m.AppendSnapshot(nil))
	assert.Less(t, b, a+198*perRule)

	assert.Equal(t, []string{"r7"}, many.feed("ok", `{"ip":1,"user":"u","code":7}`))
	assert.Empty(t, many.feed("ok", `{"ip":1,"user":"v","code":8}`), "of another user")
	assert.Empty(t, many.feed("ok", `{"ip":2,"user":"u","code":8}`), "of another address")
	assert.Equal(t, 0, many.stats("r7").Runs)
	assert.Equal(t, 4, many.stats("r8").Runs)
	require.Len(t, many.families()[0].forks, 1, "only the rule that matched goes on alone")

	plan, ok := many.m.prog.Plan("r7")
	require.True(t, ok)
	assert.Equal(t, &Shared{Rules: 200, UpTo: "fail"}, plan.Shared)
}

// A rule that matched is taken back once all that began before is over.
func TestFamilyReunites(t *testing.T) {
	f := &feeder{t: t, m: NewMatcher(mustCompile(t, strings.ReplaceAll(siblings(0, 3), "runs: 4", "runs: 100")), Options{})}
	f.fail(10)
	require.Equal(t, []string{"r2"}, f.feed("ok", `{"ip":1,"user":"u","code":2}`))
	require.Len(t, f.families()[0].forks, 1)
	f.fail(128)
	assert.Empty(t, f.families()[0].forks)
	assert.True(t, f.m.rules[2].state.Empty(), "it holds nothing by itself")
	assert.Equal(t, f.stats("r0").Runs, f.stats("r2").Runs)
	assert.Equal(t, []string{"r2"}, f.feed("ok", `{"ip":1,"user":"u","code":2}`))
}

// Keys that never come back leave nothing behind.
func TestFamilyForgetsForks(t *testing.T) {
	f := &feeder{t: t, m: NewMatcher(mustCompile(t, siblings(0, 3)), Options{})}
	for ip := range 2000 {
		for range 3 {
			f.feed("fail", fmt.Sprintf(`{"ip":%d,"user":"u"}`, ip))
		}
		require.Equal(t, []string{"r1"}, f.feed("ok", fmt.Sprintf(`{"ip":%d,"user":"u","code":1}`, ip)))
	}
	assert.Less(t, len(f.families()[0].forks), 200)
	assert.Less(t, f.m.Stats().Keys, 100)
}

// A rule sees nothing of what began before it came, not even as one of a family.
func TestFamilyOfThoseWhoCameLater(t *testing.T) {
	p := mustCompile(t, siblings(0, 3))
	f := &feeder{t: t, m: NewMatcher(p, Options{})}
	f.fail(10)
	later, err := p.Edit(parsed(t, siblings(3, 4)), []string{"r0"})
	require.NoError(t, err)
	f.m.Swap(later)
	require.Len(t, f.families(), 2)
	assert.Empty(t, f.feed("ok", `{"ip":1,"user":"u","code":3}`))
	assert.Equal(t, []string{"r1"}, f.feed("ok", `{"ip":1,"user":"u","code":1}`))
	f.fail(4)
	assert.Equal(t, []string{"r3"}, f.feed("ok", `{"ip":1,"user":"u","code":3}`))
	assert.Zero(t, f.stats("r3").Rejected, "what the others were refused is not its own")

	gone, err := later.Edit(nil, []string{"r1", "r2"})
	require.NoError(t, err)
	first := f.families()[0].trunk
	f.m.Swap(gone)
	require.Len(t, f.families(), 1, "a family ends with its last rule")
	assert.NotContains(t, f.m.timers.heap, first)
	assert.Len(t, f.m.all(), 1)
}

// A family that has nothing open takes in who comes, with counts of its own.
func TestFamilyTakesIn(t *testing.T) {
	p := mustCompile(t, siblings(0, 3))
	f := &feeder{t: t, m: NewMatcher(p, Options{})}
	f.fail(10)
	require.Equal(t, uint64(6), f.stats("r0").Rejected)
	f.m.Advance(time.Unix(100, 0), Position{}, nil)
	f.n = 100
	more, err := p.Edit(parsed(t, siblings(3, 4)), nil)
	require.NoError(t, err)
	f.m.Swap(more)
	f.fail(5)
	require.Len(t, f.families(), 1)
	assert.Equal(t, uint64(7), f.stats("r0").Rejected)
	assert.Equal(t, uint64(1), f.stats("r3").Rejected)
	assert.Equal(t, []string{"r3"}, f.feed("ok", `{"ip":1,"user":"u","code":3}`))
}

// Who asks for explanations gets them of every rule by itself.
func TestFamiliesDoNotExplain(t *testing.T) {
	f := &feeder{t: t, m: NewMatcher(mustCompile(t, siblings(0, 3)), Options{Explain: true})}
	f.fail(4)
	why, ok := f.m.WhyNot("r1")
	require.True(t, ok)
	assert.Len(t, why.Bind, 1)
	require.Equal(t, []string{"r2"}, f.feed("ok", `{"ip":1,"user":"u","code":2}`))
	assert.Empty(t, f.m.stems)
}

// Names, orders and what conditions mean all have to be the same.
func TestWhatIsAlike(t *testing.T) {
	const like = `rule: r%d
when:
  pattern: %s
  define: {%s, z: 'type == "z" && data.n == a.data.n && data.m == %d'}
  by: %s
`
	for _, tt := range []struct {
		name       string
		one, other [3]string
		shared     string
	}{
		{"the same", [3]string{"a then b then z", `a: data.x == 1, b: data.y == a.data.y`, "data.k"}, [3]string{"a then b then z", `a: data.x == 1, b: data.y == a.data.y`, "data.k"}, "b"},
		{"another key", [3]string{"a then b then z", `a: data.x == 1, b: data.y == 1`, "data.k"}, [3]string{"a then b then z", `a: data.x == 1, b: data.y == 1`, "data.l"}, ""},
		{"the first element only", [3]string{"a then b then z", `a: data.x == 1, b: data.y == 1`, "data.k"}, [3]string{"a then b then z", `a: data.x == 1, b: data.y == 2`, "data.k"}, "a"},
		{"another contiguity", [3]string{"a then b then z", `a: data.x == 1, b: data.y == 1`, "data.k"}, [3]string{"a next b then z", `a: data.x == 1, b: data.y == 1`, "data.k"}, ""},
		{"a name that means another element", [3]string{"c then a then b then z", `c: data.x == 1, a: data.x == 1, b: data.y == a.data.y`, "data.k"}, [3]string{"a then c then b then z", `a: data.x == 1, c: data.x == 1, b: data.y == a.data.y`, "data.k"}, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := fmt.Sprintf(like, 1, tt.one[0], tt.one[1], 1, tt.one[2]) + "---\n" + fmt.Sprintf(like, 2, tt.other[0], tt.other[1], 2, tt.other[2])
			p := mustCompile(t, text)
			plan, ok := p.Plan("r1")
			require.True(t, ok)
			got := ""
			if plan.Shared != nil {
				got = plan.Shared.UpTo
			}
			assert.Equal(t, tt.shared, got)
		})
	}
}

// What all rules are done with is not kept because they began alike: not even where
// no bound on time would end it.
func TestFamilyLetsGo(t *testing.T) {
	f := &feeder{t: t, m: NewMatcher(mustCompile(t, strings.ReplaceAll(siblings(0, 4), "  within: 1m\n", "")), Options{})}
	for ip := range 500 {
		for range 3 {
			f.feed("fail", fmt.Sprintf(`{"ip":%d,"user":"u"}`, ip))
		}
		for code := range 4 {
			require.Equal(t, []string{fmt.Sprint("r", code)}, f.feed("ok", fmt.Sprintf(`{"ip":%d,"user":"u","code":%d}`, ip, code)))
		}
	}
	assert.Zero(t, f.m.Stats().Keys)
	assert.Less(t, len(f.families()[0].forks), 200)
	assert.True(t, f.families()[0].trunk.state.Empty())
	assert.Less(t, len(f.m.AppendSnapshot(nil)), 1000)
}

// An event that concerns a rule of its own and changes nothing of what it has open
// does not make it copy that time and again.
func TestFamilyForksSeldom(t *testing.T) {
	const rule = `---
rule: r%d
when:
  pattern: a then any b
  define: {a: type == "a", b: 'type == "b" && data.n == a.data.n && data.m == %d'}
  skip: none
`
	f := &feeder{t: t, m: NewMatcher(mustCompile(t, fmt.Sprintf(rule, 0, 0)+fmt.Sprintf(rule, 1, 1)), Options{})}
	for i := range 800 {
		f.feed("a", fmt.Sprintf(`{"n":%d}`, i))
	}
	forked := 0
	for i := range 400 {
		alone := len(f.families()[0].forks)
		require.Equal(t, []string{"r0"}, f.feed("b", fmt.Sprintf(`{"n":%d,"m":0}`, i)))
		forked += max(0, len(f.families()[0].forks)-alone)
	}
	assert.Positive(t, forked)
	assert.Less(t, forked, 8)
}

// What the trunk does not keep of long loops would have to be listed at each event,
// by each rule: so those that ask for something else have a trunk of their own.
func TestFoldsSetApart(t *testing.T) {
	const rule = "---\nrule: r%d\nwhen:\n  pattern: a+ then b\n  define: {a: type == \"a\", b: 'type == \"b\" && %s > %d'}\n  within: 1h\n"
	for _, tt := range []struct {
		one, other string
		shared     bool
	}{
		{"sum(a.data.x)", "sum(a.data.x)", true},
		{"sum(a.data.x)", "sum(a.data.y)", false},
		{"sum(a.data.x)", "max(a.data.x)", false},
	} {
		p := mustCompile(t, fmt.Sprintf(rule, 0, tt.one, 0)+fmt.Sprintf(rule, 1, tt.other, 1))
		plan, ok := p.Plan("r0")
		require.True(t, ok)
		assert.Equal(t, tt.shared, plan.Shared != nil, "%s, %s", tt.one, tt.other)
	}
}
