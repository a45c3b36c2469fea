// Package syntax reads rule documents: YAML in, checked Rules out, and every
// problem of a file reported at once with its place, what to do about it, and a
// stable code.
//
// Parse is the way in. It gives a Rule for each document: its name and labels,
// When it matches, and what to do then, which stays text until somebody asks for
// its tree (Rule.Steps), because host/workflow reads it. Source reads documents
// one by one, and cuts a file into parts for several goroutines.
//
// # What a rule waits for
//
// A bare condition and a pattern come out alike, as a Pattern: Elems are the
// names that events are bound to, with their conditions, and Seq is the tree of
// Terms that says how they follow one another: elements, groups, alternatives
// and conjunctions, each with its Link to the term before, its repetitions and
// its bounds in time. Brackets that change nothing leave no trace in it, and a
// group that `define` names stands where its name stood. Window, Schedule and
// State rules come as their texts. Conditions and those texts are not compiled
// here; cep/predicate, cep/window and cep/trigger do that, and the positions kept
// beside each text let them point into the file.
//
// # Strictness
//
// A key or value that does not exist is an error, with a guess at what was
// meant, and so is a key that does not go with what the rule waits for. One that
// belongs to the rule language but not to this release is refused as "not
// supported yet", never ignored: a rule means all it says or does not load.
//
// What Flink's patterns refuse is refused here: until on what is no loop, greedy
// on groups, on what does not repeat and with combinations, not after what may be
// absent. Patterns are bounded in their length, their brackets (MaxNesting) and
// the states they need (MaxStates), and documents in the problems they tell.
//
// # Identity
//
// Rule.Version is a digest of what a rule says, not of how it is written:
// comments, white space, the order of keys, defaults spelled out and two
// spellings of one pattern do not change it. Match ids depend on it, so a rule
// keeps its version when the language grows.
//
// # A million rules
//
// A rule of one condition and one step keeps some 340 bytes beside the text it
// was read from, of which its strings are parts. Rules share what they do not
// say.
//
// The package is pure and holds no state. Rules are plain data, to be read by
// any number of goroutines once they have been given out.
package syntax
