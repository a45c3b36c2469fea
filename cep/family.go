package cep

import (
	"slices"

	"github.com/rhost/rhost/cep/engine"
)

// Rules that begin alike are followed together until something sets them apart. A
// family is such rules with what they have open in common: its trunk, which sees
// each event once. When an event meets a condition of one rule's own that matters
// to what the trunk has open for the key, the rule forks: it gets a copy of that and
// goes on by itself with this key, until it holds again what the trunk holds. So each
// rule has exactly what it would have alone.

// stem is what a matcher knows of a prefix: the families of rules that have it. A
// rule that came later than what the last family has open begins another.
type stem struct {
	prefix   *prefix
	families []*family
	begun    bool // all rules of the program that have the prefix are in a family
	watch    bool // some of them must be shown every event of what they have open

	// Of the event being fed, if turn is its number: what it meets of the prefix.
	turn, met, maybe uint64
}

// family is rules, and what they have in common.
type family struct {
	m     *Matcher
	stem  *stem
	trunk *ruleState // of no rule; its counts are those of every member
	rules map[*ruleState]bool
	forks map[string]forks // by key
	sweep int              // how many keys with forks are worth looking through

	// Of the event being fed, if turn is its number.
	turn uint64
	key  []byte
	ok   bool  // the event has a key
	out  forks // who goes on alone with it

	tally *tally // what was last found out about the forks
}

// forks is the members of a family that go on by themselves with a key: what they
// have of it is in their own states, which have nothing of other keys.
type forks map[*ruleState]*fork

// fork says when to look whether what sets a rule apart is over. It is soon after,
// if that came to nothing and little was copied, and then less and less often: what
// looking and copying again take is spread over as many events.
type fork struct{ events, look int }

// shares reports whether rules go on from common states. Explanations look at each
// rule by itself.
func (o *Options) shares() bool { return !o.Explain && !o.apart }

// stem gives what the matcher knows of the prefix of a rule.
func (m *Matcher) stem(pl *plan) *stem { return m.stems[pl.prefix.number-1] }

// adopt takes over the prefixes of a program. Families stay with those that are in
// it.
func (m *Matcher) adopt(p *Program) {
	if !m.opt.shares() || m.prefixes == p.prefixes {
		return
	}
	had := make(map[signature]*stem)
	for _, s := range m.stems {
		if len(s.families) > 0 {
			had[s.prefix.same] = s
		}
	}
	m.prefixes, m.stems = p.prefixes, make([]*stem, len(p.prefixes.list))
	for i, f := range p.prefixes.list {
		s := had[f.same]
		if s == nil {
			s = new(stem)
		}
		s.prefix, m.stems[i] = f, s
		for _, fam := range s.families {
			fam.trunk.foreign = true // its engine knows what to read in the order of its own plan
		}
	}
}

// join puts a rule that shares a prefix, and is in no family, in the last one, or
// in one of its own if that has anything open: the rule did not see it begin.
func (m *Matcher) join(rs *ruleState) {
	if !m.opt.shares() || rs.plan == nil || rs.plan.prefix == nil || rs.family != nil || rs.err != nil {
		return
	}
	s := m.stem(rs.plan)
	var f *family
	if n := len(s.families); n > 0 && s.families[n-1].trunk.state.Empty() {
		f = s.families[n-1]
		f.clean()
	} else {
		f = m.found(s)
	}
	m.enter(rs, f)
}

// enter makes a rule a member of a family that has nothing open, or nothing that
// is not the rule's as well. What it has open itself it goes on with alone.
func (m *Matcher) enter(rs *ruleState, f *family) {
	f.rules[rs] = true
	rs.family = f
	if f.trunk.counts != (RuleStats{}) {
		rs.miss(f.trunk.counts)
	}
	rs.state.(engine.Keyed).EachKey(func(key []byte) { f.part(rs, key, 0) }) //nolint:errcheck,forcetypeassert // the states of a Sharer are Keyed
	if s := f.stem; rs.plan.needs.SeesAll && !s.watch {
		s.watch = true
		m.watched = append(m.watched, s)
	}
}

