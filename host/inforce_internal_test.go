package host

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
)

func ruleFiles(texts map[string]string) []RuleFile {
	var files []RuleFile
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		files = append(files, RuleFile{Name: name, Text: texts[name]})
	}
	return files
}

func compiled(t require.TestingT, texts map[string]string) *RuleSet {
	set, err := CompileRules(ruleFiles(texts))
	require.NoError(t, err)
	return set
}

// What a reload does not change is passed on as it is, and nobody looks at it.
func TestUpdateSharesWhatStays(t *testing.T) {
	texts := map[string]string{
		"rules/a.yaml":    "rule: a\nwhen: type == \"a\" && data.x in table.ips\ndo: [{notify: n, with: {text: hi}}]\n---\nrule: a2\nwhen: type == \"a2\"\n",
		"rules/b.yaml":    "rule: b\nwhen: type == \"b\"\ndo: [{run: p}]\n",
		"tables/ips.txt":  "10.0.0.1\n",
		"schemas/b.json":  `{"type":"object"}`,
		"rules/none.yaml": "# nothing yet\n",
	}
	was := compiled(t, texts)
	texts["rules/b.yaml"] = "rule: b\nwhen: type == \"B\"\ndo: [{run: p}]\n---\nrule: new\nwhen: type == \"n\"\n"
	now, err := was.update(ruleFiles(texts))
	require.NoError(t, err)
	for _, name := range []string{"a", "a2"} {
		before, _ := was.Program.Rule(name)
		after, _ := now.Program.Rule(name)
		assert.Same(t, before, after)
	}
	assert.Same(t, was.parts[0], now.parts[0], "a.yaml is not read again")
	assert.Same(t, was.Tables, now.Tables)
	assert.Equal(t, "+new ~b 2 unchanged", now.change.String())
	assert.Equal(t, compiled(t, texts).Digest, now.Digest)

	// A line above a rule moves it; it stays what it is, and so do its steps.
	texts["rules/a.yaml"] = "# a line\n" + texts["rules/a.yaml"]
	moved, err := now.update(ruleFiles(texts))
	require.NoError(t, err)
	a, _ := moved.Program.Rule("a")
	before, _ := now.Program.Rule("a")
	assert.Same(t, before, a)
	assert.Same(t, now.parts[0].flows[a.Version], moved.parts[0].flows[a.Version])
	assert.Equal(t, 2, moved.parts[0].rules[0].Pos.Line, "problems are shown where the rule is now")
	assert.True(t, moved.change.none())
}

// A rule that an edit brings does not keep the rest of its file in memory.
func TestEditedRulesStandAlone(t *testing.T) {
	file := func(last string) map[string]string {
		return map[string]string{"rules/r.yaml": strings.Repeat("# filler\n", 1000) + "rule: a\nwhen: type == \"a\"\n---\nrule: b\nwhen: type == \"" + last + "\"\n"}
	}
	now, err := compiled(t, file("b")).update(ruleFiles(file("c")))
	require.NoError(t, err)
	b, _ := now.Program.Rule("b")
	assert.Equal(t, now.parts[0].rules[1].Source(), b.Source())
	assert.NotSame(t, now.parts[0].rules[1], b)
}

