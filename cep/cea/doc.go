// Package cea follows patterns whose conditions look at one event each, however
// many partial matches are open: the engine for `then any`, for repetitions with
// `repeat: any`, and for `skip: none`, where there are exponentially many.
//
// It is a complex event automaton with a timed enumerable compact set, after
// Bucchi, Grez, Quintana, Riveros and Vansummeren, "CORE: a Complex Event
// Recognition Engine" (VLDB 2022). Since no condition depends on what is bound,
// all partial matches in one state of the automaton have the same future. They
// are not kept one by one but as a list of nodes that stands for all of them.
// An event adds at most one node for each list it extends and one for each two
// lists that become one, whatever the window; only a match that is complete is
// written out, in time proportional to its length.
//
// Compile takes the automaton that cep/automaton builds, so both engines follow
// the same one, and gives the same matches in the same order. Its error says why
// a pattern does not fit.
//
// # Nodes
//
// A node is an output, one event bound after the partial matches of another
// node, or a union of two nodes. Each knows the latest start among the partial
// matches that it stands for. Starts end oldest first, by time, because a match
// prunes them or because they make room for others; so one number, the bar,
// says of every node whether anything of it is left. A union has the later start
// on its left: with its left side over, all of it is. Searches replace references
// to unions of which only the left side is left, so that what is over is passed
// once and never again (key.go).
//
// Nodes stand in chunks that are freed as a whole once all they hold began before
// the bar (arena.go). Partial matches that end otherwise leave nodes that nothing
// leads to; a key that has four times as many nodes as it had left last time is
// compacted (collect.go).
//
// # Sets
//
// The states in which a key has lists form a set, and what an event does to the
// lists depends on that set and on the conditions the event meets. Transitions
// between sets are worked out when first asked for and kept in a bounded cache
// (det.go). Unlike in the paper, an automaton that can bind the same events in
// two ways gives the match twice, as cep/automaton does: lists belong to states
// of the automaton, not to sets.
//
// # What completes
//
// With `skip: none` and with skips to an element all matches are enumerated and
// sorted (enumerate.go). Where a match prunes all others with its start, the
// first match of each start is found without enumerating the others (best.go).
//
// # Bounds
//
// Open starts are bounded as everywhere (Policy.Limit), the events that partial
// matches may bind by MaxBound, and the matches of one event by MaxMatches and
// MaxPairs; Turn.Overflow counts what these made different.
//
// # Concurrency
//
// An Engine is immutable. A State belongs to one goroutine; nothing here reads a
// clock.
package cea