// found makes a family.
func (m *Matcher) found(s *stem) *family {
	pl := s.prefix.plan
	f := &family{m: m, stem: s, rules: make(map[*ruleState]bool), trunk: &ruleState{plan: pl, state: pl.engine.New(), place: -1, age: m.swaps}}
	s.families = append(s.families, f)
	return f
}

// leave takes a rule out of its family. With what the trunk has open it then goes
// on by itself, if it is to go on.
func (m *Matcher) leave(rs *ruleState, goesOn bool) {
	f := rs.family
	if f == nil {
		return
	}
	if goesOn {
		f.trunk.state.(engine.Keyed).EachKey(func(key []byte) { //nolint:errcheck,forcetypeassert // the states of a Sharer are Keyed
			if !f.forks[string(key)].has(rs) {
				rs.plan.branch.Fork(f.trunk.state, rs.state, key)
			}
		})
		m.timers.update(rs)
	}
	rs.counts = rs.total()
	rs.family, rs.missed = nil, nil
	if delete(f.rules, rs); len(f.rules) == 0 {
		m.disband(f)
	}
}

// disband forgets a family without rules.
func (m *Matcher) disband(f *family) {
	m.timers.remove(f.trunk)
	s := f.stem
	s.families = slices.DeleteFunc(s.families, func(o *family) bool { return o == f })
	if len(s.families) == 0 {
		s.begun, s.watch = false, false
		m.watched = slices.DeleteFunc(m.watched, func(o *stem) bool { return o == s })
	}
}

// enlist puts the rules that a new program has, or has changed, in families where
// others of the prefix are followed already: events will not lead to them any more.
func (m *Matcher) enlist(was *Program, related bool) {
	p := m.prog
	for c := range p.places.chunks {
		if len(m.stems) == 0 || related && c < len(was.places.chunks) && sameChunk(&was.places, &p.places, c) {
			continue
		}
		for i := c * chunk; i < min((c+1)*chunk, p.places.len()); i++ {
			if e := p.places.at(i); m.rules[i] == nil && e.plan != nil && e.plan.prefix != nil && m.stem(e.plan).begun {
				m.rule(int32(i))
			}
		}
	}
}

// part notes that a rule goes on alone with a key, of which it has copied runs.
func (f *family) part(rs *ruleState, key []byte, runs int) {
	const perRun = 8 // copying and comparing some take as long as an event
	if f.forks == nil {
		f.forks = make(map[string]forks)
	}
	out := f.forks[string(key)]
	if out == nil {
		out = make(forks)
		f.forks[string(key)] = out
	}
	out[rs] = &fork{look: 1 + runs/perRun}
}

// scatter ends what is common of a key when most of the rules go on alone with it:
// the others then do, too. What the trunk has, which no condition of the rules' own
// can end, would otherwise outlive what the rules have, as would the notes of who is
// done with it.
func (f *family) scatter(key []byte) {
	if 2*len(f.forks[string(key)]) <= len(f.rules) {
		return
	}
	for rs := range f.rules {
		if !f.forks[string(key)].has(rs) {
			f.part(rs, key, rs.plan.branch.Fork(f.trunk.state, rs.state, key))
			f.m.timers.update(rs)
		}
	}
	f.trunk.state.(engine.Keyed).Drop(key) //nolint:errcheck,forcetypeassert // the states of a Sharer are Keyed
	f.m.timers.update(f.trunk)
	f.rejoin(key)
}

func (o forks) has(rs *ruleState) bool {
	_, ok := o[rs]
	return ok
}

// clean forgets the forks that are over.
func (f *family) clean() {
	for key := range f.forks {
		f.rejoin([]byte(key))
	}
	f.sweep = 2*len(f.forks) + 64
}

// rejoin forgets the forks of a key that are over: neither the rule nor the trunk
// has anything of it. It gives those that are not.
func (f *family) rejoin(key []byte) forks {
	out := f.forks[string(key)]
	for rs := range out {
		if rs.family != f || !f.trunk.keeps(key) && !rs.keeps(key) {
			delete(out, rs)
		}
	}
	if out != nil && len(out) == 0 {
		delete(f.forks, string(key))
	}
	return out
}

// keeps reports whether a state that shares has anything of a key.
func (rs *ruleState) keeps(key []byte) bool { return rs.state.(engine.Keyed).Has(key) } //nolint:errcheck,forcetypeassert // the states of a Sharer are Keyed
