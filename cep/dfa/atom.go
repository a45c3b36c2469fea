package dfa

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rhost/rhost/cep/engine"
)

// maxAtoms and maxReach bound what one pattern compiles to.
const (
	maxAtoms = 4096
	maxReach = 1 << 17 // atoms in all targets together
)

// kind is what an atom waits for.
type kind uint8

const (
	wait    kind = iota // an event to bind
	absence             // the end of time, with nothing that must not be before it
	anyNext             // the next event, whatever it is: the match is then complete
)

// atom is a place where a partial match can stand.
type atom struct {
	kind   kind
	takes  []taking // what is bound here: the first that holds
	strict bool     // an event that is not bound ends the partial match

	// Conditions, bit by bit. An event that meets one of gate does nothing here
	// and ends the partial match; after one that meets one of veto only the match
	// it completes remains.
	gate, veto uint64

	to   target // where binding an event leads
	pass int32  // the atom it is after an event has passed
	step int    // in the pattern, for people
}

// taking is a way to bind an event.
type taking struct {
	cond engine.Cond
	elem int32
}

// target is where taking an event leads: atoms, and the end of the match unless
// the event meets one of a few conditions.
type target struct {
	atoms  []int32
	ends   bool
	unless uint64
}

// binds gives the element that an event is bound to, or -1.
func (a *atom) binds(truth uint64) int32 {
	for _, t := range a.takes {
		if t.cond == engine.None || truth&t.cond.Bit() != 0 {
			return t.elem
		}
	}
	return -1
}

// looks lists the conditions that decide what an event does here.
func (a *atom) looks() uint64 {
	all := a.gate | a.veto | a.to.unless
	for _, t := range a.takes {
		all |= t.cond.Bit()
	}
	return all
}

// builder makes atoms from the end of the pattern to its beginning.
//
// What must not happen is carried along as a set of conditions, nots: those of
// the `then not` steps directly before the step being built, and of earlier ones
// that skipped optional steps lead back to. Taking an event ends them.
type builder struct {
	steps []engine.Step
	atoms []atom
	reach int
	memo  map[memoKey]closure
	err   error
}

type memoKey struct {
	step int
	nots uint64
}

// closure is where a partial match stands that waits for a step.
type closure struct {
	target
	stops uint64 // conditions that end it at the very next event
}

func build(steps []engine.Step) (*builder, closure, error) {
	b := &builder{steps: steps, memo: make(map[memoKey]closure)}
	start := b.from(0, 0)
	return b, start, b.err
}

func (b *builder) add(a atom) int32 {
	if b.reach += len(a.to.atoms); len(b.atoms) >= maxAtoms || b.reach > maxReach {
		b.err = fmt.Errorf("it needs more than %d places to wait in, or too many ways between them", maxAtoms)
		return 0
	}
	b.atoms = append(b.atoms, a)
	id := int32(len(b.atoms) - 1)
	b.atoms[id].pass = id
	return id
}

// from gives where a partial match stands that waits for step i while nots must
// not happen.
func (b *builder) from(i int, nots uint64) closure {
	if i == len(b.steps) || b.err != nil {
		return closure{target: target{ends: true}}
	}
	key := memoKey{i, nots}
	c, ok := b.memo[key]
	if !ok {
		if b.steps[i].Not {
			c = b.not(i, nots)
		} else {
			c = b.positive(i, nots)
		}
		b.memo[key] = c
	}
	return c
}

// not builds a step that must not happen.
func (b *builder) not(i int, nots uint64) closure {
	s := &b.steps[i]
	never := s.Cond.Bit()
	last := i == len(b.steps)-1
	switch {
	case s.Link == engine.Then && !last:
		return b.from(i+1, nots|never)
	case s.Link == engine.Then:
		id := b.add(atom{kind: absence, veto: nots | never, step: i})
		return closure{target{atoms: []int32{id}}, nots | never}
	case last:
		id := b.add(atom{kind: anyNext, strict: true, gate: never, step: i})
		return closure{target{atoms: []int32{id}}, nots | never}
	}
	then := b.from(i+1, 0)
	c := closure{target{ends: then.ends, unless: then.unless | never}, nots | never | then.stops}
	for _, id := range then.atoms {
		first := b.atoms[id] // what it is at the very next event
		first.gate |= never
		first.veto |= nots | never
		c.atoms = append(c.atoms, b.before(first, id))
	}
	return c
}

