package cep

import (
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// ruleState is what a matcher keeps for one rule.
type ruleState struct {
	plan     *plan
	gen      *generation
	rank     int          // place among the rules of the current program
	state    engine.State // nil for a rule without state
	due      time.Time    // the state's deadline, as far as timers knows
	place    int          // in timers, from 1; 0: nothing is due
	keyBuf   []byte
	draining bool  // begins nothing new
	err      error // why it was stopped
	counts   RuleStats
	furthest *furthest
}

func newRuleState(g *generation, pl *plan) *ruleState {
	rs := &ruleState{plan: pl, gen: g, rank: int(pl.ord)}
	if pl.engine != nil {
		rs.state = pl.engine.New()
	}
	return rs
}

// open reports whether the rule holds anything.
func (rs *ruleState) open() bool { return rs.state != nil && !rs.state.Empty() }

// visit shows the event to one rule.
func (m *Matcher) visit(rs *ruleState, k mark, dst []Match) []Match {
	pl := rs.plan
	key, ok := pl.appendKey(rs.keyBuf[:0], rs.gen.fields)
	rs.keyBuf = key
	if !ok {
		if k.met|k.open != 0 {
			rs.counts.Keyless++
		}
		return dst
	}
	if rs.state == nil {
		return m.single(rs, dst)
	}
	t := &m.turn
	t.Closed = rs.draining
	t.Truth = engine.Truth{Known: ^k.open, True: k.met}
	m.env.plan = pl
	rs.state.Feed(t, key)
	dst = m.given(rs, m.input.Pos, dst)
	if rs.err == nil {
		m.timers.update(rs)
	}
	return dst
}

// fire runs what a rule has due.
func (m *Matcher) fire(rs *ruleState, at time.Time, pos Position, dst []Match) []Match {
	before := len(dst)
	m.env.plan = rs.plan
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
	}
}
