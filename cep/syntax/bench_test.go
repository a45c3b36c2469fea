package syntax_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

// simple is a file of rules of the most frequent kind.
func simple(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\nrule: rule-%d\nwhen: type == \"fs.create\" && data.user == \"u%d\"\ndo: [{notify: ops}]\n", i, i)
	}
	return b.String()
}

// A million rules must fit, so each may keep little beside the text it came
// from.
func TestMemoryOfSimpleRules(t *testing.T) {
	const n, most = 10_000, 400
	src := syntax.Source{File: "r.yaml", Line: 1, Text: simple(n)}
	rules := make([]*syntax.Rule, 0, n)
	before := heap()
	for r, err := range src.Rules() {
		require.NoError(t, err)
		rules = append(rules, r)
	}
	each := (int64(heap()) - int64(before)) / n
	runtime.KeepAlive(src)
	require.Len(t, rules, n)
	runtime.KeepAlive(rules)
	t.Logf("%d bytes a rule", each)
	assert.LessOrEqual(t, each, int64(most))
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // the first one only empties pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkSimple reads simple rules, beside what YAML alone takes.
func BenchmarkSimple(b *testing.B) {
	const n = 1000
	text := simple(n)
	b.Run("rules", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, err := range (syntax.Source{File: "r.yaml", Line: 1, Text: text}).Rules() {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/rule")
	})
	b.Run("yaml", func(b *testing.B) {
		docs := strings.SplitAfter(text, "---\n")
		b.ReportAllocs()
		for b.Loop() {
			for _, doc := range docs {
				if _, err := yamldoc.Parse("r.yaml", []byte(doc)); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/rule")
	})
}

// BenchmarkPattern reads a rule with a pattern of every construct.
func BenchmarkPattern(b *testing.B) {
	src := "rule: r\nwhen:\n  pattern: a{2,} then (b | c & d){2,3} then not e then any g\n  within: 1m\n  define: {a: data.a, b: data.b, c: data.c, d: data.d, e: data.e, g: {pattern: h next i}, h: data.h, i: data.i}\n"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := syntax.Parse("r.yaml", []byte(src)); err != nil {
			b.Fatal(err)
		}
	}
}
