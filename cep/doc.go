// Package cep is the complex-event-processing core: rules in, matches out.
//
// ParseRules reads rule documents, every problem at once. Compile turns rules
// into a Program: conditions filed in an index (cep/index), patterns, windows,
// schedules and states given to an engine each (cep/engine), everything immutable
// and ready to be shared. A Matcher follows one lane of events through a Program:
// Feed takes an event, Advance takes nothing but time, and both append the matches
// they cause.
//
// Programs are edited rather than made anew: Edit and Update cost what they change.
// Swap puts the result in place without losing the partial matches of rules that
// stayed as they were. AppendCache and LoadProgram keep a compiled program on disk;
// AppendSnapshot and RestoreMatcher move what a matcher knows to another machine.
//
// A Match says which rule matched, when, what completed it and which events are
// bound to which element. Its id is a hash of all that identifies it, so the same
// log gives the same ids in whatever batches it is read, after a restart and
// across a Swap. AppendJSON writes the line that `rhost match` prints; Stream is
// that command without its input and output.
//
// # Work per event
//
// The fields that any rule mentions are read in one pass over the event. The
// index then leads from their values to the conditions that hold; what conditions
// have in common is evaluated once, whatever the number of rules. Only rules with a
// condition that holds are visited, and of those only the partial matches of the
// event's key. An event that touches no rule costs the pass and a few lookups, and
// allocates nothing. Of a rule that no event has concerned, a matcher knows nothing.
//
// Rules of a general pattern that begin alike are a family (family.go): what they
// have open in common is kept and fed once, and a rule takes a copy of a key when
// an event meets a condition of its own there.
//
// # Lanes
//
// Events may be spread over lanes by the value at a path (part.go). Each lane's
// matcher follows the rules that go by that path, and says which events the others
// need; those are followed by one more matcher, and together all of them find what
// one matcher would.
//
// # Why
//
// Program.Plan tells how a rule will be matched: which engine and why, where the
// index files its conditions, what is interpreted. Match.Explain tells afterwards,
// for every bound event, its condition and the values seen; a Matcher with
// Options.Explain also tells with WhyNot how far a rule came that did not match,
// and what stopped it. It follows each rule by itself.
//
// # Concurrency and purity
//
// Rules and Programs are immutable. A Matcher belongs to the goroutine that
// feeds it and holds no locks; the time it is given is the only clock it reads.
// Nothing here touches files or the network. Events are copied when a partial
// match or a match keeps them, so callers may reuse their buffers.
package cep
