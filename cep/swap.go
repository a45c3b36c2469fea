package cep

import "slices"

// Swap puts another program in place, between two events. Rules that stayed as
// they were keep their partial matches, and so do changed ones whose pattern and
// conditions still mean the same. Other changed rules drain: the old version
// finishes what it has open, and events begin matches of the new one only. What
// rules that are no longer there have open is dropped.
func (m *Matcher) Swap(p *Program) {
	next := newGeneration(p, m.cur.number+1)
	for _, rs := range m.cur.rules {
		m.hand(rs, next)
	}
	for i, pl := range p.plans {
		if next.rules[i] == nil {
			next.rules[i] = newRuleState(next, pl)
		}
	}
	m.old = append(m.old, m.cur)
	m.cur = next
	for _, g := range m.old {
		for i, rs := range g.rules {
			if rs == nil {
				continue
			}
			if pl, ok := p.byName[rs.plan.rule.Name]; ok {
				rs.rank = int(pl.ord)
			} else {
				m.drop(rs)
				g.rules[i] = nil
			}
		}
	}
	m.timers.sort()
	m.retire()
}

// hand passes the state of a rule on to the next program, or leaves it where it
// is to drain.
func (m *Matcher) hand(rs *ruleState, next *generation) {
	ord := rs.plan.ord
	pl, there := next.prog.byName[rs.plan.rule.Name]
	if !there {
		return
	}
	if rs.err != nil && pl.rule.Version != rs.plan.rule.Version {
		m.drop(rs)
		m.cur.rules[ord] = nil
		return
	}
	if pl.same != rs.plan.same {
		rs.draining = true
		return
	}
	m.cur.rules[ord] = nil
	if pl.rule.Version != rs.plan.rule.Version {
		rs.counts = RuleStats{}
	}
	rs.plan, rs.gen, rs.rank = pl, next, int(pl.ord)
	next.rules[pl.ord] = rs
}

// retire forgets the rules that have drained, and programs without any left.
func (m *Matcher) retire() {
	m.old = slices.DeleteFunc(m.old, func(g *generation) bool {
		busy := false
		for i, rs := range g.rules {
			switch {
			case rs == nil:
			case !rs.open():
				g.rules[i] = nil
			default:
				busy = true
			}
		}
		return !busy
	})
}
