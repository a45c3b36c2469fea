package cep

import (
	"hash/fnv"
	"slices"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// Part says which rules a Matcher follows when events are spread over lanes by the
// value they have at a path: a tenant with more events than one matcher can take.
// The zero Part is all rules.
//
// A rule whose `by` contains the path has all events of a key on one lane, and so
// has a rule that looks at one event at a time; each lane follows those by itself.
// The others need events of several lanes. They are followed on a lane of their
// own, which is shown what the lanes forward: see Matcher.Forward.
type Part struct {
	By   event.Path // what events are spread by; zero: they are not
	Rest bool       // the rules that need events of several lanes, instead of all others
}

// Placement says on which lane a rule is followed.
type Placement uint8

// The placements.
const (
	OnLane  Placement = iota // where the event is
	Rekeyed                  // on the lane of the rules that need events of several
)

func (p Placement) String() string { return [...]string{"on its lane", "re-keyed"}[p] }

// Placement tells where a rule is followed when events are spread by a path; ok is
// false when there is no rule of that name.
func (p *Program) Placement(rule string, by event.Path) (at Placement, ok bool) {
	e := p.find(rule)
	if e == nil {
		return OnLane, false
	}
	return Part{By: by}.placement(e.plan), true
}

// placement is where the rule of a plan is followed; nil is a bare rule.
func (pt Part) placement(pl *plan) Placement {
	if pt.By.IsZero() || pl == nil || pl.engine == nil || pl.keyedBy(pt.By) {
		return OnLane
	}
	return Rekeyed
}

// keyedBy reports whether events of one key have one value at the path.
func (pl *plan) keyedBy(path event.Path) bool {
	return slices.ContainsFunc(pl.by, func(f field) bool { return f.path == path })
}

// has reports whether a rule is among those of the part.
func (pt Part) has(pl *plan) bool { return (pt.placement(pl) == Rekeyed) == pt.Rest }

// Forward reports whether the event fed last may mean something to a rule of
// another part, so that it is to be shown to the lane of the rest as well.
func (m *Matcher) Forward() bool { return m.forward }

// mine reports whether the matcher follows the rule at a place; if not, it notes
// that the event in hand concerns somebody else.
func (m *Matcher) mine(place int32) bool {
	if m.opt.Part.By.IsZero() {
		return true
	}
	if m.opt.Part.has(m.prog.places.at(int(place)).plan) {
		return true
	}
	m.forward = true
	return false
}

// alerts finds, of the rules at places that must be shown every event, those that
// are followed here, and notes an event that the others need.
func (m *Matcher) alerts(places []int32) []int32 {
	if m.opt.Part.By.IsZero() {
		return places
	}
	m.ours = m.ours[:0]
	for _, place := range places {
		if pl := m.prog.places.at(int(place)).plan; m.opt.Part.has(pl) {
			m.ours = append(m.ours, place)
		} else if !m.forward && m.keyed(pl) {
			m.forward = true
		}
	}
	return m.ours
}

// keyed reports whether the event in hand has what a rule goes by.
func (m *Matcher) keyed(pl *plan) bool {
	return !slices.ContainsFunc(pl.by, func(f field) bool { return m.read(f).Kind() == event.Missing })
}

// read reads a field of the event being fed, of the current program.
func (m *Matcher) read(f field) event.Value {
	if f.slot >= len(m.fields) {
		return m.input.Ev.Get(f.path)
	}
	return m.fields[f.slot]
}

// maxAway bounds how many earlier versions of one rule events are forwarded for. It
// is where lanes may find less than one would: what a rule without `within` has open
// more than so many edits ago is not shown events any more.
const maxAway = 8

// depart notes the rules of the program before that drain on the lane of the rest:
// what they have open there still needs the events they look for.
func (m *Matcher) depart(was *Program, related bool) {
	if m.opt.Part.By.IsZero() || m.opt.Part.Rest {
		return
	}
	p := m.prog
	for c := range was.places.chunks {
		if related && c < len(p.places.chunks) && sameChunk(&was.places, &p.places, c) {
			continue
		}
		for i := c * chunk; i < min((c+1)*chunk, was.places.len()); i++ {
			if e := was.places.at(i); m.opt.Part.placement(e.plan) == Rekeyed {
				m.dismiss(e, !related)
			}
		}
	}
}

// dismiss notes a rule that the current program has in another version, or not.
func (m *Matcher) dismiss(e *entry, foreign bool) {
	place, there := m.prog.names.get(e.name())
	if !there {
		return
	}
	now := m.prog.places.at(int(place))
	if !now.runs() || now.version() == e.version() || fate(e.plan, now) != Drained {
		return
	}
	rs := &ruleState{rule: e.get(), plan: e.plan, place: place, age: m.swaps - 1, draining: true, foreign: foreign}
	m.send(rs)
	m.draining = append(m.draining, rs)
	m.forget(rs.rule.Name)
}

// send makes a state one of a rule that drains on the lane of the rest.
func (m *Matcher) send(rs *ruleState) {
	rs.away = true
	if w := rs.rule.When.Within; w > 0 {
		rs.until = m.now.Add(w)
	}
}

// forget lets go of the oldest of too many versions of a rule.
func (m *Matcher) forget(name string) {
	n := 0
	for i, rs := range slices.Backward(m.draining) {
		if rs.away && rs.rule.Name == name {
			if n++; n > maxAway {
				m.draining = slices.Delete(m.draining, i, i+1)
			}
		}
	}
}

// concerns reports whether the event in hand may mean something to a rule that
// drains elsewhere.
func (m *Matcher) concerns(rs *ruleState) bool {
	if rs.plan.needs.SeesAll && !slices.ContainsFunc(rs.plan.by, func(f field) bool { return rs.value(m, f).Kind() == event.Missing }) {
		return true
	}
	return slices.ContainsFunc(rs.plan.preds, func(p *predicate.Cond) bool {
		return p.Correlated() || p.Eval(rs.sees(m), nil) == predicate.True
	})
}

// LaneOf gives the lane, from 0 to lanes-1, of events that have a value where they
// are spread by. Values that are equal as keys, such as 1 and 1.0, share a lane;
// events without a value there go to lane 0. The numbers are the same in every
// release: they are part of what is on disk.
func LaneOf(v event.Value, lanes int) uint32 {
	if lanes <= 1 || v.Kind() == event.Missing {
		return 0
	}
	var buf [64]byte
	h := fnv.New64a()
	_, _ = h.Write(appendKeyPart(buf[:0], v)) // a hash takes everything
	sum := h.Sum64()
	return uint32((sum ^ sum>>32) % uint64(lanes)) // the low bits alone see the low bits of the text
}
