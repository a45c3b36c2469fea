// Package automaton turns the shape of a pattern into a non-deterministic
// automaton and follows the partial matches of one key through it.
//
// A pattern arrives as Steps: elements and groups, each with its contiguity,
// repetitions and condition number. Compile gives an NFA, whose states are
// joined by three kinds of edges: Take binds the event under test, Ignore lets
// it pass, and Proceed moves on without using it up. Machine is an NFA with a
// Policy (window, skip strategy, order of emission, limit); it is immutable and
// serves any number of keys. Runs is what one key has open. Machine.Feed moves
// the Runs of a key on by one event, Machine.Expire by time; both leave what
// they completed in the Worker that the caller lends them.
//
// What matches is what Flink CEP's NFA matches, contiguity by contiguity. It has
// no alternatives and conjunctions; choice.go and both.go say what ours mean. Two
// things differ by design. A pattern without strict contiguity may be shown only
// the events that some condition accepts: the answer is the same, because an
// ignored event never changes what a run can still become. Where it would (torn.go),
// the pattern is shown every event instead. And a pattern that
// ends in `then not` fires at its deadline also when nothing at all came between. As in
// Flink, a pattern that can bind the same events in two ways, such as (a+){2}, gives the
// match twice; the two have one id.
//
// # Runs
//
// A run is a state and the last node of a chain of bound events. Nodes point to
// the node before them and never change, so forking a run copies five words and
// all forks share what they have bound. They also carry what conditions ask of all
// that is bound, such as counts and sums (folds.go). Under the default policy, where of all
// matches that complete together only the first is given out, a run also speaks
// for later starts whose events are a tail of its own, and for forks that no
// condition ahead can tell from it (share.go); a loop over n events then costs n
// nodes, not n².
//
// The runs of a key are kept by state. An event leaves alone the states that look
// at none of the conditions it may meet. Where many runs of one state wait for an
// event that equals something they have bound, they are filed by that value, and
// the event visits those of its own (join.go). Which runs were visited makes no
// difference to anything: not to the order of what remains, nor to what the bound
// on runs refuses.
//
// # Concurrency
//
// NFA and Machine are read-only once made. A Worker and the Runs it steps belong
// to one goroutine. Nothing here reads a clock.
package automaton
