package cep_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
)

// BenchmarkSnapshot writes the state of a matcher with 65,536 partial matches, of
// two events each, and reads it again.
func BenchmarkSnapshot(b *testing.B) {
	const runs = 1 << 16
	for name, rule := range map[string]string{
		"dfa":  `{pattern: 'a{3} then c', define: {a: type == "a", c: type == "c"}, by: data.ip, within: 1h}`,
		"many": `{pattern: 'a then any b then c', define: {a: type == "a", b: type == "b", c: type == "c"}, by: data.ip, within: 1h}`,
	} {
		rules, err := cep.ParseRules("r.yaml", []byte("rule: r\nwhen: "+rule+"\n"))
		require.NoError(b, err)
		p, err := cep.Compile(rules)
		require.NoError(b, err)
		m := cep.NewMatcher(p, cep.Options{Tenant: "t"})
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for i := range 2 * runs {
			typ := "a"
			if name == "many" && i >= runs {
				typ = "b"
			}
			ev := event.Event{
				ID: fmt.Sprint(i), Source: "/s", Type: typ, Time: at,
				Data: fmt.Appendf(nil, `{"ip":"10.%d.%d.%d","user":"postgres","port":33031,"host":"web-17","method":"password"}`, i%runs>>16, i%runs>>8&255, i%runs&255),
			}
			m.Feed(&ev, cep.Position{Seq: uint64(i)}, at, nil)
		}
		require.GreaterOrEqual(b, m.Stats().Runs, runs)
		var snap []byte
		b.Run(name+"/write", func(b *testing.B) {
			for b.Loop() {
				snap = m.AppendSnapshot(snap[:0])
			}
			b.ReportMetric(float64(len(snap)), "bytes")
		})
		b.Run(name+"/capture", func(b *testing.B) {
			for b.Loop() {
				m.Capture()
			}
		})
		b.Run(name+"/read", func(b *testing.B) {
			for b.Loop() {
				_, err := cep.RestoreMatcher(p, cep.Options{Tenant: "t"}, snap)
				require.NoError(b, err)
			}
		})
	}
}
