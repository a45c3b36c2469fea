package automaton

import (
	"math/bits"
	"strconv"
	"strings"
)

// guard is what must hold for an edge to be followed: every one of its clauses.
// The empty guard always holds.
type guard []clause

// clause holds when one of the conditions in pos holds or one of those in neg
// does not.
type clause struct{ pos, neg uint64 }

func holds(c Cond) guard {
	if c == 0 {
		return nil
	}
	return guard{{pos: c.Bit()}}
}

// lowest is the condition of the lowest bit.
func lowest(conds uint64) Cond { return Cond(bits.TrailingZeros64(conds) + 1) }

// fails is the guard that c does not hold. No event fails the absent condition.
func fails(c Cond) guard { return guard{{neg: c.Bit()}} }

// and joins guards into a new one.
func and(gs ...guard) guard {
	var all guard
	for _, g := range gs {
		all = append(all, g...)
	}
	return all
}

// not negates a guard whose clauses are single conditions or their opposites,
// as those of every Take edge are.
func (g guard) not() guard {
	var c clause
	for _, part := range g {
		c.pos |= part.neg
		c.neg |= part.pos
	}
	return guard{c}
}

// conds lists the conditions that g looks at.
func (g guard) conds() uint64 {
	var all uint64
	for _, c := range g {
		all |= c.pos | c.neg
	}
	return all
}

// idle reports whether g holds for an event that meets no condition.
func (g guard) idle() bool {
	for _, c := range g {
		if c.neg == 0 {
			return false
		}
	}
	return true
}

func (g guard) String() string {
	var parts []string
	for _, c := range g {
		var or []string
		for b := c.pos; b != 0; b &= b - 1 {
			or = append(or, "c"+strconv.Itoa(bits.TrailingZeros64(b)+1))
		}
		for b := c.neg; b != 0; b &= b - 1 {
			or = append(or, "!c"+strconv.Itoa(bits.TrailingZeros64(b)+1))
		}
		if len(or) == 0 {
			or = append(or, "never")
		}
		parts = append(parts, strings.Join(or, "|"))
	}
	return strings.Join(parts, " & ")
}
