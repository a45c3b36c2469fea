// Package syntax reads rule documents: YAML in, checked Rules out, and every
// problem of a file reported at once with its place, what to do about it, and a
// stable code.
//
// Parse is the way in. It gives a Rule for each document: its name and labels,
// When it matches, and what to do then, which stays a tree of YAML because
// host/workflow reads it. A bare condition and a pattern come out alike, as the
// Units of a Pattern: each with its CEL text, its quantifier and its Link to the
// unit before, positions kept so that whoever compiles the text can point into
// the file. Conditions are not compiled here; cep/predicate does that, since
// types are its business.
//
// # Strictness
//
// A key or value that does not exist is an error, with a guess at what was
// meant. One that belongs to the rule language but not to this release is
// refused as "not supported yet", never ignored: a rule means all it says or does
// not load. The pattern grammar is parsed whole for the same reason, and the
// constructs to come (`then any`, `|`, `&`, groups) are refused by name.
//
// # Identity
//
// Rule.Version is a digest of what a rule says, not of how it is written:
// comments, white space, the order of keys, defaults spelled out and two
// spellings of one quantifier do not change it. Match ids depend on it.
//
// The package is pure and holds no state. Rules are plain data, to be read by
// any number of goroutines once Parse has returned them.
package syntax
