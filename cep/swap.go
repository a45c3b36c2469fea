package cep

import (
	"slices"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/syntax"
)

// Change says what Swap did to what a rule had open.
type Change struct {
	Rule   string
	Action Action
	Open   int    // partial matches it concerned
	Why    string // when the rule asked for something else
}

// Action is what happens to what a changed rule has open.
type Action uint8

// The actions.
const (
	Kept    Action = iota // the new version goes on with it
	Drained               // the old version finishes it, and begins nothing new
	Reset                 // dropped, because the rule asks for that
	Dropped               // dropped with its rule
)

func (a Action) String() string { return [...]string{"kept", "drained", "reset", "dropped"}[a] }

// Swap puts another program in place, between two events. Rules that stayed as
// they were keep their partial matches, and so do changed ones whose pattern and
// conditions still mean the same. Other changed rules drain: the old version
// finishes what it has open, and events begin matches of the new one only.
// `on_change` says otherwise. What rules that are no longer there have open is
// dropped. Swap tells of the rules that had something open and were changed.
//
// Between a program and one that Edit made of it, Swap takes time in proportion
// to the edit.
func (m *Matcher) Swap(p *Program) []Change {
	related := m.prog.fields == p.fields
	moved := m.rules
	if related {
		moved = m.edited(p)
	} else {
		m.rules = nil
	}
	was := m.prog
	m.swaps++
	m.follow(p)
	var changes []Change
	for _, rs := range moved {
		if rs != nil {
			changes = m.hand(rs, changes)
		}
	}
	m.draining = slices.DeleteFunc(m.draining, func(rs *ruleState) bool {
		c, ok := m.resume(rs)
		if ok {
			changes = append(changes, c)
		}
		return ok
	})
	m.enlist(was, related)
	m.depart(was, related)
	m.draining = slices.DeleteFunc(m.draining, func(rs *ruleState) bool {
		place, there := p.names.get(rs.rule.Name)
		ends := Dropped
		if there {
			e, old := p.places.at(int(place)), was.find(rs.rule.Name)
			if there = e.runs(); there && e.get().OnChange == syntax.Reset && (old == nil || old.version() != e.version()) {
				there, ends = false, Reset
			}
		}
		if !there && rs.away {
			return true
		}
		if !there {
			changes = append(changes, m.discard(rs, ends))
			return true
		}
		rs.place, rs.foreign = place, rs.foreign || !related
		return false
	})
	slices.SortStableFunc(m.draining, before)
	m.timers.sort()
	m.retire()
	return changes
}

// edited takes out the states of rules that are not in p as they were. p and the
// present program came from one another by edits: rules are where they were, and
// chunks of places that are the same need not be looked at.
func (m *Matcher) edited(p *Program) (moved []*ruleState) {
	was := &m.prog.places
	for c := range was.chunks {
		if c < len(p.places.chunks) && sameChunk(was, &p.places, c) {
			continue
		}
		for i := c * chunk; i < min((c+1)*chunk, len(m.rules)); i++ {
			if rs := m.rules[i]; rs != nil && (i >= p.places.len() || !p.places.at(i).sameAs(was.at(i))) {
				m.rules[i] = nil
				moved = append(moved, rs)
			}
		}
	}
	return moved
}

// hand passes the state of a rule on to the current program, or lets it drain, or
// drops it.
func (m *Matcher) hand(rs *ruleState, changes []Change) []Change {
	place, there := m.prog.names.get(rs.rule.Name)
	if !there || !m.prog.places.at(int(place)).runs() {
		if rs.open() {
			changes = append(changes, m.discard(rs, Dropped))
		}
		m.drop(rs)
		return changes
	}
	e := m.prog.places.at(int(place))
	if e.version() == rs.rule.Version {
		m.keep(rs, place)
		return changes
	}
	if rs.err != nil || !rs.open() || rs.plan.needs.Always && (e.plan == nil || e.plan.same != rs.plan.same) {
		m.drop(rs)
		return changes
	}
	switch fate(rs.plan, e) {
	case Reset:
		return append(changes, m.discard(rs, Reset))
	case Kept:
		open := rs.size().Runs
		rs.recount()
		m.keep(rs, place)
		return append(changes, Change{Rule: rs.rule.Name, Action: Kept, Open: open})
	case Dropped: // it goes by the clock, and has nothing to finish
		m.drop(rs)
		return changes
	default:
		ch := Change{Rule: rs.rule.Name, Action: Drained, Open: rs.size().Runs}
		if e.get().OnChange == syntax.Keep {
			ch.Why = "the new version does not mean the same"
		}
		m.leave(rs, true)
		rs.draining, rs.place = true, place
		if s, ok := rs.state.(engine.Drainer); ok {
			s.Drain(m.now)
			m.timers.update(rs)
		}
		m.draining = append(m.draining, rs)
		return append(changes, ch)
	}
}

// resume lets a version that drains go on where it is the current one again. Beside
// a new state of the same version it would find the same windows a second time.
func (m *Matcher) resume(rs *ruleState) (c Change, ok bool) {
	place, there := m.prog.names.get(rs.rule.Name)
	if rs.away || !there || rs.err != nil {
		return c, false
	}
	e := m.prog.places.at(int(place))
	if !e.runs() || e.version() != rs.rule.Version || e.get().OnChange == syntax.Reset {
		return c, false
	}
	if now := m.rules[place]; now != nil && now.open() {
		return c, false
	}
	if d, drains := rs.state.(engine.Drainer); drains {
		d.Resume()
	}
	rs.draining = false
	m.keep(rs, place)
	m.timers.update(rs)
	return Change{Rule: rs.rule.Name, Action: Kept, Open: rs.size().Runs, Why: "it is again what it was"}, true
}

// fate says what becomes of what a rule has open when it is changed.
func fate(was *plan, e *entry) Action {
	same := e.plan != nil && e.plan.same == was.same
	switch on := e.get().OnChange; {
	case on == syntax.Reset:
		return Reset
	case same && on != syntax.Drain:
		return Kept
	case was.needs.Always:
		return Dropped
	default:
		return Drained
	}
}

// keep puts a state in its place of the current program.
func (m *Matcher) keep(rs *ruleState, place int32) {
	e := m.prog.places.at(int(place))
	if fresh := m.rules[place]; fresh != nil && fresh != rs {
		m.timers.remove(fresh)
	}
	if f := rs.family; f != nil && (e.plan.prefix == nil || m.stem(e.plan) != f.stem) {
		m.leave(rs, true)
	}
	rs.rule, rs.plan, rs.place, rs.age, rs.foreign = e.get(), e.plan, place, m.swaps, false
	m.rules[place] = rs
	m.join(rs)
}

// discard drops what a rule has open, and says so.
func (m *Matcher) discard(rs *ruleState, a Action) Change {
	c := Change{Rule: rs.rule.Name, Action: a, Open: rs.size().Runs}
	m.drop(rs)
	return c
}

// retire forgets the rules that have drained.
func (m *Matcher) retire() {
	m.draining = slices.DeleteFunc(m.draining, func(rs *ruleState) bool {
		if rs.away && (rs.until.IsZero() || !rs.until.Before(m.now)) {
			return false
		}
		if rs.open() || rs.err != nil { // what stopped is told until the next Swap
			return false
		}
		m.timers.remove(rs)
		return true
	})
}
