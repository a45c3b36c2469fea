package cep

import (
	"time"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// ruleState is what a matcher keeps for one rule.
type ruleState struct {
	rule     *Rule
	plan     *plan        // nil for a bare rule, unless it is to be explained
	state    engine.State // nil for a rule without state
	place    int32        // among the rules of the current program
	age      int          // how many programs came before the one it is of
	draining bool         // begins nothing new
	away     bool         // it drains on the lane of the rest, which needs its events until then
	until    time.Time    // zero: for ever
	foreign  bool         // of a program that numbers its fields in another way
	err      error        // why it was stopped
	counts   RuleStats
	furthest *furthest

	family *family    // what it shares, unless it goes on by itself
	missed *RuleStats // counts of the family's trunk that are not its own

	due    time.Time // the state's deadline, as far as timers knows
	timer  int       // place in timers, from 1; 0: nothing is due
	keyBuf []byte

	// What the event being fed meets, if turn is its number.
	turn  uint64
	met   uint64 // conditions that hold
	maybe uint64 // conditions that depend on what is bound
}

func newRuleState(m *Matcher, place int32) *ruleState {
	e := m.prog.places.at(int(place))
	rs := &ruleState{rule: e.get(), plan: e.plan, place: place, age: m.swaps}
	if e.plan != nil && e.plan.engine != nil {
		rs.state = e.plan.engine.New()
		m.start(rs)
	}
	return rs
}

// known reports whether there is anything to tell about the rule.
func (rs *ruleState) known() bool {
	return rs.away || rs.open() || rs.err != nil || rs.total() != (RuleStats{})
}

// before orders rules: by place, and of one place those that drain first, the
// oldest before the others.
func before(a, b *ruleState) int {
	if a.place != b.place {
		return int(a.place) - int(b.place)
	}
	return a.age - b.age
}

// sees gives the event being fed as the rule's conditions can read it.
func (rs *ruleState) sees(m *Matcher) *predicate.Event {
	if rs.foreign {
		return &predicate.Event{Ev: m.input.Ev, Tables: m.opt.Tables}
	}
	return &m.env.seen
}

// value reads a field of the event being fed.
func (rs *ruleState) value(m *Matcher, f field) event.Value {
	if rs.foreign {
		return m.input.Ev.Get(f.path)
	}
	return m.read(f)
}

// visit shows the event to one rule.
func (m *Matcher) visit(rs *ruleState, dst []Match) []Match {
	if rs.plan == nil {
		return m.single(rs, dst)
	}
	key, ok := rs.key(m)
	if !ok {
		if rs.met|rs.maybe != 0 || rs.plan.needs.AnyStart {
			rs.counts.Keyless++
		}
		return dst
	}
	if rs.state == nil {
		return m.single(rs, dst)
	}
	t := &m.turn
	t.Closed = rs.draining
	t.Truth = engine.Truth{Known: ^rs.maybe, True: rs.met}
	t.Values = t.Values[:0]
	for _, f := range rs.plan.values {
		t.Values = append(t.Values, rs.value(m, f))
	}
	m.env.rule = rs
	rs.state.Feed(t, key)
	dst = m.given(rs, m.input.Pos, dst)
	if rs.err == nil {
		m.timers.update(rs)
	}
	return dst
}

// key gives the key of the event being fed; ok is false when a part is missing.
func (rs *ruleState) key(m *Matcher) (key []byte, ok bool) {
	rs.keyBuf = rs.keyBuf[:0]
	for _, f := range rs.plan.by {
		v := rs.value(m, f)
		if v.Kind() == event.Missing {
			return nil, false
		}
		rs.keyBuf = appendKeyPart(rs.keyBuf, v)
	}
	return rs.keyBuf, true
}

// fire runs what a rule has due.
func (m *Matcher) fire(rs *ruleState, at time.Time, pos Position, dst []Match) []Match {
	before := len(dst)
	m.env.rule = rs
	rs.state.Expire(&m.turn, at)
	dst = m.given(rs, pos, dst)
	m.matches += uint64(len(dst) - before)
	if rs.err == nil {
		m.timers.update(rs)
	}
	return dst
}

// stop ends a rule and frees what it has open.
func (m *Matcher) stop(rs *ruleState, err error) {
	rs.err = err
	m.drop(rs)
}

// drop frees what a rule has open.
func (m *Matcher) drop(rs *ruleState) {
	if rs.state != nil {
		rs.state.Clear()
		m.timers.remove(rs)
		m.leave(rs, false)
	}
}
