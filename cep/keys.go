package cep

import (
	"encoding/binary"
	"math"

	"github.com/rhost/rhost/cep/automaton"
	"github.com/rhost/rhost/event"
)

// ruleState is what a matcher keeps for one rule.
type ruleState struct {
	plan     *plan
	gen      *generation
	rank     int // place among the rules of the current program
	keys     map[string]*keyState
	keyBuf   []byte
	draining bool  // begins nothing new
	gone     bool  // dropped; its timers mean nothing
	err      error // why it was stopped
	anyStart bool
	counts   RuleStats
	furthest *furthest
}

// keyState is what one value of a rule's key has open.
type keyState struct {
	rule  *ruleState
	key   string
	runs  automaton.Runs
	timer timer
}

func newRuleState(g *generation, pl *plan) *ruleState {
	rs := &ruleState{plan: pl, gen: g, rank: int(pl.ord), keys: make(map[string]*keyState)}
	if pl.machine != nil {
		_, rs.anyStart = pl.machine.NFA().Starts()
	}
	return rs
}

// appendKey writes the key of an event; ok is false when a part is missing. Each
// part says what it is and how long, so that different keys never look alike.
func (pl *plan) appendKey(b []byte, fields []event.Value) (key []byte, ok bool) {
	for _, slot := range pl.by {
		v := fields[slot]
		if v.Kind() == event.Missing {
			return b, false
		}
		b = appendKeyPart(b, v)
	}
	return b, true
}

func appendKeyPart(b []byte, v event.Value) []byte {
	b = append(b, byte(v.Kind()))
	switch v.Kind() {
	case event.String:
		b = binary.AppendUvarint(b, uint64(len(v.Str())))
		return append(b, v.Str()...)
	case event.Number:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(sameKey(v).Number()))
	case event.Bool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case event.Time:
		t := v.Time()
		b = binary.BigEndian.AppendUint64(b, uint64(t.Unix()))
		return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
	default: // lists and maps are alike when they are written alike
		b = binary.AppendUvarint(b, uint64(len(v.Raw())))
		return append(b, v.Raw()...)
	}
}

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
	if pl.machine == nil {
		return m.single(rs, dst)
	}
	ks := rs.keys[string(key)]
	if ks == nil {
		if rs.draining || pl.starts&(k.met|k.open) == 0 && !rs.anyStart {
			return dst
		}
		ks = &keyState{rule: rs, key: string(key)}
	}
	w := &m.worker
	w.Closed = rs.draining
	m.env.plan = pl
	pl.machine.Feed(w, &ks.runs, &m.input, automaton.Truth{Known: ^k.open, True: k.met}, &m.env)
	dst = m.given(ks, m.input.Pos, dst)
	m.settle(ks)
	return dst
}

// settle keeps or frees a key after a step, and sets its timer.
func (m *Matcher) settle(ks *keyState) {
	rs := ks.rule
	if rs.err != nil {
		return
	}
	if !ks.timer.set && ks.runs.Empty() {
		delete(rs.keys, ks.key)
		return
	}
	if _, there := rs.keys[ks.key]; !there {
		rs.keys[ks.key] = ks
	}
	if ks.timer.set && !rs.plan.machine.NFA().Waits() {
		return // what is open began later than what the timer was set for
	}
	at, ok := rs.plan.machine.Deadline(&ks.runs)
	if !ok || ks.timer.set && !at.Before(ks.timer.at) {
		return
	}
	m.timers.set(ks, at)
}

// fire runs what a key has due.
func (m *Matcher) fire(ks *keyState, pos Position, dst []Match) []Match {
	rs := ks.rule
	if rs.err != nil {
		return dst
	}
	before := len(dst)
	w := &m.worker
	rs.plan.machine.Expire(w, &ks.runs, m.now)
	dst = m.given(ks, pos, dst)
	m.matches += uint64(len(dst) - before)
	if rs.err != nil {
		return dst
	}
	if ks.runs.Empty() {
		delete(rs.keys, ks.key)
		return dst
	}
	if at, ok := rs.plan.machine.Deadline(&ks.runs); ok {
		m.timers.set(ks, rs.plan.machine.Later(m.now, at))
	}
	return dst
}
