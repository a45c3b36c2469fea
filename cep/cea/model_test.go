package cea_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/automaton"
	"github.com/rhost/rhost/cep/cea"
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/event"
)

// soaking reports whether the long forms of tests were asked for.
func soaking() bool { return os.Getenv("RHOST_SOAK") == "1" }

// letter is an event of the property tests.
type letter struct {
	name byte
	key  byte
	at   time.Duration
}

// model is a pattern of the property tests: condition i+1 holds for an event
// whose name is one of conds[i].
type model struct {
	steps []engine.Step
	conds []string
}

func (m *model) mask(name byte) uint64 {
	var mask uint64
	for i, names := range m.conds {
		if strings.IndexByte(names, name) >= 0 {
			mask |= engine.Cond(i + 1).Bit()
		}
	}
	return mask
}

func (m *model) String() string { return fmt.Sprintf("%+v %q", m.steps, m.conds) }

// drawer draws patterns.
type drawer struct {
	t     *rapid.T
	m     *model
	elems int
}

func drawModel(t *rapid.T, depth int) *model {
	d := &drawer{t: t, m: new(model)}
	d.m.steps = d.sequence(4, depth, true)
	return d.m
}

func (d *drawer) one(in int, what string) bool { return rapid.IntRange(1, in).Draw(d.t, what) == 1 }

func (d *drawer) link(what string) engine.Link {
	return rapid.SampledFrom([]engine.Link{engine.Any, engine.Then, engine.Any, engine.Next}).Draw(d.t, what)
}

func (d *drawer) cond() engine.Cond {
	d.m.conds = append(d.m.conds, rapid.SampledFrom([]string{"a", "b", "c", "ab", "bc", "abc", "x"}).Draw(d.t, "names"))
	return engine.Cond(len(d.m.conds))
}

func (d *drawer) sequence(most, depth int, top bool) []engine.Step {
	steps := make([]engine.Step, rapid.IntRange(1, most).Draw(d.t, "steps"))
	for i := range steps {
		last := i == len(steps)-1
		if i > 0 && !steps[i-1].Optional && !steps[i-1].Not && d.one(5, "not") {
			next := d.one(2, "next")
			if next && !last || !next && !last || next && top {
				steps[i] = engine.Step{Elem: d.elem(), Cond: d.cond(), Not: true, Link: engine.Then}
				if next {
					steps[i].Link = engine.Next
				}
				continue
			}
		}
		steps[i] = d.step(depth)
		if i > 0 && steps[i-1].Not && steps[i-1].Link == engine.Next {
			steps[i].Optional = false
		}
	}
	return steps
}

func (d *drawer) elem() int {
	d.elems++
	return d.elems - 1
}

func (d *drawer) step(depth int) engine.Step {
	s := engine.Step{Link: d.link("link"), Min: rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(d.t, "min")}
	s.Max = rapid.SampledFrom([]int{s.Min, s.Min, s.Min + 1, -1}).Draw(d.t, "max")
	s.Optional = d.one(4, "optional")
	s.Repeat = d.link("repeat")
	kind := 0
	if depth > 0 && d.one(4, "several") {
		kind = rapid.IntRange(1, 3).Draw(d.t, "kind")
	}
	switch kind {
	case 0:
		s.Elem = d.elem()
		if !d.one(12, "any event") {
			s.Cond = d.cond()
		}
		s.Greedy = d.one(10, "greedy")
	case 1:
		s.Group = d.sequence(3, depth-1, false)
	case 2:
		s.Either = [][]engine.Step{d.sequence(2, depth-1, false), d.sequence(2, depth-1, false)}
	case 3:
		s.Both = [][]engine.Step{d.sequence(2, depth-1, false), d.sequence(2, depth-1, false)}
		s.Min, s.Max = 1, 1
	}
	if s.Single() && s.Repeats() && d.one(8, "until") {
		s.Until = d.cond()
	}
	return s
}

func drawLetters(t *rapid.T, most int) []letter {
	es := make([]letter, rapid.IntRange(1, most).Draw(t, "events"))
	now := time.Duration(0)
	for i := range es {
		now += time.Duration(rapid.IntRange(0, 2).Draw(t, "gap")) * time.Second
		es[i] = letter{
			name: rapid.SampledFrom([]byte("aabbccx")).Draw(t, "event"),
			key:  rapid.SampledFrom([]byte("kkkkl")).Draw(t, "key"), at: now,
		}
	}
	return es
}

