package yamldoc

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchRule is a rule of ten lines.
const benchRule = `rule: brute-force
when:
  pattern: fail{5,} then ok
  define:
    fail: type == "auth.failure"
    ok: type == "auth.success"
  by: data.ip
  within: 2m
do:
  - notify: ops
`

// BenchmarkRule reads one rule, by itself and as the YAML library would.
func BenchmarkRule(b *testing.B) {
	section := func(b *testing.B) section {
		b.SetBytes(int64(len(benchRule)))
		b.ReportAllocs()
		for d := range Split("a.yaml", []byte(benchRule)) {
			return d.s
		}
		return section{}
	}
	b.Run("quick", func(b *testing.B) {
		s := section(b)
		for b.Loop() {
			if _, ok := s.quick(); !ok {
				b.Fatal("not quick")
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		s := section(b)
		for b.Loop() {
			if _, errs := s.slow(); errs != nil {
				b.Fatal(errs)
			}
		}
	})
}

// BenchmarkManyRules reads a file of 10,000 rules, document by document, and
// keeps of each what it is to do.
func BenchmarkManyRules(b *testing.B) {
	const rules = 10_000
	src := bytes.Repeat([]byte("---\n"+benchRule), rules)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		var kept []*Node
		for d := range Split("a.yaml", src) {
			n, err := d.Parse()
			require.NoError(b, err)
			kept = append(kept, n.Get("do").Clone())
		}
		require.Len(b, kept, rules)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rules, "ns/rule")
}

// BenchmarkMemory reports what a tree costs whoever keeps it.
func BenchmarkMemory(b *testing.B) {
	const rules = 1000
	for _, keep := range []struct {
		name string
		of   func(*Node) *Node
	}{
		{"all", func(n *Node) *Node { return n }},
		{"all cloned", (*Node).Clone},
		{"do", func(n *Node) *Node { return n.Get("do") }},
		{"do cloned", func(n *Node) *Node { return n.Get("do").Clone() }},
	} {
		b.Run(keep.name, func(b *testing.B) {
			var bytes, nodes float64
			for b.Loop() {
				kept := make([]*Node, rules)
				before := heap()
				for i := range kept {
					docs, err := Parse("a.yaml", fmt.Appendf(nil, "%sid: %d\n", benchRule, i))
					require.NoError(b, err)
					kept[i] = keep.of(docs[0])
				}
				bytes = float64(heap()-before) / rules
				var c cloner
				c.count(kept[0])
				nodes = float64(c.needNodes)
				runtime.KeepAlive(kept)
			}
			b.ReportMetric(bytes, "B/rule")
			b.ReportMetric(bytes/nodes, "B/node")
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