func TestUpdateRefuses(t *testing.T) {
	good := map[string]string{
		"rules/a.yaml": "rule: a\nwhen: type == \"a\" && data.x in table.t\n",
		"rules/b.yaml": "rule: b\nwhen: type == \"b\"\n",
		"tables/t.txt": "x\n",
		"rules/c.yaml": "rule: c\nwhen: type == \"c\" && data.size > 1\n",
	}
	was := compiled(t, good)
	for _, tc := range []struct{ name, file, text, want string }{
		{"a name of another file", "rules/b.yaml", "rule: a\nwhen: type == \"b\"\n", "a is also the name of the rule at rules/a.yaml:1:1"},
		{"a rule that is in another file, word by word", "rules/b.yaml", good["rules/a.yaml"], "a is also the name"},
		{"the same rule twice", "rules/b.yaml", good["rules/b.yaml"] + "---\n" + good["rules/b.yaml"], "b is also the name"},
		{"a condition", "rules/b.yaml", "rule: b\nwhen: type == 1 +\n", "rules/b.yaml:2:"},
		{"a table that is gone", "tables/t.txt", "", "there is no table called t"},
		{"a table of the changed rule", "rules/b.yaml", "rule: b\nwhen: data.x in table.u\n", "there is no table called u"},
		{"two tables of one name", "tables/t.csv", "a,b\n1,2\n", "there is another table called t"},
		{"a schema, against a rule that did not change", "schemas/c.json", `{"type":"object","properties":{},"additionalProperties":false}`, "rules/c.yaml:2:"},
		{"steps", "rules/b.yaml", "rule: b\nwhen: type == \"b\"\ndo: [{run: p, with: {x: \"${nobody.id}\"}}]\n", "rules/b.yaml:3:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			texts := maps.Clone(good)
			if texts[tc.file] = tc.text; tc.text == "" {
				delete(texts, tc.file)
			}
			_, err := was.update(ruleFiles(texts))
			require.ErrorContains(t, err, tc.want)
			_, whole := CompileRules(ruleFiles(texts))
			assert.EqualError(t, err, whole.Error(), "it says what a start would say")
		})
	}
}

// Whatever the edits, a set made of another one says and does what one compiled
// at once does, and what is kept of it makes the same set again.
func TestUpdatesAreAsGoodAsNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, err := noRules()
		require.NoError(t, err)
		blobs := memoryBlobs{}
		live, again := newRuleLibrary(blobs), newRuleLibrary(blobs)
		replayed, texts := set, make(map[string]string)
		for range rapid.IntRange(1, 12).Draw(t, "edits") {
			for range rapid.IntRange(1, 3).Draw(t, "files") {
				n := rapid.IntRange(0, 4).Draw(t, "file")
				name := fmt.Sprintf("rules/%d.yaml", n)
				texts[name] = drawFile(t, n)
			}
			next, err := set.update(ruleFiles(texts))
			whole, wholeErr := CompileRules(ruleFiles(texts))
			require.NoError(t, wholeErr)
			require.NoError(t, err)
			set = next
			require.Equal(t, whole.Digest, set.Digest)
			require.Equal(t, whole.names(), set.names())
			require.Equal(t, whole.Program.Len(), set.Program.Len())
			for _, r := range whole.all() {
				got, ok := set.Program.Rule(r.Name)
				require.True(t, ok, r.Name)
				require.Equal(t, r.Version, got.Version)
			}
			require.NoError(t, live.keep(context.Background(), set))
			live.know(set)
			require.NoError(t, again.learn(context.Background(), set.Digest))
			replayed, err = again.after(context.Background(), replayed, set.Digest)
			require.NoError(t, err)
			require.Equal(t, set.Program.Digest(), replayed.Program.Digest(), "rules stand in the same order")
			require.Equal(t, set.row, replayed.row)
			for _, r := range whole.all() {
				if def := live.flow(r.Version); def != nil {
					require.Equal(t, def.Digest(), again.flow(r.Version).Digest())
				} else {
					require.Nil(t, again.flow(r.Version))
				}
			}
		}
	})
}

func drawFile(t *rapid.T, n int) string {
	var docs []string
	for i := range rapid.IntRange(0, 3).Draw(t, "rules") {
		doc := fmt.Sprintf("rule: r%d-%d\nwhen: type == %q\n", n, i, rapid.SampledFrom([]string{"x", "y"}).Draw(t, "type"))
		if rapid.Bool().Draw(t, "acts") {
			doc += fmt.Sprintf("do: [{notify: %s}]\n", rapid.SampledFrom([]string{"a", "b"}).Draw(t, "topic"))
		}
		docs = append(docs, doc)
	}
	if rapid.Bool().Draw(t, "long") {
		docs = append(docs, "# "+strings.Repeat("filler ", ownBlob/7)+"\n")
	}
	return strings.Join(docs, "---\n")
}

