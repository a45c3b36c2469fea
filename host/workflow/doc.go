// Package workflow decides what happens after a match: which step of a rule's
// `do:` runs next, what is tried again and when, and what is undone when a step
// fails. It decides only. It does no I/O and reads no clock; its store, its
// actions and the time are passed in.
//
// The types, in the order a match meets them:
//
//   - Parse reads the `do:` and `on_failure:` of a rule into a Definition. What
//     is inside `${…}` is compiled by a Compiler that the host passes in.
//   - Engine holds the executions of one lane. Start begins one, Complete takes
//     the result of an action, Tick lets time pass.
//   - Each of them returns an Output: Records, which the host commits in order,
//     and Commands, which it starts after that and answers with a Result.
//   - Record is one fact of an execution's history. The history is the truth:
//     Apply folds records back into the same executions after a restart, and
//     Recovered returns the commands whose results are missing.
//
// At the heart is decide, a pure function from the state of an execution, which
// is the fold of its history, to the records that come next. Everything that
// happens goes through a record, in life as in recovery, so there is no second
// way for an execution to change.
//
// # An execution
//
// Steps run one after the other. A step that fails is tried again as its retry
// policy says; the waits are drawn from a hash of execution, step and attempt,
// so a replay gives the same times. `emit` and `notify` have their effect in the
// log alone: they succeed with the record that decides them and need no command.
//
// When a step has failed for good, no further step starts. The steps that
// succeeded are undone in reverse order of completion: by their `undo:` step, or
// by what the file executor says takes its change back. Each undo has a retry
// policy of its own; one that fails is kept as an error and does not stop the
// others. Then the steps of `on_failure:` run, errors likewise kept, and the
// execution finishes as failed, compensated or compensation_failed, with a dead
// letter that holds all it takes to finish by hand.
//
// A step that answers "drop" counts as done and ends its execution: the steps
// after it do not start, and nothing is undone, for nothing went wrong.
//
// A dead letter can be redriven. Where nothing was undone, the failed step gets
// a new set of attempts, with its old idempotency key. Where an undo failed, the
// missing undos are tried again. Where everything is undone, the execution runs
// from its first step with new idempotency keys, for its effects must happen
// anew. Attempt numbers are never used twice.
//
// # Promises
//
// A key starts one execution, however often it is started, as long as that is
// open, a dead letter, or among the latest that finished. A command is given
// out only with or after the record of its intent, and again after a restart
// only with the same attempt and the same idempotency key. Effects of an
// attempt exist when its Succeeded record does. Results that nobody waits for
// are ignored.
//
// A Definition is immutable and safe for concurrent use. An Engine belongs to
// one goroutine.
package workflow
