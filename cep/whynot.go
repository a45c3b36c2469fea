package cep

import (
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
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
	ahead
	stop *Stop
	hold int // parts of the stop's condition that held
}

// ahead is a partial match and what it waits for.
type ahead struct {
	pairs    []engine.Pair
	waiting  []int
	nots     uint64
	deadline time.Time
}

// beyond reports whether a has come further than b: it has bound a later element,
// or as late a one and more events.
func (a *ahead) beyond(b *ahead) bool {
	x, y := latest(a.pairs), latest(b.pairs)
	if x != y {
		return x > y
	}
	return len(a.pairs) > len(b.pairs)
}

func latest(pairs []engine.Pair) int {
	last := -1
	for _, p := range pairs {
		last = max(last, p.Elem)
	}
	return last
}

// WhyNot tells how far a rule came since it last matched, and what stopped it.
// It needs Options.Explain; ok is false without, or when there is no such rule.
func (m *Matcher) WhyNot(rule string) (f Furthest, ok bool) {
	place, ok := m.prog.names.get(rule)
	if !ok || !m.opt.Explain || !m.prog.places.at(int(place)).runs() {
		return Furthest{}, false
	}
	rs := m.explained(place)
	if rs.plan == nil {
		return Furthest{}, false
	}
	pl := rs.plan
	if len(pl.elems) == 0 {
		return Furthest{}, false // windows and schedules wait for no element
	}
	f = Furthest{Rule: rule, Matches: rs.counts.Matches, Keyless: rs.counts.Keyless}
	r := rs.reached(m.now)
	if r == nil {
		f.Waiting = []string{pl.elems[0]}
		return f, true
	}
	f.Bind = bindings(pl.elems, r.pairs)
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
	in, ok := rs.state.(engine.Inspector)
	if !ok {
		return rec
	}
	in.EachKey(func(key []byte) {
		a, ok := look(in, key, now)
		if !ok || len(a.pairs) == 0 || rec != nil && !a.beyond(&rec.ahead) {
			return
		}
		rec = &furthest{ahead: a}
	})
	return rec
}

func look(in engine.Inspector, key []byte, now time.Time) (a ahead, ok bool) {
	a.pairs, a.waiting, a.nots, a.deadline, ok = in.Furthest(key, now)
	return a, ok
}

// notice keeps, for every rule, what the event means to the partial match of its
// key that has come furthest.
func (m *Matcher) notice() {
	for place := range m.prog.places.len() {
		rs := m.explained(int32(place))
		if rs == nil || rs.err != nil || rs.plan == nil || len(rs.plan.elem) == 0 {
			continue
		}
		key, ok := rs.key(m)
		if !ok {
			continue
		}
		a := ahead{waiting: []int{0}}
		if in, ok := rs.state.(engine.Inspector); ok {
			if a, ok = look(in, key, m.now); !ok {
				continue
			}
		}
		rs.weigh(m, &a)
	}
}

// explained gives the state of a rule that takes part, with a plan.
func (m *Matcher) explained(place int32) *ruleState {
	e := m.prog.places.at(int(place))
	if !e.runs() {
		return nil
	}
	rs := m.rule(place)
	if rs.plan == nil {
		pl, err := m.prog.planOf(e)
		if err != nil { // it was compiled before
			return rs
		}
		rs.plan = pl
	}
	return rs
}

// weigh compares a partial match, and what the event does to it, with the record.
func (rs *ruleState) weigh(m *Matcher, a *ahead) {
	rec := rs.furthest
	if rec == nil || a.beyond(&rec.ahead) {
		rec = &furthest{}
		rs.furthest = rec
	}
	if rec.beyond(a) {
		return
	}
	rec.ahead = *a
	for elem := range rs.plan.elems {
		forbidden := a.nots&rs.plan.elem[elem].Bit() != 0
		if !forbidden && !slices.Contains(a.waiting, elem) {
			continue
		}
		met := rs.plan.cond(elem).Eval(&m.env.seen, pairEnv(a.pairs)) == predicate.True
		if met != forbidden {
			continue
		}
		atoms, hold := rs.plan.explain(elem, &m.env.seen, a.pairs)
		if rec.stop != nil && hold < rec.hold && !forbidden {
			continue
		}
		rec.hold = hold
		rec.stop = &Stop{
			Element: rs.plan.elems[elem], Forbidden: forbidden, Event: m.input.Hold().Event.ID, Position: m.input.Pos,
			At: m.now, Condition: rs.plan.cond(elem).String(), Atoms: atoms,
		}
	}
}
