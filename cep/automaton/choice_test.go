package automaton

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// matches plays a pattern over letters, all matches wanted.
func matches(t require.TestingT, steps []Step, names []string, es string) []string {
	m := model{steps: steps}
	for _, n := range names {
		m.conds = append(m.conds, wish{names: n})
	}
	return newPlayer(t, m, Policy{Skip: Skip{Kind: NoSkip}}, spell(es)).play()
}

func one(i int, link Link) Step { return Step{Elem: i, Cond: Cond(i + 1), Link: link} }

func alone(i int) []Step { return []Step{one(i, Next)} }

// Alternatives that are single elements are one element that takes what any of
// them would, the first that can.
func TestEitherIsOneElement(t *testing.T) {
	often(t, func(t *rapid.T) {
		link := Link(rapid.IntRange(0, 2).Draw(t, "link"))
		low, high := rapid.IntRange(1, 3).Draw(t, "min"), rapid.SampledFrom([]int{0, -1}).Draw(t, "max")
		optional, repeat := rapid.Bool().Draw(t, "optional"), Link(rapid.IntRange(0, 2).Draw(t, "repeat"))
		draw := rapid.SampledFrom([]string{"a", "b", "ab", "bc"})
		names := []string{"s", draw.Draw(t, "left"), draw.Draw(t, "right"), "e"}
		es := "s" + rapid.StringMatching(`[abcxse]{0,8}`).Draw(t, "events") + "e"

		either := Step{Either: [][]Step{alone(1), alone(2)}, Link: link, Min: low, Optional: optional, Repeat: repeat}
		either.Max = high
		joined := either
		joined.Either, joined.Elem, joined.Cond = nil, 1, 2
		got := matches(t, []Step{one(0, Next), either, one(3, Then)}, names, es)
		want := matches(t, []Step{one(0, Next), joined, one(3, Then)}, []string{"s", names[1] + names[2], "", "e"}, es)
		for i := range want {
			for _, part := range strings.Fields(want[i])[2:] {
				var at int
				_, err := fmt.Sscanf(part, "e1:%d", &at)
				if err == nil && strings.IndexByte(names[1], es[at]) < 0 {
					want[i] = strings.Replace(want[i], part, fmt.Sprintf("e2:%d", at), 1)
				}
			}
		}
		require.Equal(t, want, got, "%v over %s", names, es)
	})
}

func TestEitherOfSequences(t *testing.T) {
	choice := Step{Either: [][]Step{{one(1, Next), one(2, Then)}, {one(3, Next), one(4, Then)}}, Link: Then}
	names := []string{"s", "a", "d", "b", "e"}
	for _, tt := range []struct {
		events string
		want   []string
	}{
		{"sad", []string{"event 2 e0:0 e1:1 e2:2"}},
		{"sabe", []string{"event 3 e0:0 e3:2 e4:3"}},
		{"sabed", []string{"event 3 e0:0 e3:2 e4:3", "event 4 e0:0 e1:1 e2:4"}},
		{"sabxaed", []string{"event 5 e0:0 e3:2 e4:5", "event 6 e0:0 e1:1 e2:6"}},
		{"ad", nil},
	} {
		require.Equal(t, tt.want, matches(t, []Step{one(0, Next), choice}, names, tt.events), tt.events)
	}
}

// conjunction finds every match of `s then (a & b & …) then e`, straight from
// what & means: the next event that could be any of those missing is one of them.
type conjunction struct {
	es, names string
	lines     []string
}

func (c *conjunction) from(at int, open []int, bound []string) {
	for i := at; i < len(c.es); i++ {
		if len(open) == 0 {
			if c.es[i] == 'e' {
				line := append([]string{fmt.Sprint("event ", i)}, bound...)
				c.lines = append(c.lines, strings.Join(append(line, fmt.Sprintf("e9:%d", i)), " "))
				return
			}
			continue
		}
		taken := false
		for k, o := range open {
			if c.es[i] == c.names[o] || c.es[i] == '*' {
				taken = true
				c.from(i+1, slices.Delete(slices.Clone(open), k, k+1), append(slices.Clip(bound), fmt.Sprintf("e%d:%d", o+1, i)))
			}
		}
		if taken {
			return
		}
	}
}

func TestBothTakesAnyOrder(t *testing.T) {
	often(t, func(t *rapid.T) {
		const letters = "abcd"
		n := rapid.IntRange(2, 4).Draw(t, "operands")
		es := rapid.StringMatching(`[abcd*xse]{1,12}`).Draw(t, "events")
		both := Step{Link: Then}
		names := []string{"s", "a*", "b*", "c*", "d*", "", "", "", "", "e"}
		var open []int
		for i := range n {
			both.Both = append(both.Both, alone(i+1))
			open = append(open, i)
		}
		got := matches(t, []Step{one(0, Next), both, one(9, Then)}, names, es)
		c := &conjunction{es: es, names: letters}
		for i := range es {
			if es[i] == 's' {
				c.from(i+1, open, []string{fmt.Sprintf("e0:%d", i)})
			}
		}
		slices.Sort(got)
		slices.Sort(c.lines)
		require.Equal(t, c.lines, got, es)
	})
}

