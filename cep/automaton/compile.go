package automaton

import (
	"fmt"
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// Compile builds the automaton of a sequence. Its error says which step cannot
// be.
func Compile(steps []Step, tr Traits) (*NFA, error) {
	if err := engine.Check(steps); err != nil {
		return nil, err
	}
	b := &builder{nfa: new(NFA)}
	b.final = b.add(state{kind: final})
	b.stop = b.add(state{kind: stop})
	b.nfa.start = b.sequence(&sequence{steps: steps, exit: b.final, top: true}, 0, 0)
	if b.err != nil {
		return nil, b.err
	}
	if len(b.nfa.states) > MaxStates {
		return nil, fmt.Errorf("the pattern needs %d states; the limit is %d", len(b.nfa.states), MaxStates)
	}
	b.nfa.elems = engine.Elements(steps)
	b.nfa.trim()
	b.nfa.prepare(steps, tr)
	b.nfa.analyse(tr)
	return b.nfa, nil
}

// builder makes states from the end of the pattern to its beginning: a step is
// built when the state that follows it is known.
//
// What must not happen is carried along as a set of conditions, nots: those of
// the `then not` steps directly before the step being built, and of earlier ones
// that skipped optional steps lead back to. Taking an event ends them.
type builder struct {
	nfa         *NFA
	final, stop int32
	until       Cond // of the group being built
	err         error
}

// sequence is a row of steps and what follows it.
type sequence struct {
	steps []Step
	exit  int32
	top   bool // the pattern itself, whose first step nothing comes before
	head  head // how the first step is entered, for the body of a group
	memo  map[memoKey]int32
}

// head is what the group around a sequence asks of its first step.
type head struct {
	link Link
	skip []edge // Proceed edges past the group
}

type memoKey struct {
	step int
	nots uint64
}

func (b *builder) add(s state) int32 {
	b.nfa.states = append(b.nfa.states, s)
	return int32(len(b.nfa.states) - 1)
}

func (b *builder) link(from int32, e ...edge) {
	b.nfa.states[from].edges = append(b.nfa.states[from].edges, e...)
}

// sequence gives the state that waits for step i of seq while nots must not
// happen.
func (b *builder) sequence(seq *sequence, i int, nots uint64) int32 {
	if i == len(seq.steps) {
		return seq.exit
	}
	key := memoKey{i, nots}
	if id, ok := seq.memo[key]; ok {
		return id
	}
	var id int32
	if s := seq.steps[i]; s.Not {
		id = b.not(seq, i, nots)
	} else {
		id = b.positive(seq, i, nots)
	}
	if seq.memo == nil {
		seq.memo = make(map[memoKey]int32)
	}
	seq.memo[key] = id
	return id
}

// not builds a step that must not happen.
func (b *builder) not(seq *sequence, i int, nots uint64) int32 {
	s := seq.steps[i]
	last := i == len(seq.steps)-1
	switch {
	case s.Link == Next:
		then := b.sequence(seq, i+1, 0)
		way := edge{op: proceed, to: then, when: b.outside(fails(s.Cond))}
		if then == b.final {
			way.op = ignore // one event must have come
		}
		id := b.add(state{strict: true, wait: s.Wait})
		b.link(id, way)
		b.stops(id, nots|s.Cond.Bit())
		return id
	case last:
		nots |= s.Cond.Bit()
		id := b.add(state{kind: pending, wait: s.Wait})
		b.stops(id, nots)
		b.link(id, edge{op: ignore, to: id, when: guard{{neg: nots}}})
		return id
	default:
		return b.sequence(seq, i+1, nots|s.Cond.Bit())
	}
}

// stops adds the edges that drop a run when one of nots happens.
func (b *builder) stops(id int32, nots uint64) {
	if nots != 0 {
		b.link(id, edge{op: proceed, to: b.stop, when: b.outside(guard{{pos: nots}})})
	}
}

// outside adds to g that the group being built has not been ended by its until.
func (b *builder) outside(g guard) guard {
	if b.until == 0 {
		return g
	}
	return and(fails(b.until), g)
}

// positive builds an element or a group with its repetitions, as a chain: the
// first repetition, those up to the minimum, those up to the maximum, each of
// which may be the last, and a loop when there is no maximum.
func (b *builder) positive(seq *sequence, i int, nots uint64) int32 {
	if len(b.nfa.states) > MaxStates {
		return b.final // groups in groups multiply: Compile reports it, building on would take for ever
	}
	s := seq.steps[i]
	if one := plain(s); one != nil && s.Wait == 0 {
		s.Wait = one[0].Wait
	}
	p := &repetition{builder: b, step: s, plain: plain(s), taken: b.sequence(seq, i+1, 0)}
	p.skips = []edge{{op: proceed, to: p.taken, when: b.outside(nil)}}
	var past []edge
	if s.Optional {
		past = []edge{{op: proceed, to: b.sequence(seq, i+1, nots), when: b.outside(nil)}}
	}
	if s.Greedy && (s.Loop() || s.Low() != s.High()) {
		past = p.greedy(past)
	}
	if s.Repeats() {
		p.nots = followingNots(seq.steps[i+1:])
	}
	to := p.taken
	if s.Loop() {
		to = p.loop()
	}
	for n := s.Low(); !s.Loop() && n < s.High(); n++ {
		to = p.once(to, s.Repeat, p.skips, p.nots)
	}
	for n := 1; n < s.Low(); n++ {
		to = p.once(to, s.Repeat, nil, p.nots)
	}
	first := s.Link
	if i == 0 {
		first = seq.head.link
		past = append(past, seq.head.skip...)
	}
	p.first = true
	return p.once(to, first, past, nots)
}

// followingNots collects the conditions of the `then not` steps that come right
// after a repetition: they end it too.
func followingNots(steps []Step) uint64 {
	var nots uint64
	for _, s := range steps {
		if !s.Not || s.Link == Next {
			break
		}
		nots |= s.Cond.Bit()
	}
	return nots
}

// repetition builds the states of one step.
type repetition struct {
	*builder
	step  Step
	plain []Step // the element, or elements that are alternatives; nil for steps of several events
	taken int32  // what follows the last repetition
	skips []edge // the way there without another repetition
	nots  uint64 // what ends the repetitions
	first bool   // the first repetition is being built, which is built last
	made  bool   // a repetition has been built
}

// once builds one repetition that leads to the state to.
func (p *repetition) once(to int32, link Link, skips []edge, nots uint64) int32 {
	wait := p.step.Wait
	if p.step.Repeats() {
		// Flink bounds every repetition but the one it builds first, and so the
		// way to the first repetition as well.
		wait = p.step.Gap
		if !p.made {
			wait = 0
		}
	}
	p.made = true
	switch {
	case p.step.Group != nil:
		return p.body(to, link, skips, nots)
	case p.step.Both != nil:
		return p.both(to, link, skips, nots)
	case p.step.Either != nil && p.plain == nil:
		return p.either(to, link, skips, nots)
	}
	return p.element(to, link, skips, nots, wait)
}

// element builds the state that waits for one event. Where the event may also be
// done without, ignoring one leads to a copy of the state that has no way past
// it: the other ways have then been taken by forks of their own.
func (p *repetition) element(to int32, link Link, skips []edge, nots uint64, wait time.Duration) int32 {
	takes := p.takes(to)
	id := p.add(state{wait: wait, strict: link == Next})
	p.link(id, takes...)
	p.link(id, skips...)
	p.stops(id, nots)
	if link == Next {
		return id
	}
	back := id
	pass := p.passes(link)
	if len(skips) > 0 {
		back = p.add(state{})
		p.link(back, takes...)
		p.link(back, edge{op: ignore, to: back, when: pass})
		p.stops(back, nots)
	}
	p.link(id, edge{op: ignore, to: back, when: pass})
	return id
}

// takes gives the edges by which an event is bound to the step: one, or one for
// each of several alternatives, of which the first that holds has the event.
func (p *repetition) takes(to int32) []edge {
	var until, others guard
	if p.step.Until != 0 && p.step.Repeats() {
		until = fails(p.step.Until)
	}
	var edges []edge
	for _, s := range p.plain {
		when := p.outside(and(until, others, holds(s.Cond)))
		edges = append(edges, edge{op: take, elem: int32(s.Elem), to: to, when: when})
		others = and(others, fails(s.Cond))
	}
	return edges
}

// passes is when an event may lie before the step's next one.
func (p *repetition) passes(link Link) guard {
	var g guard
	if link == Then {
		for _, s := range p.plain {
			g = and(g, fails(s.Cond))
		}
	}
	if p.step.Until != 0 && p.step.Repeats() && !p.first {
		g = and(fails(p.step.Until), g)
	}
	return p.outside(g)
}

// loop builds the last repetition of a step that has no maximum.
func (p *repetition) loop() int32 {
	if p.plain == nil {
		again := p.add(state{})
		id := p.once(again, p.step.Repeat, p.skips, 0)
		p.link(again, edge{op: proceed, to: id, when: p.outside(nil)})
		return id
	}
	id := p.once(0, p.step.Repeat, p.skips, p.nots)
	p.retake(id, id)
	for _, e := range p.nfa.states[id].edges {
		if e.op == ignore {
			p.retake(e.to, id)
		}
	}
	return id
}

// retake points the Take edge of a state to another one.
func (p *repetition) retake(id, to int32) {
	for i, e := range p.nfa.states[id].edges {
		if e.op == take {
			p.nfa.states[id].edges[i].to = to
		}
	}
}

// body builds one repetition of a group.
func (p *repetition) body(to int32, link Link, skips []edge, nots uint64) int32 {
	outer := p.until
	p.until = p.step.Until
	inner := &sequence{steps: p.step.Group, exit: to, head: head{link: link, skip: skips}}
	id := p.sequence(inner, 0, nots)
	p.until = outer
	return id
}

// greedy makes what follows the repetitions refuse the events that the step
// itself would take, until its Until says otherwise. It gives the ways past the
// whole step.
func (p *repetition) greedy(past []edge) []edge {
	p.nfa.greedy = true
	if past != nil {
		past = p.giveWay(past[0].to)
	}
	p.skips = p.giveWay(p.taken)
	p.taken = p.skips[len(p.skips)-1].to
	return past
}

func (p *repetition) giveWay(to int32) []edge {
	refuses := p.refusing(to)
	if p.step.Until == 0 {
		return []edge{{op: proceed, to: refuses, when: p.outside(nil)}}
	}
	return []edge{
		{op: proceed, to: to, when: p.outside(holds(p.step.Until))},
		{op: proceed, to: refuses, when: p.outside(fails(p.step.Until))},
	}
}

// refusing copies a state so that it does nothing with an event the step takes.
func (p *repetition) refusing(of int32) int32 {
	s := p.nfa.states[of]
	if s.kind == final {
		return of
	}
	taken := p.takes(0)[0].when
	if p.step.Loop() {
		taken = p.outside(holds(p.step.Cond)) // Flink leaves the until of a loop out of this
	}
	id := p.add(s)
	edges := make([]edge, len(s.edges))
	for i, e := range s.edges {
		e.when = and(e.when, taken.not())
		if e.to == of {
			e.to = id
		}
		edges[i] = e
	}
	p.nfa.states[id].edges = edges
	return id
}
