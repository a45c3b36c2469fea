package cep

import (
	"maps"
	"slices"
	"time"

	"github.com/rhost/rhost/cep/automaton"
	"github.com/rhost/rhost/cep/predicate"
)

// Furthest is how far a rule came since it last matched.
type Furthest struct {
	Rule     string    `json:"rule"`
	Matches  uint64    `json:"matches"`           // so far
	Keyless  uint64    `json:"keyless,omitempty"` // events that had no value for the rule's `by`
	Bind     []Binding `json:"bind,omitempty"`    // of the partial match that came furthest; empty when nothing began
	Waiting  []string  `json:"waiting"`           // the elements it waited for
	Deadline time.Time `json:"deadline,omitzero"` // when its time is up, if that is bounded
	Expired  bool      `json:"expired,omitempty"` // lane time has passed the deadline
	Stop     *Stop     `json:"stop,omitempty"`    // what came closest to going on, or ended it; nil when nothing came
}

// Stop is an event that a partial match could not go on with.
type Stop struct {
	Element   string    `json:"element"`
	Forbidden bool      `json:"forbidden,omitempty"` // the element must not happen, and did
	Event     string    `json:"event"`
	Position  Position  `json:"position"`
	At        time.Time `json:"at"`
	Condition string    `json:"condition"`
	Atoms     []Atom    `json:"atoms"`
}

// furthest is the record behind Furthest, one for each rule.
type furthest struct {
	bound    automaton.Bound
	waiting  []int
	deadline time.Time
	stop     *Stop
	hold     int // parts of the stop's condition that held
}

// WhyNot tells how far a rule came since it last matched, and what stopped it.
// It needs Options.Explain; ok is false without, or when there is no such rule.
func (m *Matcher) WhyNot(rule string) (f Furthest, ok bool) {
	pl, ok := m.cur.prog.byName[rule]
	if !ok || !m.opt.Explain {
		return Furthest{}, false
	}
	rs := m.cur.rules[pl.ord]
	f = Furthest{Rule: rule, Matches: rs.counts.Matches, Keyless: rs.counts.Keyless}
	r := rs.reached(m.now)
	if r == nil {
		f.Waiting = []string{pl.elems[0]}
		return f, true
	}
	f.Bind = bindings(pl.elems, r.bound.Append(nil))
	for _, e := range r.waiting {
		f.Waiting = append(f.Waiting, pl.elems[e])
	}
	f.Deadline, f.Stop = r.deadline, r.stop
	f.Expired = !r.deadline.IsZero() && !m.now.Before(r.deadline)
	return f, true
}

// reached is the record, or the open partial match that has come further since:
// notice looks at a key before each of its events, and so not behind the last.
func (rs *ruleState) reached(now time.Time) *furthest {
	rec := rs.furthest
	if rs.plan.machine == nil {
		return rec
	}
	for _, key := range slices.Sorted(maps.Keys(rs.keys)) { // the same answer every time
		ahead := rs.plan.machine.Furthest(&rs.keys[key].runs, now)
		if ahead.Bound == (automaton.Bound{}) || rec != nil && !ahead.Bound.Further(rec.bound) {
			continue
		}
		rec = &furthest{bound: ahead.Bound, waiting: ahead.Elems, deadline: ahead.Deadline}
	}
	return rec
}

// notice keeps, for every rule, what the event means to the partial match of its
// key that has come furthest.
func (m *Matcher) notice(g *generation) {
	for _, rs := range g.rules {
		if rs == nil || rs.err != nil {
			continue
		}
		key, ok := rs.plan.appendKey(rs.keyBuf[:0], g.fields)
		rs.keyBuf = key
		if !ok {
			continue
		}
		ahead := automaton.Ahead{Elems: []int{0}}
		if rs.plan.machine != nil {
			runs := new(automaton.Runs)
			if ks := rs.keys[string(key)]; ks != nil {
				runs = &ks.runs
			}
			ahead = rs.plan.machine.Furthest(runs, m.now)
		}
		rs.weigh(m, ahead)
	}
}

// weigh compares a partial match, and what the event does to it, with the record.
func (rs *ruleState) weigh(m *Matcher, ahead automaton.Ahead) {
	rec := rs.furthest
	if rec == nil || ahead.Bound.Further(rec.bound) {
		rec = &furthest{}
		rs.furthest = rec
	}
	if rec.bound.Further(ahead.Bound) {
		return
	}
	rec.bound, rec.waiting, rec.deadline = ahead.Bound, ahead.Elems, ahead.Deadline
	bound := ahead.Bound.Append(nil)
	for elem := range rs.plan.elems {
		forbidden := ahead.Nots&(1<<(rs.plan.numbers[elem]-1)) != 0
		awaited := slices.Contains(ahead.Elems, elem)
		if !forbidden && !awaited {
			continue
		}
		met := rs.plan.preds[elem].Eval(&m.env.seen, pairEnv(bound)) == predicate.True
		if met != forbidden {
			continue
		}
		atoms, hold := rs.plan.explain(elem, &m.env.seen, bound)
		if rec.stop != nil && hold < rec.hold && !forbidden {
			continue
		}
		rec.hold = hold
		rec.stop = &Stop{
			Element: rs.plan.elems[elem], Forbidden: forbidden, Event: m.input.Hold().Event.ID, Position: m.input.Pos,
			At: m.now, Condition: rs.plan.preds[elem].String(), Atoms: atoms,
		}
	}
}
