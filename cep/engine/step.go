package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/rhost/rhost/cep/predicate"
)

// Cond is the number of one of the rule's conditions, counted from 1. The zero
// Cond stands for "no condition": every event meets it.
type Cond int

// MaxConds is how many conditions one pattern may have. They are handled as the
// bits of a word.
const MaxConds = 64

// None is the absent condition.
const None Cond = 0

// Bit gives the condition's bit in a Truth; 0 for None.
func (c Cond) Bit() uint64 {
	if c == 0 {
		return 0
	}
	return 1 << (c - 1)
}

// Link is the contiguity of a step: what may lie between it and the event bound
// before it.
type Link uint8

// The three contiguities.
const (
	Next Link = iota // nothing: the very next event (Flink: next)
	Then             // events that do not match (Flink: followedBy)
	Any              // any events at all (Flink: followedByAny)
)

func (l Link) String() string { return [...]string{"next", "then", "then any"}[l] }

// Step is one element of a sequence, or several steps in its place: exactly one
// of a condition, Group, Either and Both says which.
type Step struct {
	Elem int  // what its events are bound to; unused by several steps
	Cond Cond // what an event must meet; unused by several steps

	Group  []Step   // a sequence
	Either [][]Step // alternatives, each a sequence: `a | b`
	Both   [][]Step // sequences that all happen, in any order, of distinct events: `a & b`

	Link     Link // how it joins the step before it; the first step of a pattern has none
	Not      bool // it must not happen: with Next, as the very next event; with Then, before the step that follows
	Min, Max int  // repetitions; 0 counts as 1, a negative Max means without bound
	Optional bool // the whole step, repetitions included, may be absent
	Repeat   Link // contiguity between repetitions
	Greedy   bool // Flink's greedy
	Until    Cond // ends a repetition

	Wait time.Duration // from the event bound before to this one; 0: unbounded
	Gap  time.Duration // between repetitions; 0: unbounded
}

// Traits says of the pattern's conditions, bit by bit, what they depend on
// besides the event under test.
type Traits struct {
	Correlated uint64 // on events bound before
	Whole      uint64 // on more of them than the last one of each element

	// Joins are the equalities that a condition needs, by its number less 1; it may
	// be shorter than the conditions. Equal are the conditions, of those that are
	// Correlated, that depend on nothing of events bound before but these values.
	Joins [][]predicate.Join
	Equal uint64

	// Folds are what conditions ask of all events bound to an element, Fields what
	// they read of single ones, each once. An engine may keep these up to date and
	// at hand, so that conditions need not list events and read payloads again.
	Folds  []predicate.Fold
	Fields []predicate.BoundField
}

// MaxBoth bounds the operands of a conjunction: their orders multiply.
const MaxBoth = 4

// Low is the least number of repetitions, at least 1.
func (s *Step) Low() int { return max(s.Min, 1) }

// Loop reports whether the repetitions have no upper bound.
func (s *Step) Loop() bool { return s.Max < 0 }

// High is the greatest number of repetitions of a step that is no Loop.
func (s *Step) High() int {
	if s.Max == 0 {
		return s.Low()
	}
	return s.Max
}

// Repeats reports whether s is more than one plain occurrence.
func (s *Step) Repeats() bool { return s.Loop() || s.High() > 1 }

// Single reports whether s is one element rather than several steps.
func (s *Step) Single() bool { return s.Group == nil && s.Either == nil && s.Both == nil }

// Parts gives the sequences inside s; none for an element.
func (s *Step) Parts() [][]Step {
	switch {
	case s.Group != nil:
		return [][]Step{s.Group}
	case s.Either != nil:
		return s.Either
	default:
		return s.Both
	}
}

// Elements counts the elements that steps bind events to: the highest Elem, and
// one.
func Elements(steps []Step) int {
	n := 0
	for i := range steps {
		if steps[i].Single() {
			n = max(n, steps[i].Elem+1)
		}
		for _, part := range steps[i].Parts() {
			n = max(n, Elements(part))
		}
	}
	return n
}

// Check refuses what the grammar of patterns should not have let through.
func Check(steps []Step) error { return check(steps, true) }

func check(steps []Step, top bool) error {
	if len(steps) == 0 {
		return errors.New("a pattern needs at least one element")
	}
	for i := range steps {
		s := &steps[i]
		switch {
		case s.Cond < 0 || s.Cond > MaxConds || s.Until < 0 || s.Until > MaxConds:
			return fmt.Errorf("a pattern has at most %d conditions", MaxConds)
		case !s.Loop() && s.High() < s.Low():
			return fmt.Errorf("step %d repeats at least %d and at most %d times", i+1, s.Low(), s.High())
		case len(s.Both) > MaxBoth:
			return fmt.Errorf("step %d joins %d parts with &; the limit is %d", i+1, len(s.Both), MaxBoth)
		case s.Not && (i == 0 || !s.Single() || s.Repeats() || s.Optional || s.Link == Any):
			return fmt.Errorf("step %d: `not` takes one unquantified element, never the first", i+1)
		case s.Not && steps[i-1].Optional:
			return fmt.Errorf("step %d: `not` cannot follow an optional element", i+1)
		case s.Not && !top && i == len(steps)-1:
			return fmt.Errorf("step %d: `not` cannot end a group", i+1)
		}
		for _, part := range s.Parts() {
			if err := check(part, false); err != nil {
				return err
			}
		}
	}
	return nil
}
