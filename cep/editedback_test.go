package cep_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
)

// A version that comes back while it drains goes on as it was: a second state of it
// would find the same windows again, under the same ids.
func TestEditedBack(t *testing.T) {
	for _, tt := range []struct {
		name, v1, v2, before, between, after string
		want                                 []string
	}{
		{
			"window", `{window: tumbling 10s, let: {n: count()}}`, `{window: tumbling 10s, let: {n: count(), m: count()}}`,
			"x1 1; x2 2", "x3 3", "x4 4; x5 14",
			[]string{"r@10:time [0,10] n=2 m=2", "r@10:time [0,10] n=4", "r@20:time [10,20] n=1"},
		},
		{
			"sliding", `{window: sliding 10s every 5s, let: {n: count()}}`, `{window: sliding 10s every 5s, let: {n: count(), m: count()}}`,
			"x1 1", "x2 6", "x3 8",
			[]string{
				"r@5:time [-5,5] n=1",
				"r@10:time [0,10] n=2 m=2", "r@10:time [0,10] n=3", "r@15:time [5,15] n=2 m=2", "r@15:time [5,15] n=2",
			},
		},
		{
			"count window", `{window: count 3, let: {n: count()}}`, `{window: count 3, let: {n: count(), m: count()}}`,
			"x1 1", "x2 2", "x3 3; x4 4",
			[]string{"r@3:x3 [1,3] n=3", "r@4:x4 [2,4] n=3 m=3"},
		},
		{
			"state for", `{state: data.v, above: 1, for: 10s}`, `{state: data.v, above: 2, for: 10s}`,
			"x1 1 v=5", "x2 3 v=6", "x3 5 v=7",
			[]string{"r@11:time event=x1", "r@13:time event=x2"},
		},
		{
			"pattern", `{pattern: 'a then b', define: {a: type == "a", b: type == "b"}, within: 1m}`, `{pattern: 'a then c', define: {a: type == "a", c: type == "c"}, within: 1m}`,
			"a1 1", "a2 2", "b3 3; c4 4; a5 5; b6 6",
			[]string{"r@3:b3 a=a1 b=b3", "r@4:c4 a=a2 c=c4", "r@6:b6 a=a5 b=b6"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			one, two := boxProgram(t, "rule: r\nwhen: "+tt.v1+"\n"), boxProgram(t, "rule: r\nwhen: "+tt.v2+"\n")
			f := &boxFeed{t: t, m: cep.NewMatcher(one, cep.Options{})}
			n := 0
			feed := func(p *cep.Program, text string) {
				f.m.Swap(p)
				for _, l := range boxLines(t, text) {
					n++
					m, err := cep.RestoreMatcher(p, cep.Options{}, f.m.AppendSnapshot(nil), one, two)
					require.NoError(t, err)
					f.m = m
					f.line(n, l)
				}
			}
			feed(one, tt.before)
			feed(two, tt.between)
			feed(one, tt.after)
			f.ms = f.m.Advance(boxAt(100), cep.Position{}, f.ms)
			assert.ElementsMatch(t, tt.want, boxRunOf(f.m, f.ms).short)
			ids := make(map[string]bool)
			for _, m := range f.ms {
				assert.False(t, ids[m.ID], "%s is given twice", m.ID)
				ids[m.ID] = true
			}
		})
	}
}
