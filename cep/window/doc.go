// Package window cuts the events of a key into windows and works aggregates out
// over each.
//
// ParseSpec reads how to cut: "tumbling 1m", "sliding 5m every 10s", "session
// 30s", "count 100". Compile joins that with the aggregates of a rule's `let`,
// such as quantile(data.ms, 0.99), to a Plan, which is immutable and shared. A
// State is what a Plan holds for one key. Add takes an event, Advance takes
// nothing but time, and both append the Results of the windows that are over;
// Deadline says when the next one will be. AppendState and RestoreState move a
// State to another process or machine.
//
// # Windows
//
// A tumbling or sliding window is the half-open span [From, To): an event at t
// belongs to those with From ≤ t < To. From is a multiple of the size (tumbling) or
// of the slide (sliding) since 1970-01-01T00:00:00Z, before 1970 too. A session is
// [first event, last event + gap). A count window holds the given number of events;
// its To is the time of the last. A window without events gives no result.
//
// A result is due when time reaches To, and time moves on before an event is
// processed: an event at exactly To comes after the result. Time never goes back;
// an event from the past counts as at the present. An unfinished count window waits
// for ever, and has no Deadline; a session in which events never pause does not end.
//
// # Aggregates
//
// Every aggregate looks at the values that are there; a field that is missing or
// null is as if the event had not come. Those that need numbers ignore what is
// none (and what is not finite), min and max what has no order, and min, max, first,
// last and topk texts, lists and maps of more than MaxValue bytes. Result.Ignored
// counts such values.
//
//	count()           events
//	count(p)          events in which p has a value
//	sum(p)            0 of none; in twice the precision of a double
//	avg(p)
//	min(p), max(p)    of numbers, times, texts or booleans: when kinds are mixed,
//	                  the first of these that there is
//	stddev(p)         of a sample (n − 1); from two numbers on
//	quantile(p, q)    the number at rank ⌊q·(n − 1)⌋; exact for up to 64 numbers,
//	                  beyond that with a relative error of 1 %
//	distinct(p)       different values, 0 of none; exact up to 1,024, beyond that with
//	                  a standard error of 0.8 %
//	topk(p, k)        the k ≤ 100 most frequent values, as a list of {"value": …,
//	                  "count": …}, of the equally frequent the least first; exact
//	                  while there are at most max(64, 8·k) different values, beyond
//	                  that a count may be too high by "error"
//	slope(p)          of the line through the numbers over time by least squares, per
//	                  second; from two different times on
//	rate()            events per second of the window's length
//	rate(p)           increase per second from the first number to the last; from two
//	                  different times on
//	delta(p)          last number less the first
//	corr(p, q)        Pearson's coefficient, of events where both are numbers; from two
//	                  different values of each on
//	first(p), last(p) values of any kind
//
// Where nothing is said, an aggregate of no values is Missing, and so is a number
// beyond what a double can hold.
//
// # Cost
//
// An event costs a few additions per aggregate, however many windows it belongs to,
// and allocates nothing once a key is warm. A sliding window keeps a partial result
// for each step, and merges three of them a step. Plan.Bound says how much memory a
// key can take at most. Texts that an estimate counts by are hashed with SHA-256, so
// that nobody can choose values that collide; beyond the 1,024 that are counted
// exactly, though, a sender who may choose values freely can make distinct too low.
//
// # Determinism
//
// A result follows from the events, their order and their times, and from nothing
// else: not from how often Advance was called, how events were batched, or whether
// the State was restored on the way. No result depends on the order of a Go map or on
// a random seed.
package window
