// Package engine is what the matching engines of the core have in common: how a
// pattern, its events and its outcome look to whoever follows it.
//
// A rule that needs more than one event is compiled by one of several engines
// (cep/automaton, cep/dfa, cep/cea, cep/window, cep/trigger), each into an
// Engine. An Engine is immutable; New gives the State that one matcher keeps for
// the rule, over all its keys. The matcher shows a State the events that concern
// it (Feed), tells it when time has come to the deadline it named (Expire), and
// finds what was completed in the Turn it lends for the call.
//
// A pattern arrives as Steps: elements, groups, alternatives and conjunctions,
// each with its contiguity and repetitions, its conditions only as numbers. Truth
// says which of them the event under test meets; those that depend on what is
// bound are asked of Conds. The Policy is what the rule says besides.
//
// All engines give the same answer to the same pattern: the same Done in the same
// order, the same counts of what limits refused.
//
// # Rules that begin alike
//
// An Engine that is a Sharer can say, by a Branch, what it has in common with
// others: a trunk that a matcher feeds once for all of them. When an event meets a
// condition of one rule's own, what the trunk has open for that key is copied, and
// the rule goes on by itself. The answers are those of rules that share nothing.
//
// # Keys and memory
//
// Table keeps a value per key with a deadline each, for engines that have no
// better way. A State frees a key as soon as nothing is open in it.
//
// # Snapshots
//
// A State writes itself with an Encoder and restores itself from a Decoder.
// Events are written once, however many partial matches hold them.
//
// # Concurrency
//
// Engines are read-only once made. A Turn and the States it visits belong to one
// goroutine. Nothing here reads a clock.
package engine