func drawPolicy(t *rapid.T) engine.Policy {
	pol := engine.Policy{
		Within:  time.Duration(rapid.SampledFrom([]int{0, 3, 8, 20}).Draw(t, "within")) * time.Second,
		Limit:   rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(t, "limit"),
		DropOld: rapid.Bool().Draw(t, "drop oldest"),
		MaxRuns: 1 << 13,
	}
	pol.Skip.Kind = rapid.SampledFrom([]engine.SkipKind{
		engine.NoSkip, engine.NoSkip, engine.PastLast, engine.ToNext, engine.ToFirst, engine.ToLast,
	}).Draw(t, "skip")
	if pol.Skip.Kind == engine.NoSkip && rapid.Bool().Draw(t, "ordered") {
		pol.Emit = engine.Ordered
	}
	return pol
}

// desk shows letters to a state, as a matcher does, and notes what comes out.
type desk struct {
	e     engine.Engine
	s     engine.State
	m     *model
	turn  engine.Turn
	order uint64
	all   bool // show also what the engine does not need to see
	lines []string

	count  bool // note only how many events were bound
	events int
}

func newDesk(e engine.Engine, m *model) *desk { return &desk{e: e, s: e.New(), m: m} }

// both compiles a pattern for the two engines. It skips what is no pattern.
func both(t *rapid.T, m *model, pol engine.Policy) (nfa, ours *desk) {
	built, err := automaton.Compile(m.steps, engine.Traits{})
	if err != nil {
		t.Skip(err)
	}
	machine, err := automaton.NewMachine(built, pol)
	if err != nil {
		t.Skip(err)
	}
	e, err := cea.Compile(m.steps, engine.Traits{}, pol)
	require.NoError(t, err)
	return newDesk(machine, m), newDesk(e, m)
}

var zero = time.Unix(0, 0).UTC()

// feed shows an event.
func (k *desk) feed(e letter, closed bool) {
	k.order++
	now := zero.Add(e.at)
	k.expire(now)
	mask := k.m.mask(e.name)
	if mask == 0 && !k.all && !k.e.Needs().SeesAll && !k.e.Needs().AnyStart {
		return
	}
	t := &k.turn
	t.Truth, t.Closed = engine.Truth{Known: ^uint64(0), True: mask}, closed
	t.In = &engine.Input{Ev: &event.Event{ID: "i", Source: "s", Type: "t"}, Pos: engine.Position{Seq: k.order}, Order: k.order, At: now}
	k.s.Feed(t, []byte{e.key})
	k.collect()
}

func (k *desk) expire(now time.Time) {
	for {
		at, ok := k.s.Deadline()
		if !ok || at.After(now) {
			return
		}
		k.s.Expire(&k.turn, now)
		k.collect()
	}
}

func (k *desk) collect() {
	for _, d := range k.turn.Out {
		k.events += len(d.Pairs)
		if k.count {
			continue
		}
		parts := []string{fmt.Sprint(d.Key, d.Outcome, d.At.Unix(), " by ", d.Trigger.Order, ":")}
		for _, p := range d.Pairs {
			parts = append(parts, fmt.Sprintf("e%d:%d", p.Elem, p.Held.Order))
		}
		k.lines = append(k.lines, strings.Join(parts, " "))
	}
	k.turn.Out = k.turn.Out[:0]
}

// copied is the state written and read again.
func copied(t require.TestingT, e engine.Engine, s engine.State) (engine.State, []byte) {
	var enc engine.Encoder
	s.AppendTo(&enc)
	b := enc.AppendEvents(nil)
	d, err := engine.NewDecoder(b)
	require.NoError(t, err)
	again := e.New()
	require.NoError(t, again.Restore(d))
	require.Zero(t, d.Rest())
	return again, b
}

// often checks a property some thousand times: what goes wrong takes a rare
// pattern to show.
func often(t *testing.T, property func(t *rapid.T)) {
	t.Helper()
	rounds := 20
	if testing.Short() {
		rounds = 1
	}
	if soaking() {
		rounds = 1700
	}
	for range rounds {
		rapid.Check(t, property)
	}
}
