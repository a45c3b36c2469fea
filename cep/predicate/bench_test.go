package predicate_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// BenchmarkEval shows the cost of a condition whose fields are scanned; all but
// the interpreted one must not allocate (see TestEvalDoesNotAllocate).
func BenchmarkEval(b *testing.B) {
	for _, bm := range compiledForms() {
		b.Run(bm.name, func(b *testing.B) {
			cond, ev, bound := prepare(b, bm.src)
			b.ReportAllocs()
			for b.Loop() {
				cond.Eval(ev, bound)
			}
		})
	}
	b.Run("interpreted", func(b *testing.B) {
		cond, ev, bound := prepare(b, `data.l.exists(x, x == "a")`)
		b.ReportAllocs()
		for b.Loop() {
			cond.Eval(ev, bound)
		}
	})
}

func compiledForms() []struct{ name, src string } {
	return []struct{ name, src string }{
		{"one field", `type == "auth"`},
		{"two fields", `type == "auth" && data.user == "Bob"`},
		{"two fields, first fails", `type == "x" && data.user == "Bob"`},
		{"five fields", `type == "auth" && data.user == "Bob" && data.n >= 5 && data.flag && data.ip.startsWith("10.")`},
		{"set of ten", `data.n in [11, 12, 13, 14, 15, 16, 17, 18, 19, 5]`},
		{"lower contains", `lower(data.user).contains("ob")`},
		{"cidr", `cidr(data.ip, "10.0.0.0/8")`},
		{"regexp", `data.user.matches("^B.b$")`},
		{"has", `has(data.user) && has(ext.region)`},
		{"join", `data.user == last(fail).data.user`},
		{"arithmetic", `data.n + 1 > data.half * 2`},
		{"aggregate", `sum(fail.data.n) > 3`},
		{"time", `time - last(fail).time < duration("5h")`},
	}
}

func prepare(tb testing.TB, src string) (*predicate.Cond, *predicate.Event, predicate.Env) {
	tb.Helper()
	ev, bound := testEnv(tb)
	set := predicate.NewSet()
	cond, err := set.Add(scope(), src, yamldoc.Pos{})
	require.NoError(tb, err)
	paths := event.NewPathSet(set.Paths())
	ev.Fields = paths.Scan(ev.Ev, nil)
	for _, list := range bound {
		for _, e := range list {
			e.Fields = paths.Scan(e.Ev, nil)
		}
	}
	return cond, ev, bound
}

func TestEvalDoesNotAllocate(t *testing.T) {
	for _, form := range compiledForms() {
		cond, ev, bound := prepare(t, form.src)
		require.Zero(t, testing.AllocsPerRun(100, func() { cond.Eval(ev, bound) }), form.src)
	}
}

// BenchmarkAdd is the cost of compiling a rule's condition.
func BenchmarkAdd(b *testing.B) {
	set := predicate.NewSet()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := set.Add(predicate.Scope{}, `type == "auth" && data.user == "Bob"`, yamldoc.Pos{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewSet(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := predicate.NewSet().Add(predicate.Scope{}, `true`, yamldoc.Pos{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTemplate(b *testing.B) {
	tmpl, err := predicate.NewSet().CompileTemplate(templateScope(), "locked ${ok.data.user} after ${count(fail)} failures", yamldoc.Pos{})
	require.NoError(b, err)
	vars := templateVars(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tmpl.Eval(vars); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAddFormula is the cost of a rule in a large program: two fields, one
// constant of its own.
func BenchmarkAddFormula(b *testing.B) {
	srcs := make([]string, 10_000)
	for i := range srcs {
		srcs[i] = `type == "auth" && data.user == "user-` + strconv.Itoa(i) + `"`
	}
	fields := predicate.NewFields()
	var set *predicate.Set
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(srcs) == 0 {
			set = predicate.NewSetOn(fields)
		}
		if _, _, _, err := set.AddFormula(predicate.Scope{}, srcs[i%len(srcs)], yamldoc.Pos{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMillion compiles a million rules of two fields in chunks of ten
// thousand, as a large program is compiled.
func BenchmarkMillion(b *testing.B) {
	srcs := make([]string, 1_000_000)
	for i := range srcs {
		srcs[i] = `data.host == "host-` + strconv.Itoa(i) + `" && data.user == "user-` + strconv.Itoa(i) + `"`
	}
	b.ReportAllocs()
	for b.Loop() {
		fields := predicate.NewFields()
		for chunk := range slices.Chunk(srcs, 10_000) {
			set := predicate.NewSetOn(fields)
			for _, src := range chunk {
				if _, _, _, err := set.AddFormula(predicate.Scope{}, src, yamldoc.Pos{}); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

// BenchmarkAddForms is the cost of conditions of other sorts: with a join, of
// which cel-go reads one operand; with a long list; with many alternatives.
func BenchmarkAddForms(b *testing.B) {
	items := make([]string, 100_000)
	for i := range items {
		items[i] = `"value-` + strconv.Itoa(i) + `"`
	}
	for name, src := range map[string]string{
		"join":                `type == "auth" && data.user == last(fail).data.user`,
		"table":               `type == "auth" && data.ip in table.badips`,
		"list of 100,000":     `data.x in [` + strings.Join(items, ",") + `]`,
		"alternatives, 1,000": `data.x.contains(` + strings.Join(items[:1000], `) || data.x.contains(`) + `)`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			fields := predicate.NewFields()
			for b.Loop() {
				if _, _, _, err := predicate.NewSetOn(fields).AddFormula(scope(), src, yamldoc.Pos{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
