package automaton

import (
	"errors"
	"fmt"
	"time"
)

// Cond is the number of one of the rule's conditions, counted from 1. The zero
// Cond stands for "no condition": every event meets it.
type Cond int

// MaxConds is how many conditions one pattern may have. They are handled as the
// bits of a word.
const MaxConds = 64

// MaxStates bounds the automaton of one pattern.
const MaxStates = 10_000

// None is the absent condition.
const None Cond = 0

func (c Cond) bit() uint64 {
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

// Step is one element of a sequence, or a group of them.
type Step struct {
	Elem  int    // what its events are bound to; unused by a group
	Cond  Cond   // what an event must meet; unused by a group
	Group []Step // the steps of a group; nil for an element

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
}

func (s Step) low() int   { return max(s.Min, 1) }
func (s Step) loop() bool { return s.Max < 0 }

func (s Step) high() int {
	if s.Max == 0 {
		return s.low()
	}
	return s.Max
}

// repeats reports whether s is more than one plain occurrence.
func (s Step) repeats() bool { return s.loop() || s.high() > 1 }

// check refuses what the grammar of patterns should not have let through.
func check(steps []Step, top bool) error {
	if len(steps) == 0 {
		return errors.New("a pattern needs at least one element")
	}
	for i, s := range steps {
		switch {
		case s.Cond < 0 || s.Cond > MaxConds || s.Until < 0 || s.Until > MaxConds:
			return fmt.Errorf("a pattern has at most %d conditions", MaxConds)
		case !s.loop() && s.high() < s.low():
			return fmt.Errorf("step %d repeats at least %d and at most %d times", i+1, s.low(), s.high())
		case s.Not && (i == 0 || s.Group != nil || s.repeats() || s.Optional || s.Link == Any):
			return fmt.Errorf("step %d: `not` takes one unquantified element, never the first", i+1)
		case s.Not && steps[i-1].Optional:
			return fmt.Errorf("step %d: `not` cannot follow an optional element", i+1)
		case s.Not && !top && i == len(steps)-1:
			return fmt.Errorf("step %d: `not` cannot end a group", i+1)
		}
		if s.Group != nil {
			if err := check(s.Group, false); err != nil {
				return err
			}
		}
	}
	return nil
}
