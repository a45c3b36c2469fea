// Package cep is the complex-event-processing core: rules in, matches out.
//
// ParseRules reads rule documents, every problem at once. Compile turns rules
// into a Program: conditions compiled and filed in an index, patterns turned
// into automata, everything immutable and ready to be shared. A Matcher follows
// one lane of events through a Program: Feed takes an event, Advance takes
// nothing but time, and both append the matches they cause. Swap puts another
// Program in place without losing the partial matches of rules that stayed as
// they were.
//
// A Match says which rule matched, when, what completed it and which events are
// bound to which element. Its id is a hash of all that identifies it, so the same
// log gives the same ids in whatever batches it is read, after a restart and
// across a Swap. AppendJSON writes the line that `rhost match` prints; Stream is
// that command without its input and output.
//
// # Work per event
//
// The fields that any rule mentions are read in one pass over the payload. The
// index then leads from the event's type and the values of those fields to the
// conditions that may hold; each is evaluated once, whatever the number of rules
// that share it. Only rules with a condition that holds are visited, and of
// those only the partial matches of the event's key. An event that touches no
// rule costs the pass and a few lookups, and allocates nothing.
//
// # Why
//
// Program.Plan tells how a rule will be matched: which engine and why, where the
// index files its conditions, what is interpreted. Match.Explain tells afterwards,
// for every bound event, its condition and the values seen; a Matcher with
// Options.Explain also tells with WhyNot how far a rule came that did not match,
// and what stopped it.
//
// # Concurrency and purity
//
// Rules and Programs are immutable. A Matcher belongs to the goroutine that
// feeds it and holds no locks; the time it is given is the only clock it reads.
// Nothing here touches files or the network. Events are copied when a partial
// match or a match keeps them, so callers may reuse their buffers.
package cep
