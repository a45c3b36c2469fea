// Package dfa follows patterns whose partial matches need no company: sequences
// joined by `next` and `then`, whose conditions look at the event under test
// alone. What such a partial match can become depends on nothing but where it
// stands, so all of a key's that stand in one place are moved together.
//
// # Places
//
// Compile cuts a pattern into atoms, as Glushkov's construction does: an atom
// waits for one repetition of one element, and says what takes it on, what lets
// it be and what ends it. Optional elements and repetitions let a partial match
// wait for several things at once, so it stands in a set of atoms. Sets are found
// as they are reached, and so is what an event does to them: the conditions that
// a set looks at, a few bits of Truth.True, choose a row of its table. Both are
// kept by the Engine, for all matchers, up to a bound; past it they are worked
// out anew.
//
// # Keys
//
// A group is the partial matches of a key that stand in one set: their start
// events, oldest first, and the chain of events they have all bound since. An
// event moves the group, not its members. Groups that meet are merged, and a
// start that came there by two ways keeps the better one: where only the first
// of several matches that complete together is given out, the other could never
// be it. When an event leads a group two ways at once and all of one way lies in
// the other, only the better way is followed, for the same reason. So
// `fail{5,} then ok` costs six small steps an event, however many failures there
// are.
//
// Most keys have one partial match at a time. Its place, its start and its chain
// stand in the entry of the key, of 40 bytes, in a table whose bookkeeping is
// some 20 bytes more. Nothing is stored before an event begins a match.
//
// # Time
//
// A bound on time is the same for every start, so starts run out of time in the
// order in which they came: a queue does for a clock. Where running out of time
// has no outcome, keys are looked through some time later, many at once.
//
// # What does not fit
//
// Compile refuses what would need partial matches to be told apart: correlated
// conditions, `then any`, groups, `&`, greedy, until, bounds between events, and
// policies that show more than the first of several matches when the pattern can
// go several ways. Its error says so in words.
//
// # Concurrency
//
// An Engine may be shared; its tables fill up under a lock and are read without.
// A State belongs to one goroutine. Nothing here reads a clock.
package dfa
