package cep

import (
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/index"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// Options are what a Matcher is told besides its program.
type Options struct {
	Tenant  string // part of every match's identity
	Explain bool   // fill Match.Why, and keep what WhyNot tells; slower

	// Tables is what conditions see as table.NAME; see Matcher.SetTables.
	Tables *Tables

	// Part is which rules the matcher follows, of a program for several lanes.
	Part Part

	apart bool // rules that begin alike share nothing all the same
}

// Matcher follows the partial matches of one lane through a Program.
//
// A Matcher belongs to the goroutine that feeds it and holds no locks. Events
// come in log order; the time they come with is the only clock it reads. The
// matches it gives out stay valid, and events and buffers fed to it may be
// reused.
type Matcher struct {
	opt   Options
	prog  *Program
	now   time.Time // lane time
	begun bool      // lane time has moved
	seen  uint64    // events fed

	rules    []*ruleState // by place; nil for rules that nothing has concerned yet
	alert    []int32      // places of rules that must be shown every event
	draining []*ruleState // earlier versions of rules, oldest first
	swaps    int          // how many programs came before
	timers   timers

	prefixes *prefixes // of the program
	stems    []*stem   // by number of the prefix less 1; none when rules share nothing
	watched  []*stem   // those that every event may concern

	turn    engine.Turn
	input   engine.Input
	env     env
	matches uint64

	captured int // bytes of the latest capture

	// Of the event being fed.
	fields  []event.Value
	ahead   readAhead
	scratch index.Scratch
	ids     []index.ID   // conditions that hold
	touched []*ruleState // rules it concerns, in order
	forward bool         // it concerns rules of another part
	ours    []int32      // scratch: places of rules that must be shown every event
	heard   []*stem      // prefixes it concerns
	parted  []*family    // of which rules have forked
	id      idText       // of the match being made
}

// NewMatcher gives a matcher at lane time 1970-01-01.
func NewMatcher(p *Program, o Options) *Matcher {
	m := &Matcher{opt: o, now: time.Unix(0, 0).UTC()}
	m.turn.Conds = &m.env
	m.follow(p)
	return m
}

// follow takes over a program. Of rules that have no state yet, only those that
// need no event to begin get one.
func (m *Matcher) follow(p *Program) {
	m.prog, m.alert = p, p.alert
	m.rules = append(m.rules, make([]*ruleState, max(0, p.places.len()-len(m.rules)))...)
	m.adopt(p)
	for _, place := range p.always {
		if m.opt.Part.has(p.places.at(int(place)).plan) {
			m.rule(place)
		}
	}
}

// rule gives the state of the rule at a place.
func (m *Matcher) rule(place int32) *ruleState {
	rs := m.rules[place]
	if rs == nil {
		rs = newRuleState(m, place)
		m.rules[place] = rs
		m.join(rs)
	}
	return rs
}

// SetTables puts other lookup tables in place, between two events. Events that
// come later are looked up in these; what is bound already stays bound.
func (m *Matcher) SetTables(t *Tables) { m.opt.Tables = t }

// Now is the lane's time.
func (m *Matcher) Now() time.Time { return m.now }

// NextDeadline is the lane time at which Advance next has something to do.
func (m *Matcher) NextDeadline() (time.Time, bool) { return m.timers.next() }

// Feed takes the event at a position of the log and appends the matches it
// causes to dst. Lane time first moves on to at, unless that lies behind or is
// zero; what falls due on the way comes before what the event completes. Matches
// of one event come in the order of the rules.
func (m *Matcher) Feed(ev *event.Event, pos Position, at time.Time, dst []Match) []Match {
	dst = m.Advance(at, pos, dst)
	m.fields = m.prog.paths.Scan(ev, m.fields)
	return m.fed(ev, pos, dst)
}

// fed shows an event, whose fields have been read, to the rules.
func (m *Matcher) fed(ev *event.Event, pos Position, dst []Match) []Match {
	m.seen++
	m.input = engine.Input{Ev: ev, Pos: pos, Order: m.seen, At: m.now, Fields: m.fields, Tables: m.opt.Tables}
	m.turn.In = &m.input
	m.env.seen = predicate.Event{Ev: ev, Fields: m.fields, Tables: m.opt.Tables}
	m.look()
	if m.opt.Explain {
		m.notice()
	}
	from := len(dst)
	for _, rs := range m.touched {
		if rs.err == nil && !m.together(rs) {
			dst = m.visit(rs, dst)
			m.reunite(rs)
		}
	}
	for _, f := range m.parted {
		f.scatter(f.key)
	}
	clear(m.parted)
	m.parted = m.parted[:0]
	if len(m.draining) > 0 {
		m.retire()
	}
	m.input, m.turn.In = engine.Input{}, nil
	m.env.release()
	m.matches += uint64(len(dst) - from)
	return dst
}

// Advance moves lane time on, and appends the matches that fall due to dst; pos
// is where the log says that it is so late.
func (m *Matcher) Advance(at time.Time, pos Position, dst []Match) []Match {
	if !at.After(m.now) {
		return dst
	}
	if !m.begun {
		m.begin(at)
	}
	m.turn.Until = at.UTC()
	for rs := m.timers.first(at); rs != nil; rs = m.timers.first(at) {
		if rs.due.After(m.now) {
			m.now = rs.due
		}
		dst = m.fire(rs, m.now, pos, dst)
	}
	m.now = at.UTC()
	if len(m.draining) > 0 {
		m.retire()
	}
	return dst
}

// begin lets the rules that go by the clock begin: not in 1970, but when lane time
// is first known.
func (m *Matcher) begin(at time.Time) {
	m.begun, m.now = true, at.UTC()
	for _, place := range m.prog.always {
		if m.opt.Part.has(m.prog.places.at(int(place)).plan) {
			m.start(m.rule(place))
		}
	}
}

// start tells a state the time.
func (m *Matcher) start(rs *ruleState) {
	if s, ok := rs.state.(engine.Starter); ok && m.begun {
		s.Start(m.now)
		m.timers.update(rs)
	}
}

// look finds the rules that the event may concern.
func (m *Matcher) look() {
	clear(m.touched)
	m.touched = m.touched[:0]
	m.forward = false
	p := m.prog
	m.ids = p.index.Match(&m.scratch, &m.env.seen, m.ids[:0])
	for _, id := range m.ids {
		u := p.uses.at(int(id))
		if !m.mine(u.place) {
			continue
		}
		if u.prefix != 0 && m.stems != nil {
			m.share(u)
			continue
		}
		m.mark(m.rule(u.place), u.cond, u.exact)
	}
	m.wake(m.alerts(m.alert))
	if alike := m.alerts(p.alike); m.stems == nil {
		m.wake(alike)
	}
	m.overhear()
	for _, rs := range m.draining {
		if rs.err == nil {
			m.ask(rs)
		}
	}
	if len(m.stems) > 0 {
		m.common()
	}
	if len(m.touched) > 1 {
		slices.SortFunc(m.touched, before)
	}
}

// wake finds, of the rules at places, those that must be shown every event.
func (m *Matcher) wake(places []int32) {
	for _, place := range places {
		if rs := m.rules[place]; rs != nil && (rs.open() || rs.plan.needs.AnyStart) {
			m.touch(rs)
		} else if rs == nil && m.prog.places.at(int(place)).plan.needs.AnyStart {
			m.touch(m.rule(place))
		}
	}
}

// ask evaluates the conditions of a rule that drains, which no index has.
func (m *Matcher) ask(rs *ruleState) {
	if rs.away {
		m.forward = m.forward || m.concerns(rs)
		return
	}
	for i, p := range rs.plan.preds {
		if p.Correlated() {
			m.mark(rs, uint8(i), false)
		} else if p.Eval(rs.sees(m), nil) == predicate.True {
			m.mark(rs, uint8(i), true)
		}
	}
	if rs.plan.needs.SeesAll || rs.plan.needs.AnyStart {
		m.touch(rs)
	}
}

// mark notes what the event means to a rule.
func (m *Matcher) mark(rs *ruleState, cond uint8, exact bool) {
	m.touch(rs)
	if exact {
		rs.met |= 1 << cond
	} else {
		rs.maybe |= 1 << cond
	}
}

func (m *Matcher) touch(rs *ruleState) {
	if rs.turn != m.seen {
		rs.turn, rs.met, rs.maybe = m.seen, 0, 0
		m.touched = append(m.touched, rs)
	}
}

// env answers the conditions that depend on what is bound.
type env struct {
	rule  *ruleState
	seen  predicate.Event // the event under test
	bound engine.Bindings
}

// Holds decides a condition for one partial match.
func (e *env) Holds(c engine.Cond, b engine.Bindings) bool {
	e.bound = b
	ev := &e.seen
	if e.rule.foreign {
		ev = &predicate.Event{Ev: e.seen.Ev, Tables: e.seen.Tables}
	}
	return e.rule.plan.preds[c-1].Eval(ev, e) == predicate.True
}

// Bound gives conditions the events bound to an element.
func (e *env) Bound(elem int) []*predicate.Event { return e.bound.Events(elem) }

// Folded gives conditions what a fold comes to for them.
func (e *env) Folded(f predicate.Fold) (predicate.Folded, bool) { return e.bound.Folded(f) }

// release lets go of the events.
func (e *env) release() { e.seen.Ev, e.bound = nil, nil }
