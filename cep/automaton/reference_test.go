package automaton

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// often checks a property some thousand times; the patterns are small, and what
// goes wrong takes a rare one to show.
func often(t *testing.T, property func(t *rapid.T)) {
	t.Helper()
	rounds := 10
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		rapid.Check(t, property)
	}
}

// letter is an event of the property tests: a name, a value to join on, a time.
type letter struct {
	name  byte
	value int
	at    time.Duration
}

// wish is a condition of the property tests: the event's name is one of names,
// and, when last is set, its value is that of the last event of an element.
type wish struct {
	names string
	last  bool
	elem  int
}

func (c wish) holds(e letter, bound func(elem int) []letter) bool {
	if strings.IndexByte(c.names, e.name) < 0 {
		return false
	}
	if !c.last {
		return true
	}
	all := bound(c.elem)
	return len(all) > 0 && all[len(all)-1].value == e.value
}

// valuePath is where the value of a letter stands in its event.
var valuePath = event.PathOf("data", "v")

// event gives the letter as an event.
func (e letter) event() *event.Event {
	return &event.Event{Data: fmt.Appendf(nil, `{"v":%d}`, e.value)}
}

type model struct {
	steps  []Step
	conds  []wish
	within time.Duration
	apart  bool // nothing is known of what conditions read but that they read
}

func (m model) traits() Traits {
	var tr Traits
	tr.Joins = make([][]predicate.Join, len(m.conds))
	for i, c := range m.conds {
		if c.last {
			tr.Correlated |= Cond(i + 1).Bit()
			if !m.apart {
				tr.Equal |= Cond(i + 1).Bit()
			}
			tr.Joins[i] = []predicate.Join{{Elem: c.elem, Part: predicate.PartLast, Path: valuePath, ElemPath: valuePath}}
		}
	}
	return tr
}

func (m model) String() string {
	var b strings.Builder
	for i, s := range m.steps {
		fmt.Fprintf(&b, "link=%d not=%v %+v{%d,%d} opt=%v rep=%d; ", s.Link, s.Not, m.conds[i], s.Min, s.Max, s.Optional, s.Repeat)
	}
	return b.String() + m.within.String()
}

// drawModel draws a pattern of the grammar `then`, `next`, `then any`, `not` and
// quantifiers.
func drawModel(t *rapid.T, correlated, combine bool) model {
	top := 1
	if combine {
		top = 2
	}
	link := rapid.IntRange(0, top)
	var m model
	n := rapid.IntRange(1, 4).Draw(t, "steps")
	for i := range n {
		s := Step{Elem: i, Cond: Cond(i + 1), Link: Link(link.Draw(t, "link")), Min: 1, Max: 1, Repeat: Then}
		c := wish{names: rapid.SampledFrom([]string{"a", "b", "c", "ab", "bc", "abc"}).Draw(t, "names")}
		before := Step{Optional: true}
		if i > 0 {
			before = m.steps[i-1]
		}
		switch {
		case !before.Optional && !before.Not && rapid.IntRange(0, 3).Draw(t, "not") == 0:
			s.Not, s.Link = true, Link(rapid.IntRange(0, 1).Draw(t, "how"))
		default:
			s.Min = rapid.IntRange(1, 3).Draw(t, "min")
			s.Max = rapid.SampledFrom([]int{s.Min, s.Min + 1, -1}).Draw(t, "max")
			s.Optional = rapid.Bool().Draw(t, "optional")
			s.Repeat = Link(link.Draw(t, "repeat"))
		}
		if before.Not && before.Link == Next {
			s.Optional = false // whether that may end the match depends on the event before, as in Flink
		}
		if correlated && i > 0 && rapid.Bool().Draw(t, "last") {
			c.last, c.elem = true, rapid.IntRange(0, i-1).Draw(t, "of")
		}
		m.steps, m.conds = append(m.steps, s), append(m.conds, c)
	}
	m.within = time.Duration(rapid.SampledFrom([]int{0, 4, 9}).Draw(t, "within")) * time.Second
	if last := m.steps[n-1]; last.Not && last.Link == Then {
		m.within = 5 * time.Second
	}
	return m
}

func drawLetters(t *rapid.T, n int) []letter {
	es := make([]letter, rapid.IntRange(1, n).Draw(t, "events"))
	now := time.Duration(0)
	for i := range es {
		now += time.Duration(rapid.IntRange(0, 2).Draw(t, "gap")) * time.Second
		es[i] = letter{rapid.SampledFrom([]byte("abcx")).Draw(t, "event"), rapid.IntRange(0, 1).Draw(t, "value"), now}
	}
	return es
}

// player feeds letters to a machine.
type player struct {
	m      *Machine
	model  model
	es     []letter
	w      Worker
	runs   Runs
	cur    letter
	lines  []string
	lazy   bool // let time pass unseen
	hidden bool // show only events that meet some condition
	asked  bool // every condition is asked of the runs, as if nothing had been known before
	most   int  // most runs open at once
	reader Reader
	t      require.TestingT
}