// memoryBlobs keeps blobs in memory.
type memoryBlobs map[string][]byte

func (m memoryBlobs) PutBlob(_ context.Context, digest string, b []byte) error {
	m[digest] = slices.Clone(b)
	return nil
}

func (m memoryBlobs) GetBlob(_ context.Context, digest string) ([]byte, error) {
	b, ok := m[digest]
	if !ok {
		return nil, fmt.Errorf("no blob %s", digest)
	}
	return b, nil
}

// put brings rules into force as a reload does.
func (l *liveHost) put(texts map[string]string) {
	l.t.Helper()
	l.lib.begin()
	defer l.lib.end()
	set, err := l.current().update(ruleFiles(texts))
	require.NoError(l.t, err)
	require.NoError(l.t, l.putRules(l.t.Context(), set))
}

// lines are the recorded matches, in order.
func (l *liveHost) lines() []string {
	l.t.Helper()
	var lines []string
	for _, m := range l.matches() {
		lines = append(lines, string(m))
	}
	return lines
}

// replayed reads the log anew, as it is now, with rules that are never joined, and
// gives the matches in order.
func (l *liveHost) replayed() []string {
	l.t.Helper()
	set, err := noRules()
	require.NoError(l.t, err)
	lib := newRuleLibrary(l.log)
	m := cep.NewMatcher(set.Program, cep.Options{Tenant: l.tenant.String()})
	var lines []string
	require.NoError(l.t, l.log.Read(l.t.Context(), eventlog.Position{}, func(f *eventlog.Frame) error {
		for i := range f.Records {
			r := &f.Records[i]
			if r.Kind == eventlog.Revision {
				if set, err = lib.after(l.t.Context(), set, r.Key); err != nil {
					return err
				}
				m.Swap(set.Program)
				m.SetTables(set.Tables)
			}
			ms, err := feed(m, r, nil)
			if err != nil {
				return err
			}
			for i := range ms {
				rec := matchRecord(&ms[i], l.lane.id, false)
				var kept MatchRecord
				if err := json.Unmarshal(rec.Body, &kept); err != nil {
					return err
				}
				lines = append(lines, string(kept.line()))
			}
		}
		return nil
	}))
	return lines
}

// Edits in a row, each of them after events and some of them after a crash, give
// what one run without a crash gives: the same matches, in the same order.
func TestEditsInARow(t *testing.T) {
	edits := []map[string]string{
		{"rules/a.yaml": pairRule("pair", "b") + "---\n" + "rule: each\nwhen: type == \"b\"\n", "rules/z.yaml": "rule: z\nwhen: type == \"b\"\n"},
		{"rules/a.yaml": pairRule("pair", "b") + "---\n" + "rule: each\nwhen: type == \"a\" || type == \"b\"\n", "rules/z.yaml": "rule: z\nwhen: type == \"b\"\n"},
		{"rules/a.yaml": pairRule("pair", "c") + "---\n" + pairRule("other", "b"), "rules/z.yaml": "rule: z\nwhen: type == \"b\"\n", "rules/y.yaml": "rule: y\nwhen: type == \"b\"\n"},
		{"rules/a.yaml": pairRule("pair", "c"), "rules/y.yaml": "rule: y\nwhen: type == \"b\"\n---\nrule: z\nwhen: type == \"b\"\n"},
	}
	edits = append(edits, edits[0], edits[2], edits[0])
	run := func(crash bool) (lines, order []string) {
		app := newApp(t, nil)
		l := app.open()
		l.runCore()
		n := 0
		for _, texts := range edits {
			l.put(texts)
			for _, typ := range []string{"a", "b", "a", "c"} {
				l.send(ev(typ, n, `{}`))
				n++
			}
			if !crash {
				continue
			}
			for name, text := range texts { // as what is there at the start is put in force
				app.write(name, text)
			}
			old, err := os.ReadDir(app.dir + "/rules")
			require.NoError(t, err)
			for _, e := range old {
				if texts["rules/"+e.Name()] == "" {
					require.NoError(t, os.Remove(app.dir+"/rules/"+e.Name()))
				}
			}
			l.settle()
			before, rules := l.lane.rules.row, ruleOrder(l.lane.rules)
			l.stop()
			l = app.open()
			assert.Equal(t, before, l.lane.rules.row)
			assert.Equal(t, rules, ruleOrder(l.lane.rules), "rules stand where they stood")
			l.runCore()
		}
		l.settle()
		assert.Equal(t, l.lines(), l.replayed())
		return l.lines(), ruleOrder(l.lane.rules)
	}
	want, wantOrder := run(false)
	got, gotOrder := run(true)
	require.NotEmpty(t, want)
	assert.Equal(t, want, got)
	assert.Equal(t, wantOrder, gotOrder)
}

