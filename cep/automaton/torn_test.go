package automaton

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// forbid puts `then not` and `next not` between steps, also inside of them.
func (d *nestDrawer) forbid(steps []Step, top bool) []Step {
	var all []Step
	for i, s := range steps {
		if s.Group != nil {
			s.Group = d.forbid(s.Group, false)
		}
		for k := range s.Either {
			s.Either[k] = d.forbid(s.Either[k], false)
		}
		all = append(all, s)
		if s.Optional || i == len(steps)-1 && !top || rapid.IntRange(0, 2).Draw(d.T, "not") > 0 {
			continue
		}
		not := d.element()
		not.Not, not.Link = true, Then
		if i < len(steps)-1 && !steps[i+1].Optional && rapid.IntRange(0, 3).Draw(d.T, "next") == 0 {
			not.Link = Next
		}
		all = append(all, not)
	}
	return all
}

func drawForbidding(t *rapid.T) model {
	d := &nestDrawer{T: t}
	steps := d.forbid(d.steps(2), true)
	return model{steps: steps, conds: d.conds, within: time.Duration(rapid.SampledFrom([]int{4, 9}).Draw(t, "within")) * time.Second}
}

func drawOutcome(t *rapid.T) Policy {
	return Policy{
		Skip:      Skip{Kind: SkipKind(rapid.IntRange(0, 2).Draw(t, "skip"))},
		Emit:      Emit(rapid.IntRange(0, 1).Draw(t, "emit")),
		OnTimeout: rapid.Bool().Draw(t, "on timeout"),
	}
}

// Which events a pattern is shown makes no difference to it: those that meet none of
// its conditions may be left out, unless it says that it must see them; and it does
// not matter whether a condition was known to fail or had to be asked.
func TestWhoLooksChangesNothing(t *testing.T) {
	seen, hid := 0, 0
	often(t, func(t *rapid.T) {
		m, es, pol := drawForbidding(t), drawLetters(t, 8), drawOutcome(t)
		all := newPlayer(t, m, pol, es)
		want := all.play()
		if all.w.Overflow > 0 {
			t.Skip("too many")
		}
		some := newPlayer(t, m, pol, es)
		some.hidden, some.asked = !all.m.Needs().SeesAll, rapid.Bool().Draw(t, "asked")
		require.Equal(t, want, some.play(), "%+v %v %+v over %v\n%s", m.steps, m.conds, pol, es, all.m.nfa)
		if seen++; some.hidden {
			hid++
		}
	})
	t.Logf("%d patterns, %d of them without the events that meet nothing", seen, hid)
	assert.Greater(t, hid, seen/10)
}

// (a then b?) then not n then c, as Flink's NFA has it: an n right after a ends the
// match, one that comes after some other event was ignored forbids only to go on
// without b. Such a pattern sees every event, so that this depends on the log alone.
func TestTornPatternSeesEveryEvent(t *testing.T) {
	torn := []Step{
		{Group: []Step{{Cond: 1}, {Elem: 1, Cond: 2, Link: Then, Optional: true}}},
		{Elem: 2, Cond: 3, Not: true, Link: Then},
		{Elem: 3, Cond: 4, Link: Then},
	}
	whole := []Step{{Cond: 1}, {Elem: 1, Cond: 2, Link: Then}, torn[1], torn[2]}
	conds := []wish{{names: "a"}, {names: "b"}, {names: "n"}, {names: "c"}}
	for _, tt := range []struct {
		steps  []Step
		events string
		want   []string
		sees   bool
	}{
		{torn, "anbc", nil, true},
		{torn, "axnbc", []string{"event 4 e0:0 e1:3 e3:4"}, true},
		{torn, "axnc", nil, true},
		{torn, "abc", []string{"event 2 e0:0 e1:1 e3:2"}, true},
		{torn, "axbxc", []string{"event 4 e0:0 e1:2 e3:4"}, true},
		{whole, "anbc", []string{"event 3 e0:0 e1:2 e3:3"}, false},
		{whole, "axnbc", []string{"event 4 e0:0 e1:3 e3:4"}, false},
	} {
		for _, asked := range []bool{false, true} {
			p := newPlayer(t, model{steps: tt.steps, conds: conds}, Policy{}, spell(tt.events))
			p.asked = asked
			assert.Equal(t, tt.want, p.play(), "%s, asked %v\n%s", tt.events, asked, p.m.nfa)
			assert.Equal(t, tt.sees, p.m.Needs().SeesAll)
		}
	}
}