func (p *player) Holds(c Cond, b Bound) bool {
	return p.model.conds[c-1].holds(p.cur, func(elem int) []letter {
		var all []letter
		read := p.reader.Events(b, elem)
		for i, h := range b.AppendElem(nil, elem) {
			require.Same(p.t, &h.Seen, read[i])
			all = append(all, p.es[h.Pos.Seq])
		}
		require.Len(p.t, read, len(all))
		return all
	})
}

func newPlayer(t require.TestingT, mod model, pol Policy, es []letter) *player {
	nfa, err := Compile(mod.steps, mod.traits())
	require.NoError(t, err)
	pol.Within = mod.within
	m, err := NewMachine(nfa, pol)
	require.NoError(t, err)
	return &player{m: m, model: mod, es: es, t: t}
}

func (p *player) play() []string {
	p.each(func() {})
	return p.lines
}

// each plays and calls look after every step.
func (p *player) each(look func()) {
	zero := time.Unix(0, 0).UTC()
	for i, e := range p.es {
		now := zero.Add(e.at)
		if !p.lazy {
			p.m.Expire(&p.w, &p.runs, now)
			p.collect(zero)
			look()
		}
		t := Truth{Known: ^p.model.traits().Correlated}
		shown := false
		for j, c := range p.model.conds {
			if strings.IndexByte(c.names, e.name) < 0 {
				t.Known |= Cond(j + 1).Bit()
				continue
			}
			shown = true
			if !c.last {
				t.True |= Cond(j + 1).Bit()
			}
		}
		if p.asked {
			t = Truth{}
		}
		if p.hidden && !shown {
			continue
		}
		p.cur = e
		p.w.values = []event.Value{event.NumberValue(float64(e.value))}
		in := &Input{Ev: e.event(), Pos: Position{Seq: uint64(i)}, Order: uint64(i + 1), At: now}
		p.m.Feed(&p.w, &p.runs, in, t, p)
		p.collect(zero)
		look()
		p.most = max(p.most, p.runs.Len())
	}
	p.m.Expire(&p.w, &p.runs, zero.Add(time.Hour))
	p.collect(zero)
	look()
}

func (p *player) collect(zero time.Time) {
	for _, d := range p.w.Out {
		trigger := fmt.Sprint("time ", d.Deadline.Sub(zero))
		if d.Outcome == Complete {
			trigger = fmt.Sprint("event ", d.Trigger.Pos.Seq)
		}
		p.lines = append(p.lines, show(trigger, d.Bound.Append(nil)))
	}
}

func show(trigger string, pairs []Pair) string {
	parts := []string{trigger}
	for _, pr := range pairs {
		parts = append(parts, fmt.Sprintf("e%d:%d", pr.Elem, pr.Held.Pos.Seq))
	}
	return strings.Join(parts, " ")
}

// reference finds every match by trying every way to bind the events, straight
// from what the words of the grammar mean.
type reference struct {
	model
	es    []letter
	bound []Pair
	lines []string
}

func (r *reference) all() []string {
	r.from(0, -1, 0, false)
	slices.Sort(r.lines)
	return r.lines
}

func (r *reference) holds(c Cond, i int) bool {
	return r.conds[c-1].holds(r.es[i], func(elem int) []letter {
		var all []letter
		for _, p := range r.bound {
			if p.Elem == elem {
				all = append(all, r.es[p.Held.Pos.Seq])
			}
		}
		return all
	})
}

// kills reports whether event i is one of those that must not happen.
func (r *reference) kills(nots uint64, i int) bool {
	for c := Cond(1); int(c) <= len(r.conds); c++ {
		if nots&c.Bit() != 0 && r.holds(c, i) {
			return true
		}
	}
	return false
}

func (r *reference) late(i int) bool {
	return r.within > 0 && len(r.bound) > 0 && r.es[i].at-r.es[r.bound[0].Held.Pos.Seq].at >= r.within
}

// from goes on at step i after event p, while nots must not happen. When dead,
// the event just bound was one of those, so that only a match which it completes
// counts.
func (r *reference) from(i, p int, nots uint64, dead bool) {
	if i == len(r.steps) {
		if len(r.bound) == 0 {
			return // nothing is not a match
		}
		r.lines = append(r.lines, show(fmt.Sprint("event ", p), r.bound))
		return
	}
	s := r.steps[i]
	switch {
	case s.Not && dead:
		if s.Link == Then && i < len(r.steps)-1 {
			r.from(i+1, p, 0, dead)
		}
	case s.Not && s.Link == Next:
		if p+1 >= len(r.es) || r.late(p+1) || r.holds(s.Cond, p+1) {
			return
		}
		if i == len(r.steps)-1 {
			r.lines = append(r.lines, show(fmt.Sprint("event ", p+1), r.bound))
			return
		}
		r.from(i+1, p, 0, false)
	case s.Not && i == len(r.steps)-1:
		r.absent(p, nots|s.Cond.Bit())
	case s.Not:
		r.from(i+1, p, nots|s.Cond.Bit(), false)
	default:
		if s.Optional {
			r.from(i+1, p, nots, dead)
		}
		if !dead {
			r.repeat(i, p, 0, s.Link, nots)
		}
	}
}