func pairRule(name, second string) string {
	return fmt.Sprintf("rule: %s\nwhen: {pattern: a then b, define: {a: type == \"a\", b: type == %q}, skip: none}\n", name, second)
}

func ruleOrder(set *RuleSet) (names []string) {
	set.Program.All(func(r *cep.Rule) bool {
		names = append(names, r.Name)
		return true
	})
	return names
}

// A version that drains still does what it says, with its own steps, also when its
// match comes after a restart.
func TestDrainingRulesAct(t *testing.T) {
	rule := func(second, say string) map[string]string {
		return map[string]string{"rules/r.yaml": strings.TrimSuffix(pairRule("pair", second), "\n") + "\ndo: [{run: p, with: {say: " + say + "}}]\n"}
	}
	app := newApp(t, rule("b", "old"))
	app.write("plugins/p.lua", "function invoke(call) return call.with.say end")
	l := app.start()
	l.send(ev("a", 0, `{}`))
	l.settle()
	app.swap("rules/r.yaml", rule("c", "new")["rules/r.yaml"])
	rev := l.noticed("reloaded", "~pair").Revision
	require.NotNil(t, rev)
	assert.Equal(t, []RuleChange{{Rule: "pair", Action: "drained", Open: 1}}, rev.Changes)
	l.stop()
	l = app.start()
	assert.Equal(t, rev, l.lane.revision.Load(), "what the last change did is known after a restart")
	l.send(ev("b", 1, `{}`))
	l.settle()
	l.send(ev("a", 2, `{}`), ev("c", 3, `{}`))
	l.settle()
	assert.Equal(t, []string{`"old"`, `"new"`}, l.outputs("pair"))
}

