package automaton

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// nested finds every match of a pattern with groups, alternatives and conjunctions
// by trying every way to bind the events, straight from what the words mean. It
// knows no `not` and no conditions on what is bound.
type nested struct {
	conds []wish
	es    []letter
	bound []Pair
	lines []string
}

func (r *nested) meets(s Step, e int) bool { return r.conds[s.Cond-1].holds(r.es[e], nil) }

// all gives the matches, each once.
func (r *nested) all(steps []Step) []string {
	r.sequence(steps, -1, Next, func(p int) {
		if len(r.bound) > 0 {
			r.lines = append(r.lines, show(fmt.Sprint("event ", p), r.bound))
		}
	})
	slices.Sort(r.lines)
	return slices.Compact(r.lines)
}

// sequence binds steps after event p, the first of them joined by link, and calls
// then with the last event of each way to do it.
func (r *nested) sequence(steps []Step, p int, link Link, then func(p int)) {
	if len(steps) == 0 {
		then(p)
		return
	}
	s, rest := steps[0], steps[1:]
	next := func(e int) {
		if len(rest) == 0 {
			then(e)
			return
		}
		r.sequence(rest, e, rest[0].Link, then)
	}
	if s.Optional {
		next(p)
	}
	r.repeat(s, p, 0, link, next)
}

// repeat binds one repetition more than the n before it. One of no events at all is
// one too; several of them are as good as one.
func (r *nested) repeat(s Step, p, n int, link Link, then func(p int)) {
	r.once(s, p, link, func(e int) {
		if n+1 >= s.Low() {
			then(e)
		}
		if s.Loop() && (e > p || n < s.Low()) || !s.Loop() && n+1 < s.High() {
			r.repeat(s, e, n+1, s.Repeat, then)
		}
	})
}

func (r *nested) once(s Step, p int, link Link, then func(p int)) {
	switch {
	case s.Group != nil:
		r.sequence(s.Group, p, link, then)
	case s.Both != nil:
		r.both(s.Both, make([]int, len(s.Both)), p, link, then)
	default:
		one := plain(s)
		if one == nil {
			for _, part := range s.Either {
				r.sequence(part, p, link, then)
			}
			return
		}
		r.scan(p, link, func(e int) bool {
			i := slices.IndexFunc(one, func(s Step) bool { return r.meets(s, e) })
			if i >= 0 {
				r.bind(one[i], e, then)
			}
			return i >= 0
		})
	}
}

// scan offers the events after p that link allows; take says whether one met.
func (r *nested) scan(p int, link Link, take func(e int) bool) {
	begins := len(r.bound) == 0
	for e := p + 1; e < len(r.es); e++ {
		took := take(e)
		if !begins && (link == Next || link == Then && took) {
			return
		}
	}
}

func (r *nested) bind(s Step, e int, then func(p int)) {
	r.bound = append(r.bound, Pair{Elem: s.Elem, Held: &Held{Pos: Position{Seq: uint64(e)}}})
	then(e)
	r.bound = r.bound[:len(r.bound)-1]
}

// both binds what is left of parts that are rows of elements; at says how far each
// has come.
func (r *nested) both(parts [][]Step, at []int, p int, link Link, then func(p int)) {
	done := true
	for i, part := range parts {
		done = done && at[i] == len(part)
	}
	if done {
		then(p)
		return
	}
	r.scan(p, link, func(e int) (took bool) {
		for i, part := range parts {
			if at[i] == len(part) || !r.meets(part[at[i]], e) {
				continue
			}
			took = true
			next := slices.Clone(at)
			next[i]++
			r.bind(part[at[i]], e, func(e int) { r.both(parts, next, e, Then, then) })
		}
		return took
	})
}

// nestDrawer draws patterns.
type nestDrawer struct {
	*rapid.T
	conds []wish
}

func (d *nestDrawer) element() Step {
	d.conds = append(d.conds, wish{names: rapid.SampledFrom([]string{"a", "b", "c", "ab", "bc"}).Draw(d.T, "names")})
	return Step{Elem: len(d.conds) - 1, Cond: Cond(len(d.conds))}
}

func (d *nestDrawer) link() Link { return Link(rapid.IntRange(0, 2).Draw(d.T, "link")) }

// step draws a step that takes part at a depth.
func (d *nestDrawer) step(depth int) Step {
	kinds := 4
	if depth == 0 {
		kinds = 0
	}
	var s Step
	switch rapid.IntRange(0, kinds).Draw(d.T, "kind") {
	case 1:
		s.Group = d.steps(depth - 1)
	case 2:
		s.Either = [][]Step{{d.element()}, {d.element()}}
	case 3:
		s.Either = [][]Step{d.steps(depth - 1), d.steps(depth - 1)}
	case 4:
		for range rapid.IntRange(2, 3).Draw(d.T, "operands") {
			part := []Step{d.element()}
			if rapid.IntRange(0, 2).Draw(d.T, "longer") == 0 {
				second := d.element()
				second.Link = Then
				part = append(part, second)
			}
			s.Both = append(s.Both, part)
		}
	default:
		s = d.element()
	}
	s.Link, s.Repeat = d.link(), d.link()
	s.Min = rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(d.T, "min")
	s.Max = rapid.SampledFrom([]int{s.Min, s.Min, s.Min + 1, -1}).Draw(d.T, "max")
	s.Optional = rapid.IntRange(0, 3).Draw(d.T, "optional") == 0
	return s
}

func (d *nestDrawer) steps(depth int) []Step {
	var steps []Step
	for range rapid.IntRange(1, 2).Draw(d.T, "steps") {
		steps = append(steps, d.step(depth))
	}
	return steps
}

// All matches of nested patterns are those that trying everything finds. A match
// that there are two ways to is given twice.
func TestNestedMatchesReference(t *testing.T) {
	often(t, func(t *rapid.T) {
		d := &nestDrawer{T: t}
		steps := d.steps(2)
		m := model{steps: steps, conds: d.conds}
		es := spell(rapid.StringMatching(`[abcx]{1,6}`).Draw(t, "events"))
		want := (&nested{conds: d.conds, es: es}).all(steps)
		p := newPlayer(t, m, Policy{Skip: Skip{Kind: NoSkip}}, es)
		got := p.play()
		slices.Sort(got)
		if p.w.Overflow > 0 {
			t.Skip("too many")
		}
		require.Equal(t, want, slices.Compact(got), "%+v %v over %v\n%s", steps, d.conds, es, p.m.nfa)
	})
}
