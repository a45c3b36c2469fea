package dfa

import (
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// machine is a pattern with a policy, ready to be followed.
type machine struct {
	pol   engine.Policy
	atoms []atom
	elems int
	needs engine.Needs
	sets  sets
	start *set

	// best is set when, of all matches that complete together, only the first is
	// ever seen. Otherwise single is: no partial match can go two ways.
	best, single bool
	// quiet is set when a start that runs out of time leaves without a trace, so
	// that nobody has to notice at once.
	quiet bool
}

// Compile prepares a pattern to be followed under a policy. Its error says in a
// clause why the pattern does not fit this engine, or what is wrong with it.
func Compile(steps []engine.Step, tr engine.Traits, pol engine.Policy) (engine.Engine, error) {
	if err := engine.Check(steps); err != nil {
		return nil, err
	}
	for i := range steps {
		if err := fits(&steps[i]); err != nil {
			return nil, err
		}
	}
	if conds(steps)&(tr.Correlated|tr.Whole) != 0 {
		return nil, errors.New("conditions compare with events bound before")
	}
	b, start, err := build(steps)
	if err != nil {
		return nil, err
	}
	m := &machine{pol: pol.Defaults(), atoms: b.atoms, elems: engine.Elements(steps), single: single(steps)}
	if err := m.settle(); err != nil {
		return nil, err
	}
	m.sets.byAtoms, m.sets.room, m.sets.tables = make(map[string]*set), maxSets, maxSteps
	m.start = m.intern(start.atoms)
	m.needs = m.need(start.atoms)
	return m, nil
}

// settle works out what the policy asks for.
func (m *machine) settle() error {
	p := &m.pol
	fires := false
	for i := range m.atoms {
		fires = fires || m.atoms[i].kind == absence
	}
	if fires && p.Within <= 0 {
		return errors.New("a pattern that ends in `then not` needs a `within`")
	}
	if (p.Skip.Kind == engine.ToFirst || p.Skip.Kind == engine.ToLast) && (p.Skip.Elem < 0 || p.Skip.Elem >= m.elems) {
		return fmt.Errorf("skip to element %d: the pattern has %d", p.Skip.Elem, m.elems)
	}
	m.best = p.Skip.Kind == engine.PastLast && p.Emit == engine.Immediate && !p.OnTimeout
	m.quiet = !fires && !p.OnTimeout
	switch {
	case m.best || m.single:
		return nil
	case p.OnTimeout:
		return errors.New("on_timeout shows every way in which a partial match ran out of time")
	case p.Emit == engine.Ordered:
		return errors.New("emit: ordered keeps every way to complete a match")
	default:
		return errors.New("a skip other than past-last shows every way to complete a match")
	}
}

// single reports whether a pattern leaves no choice: every element a fixed number
// of times.
func single(steps []engine.Step) bool {
	for i := range steps {
		if s := &steps[i]; s.Optional || s.Loop() || s.High() != s.Low() {
			return false
		}
	}
	return true
}

// conds lists the conditions of steps, bit by bit.
func conds(steps []engine.Step) uint64 {
	var all uint64
	for i := range steps {
		all |= steps[i].Cond.Bit()
		for _, part := range steps[i].Parts() {
			all |= conds(part)
		}
	}
	return all
}

// need works out which events the pattern must be shown.
func (m *machine) need(start []int32) (n engine.Needs) {
	for _, id := range start {
		for _, t := range m.atoms[id].takes {
			n.Starts |= t.cond.Bit()
			n.AnyStart = n.AnyStart || t.cond == engine.None
		}
	}
	for id := range m.inside(start) {
		a := &m.atoms[id]
		n.SeesAll = n.SeesAll || a.strict || a.pass != id || a.gate != 0
		for _, t := range a.takes {
			n.SeesAll = n.SeesAll || t.cond == engine.None
		}
	}
	return n
}

// inside lists the atoms that partial matches with an event can reach.
func (m *machine) inside(start []int32) map[int32]bool {
	seen := make(map[int32]bool)
	var open []int32
	reach := func(ids ...int32) {
		for _, id := range ids {
			if !seen[id] {
				seen[id] = true
				open = append(open, id)
			}
		}
	}
	for _, id := range start {
		reach(m.atoms[id].to.atoms...)
	}
	for len(open) > 0 {
		a := &m.atoms[open[len(open)-1]]
		open = open[:len(open)-1]
		reach(a.pass)
		reach(a.to.atoms...)
	}
	return seen
}

// Needs says which events the rule must be shown.
func (m *machine) Needs() engine.Needs { return m.needs }

// New gives the state of a matcher that has seen nothing.
func (m *machine) New() engine.State { return &State{m: m} }

// begins reports whether an event can begin a match.
func (m *machine) begins(truth uint64) bool { return m.needs.AnyStart || truth&m.needs.Starts != 0 }

// late reports whether what began with h has run out of time at the time whose
// distance from the bound is edge.
func (m *machine) late(h *engine.Held, edge time.Time) bool {
	return m.pol.Within > 0 && !h.At.After(edge)
}

// edge is the time at or before which starts have run out of time now.
func (m *machine) edge(now time.Time) time.Time { return now.Add(-m.pol.Within) }

// list gives the numbers of the bits of a word.
func list(word uint64) (all []uint8) {
	for ; word != 0; word &= word - 1 {
		all = append(all, uint8(bits.TrailingZeros64(word)))
	}
	return all
}
