package sigma_test

import (
	"testing"

	"github.com/rhost/rhost/cep/sigma"
)

// BenchmarkConvert converts the published rules; the time is per rule.
func BenchmarkConvert(b *testing.B) {
	files := published(b)
	for b.Loop() {
		i := sigma.New(nil)
		for name, src := range files {
			if err := i.Add(name, src); err != nil {
				b.Fatal(err)
			}
		}
		if out, problems := i.Convert(); len(out) != len(files) || len(problems) > 0 {
			b.Fatal(problems)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(files)), "µs/rule")
}
