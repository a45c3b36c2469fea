// Package analysis looks at rules without running them, and says what cannot be
// meant: conditions that no event meets, patterns that never complete, rules that
// repeat one another, that cause each other in a loop, or that keep more the
// longer they run.
//
// Check takes a compiled program and gives Warnings, each with its place, its
// code, what was found and what to do. A Sample takes events besides, and tells
// which conditions, fields and types the rules and the events do not share. A Quiet
// takes one rule over windows, a value or a schedule and the events it did not match,
// and tells what its windows held and when the next one ends.
//
// # What it promises
//
// What is called impossible is impossible: "never" and "always" are proofs. A
// condition becomes a tree over tests of single fields (predicate.Formula); for
// each field the constants of its tests cut all values into finitely many parts,
// and one value of each part is tried. Whatever is not understood that way, such as
// arithmetic, other elements, or a condition too large for the budget, may come
// out either way and is not reported. So a missing warning proves nothing.
//
// # Cost
//
// Rules are compared through the tests they share, never each with each, and
// whatever could grow faster than the rules has a budget: beyond it, less is
// found. Ten thousand rules take about a second.
//
// The package is pure; what it gives out belongs to the caller.
package analysis
