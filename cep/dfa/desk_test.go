package dfa_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/rhost/rhost/cep/automaton"
	"github.com/rhost/rhost/cep/dfa"
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/event"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// source draws a number below n.
type source func(label string, n int) int

func drawing(t *rapid.T) source {
	return func(label string, n int) int { return rapid.IntRange(0, n-1).Draw(t, label) }
}

func dice(r *rand.Rand) source { return func(_ string, n int) int { return r.IntN(n) } }

func pick[T any](from source, label string, of ...T) T { return of[from(label, len(of))] }

// model is a pattern over letters: condition i holds for the letters conds[i-1].
type model struct {
	steps []engine.Step
	conds []string
	pol   engine.Policy
}

func (m *model) String() string {
	return fmt.Sprintf("%+v over %q under %+v", m.steps, m.conds, m.pol)
}

func (m *model) cond(names string) engine.Cond {
	m.conds = append(m.conds, names)
	return engine.Cond(len(m.conds))
}

// drawModel draws a pattern of what this engine takes; a fixed one leaves no
// choice, and may have any policy.
func drawModel(from source, fixed bool) *model {
	m := &model{}
	letters := []string{"a", "b", "c", "ab", "bc", "abc"}
	n := 1 + from("steps", 5)
	for i := range n {
		s := engine.Step{Elem: len(m.conds), Link: engine.Link(from("link", 2)), Repeat: engine.Link(from("repeat", 2))}
		before := engine.Step{Optional: true}
		if i > 0 {
			before = m.steps[i-1]
		}
		s.Cond = m.cond(pick(from, "names", letters...))
		if !before.Optional && from("not", 4) == 0 {
			s.Not, s.Repeat = true, engine.Next
			m.steps = append(m.steps, s)
			continue
		}
		if from("any", 20) == 0 {
			s.Cond = engine.None
		}
		s.Min = 1 + from("min", 3)
		if !fixed {
			s.Max = pick(from, "max", 0, s.Min+1, s.Min+2, -1)
			s.Optional = from("optional", 3) == 0
		}
		if from("either", 5) == 0 {
			right := engine.Step{Elem: len(m.conds)}
			right.Cond = m.cond(pick(from, "right", letters...))
			s.Either = [][]engine.Step{{{Elem: s.Elem, Cond: s.Cond}}, {right}}
			s.Elem, s.Cond = 0, engine.None
		}
		m.steps = append(m.steps, s)
	}
	m.pol = drawPolicy(from, fixed)
	if m.pol.Skip.Kind == engine.ToFirst || m.pol.Skip.Kind == engine.ToLast {
		m.pol.Skip.Elem, m.pol.Skip.Strict = from("skip to", len(m.conds)), from("strict", 3) == 0
	}
	if last := m.steps[n-1]; last.Not && last.Link == engine.Then && m.pol.Within == 0 {
		m.pol.Within = 5 * time.Second
	}
	return m
}

func drawPolicy(from source, fixed bool) engine.Policy {
	p := engine.Policy{
		Within:  time.Duration(pick(from, "within", 0, 3, 6, 20)) * time.Second,
		Limit:   pick(from, "limit", 0, 0, 1, 2, 3),
		DropOld: from("drop oldest", 2) == 1,
	}
	if fixed {
		p.Skip.Kind = engine.SkipKind(from("skip", 5))
		p.Emit = engine.Emit(from("emit", 2))
		p.OnTimeout = from("on timeout", 2) == 1
	}
	return p
}

// letter is an event: what it is, of which key, how long after the one before.
type letter struct {
	name  byte
	key   byte
	after time.Duration
}

func drawLetter(from source, names string) letter {
	return letter{
		name: names[from("event", len(names))], key: byte('0' + from("key", 2)),
		after: time.Duration(pick(from, "gap", 0, 0, 1, 1, 2, 5)) * time.Second / 2,
	}
}

// desk feeds letters to a State, as a matcher does.
type desk struct {
	m      *model
	eng    engine.Engine
	s      engine.State
	turn   engine.Turn
	now    time.Time
	order  uint64
	hidden bool // show only the events that the engine needs
	lines  []string
}

func newDesk(m *model, e engine.Engine) *desk {
	return &desk{m: m, eng: e, s: e.New(), now: time.Unix(0, 0).UTC()}
}

func nfa(t require.TestingT, m *model) engine.Engine {
	n, err := automaton.Compile(m.steps, engine.Traits{})
	require.NoError(t, err, "%s", m)
	machine, err := automaton.NewMachine(n, m.pol)
	require.NoError(t, err, "%s", m)
	return machine
}

func compile(t require.TestingT, m *model) engine.Engine {
	e, err := dfa.Compile(m.steps, engine.Traits{}, m.pol)
	require.NoError(t, err, "%s", m)
	return e
}

// truth is what conditions say of a letter.
func (m *model) truth(name byte) engine.Truth {
	t := engine.Truth{Known: ^uint64(0)}
	for i, c := range m.conds {
		if strings.IndexByte(c, name) >= 0 {
			t.True |= engine.Cond(i + 1).Bit()
		}
	}
	return t
}

func (k *desk) feed(l letter) {
	k.advance(k.now.Add(l.after))
	if k.turn.Err != nil {
		return
	}
	k.order++
	k.turn.Truth = k.m.truth(l.name)
	if n := k.eng.Needs(); k.hidden && k.turn.Truth.True == 0 && !n.AnyStart && !n.SeesAll {
		return
	}
	ev := &event.Event{ID: string(l.name), Source: "s", Type: "t"}
	k.turn.In = &engine.Input{Ev: ev, Pos: engine.Position{Seq: k.order}, Order: k.order, At: k.now}
	key := []byte{l.key}
	k.s.Feed(&k.turn, key)
	key[0] = 'x' // it is ours again
	k.collect()
}

func (k *desk) advance(to time.Time) {
	for k.turn.Err == nil {
		at, ok := k.s.Deadline()
		if !ok || at.After(to) {
			break
		}
		k.s.Expire(&k.turn, to)
		k.collect()
	}
	k.now = to
}

func (k *desk) collect() {
	for _, d := range k.turn.Out {
		line := fmt.Sprintf("%s key %s at %s", [...]string{"event", "time", "timeout"}[d.Outcome], d.Key, d.At.Format("05.0"))
		if d.Trigger != nil {
			line += fmt.Sprint(" trigger ", d.Trigger.Order)
		}
		if !d.Deadline.IsZero() {
			line += d.Deadline.Format(" deadline 05.0")
		}
		for _, p := range d.Pairs {
			line += fmt.Sprintf(" e%d:%d", p.Elem, p.Held.Order)
		}
		k.lines = append(k.lines, line)
	}
	k.turn.Out = k.turn.Out[:0]
	if k.turn.Err != nil {
		k.lines = append(k.lines, k.turn.Err.Error())
	}
}

// counts is what bounds made different.
func (k *desk) counts() [3]uint64 {
	return [3]uint64{k.turn.Rejected, k.turn.Dropped, k.turn.Overflow}
}

// take gives the lines since it was last called.
func (k *desk) take() []string {
	lines := k.lines
	k.lines = nil
	return lines
}