func TestBothOfSequences(t *testing.T) {
	names := []string{"s", "a", "d", "b"}
	both := Step{Both: [][]Step{{one(1, Next), one(2, Then)}, alone(3)}, Link: Then}
	strict := Step{Both: [][]Step{{one(1, Next), one(2, Next)}, alone(3)}, Link: Then}
	maybe := Step{Both: [][]Step{{{Elem: 1, Cond: 2, Optional: true}, one(2, Then)}, alone(3)}, Link: Then}
	for _, tt := range []struct {
		step   Step
		events string
		want   []string
	}{
		{both, "sabd", []string{"event 3 e0:0 e1:1 e3:2 e2:3"}},
		{both, "sadb", []string{"event 3 e0:0 e1:1 e2:2 e3:3"}},
		{both, "sbad", []string{"event 3 e0:0 e3:1 e1:2 e2:3"}},
		{both, "sbxaxd", []string{"event 5 e0:0 e3:1 e1:3 e2:5"}},
		{both, "sbd", nil},
		{strict, "sabd", nil},
		{strict, "sadb", []string{"event 3 e0:0 e1:1 e2:2 e3:3"}},
		{strict, "sbad", []string{"event 3 e0:0 e3:1 e1:2 e2:3"}},
		{maybe, "sdb", []string{"event 2 e0:0 e2:1 e3:2"}},
		{maybe, "sabd", []string{"event 3 e0:0 e1:1 e3:2 e2:3", "event 3 e0:0 e3:2 e2:3"}},
	} {
		require.Equal(t, tt.want, matches(t, []Step{one(0, Next), tt.step}, names, tt.events), tt.events)
	}
}

// Repeated and optional conjunctions, and what must not happen before one.
func TestBothInContext(t *testing.T) {
	names := []string{"s", "a", "b", "e", "n"}
	twice := Step{Both: [][]Step{alone(1), alone(2)}, Link: Then, Min: 2, Max: 2, Repeat: Then}
	maybe := Step{Both: [][]Step{alone(1), alone(2)}, Link: Then, Optional: true}
	strict := Step{Both: [][]Step{alone(1), alone(2)}, Link: Next}
	not := Step{Elem: 4, Cond: 5, Not: true, Link: Then}
	for _, tt := range []struct {
		steps  []Step
		events string
		want   []string
	}{
		{[]Step{one(0, Next), twice, one(3, Then)}, "sabxbae", []string{"event 6 e0:0 e1:1 e2:2 e2:4 e1:5 e3:6"}},
		{[]Step{one(0, Next), maybe, one(3, Then)}, "se", []string{"event 1 e0:0 e3:1"}},
		{[]Step{one(0, Next), maybe, one(3, Then)}, "sxbae", []string{"event 4 e0:0 e2:2 e1:3 e3:4", "event 4 e0:0 e3:4"}},
		{[]Step{one(0, Next), strict}, "sxab", nil},
		{[]Step{one(0, Next), strict}, "sbxa", []string{"event 3 e0:0 e2:1 e1:3"}},
		{[]Step{one(0, Next), not, {Both: [][]Step{alone(1), alone(2)}, Link: Then}}, "sanb", []string{"event 3 e0:0 e1:1 e2:3"}},
		{[]Step{one(0, Next), not, {Both: [][]Step{alone(1), alone(2)}, Link: Then}}, "snab", nil},
		{[]Step{{Both: [][]Step{alone(1), alone(2)}}}, "xbxa", []string{"event 3 e2:1 e1:3"}},
	} {
		got := matches(t, tt.steps, names, tt.events)
		require.Equal(t, tt.want, got, tt.events)
	}
}

// Conjunctions of parts that multiply are refused, not built for ever.
func TestBothIsBounded(t *testing.T) {
	long := func() []Step {
		var s []Step
		for range 40 {
			s = append(s, Step{Elem: 0, Cond: 1, Link: Then, Optional: true})
		}
		return s
	}
	began := time.Now()
	_, err := Compile([]Step{{Both: [][]Step{long(), long(), long(), long()}}}, Traits{})
	require.ErrorContains(t, err, "states; the limit is")
	require.Less(t, time.Since(began), 20*time.Second)
	_, err = Compile([]Step{{Both: [][]Step{{{Cond: 1, Wait: time.Second}}, alone(1)}}}, Traits{})
	require.ErrorIs(t, err, errWaits)
}