// Thousands of small edits beside a stream of events: the index stays in a few
// pieces, no edit is lost, and what is matched is what a plain replay matches.
func TestJoiningBesideEdits(t *testing.T) {
	edits, files := 250, 64
	if os.Getenv("RHOST_SOAK") != "" {
		edits = 5000
	}
	var base strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&base, "rule: base%d\nwhen: type == \"base\" && data.n == %d\n---\n", i, i)
	}
	texts := map[string]string{"rules/base.yaml": base.String(), "rules/pair.yaml": strings.Replace(pairRule("pair", "b"), "skip: none", "by: data.k", 1)}
	app := newApp(t, texts)
	l := app.open()
	l.runCore()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var g errgroup.Group
	pairs := 0
	g.Go(func() error {
		for n := 0; ctx.Err() == nil; n++ {
			for _, typ := range []string{"a", "b"} {
				e := ev(typ, n, fmt.Sprintf(`{"k":%d,"n":%d}`, n, n%3000))
				e.Time = testDay
				if err := l.api().Submit(t.Context(), []event.Event{e}); err != nil {
					return err
				}
			}
			pairs++
		}
		return nil
	})
	most := 0
	for i := range edits {
		name := fmt.Sprintf("rules/%d.yaml", i%files)
		for j := range 8 {
			texts[name] += fmt.Sprintf("rule: r%d-%d\nwhen: type == \"a\" && data.n == %d\n---\n", i, j, 10*i+j)
		}
		l.put(texts)
		most = max(most, l.lane.inForce.Load().Program.Pieces())
	}
	cancel()
	require.NoError(t, g.Wait())
	l.settle()
	require.NoError(t, l.lane.ask(t.Context(), func() {
		assert.Equal(t, 3001+8*edits, l.lane.rules.Program.Len(), "no edit is lost")
		assert.Equal(t, len(texts), len(l.lane.rules.Files))
	}))
	require.Eventually(t, func() bool {
		idle := false
		require.NoError(t, l.lane.ask(t.Context(), func() { idle = !l.lane.joining && !l.lane.worn && len(l.lane.late) == 0 }))
		return idle
	}, patience, time.Millisecond)
	assert.Less(t, most, 14)
	t.Logf("%d edits, %d pairs of events, at most %d pieces, at last %d", edits, pairs, most, l.lane.inForce.Load().Program.Pieces())
	p, err := l.api().Matches(t.Context(), api.Query{Rule: "pair"})
	require.NoError(t, err)
	assert.Len(t, p.Items, pairs, "the rule that nobody touched misses nothing")
	lines := l.lines()
	assert.Equal(t, lines, l.replayed())
	l.stop()

	for name, text := range texts {
		app.write(name, text)
	}
	l = app.open()
	l.runCore()
	assert.Less(t, l.lane.rules.Program.Pieces(), 14)
	l.settle()
	assert.Equal(t, lines, l.lines(), "nothing is matched again")
}

// A program that has been edited more than it is long is compiled anew, on a replay
// at the same place.
func TestLongEditedRulesAreCompiledAnew(t *testing.T) {
	texts := map[string]string{"rules/stay.yaml": pairRule("pair", "b")}
	set, err := noRules()
	require.NoError(t, err)
	blobs := memoryBlobs{}
	lib, replayed, fresh := newRuleLibrary(blobs), set, 0
	for i := range 11 {
		var file strings.Builder
		for j := range 450 {
			fmt.Fprintf(&file, "rule: r%d\nwhen: type == \"t\" && data.x%d == %d\n---\n", 449-j, i, j)
		}
		texts["rules/many.yaml"] = file.String()
		was := set
		set, err = set.update(ruleFiles(texts))
		require.NoError(t, err)
		if was.edited > set.edited {
			fresh++
			assert.Equal(t, []string{"r449", "r448"}, ruleOrder(set)[:2], "in the order of the files")
		}
		require.NoError(t, newRuleLibrary(blobs).keep(t.Context(), set))
		replayed, err = lib.after(t.Context(), replayed, set.Digest)
		require.NoError(t, err)
		require.Equal(t, ruleOrder(set), ruleOrder(replayed))
		require.Equal(t, set.edited, replayed.edited)
	}
	assert.Equal(t, 1, fresh)
}

// BenchmarkReload is the making of a rule set in which one rule of many has
// changed, in a file of its own, by how many there are; whole is what it takes to
// compile them all.
func BenchmarkReload(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		texts := make(map[string]string)
		for i := range n {
			texts[fmt.Sprintf("rules/%03d.yaml", i%100)] += fmt.Sprintf("rule: r%d\nwhen: type == \"t\" && data.n == %d\n---\n", i, i)
		}
		edited := func(i int) []RuleFile {
			texts["rules/one.yaml"] = fmt.Sprintf("rule: one\nwhen: type == \"t\" && data.n == -%d\n", i)
			return ruleFiles(texts)
		}
		set, err := CompileRules(edited(0))
		require.NoError(b, err)
		b.Run(fmt.Sprintf("edit/%d", n), func(b *testing.B) {
			i := 0
			for b.Loop() {
				i++
				if _, err := set.update(edited(i)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("whole/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := CompileRules(edited(0)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