// absent is the end of a pattern in `then not`.
func (r *reference) absent(p int, nots uint64) {
	for i := p + 1; i < len(r.es) && !r.late(i); i++ {
		if r.kills(nots, i) {
			return
		}
	}
	deadline := r.es[r.bound[0].Held.Pos.Seq].at + r.within
	r.lines = append(r.lines, show(fmt.Sprint("time ", deadline), r.bound))
}

// repeat binds one more event, the n-th after the first, to step i.
func (r *reference) repeat(i, p, n int, link Link, nots uint64) {
	s := r.steps[i]
	begins := len(r.bound) == 0
	var after uint64
	if s.Repeats() {
		after = followingNots(r.steps[i+1:])
	}
	veto := None // a `next not` after enough repetitions forbids also to repeat with such an event
	if rest := r.steps[i+1:]; n >= s.Low() && len(rest) > 0 && rest[0].Not && rest[0].Link == Next {
		veto = rest[0].Cond
	}
	for e := p + 1; e < len(r.es) && !r.late(e); e++ {
		meets := r.holds(s.Cond, e)
		killed := !begins && (r.kills(nots, e) || e == p+1 && veto != None && r.holds(veto, e))
		if meets {
			r.bound = append(r.bound, Pair{Elem: s.Elem, Held: &Held{Pos: Position{Seq: uint64(e)}}})
			if n+1 >= s.Low() {
				r.from(i+1, e, 0, killed)
			}
			if !killed && (s.Loop() || n+1 < s.High()) {
				r.repeat(i, e, n+1, s.Repeat, after)
			}
			r.bound = r.bound[:len(r.bound)-1]
		}
		if killed || !begins && (link == Next || link == Then && meets) {
			return
		}
	}
}

// All matches of small patterns over small logs are those that trying everything
// finds.
func TestMatchesReference(t *testing.T) {
	often(t, func(t *rapid.T) {
		m := drawModel(t, true, true)
		es := drawLetters(t, 7)
		got := newPlayer(t, m, Policy{Skip: Skip{Kind: NoSkip}}, es).play()
		slices.Sort(got)
		want := (&reference{model: m, es: es}).all()
		require.Equal(t, want, got, "%s over %v", m, es)
	})
}

// Sharing runs changes nothing that can be seen.
func TestSharingIsInvisible(t *testing.T) {
	often(t, func(t *rapid.T) {
		m := drawModel(t, rapid.Bool().Draw(t, "correlated"), true)
		es := drawLetters(t, 14)
		pol := Policy{Limit: rapid.SampledFrom([]int{0, 1, 2, 3}).Draw(t, "limit"), DropOld: rapid.Bool().Draw(t, "drop oldest")}
		shared := newPlayer(t, m, pol, es)
		require.True(t, shared.m.best)
		plain := newPlayer(t, m, pol, es)
		alone := *plain.m
		alone.best, alone.quiet = false, false
		plain.m = &alone
		require.Equal(t, plain.play(), shared.play(), "%s over %v", m, es)
		assert.LessOrEqual(t, shared.most, plain.most)
		assert.Equal(t, []uint64{plain.w.Rejected, plain.w.Dropped}, []uint64{shared.w.Rejected, shared.w.Dropped})
	})
}

// A pattern without strict contiguity need not see what meets none of its
// conditions.
func TestHiddenEventsChangeNothing(t *testing.T) {
	often(t, func(t *rapid.T) {
		m := drawModel(t, true, true)
		es := drawLetters(t, 10)
		pol := Policy{
			Skip: Skip{Kind: SkipKind(rapid.IntRange(0, 1).Draw(t, "skip"))},
			Emit: Emit(rapid.IntRange(0, 1).Draw(t, "emit")),
		}
		all, some := newPlayer(t, m, pol, es), newPlayer(t, m, pol, es)
		if all.m.Needs().SeesAll {
			t.Skip("strict")
		}
		some.hidden = true
		require.Equal(t, all.play(), some.play(), "%s over %v", m, es)
	})
}

// However few runs a key may have, it never has more.
func TestMaxRunsAlwaysHolds(t *testing.T) {
	often(t, func(t *rapid.T) {
		pol := Policy{
			MaxRuns: rapid.IntRange(1, 4).Draw(t, "runs"), Limit: rapid.IntRange(1, 4).Draw(t, "limit"),
			Skip: Skip{Kind: SkipKind(rapid.IntRange(0, 2).Draw(t, "skip"))}, OnTimeout: rapid.Bool().Draw(t, "on timeout"),
			Emit: Emit(rapid.IntRange(0, 1).Draw(t, "emit")), DropOld: rapid.Bool().Draw(t, "drop oldest"),
		}
		p := newPlayer(t, drawModel(t, true, true), pol, drawLetters(t, 14))
		p.play()
		require.LessOrEqual(t, p.most, pol.MaxRuns)
	})
}
