// Package predicate compiles conditions, which are CEL expressions over the
// event under test and the events bound so far, and the `${…}` of actions. It is
// the only owner of cel-go.
//
// A Set takes the conditions of a program, one Add at a time, and gives a Cond
// for each. Before evaluating them, the caller reads Set.Paths from an event
// once (event.PathSet), for all conditions together, and hands both over as an
// Event. Cond.Eval then decides in three-valued logic, a Tri. Cond.Reads tells
// what it wants to know of other elements, Cond.Joins which fields of theirs must
// equal one of its own, Cond.Explain what each of its atoms made of an event.
// Set.CompileTemplate gives Templates, which are evaluated per action and not per
// event.
//
// An index wants a Formula instead: the condition in negation normal form over
// Atoms, which test one field against constants, and Leafs, which are whatever
// else can be said of one event. Set.AddFormula gives it, and keeps nothing else
// for a condition that it says all of. Large programs are compiled in chunks,
// each with a Set of its own on shared Fields, at once if need be; NewAtom builds
// atoms again from a file.
//
// Tables are what conditions look up as table.NAME[key]; they come with the event,
// so that new contents need no compiling. Set.Check holds conditions against
// declared Schemas.
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
// Five things differ from plain CEL, four of them because events are JSON. There
// is one type of number, the double, so integer literals promote and 5/2 is 2.5.
// has() also takes an attribute, has(subject), and has(data.x) is false for an
// event without payload. Elements are typed as events or lists of events, with
// first, last, count, sum, avg, min and max over them; these also take elements
// of one event or none, so that count(x) == 0 asks for an optional one. Constants
// that can never work (a pattern, a network, a time) are errors when the rule is
// read. And table is the lookup tables, whose keys are texts: a table, or a key,
// that is not there has no value, and only `key in table.NAME` tells of a table
// that is there whether it has the key.
//
// # How it works
//
// A parser of our own reads fields tested against constants and what joins them,
// which is most of what people write, in about a microsecond. An operand that it
// does not know goes to cel-go; so does the whole condition if anything is wrong
// with it, since cel-go knows where. cel-go parses; the tree is rewritten
// (numbers, elements); cel-go checks the types; then the tree becomes nodes:
// atoms, shared by all rules that ask the same; comparisons across events;
// arithmetic, aggregates, times, lookups. Evaluating these allocates nothing. What
// has no node (macros such as exists, list and map literals) runs in cel-go's
// interpreter under a cost limit, only that part of the condition, and
// Cond.Interpreted says so. Both ways give the same nodes (a differential fuzz
// test).
//
// Hostile conditions are bounded: MaxDirect for what the direct parser reads and
// MaxSource for what cel-go does, MaxNesting, MaxPattern, the depth and size of
// the tree, the cost of an evaluation; tables by MaxTable and its like, schemas by
// MaxSchema and MaxSchemaDepth.
//
// A Set is built by one goroutine; Fields may be shared by many. Conditions,
// formulas, templates, tables and schemas are immutable and may be used by any
// number at once.
package predicate
