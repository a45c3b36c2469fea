package cep

import (
	"github.com/rhost/rhost/cep/engine"
)

// numbered gives the families that have something open a number from 1, in the
// order of their first rules.
func numbered(rules []*ruleState) (number map[*family]int, list []*family) {
	number = make(map[*family]int)
	for _, rs := range rules {
		if f := rs.family; f != nil && number[f] == 0 && !f.trunk.state.Empty() {
			list = append(list, f)
			number[f] = len(list)
		}
	}
	return number, list
}

// appendShare writes what a rule has to do with its family: the number, and the
// keys of the trunk that it has done with.
func (rs *ruleState) appendShare(e *engine.Encoder, number int) {
	e.Uint(uint64(number))
	if number == 0 {
		return
	}
	ended := rs.family.tallied().ended[rs]
	e.Uint(uint64(len(ended)))
	for _, key := range ended {
		e.Text(key)
	}
}

// append writes what the rules of a family have in common.
func (f *family) append(e *engine.Encoder) {
	e.Uint(uint64(f.stem.prefix.conds))
	f.trunk.state.AppendTo(e)
}

// member is a rule of a family that is being restored.
type member struct {
	rs    *ruleState
	ended []string
}

// share reads what a rule has to do with its family.
func (r *restorer) share(rs *ruleState) {
	n := r.d.Bound(maxFamilies)
	if n == 0 {
		return
	}
	m := member{rs: rs}
	for range r.d.Len(1) {
		m.ended = append(m.ended, r.d.Text())
	}
	if r.members == nil {
		r.members = make(map[int][]member)
	}
	r.members[n] = append(r.members[n], m)
}

// maxFamilies bounds the number of a family.
const maxFamilies = 1 << 31

// family reads what the rules of a family have in common. They go on sharing it if
// they share that much in this program, too; otherwise each gets a copy.
func (r *restorer) family(n int) {
	conds, rules := r.d.Bound(engine.MaxConds), r.members[n]
	var same signature
	var trunk engine.Engine
	branches := make([]engine.Branch, len(rules))
	for i, mb := range rules {
		s, ok := engine.Sharer(nil), false
		if mb.rs.plan != nil && !mb.rs.draining && conds < len(mb.rs.plan.preds) {
			s, ok = mb.rs.plan.engine.(engine.Sharer)
		}
		if ok {
			branches[i], ok = s.Branch(conds)
		}
		if !ok {
			r.d.Fail("rule %s cannot share what its first %d conditions decide", mb.rs.rule.Name, conds)
			return
		}
		if own := mb.rs.plan.signature(branches[i], conds); i == 0 {
			same, trunk = own, branches[i].Trunk()
		} else if own != same {
			r.d.Fail("rule %s does not begin as others it shares with", mb.rs.rule.Name)
			return
		}
	}
	if trunk == nil {
		r.d.Fail("no rule shares part %d", n)
		return
	}
	first := rules[0].rs.plan
	together := r.m.stems != nil && first.prefix != nil && first.prefix.same == same
	if together {
		trunk = first.prefix.plan.engine // as the plan that feeds it has it
	}
	state := trunk.New()
	if err := state.Restore(r.d); err != nil {
		return // which the decoder keeps
	}
	if together {
		r.reunite(state, rules)
		return
	}
	for i, mb := range rules {
		ended := make(map[string]bool)
		for _, key := range mb.ended {
			ended[key] = true
		}
		state.(engine.Keyed).EachKey(func(key []byte) { //nolint:errcheck,forcetypeassert // the states of a Sharer are Keyed
			if !ended[string(key)] {
				branches[i].Fork(state, mb.rs.state, key)
			}
		})
		r.m.timers.update(mb.rs)
	}
}

// reunite makes a family of rules.
func (r *restorer) reunite(trunk engine.State, rules []member) {
	s := r.m.stem(rules[0].rs.plan)
	f := r.m.found(s)
	f.trunk.state = trunk
	for _, mb := range rules {
		if mb.rs.family != nil {
			r.d.Fail("rule %s stands in it twice", mb.rs.rule.Name)
			return
		}
		r.m.enter(mb.rs, f)
		for _, key := range mb.ended {
			f.part(mb.rs, []byte(key), 0)
		}
	}
	r.m.timers.update(f.trunk)
}

// settle puts all rules that share a prefix in families, once it is known which of
// them have something open.
func (r *restorer) settle() {
	m := r.m
	for _, rs := range m.rules {
		if rs != nil {
			m.join(rs)
		}
	}
	for _, s := range m.stems {
		s.begun = len(s.families) > 0
	}
	m.enlist(m.prog, false)
}
