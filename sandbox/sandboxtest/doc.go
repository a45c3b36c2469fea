// Package sandboxtest holds the promises that every engine keeps, as tests: what
// a call gives back, what each kind of misbehaviour ends as, that the same call
// uses the same fuel, that nothing of one call is left in the next, and that
// swapping versions under load fails no call.
//
// An engine's own tests call Run with a Harness: the engine, and for each
// Behaviour a guest in the engine's language that behaves so. What a guest has
// to do is written at each Behaviour.
package sandboxtest
