// Package connecttest states what every source promises, as a suite that each
// source's tests run against it: events arrive in order and can be told apart, a
// restart from any cursor loses nothing and repeats events under the ids they
// had, a sink that waits holds the source back, what cannot be read is told with
// its position and stops nothing, and a stopped source leaves nothing running.
package connecttest
