// Package predicate compiles conditions, which are CEL expressions over the
// event under test and the events bound so far, and the `${…}` of actions. It is
// the only owner of cel-go.
//
// A Set takes the conditions of a whole program, one Add at a time, and gives a
// Cond for each. Before evaluating them, the caller reads Set.Paths from an event
// once (event.PathSet), for all conditions together, and hands both over as an
// Event. Cond.Eval then decides in three-valued logic, a Tri. Cond.Guards tells
// an index under which equalities the condition can be filed, Cond.Reads what it
// wants to know of other elements, Cond.Explain what each of its atoms made of an
// event. Set.CompileTemplate gives Templates, which are evaluated per action and
// not per event.
//
// # Meaning
//
// A missing field and a value of the wrong type are unknown. `!` keeps unknown,
// && and || absorb it where their other side decides, and at the top unknown
// counts as false. All of this is cel-go's, with its errors read as unknown:
// on random conditions and events both give the same answer (a property test).
// In particular values of two types are unequal, not unknown, while an order
// between them is unknown; has(data.a.b) is unknown when data.a is missing.
//
// Four things differ from plain CEL, all because events are JSON. There is one
// type of number, the double, so integer literals promote and 5/2 is 2.5. has()
// also takes an attribute, has(subject), and has(data.x) is false for an event
// without payload. Elements are typed as events or lists of events, with first,
// last, count, sum, avg, min and max over them. Constants that can never work (a
// pattern, a network, a time) are errors when the rule is read.
//
// # How it works
//
// cel-go parses; the tree is rewritten (numbers, elements); cel-go checks the
// types; then the tree becomes nodes: atoms, which test one field of the event
// against a constant and are shared by all rules that ask the same; comparisons
// across events; arithmetic, aggregates, times. Evaluating these allocates
// nothing. What has no node (macros such as exists, list and map literals) runs
// in cel-go's interpreter under a cost limit, only that part of the condition, and
// Cond.Interpreted says so. A faster front end for simple conditions can produce
// the same nodes without cel-go.
//
// Hostile conditions are bounded: MaxSource, MaxNesting, MaxPattern, the depth
// and size of the tree, the cost of an evaluation.
//
// A Set is built by one goroutine. Conditions and templates are immutable and may
// then be used by any number at once.
package predicate
