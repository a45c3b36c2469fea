package cep

import "github.com/rhost/rhost/cep/engine"

// share notes what the event means to the rules that begin in one way. The index
// finds the condition once for each of them; the first is enough.
func (m *Matcher) share(u *use) {
	s := m.stems[u.prefix-1]
	if s.turn != m.seen {
		m.hear(s)
	}
	if !s.begun {
		m.rule(u.place)
	}
	if u.exact {
		s.met |= 1 << u.cond
	} else {
		s.maybe |= 1 << u.cond
	}
}

// hear notes that an event concerns rules with a prefix.
func (m *Matcher) hear(s *stem) {
	if s.turn != m.seen {
		s.turn, s.met, s.maybe = m.seen, 0, 0
		m.heard = append(m.heard, s)
	}
}

// overhear notes the prefixes whose rules must be shown every event of the keys
// they have open.
func (m *Matcher) overhear() {
	for _, s := range m.watched {
		for _, f := range s.families {
			if len(f.forks) > 0 || s.prefix.plan.needs.SeesAll && f.trunk.open() {
				m.hear(s)
			}
		}
	}
}

// common shows the event to what rules have in common. Before that, those to which
// it may mean something of their own fork; afterwards those that have are among the
// rules that it concerns.
func (m *Matcher) common() {
	for _, rs := range m.touched {
		if f := rs.family; f != nil && f.meet() && !f.out.has(rs) && m.sets(rs, f) {
			f.part(rs, f.key, rs.plan.branch.Fork(f.trunk.state, rs.state, f.key))
			f.out = f.forks[string(f.key)]
			if n := len(m.parted); n == 0 || m.parted[n-1] != f {
				m.parted = append(m.parted, f)
			}
		}
	}
	for _, s := range m.heard {
		for _, f := range s.families {
			m.grow(f)
		}
		s.begun = s.begun || s.met|s.maybe != 0
	}
	m.heard = m.heard[:0]
}

// sets reports whether the event sets a rule apart from its family.
func (m *Matcher) sets(rs *ruleState, f *family) bool {
	t := &m.turn
	t.Truth = engine.Truth{Known: ^rs.maybe, True: rs.met}
	t.Values = t.Values[:0]
	for _, v := range f.trunk.plan.values {
		t.Values = append(t.Values, f.trunk.value(m, v))
	}
	m.env.rule = rs
	return rs.plan.branch.Concerns(t, f.trunk.state, f.key)
}

// meet finds out who goes on alone with the key of the event. It reports whether
// there is one.
func (f *family) meet() bool {
	if f.turn == f.m.seen {
		return f.ok
	}
	f.turn, f.out = f.m.seen, nil
	if len(f.forks) > f.sweep {
		f.clean() // now and then, so that keys which do not come back are forgotten
	}
	if f.key, f.ok = f.trunk.key(f.m); f.ok && len(f.forks) > 0 {
		f.out = f.rejoin(f.key)
	}
	return f.ok
}

// grow shows the event to the trunk.
func (m *Matcher) grow(f *family) {
	ok := f.meet()
	s, t := f.stem, f.trunk
	for rs := range f.out {
		if s.met|s.maybe != 0 || rs.plan.needs.SeesAll {
			m.touch(rs)
			rs.met, rs.maybe = rs.met|s.met, rs.maybe|s.maybe
		}
	}
	if s.met|s.maybe == 0 && (!ok || !s.prefix.plan.needs.SeesAll || !t.keeps(f.key)) {
		return
	}
	t.met, t.maybe = s.met, s.maybe
	before := t.counts
	m.visit(t, nil) // which completes nothing
	if t.counts != before {
		for rs := range f.out {
			rs.miss(t.counts.minus(before))
		}
	}
}

// together reports whether the event was shown to a rule with the trunk, so that it
// need not see it by itself.
func (m *Matcher) together(rs *ruleState) bool {
	f := rs.family
	if f == nil || f.out.has(rs) {
		return false
	}
	if counted := f.stem.turn == m.seen && f.stem.met|f.stem.maybe != 0; !f.ok && !counted {
		rs.counts.Keyless++
	}
	return true
}

// reunite takes a rule back that has seen an event by itself, if what it holds is
// again what the trunk holds.
func (m *Matcher) reunite(rs *ruleState) {
	f := rs.family
	if f == nil || !f.ok {
		return
	}
	k := f.out[rs]
	if k.events++; k.events < k.look {
		return
	}
	k.look *= 2
	if rs.plan.branch.Same(f.trunk.state, rs.state, f.key, m.now) {
		rs.state.(engine.Keyed).Drop(f.key) //nolint:errcheck,forcetypeassert // the states of a Sharer are Keyed
		m.timers.update(rs)
		delete(f.out, rs)
	}
}