// before adds an atom that is like another one but for its first event.
func (b *builder) before(first atom, then int32) int32 {
	pass := b.atoms[then].pass
	id := b.add(first)
	if b.err == nil {
		b.atoms[id].pass = pass
	}
	return id
}

// positive builds an element with its repetitions, as a chain: the first
// repetition, those up to the minimum, those up to the maximum, each of which may
// be the last, and a loop when there is no maximum.
func (b *builder) positive(i int, nots uint64) closure {
	s := &b.steps[i]
	r := repetition{builder: b, step: i, takes: takings(s), taken: b.from(i+1, 0)}
	if s.Repeats() {
		r.nots = followingNots(b.steps[i+1:])
	}
	to := r.taken.target
	if s.Loop() {
		to = r.loop(s.Repeat).target
	}
	for n := s.Low(); !s.Loop() && n < s.High() && b.err == nil; n++ {
		to = r.once(to, s.Repeat, &r.taken, r.nots).target
	}
	for n := 1; n < s.Low() && b.err == nil; n++ {
		to = r.once(to, s.Repeat, nil, r.nots).target
	}
	if !s.Optional {
		return r.once(to, s.Link, nil, nots)
	}
	past := b.from(i+1, nots)
	return r.once(to, s.Link, &past, nots)
}

// followingNots collects the conditions of the `then not` steps that come right
// after a repetition: they end it too.
func followingNots(steps []engine.Step) uint64 {
	var nots uint64
	for i := range steps {
		if s := &steps[i]; !s.Not || s.Link == engine.Next {
			break
		}
		nots |= steps[i].Cond.Bit()
	}
	return nots
}

// repetition builds the atoms of one step.
type repetition struct {
	*builder
	step  int
	takes []taking
	taken closure // what follows the last repetition
	nots  uint64  // what ends the repetitions
}

// once builds one repetition that leads to the target to and may be done
// without when past is given.
func (r *repetition) once(to target, link engine.Link, past *closure, nots uint64) closure {
	id := r.add(atom{takes: r.takes, strict: link == engine.Next, veto: nots, to: to, step: r.step})
	return r.or(id, past)
}

// or gives what waits at an atom or for what lies past it. At the very next event
// what ends the one ends both.
func (r *repetition) or(id int32, past *closure) closure {
	if r.err != nil {
		return closure{}
	}
	nots := r.atoms[id].veto
	if past == nil {
		return closure{target{atoms: []int32{id}}, nots}
	}
	if past.stops&^nots != 0 {
		first := r.atoms[id]
		first.veto |= past.stops
		id = r.before(first, id)
	}
	atoms := append([]int32{id}, past.atoms...)
	slices.Sort(atoms)
	return closure{target{slices.Compact(atoms), past.ends, past.unless}, nots | past.stops}
}

// loop builds the last repetition of a step that has no maximum: it leads back
// to itself.
func (r *repetition) loop(link engine.Link) closure {
	from := len(r.atoms)
	c := r.once(target{}, link, &r.taken, r.nots)
	if r.err == nil {
		for i := from; i < len(r.atoms); i++ {
			r.atoms[i].to = c.target
		}
		r.reach += 2 * len(c.atoms)
	}
	return c
}

// takings lists what a step binds: its element, or its alternatives.
func takings(s *engine.Step) []taking {
	if s.Single() {
		return []taking{{s.Cond, int32(s.Elem)}}
	}
	var all []taking
	for _, part := range s.Either {
		all = append(all, takings(&part[0])...)
	}
	return all
}

// fits says why a step is not for this engine, if it is not.
func fits(s *engine.Step) error {
	switch {
	case s.Group != nil:
		return errors.New("it has groups")
	case s.Both != nil:
		return errors.New("it joins elements with &")
	case s.Until != engine.None:
		return errors.New("a repetition has an until")
	case s.Greedy:
		return errors.New("an element is greedy")
	case s.Wait > 0 || s.Gap > 0:
		return errors.New("the time between events is bounded")
	case s.Link == engine.Any || s.Repeats() && s.Repeat == engine.Any:
		return errors.New("it has `then any`")
	case s.Not && s.Cond == engine.None:
		return errors.New("a `not` has no condition")
	}
	for _, part := range s.Either {
		if len(part) != 1 || part[0].Repeats() || part[0].Optional || part[0].Not {
			return errors.New("an alternative is more than one element")
		}
		inner := part[0]
		inner.Link = engine.Next // it is the step's that counts
		if err := fits(&inner); err != nil {
			return err
		}
	}
	return nil
}
