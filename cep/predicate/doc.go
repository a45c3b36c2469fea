// Package predicate compiles conditions: CEL expressions over the event under
// test and the events bound so far, evaluated in three-valued logic.
package predicate
