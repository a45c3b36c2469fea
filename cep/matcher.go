package cep

import (
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// Options are what a Matcher is told besides its program.
type Options struct {
	Tenant  string // part of every match's identity
	Explain bool   // fill Match.Why, and keep what WhyNot tells; slower
}

// Matcher follows the partial matches of one lane through a Program.
//
// A Matcher belongs to the goroutine that feeds it and holds no locks. Events
// come in log order; the time they come with is the only clock it reads. The
// matches it gives out stay valid, and events and buffers fed to it may be
// reused.
type Matcher struct {
	opt  Options
	now  time.Time // lane time
	seen uint64    // events fed

	cur    *generation
	old    []*generation // programs before, for the rules that drain
	timers timers

	turn    engine.Turn
	input   engine.Input
	env     env
	matches uint64
}

// NewMatcher gives a matcher at lane time 1970-01-01.
func NewMatcher(p *Program, o Options) *Matcher {
	m := &Matcher{opt: o, now: time.Unix(0, 0).UTC(), cur: newGeneration(p, 0)}
	m.turn.Conds = &m.env
	for i, pl := range p.plans {
		m.cur.rules[i] = newRuleState(m.cur, pl)
	}
	return m
}

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
	m.seen++
	m.input = engine.Input{Ev: ev, Pos: pos, Order: m.seen, At: m.now}
	m.turn.In = &m.input
	from := len(dst)
	for _, g := range m.old {
		dst = m.feed(g, dst)
	}
	dst = m.feed(m.cur, dst)
	if len(m.old) > 0 {
		slices.SortStableFunc(dst[from:], func(a, b Match) int { return a.rank - b.rank })
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
	for rs := m.timers.first(at); rs != nil; rs = m.timers.first(at) {
		if rs.due.After(m.now) {
			m.now = rs.due
		}
		dst = m.fire(rs, m.now, pos, dst)
	}
	m.now = at.UTC()
	return dst
}

// feed shows the event to the rules of one program.
func (m *Matcher) feed(g *generation, dst []Match) []Match {
	g.fields = g.prog.paths.Scan(m.input.Ev, g.fields)
	m.input.Fields = g.fields
	m.env.seen = predicate.Event{Ev: m.input.Ev, Fields: g.fields}
	g.look(&m.env.seen)
	if m.opt.Explain {
		m.notice(g)
	}
	for _, ord := range g.touched {
		if rs := g.rules[ord]; rs != nil && rs.err == nil {
			dst = m.visit(rs, g.marks[ord], dst)
		}
	}
	return dst
}

// generation is a program and what a matcher keeps for it.
type generation struct {
	prog   *Program
	number int          // how many programs came before
	rules  []*ruleState // by the number of their plan; nil for one that is not followed here

	// What the event being fed meets, worked out by look. A stamp equal to turn
	// says that the entry belongs to this event.
	turn    uint64
	fields  []event.Value
	asked   []uint64 // stamps of conditions
	marks   []mark   // of plans
	touched []int32  // plans to visit, in order
}

// mark is what an event means to a plan.
type mark struct {
	turn uint64
	met  uint64 // conditions it meets
	open uint64 // conditions that depend on what is bound
}

func newGeneration(p *Program, number int) *generation {
	return &generation{
		prog: p, number: number, rules: make([]*ruleState, len(p.plans)),
		asked: make([]uint64, len(p.conds)), marks: make([]mark, len(p.plans)),
	}
}

// look finds the plans that the event may concern.
func (g *generation) look(ev *predicate.Event) {
	g.turn++
	g.touched = g.touched[:0]
	if b, ok := g.prog.index.types[ev.Ev.Type]; ok {
		g.askBucket(b, ev)
	}
	g.askBucket(&g.prog.index.rest, ev)
	for _, ord := range g.prog.alert {
		if rs := g.rules[ord]; rs != nil && (rs.open() || rs.plan.needs.AnyStart) {
			g.mark(ord)
		}
	}
	if len(g.touched) > 1 {
		slices.Sort(g.touched)
	}
}

func (g *generation) askBucket(b *bucket, ev *predicate.Event) {
	for _, id := range b.always {
		g.ask(id, ev)
	}
	for i := range b.fields {
		f := &b.fields[i]
		for _, id := range f.find(g.fields[f.slot]) {
			g.ask(id, ev)
		}
	}
}

// ask evaluates a condition, unless it was asked before, and marks the plans
// that use it. A condition that depends on what is bound can only be asked later.
func (g *generation) ask(id int32, ev *predicate.Event) {
	if g.asked[id] == g.turn {
		return
	}
	g.asked[id] = g.turn
	c := &g.prog.conds[id]
	if c.correlated {
		for _, u := range c.uses {
			g.mark(u.plan).open |= u.bit
		}
		return
	}
	if c.pred.Eval(ev, nil) != predicate.True {
		return
	}
	for _, u := range c.uses {
		g.mark(u.plan).met |= u.bit
	}
}

func (g *generation) mark(ord int32) *mark {
	k := &g.marks[ord]
	if k.turn != g.turn {
		*k = mark{turn: g.turn}
		g.touched = append(g.touched, ord)
	}
	return k
}

// env answers the conditions that depend on what is bound.
type env struct {
	plan  *plan
	seen  predicate.Event // the event under test
	bound engine.Bindings
}

// Holds decides a condition for one partial match.
func (e *env) Holds(c engine.Cond, b engine.Bindings) bool {
	e.bound = b
	return e.plan.preds[c-1].Eval(&e.seen, e) == predicate.True
}

// Bound gives conditions the events bound to an element.
func (e *env) Bound(elem int) []*predicate.Event { return e.bound.Events(elem) }

// release lets go of the events.
func (e *env) release() { e.seen.Ev, e.bound = nil, nil }
