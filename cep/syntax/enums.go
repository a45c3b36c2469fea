package syntax

import "strconv"

// Mode says how far a rule's matches go.
type Mode uint8

// The modes of this release. Live is the default.
const (
	Live   Mode = iota // matches run their actions
	Shadow             // matches are recorded and have no effects
	Off                // the rule sees no events
)

func (m Mode) String() string { return name(m, modeNames()) }

func modeNames() []string { return []string{"live", "shadow", "off"} }

// Priority orders the work of matches that wait.
type Priority uint8

// The priorities, Normal being the default.
const (
	Normal Priority = iota
	Low
	High
	Critical
)

func (p Priority) String() string { return name(p, priorityNames()) }

func priorityNames() []string { return []string{"normal", "low", "high", "critical"} }

// OnChange says what a changed rule does with the partial matches of its old
// version.
type OnChange uint8

// The answers to a change. KeepOrDrain is the default.
const (
	KeepOrDrain OnChange = iota // keep them when the automaton is equivalent, drain them otherwise
	Keep                        // the new version takes them over; an error when the automaton is not equivalent
	Drain                       // the old version finishes them and begins no more
	Reset                       // drop them
)

func (o OnChange) String() string {
	return name(o, append([]string{"keep or drain"}, onChangeNames()...))
}

// onChangeNames are those that a rule can say, from Keep on.
func onChangeNames() []string { return []string{"keep", "drain", "reset"} }

// Skip says what a match does to the partial matches that overlap it.
type Skip uint8

// The skip strategies. PastLast is the default.
const (
	PastLast Skip = iota // drop every partial match that began at or before the match's last event
	NoSkip               // drop nothing
	ToNext               // drop those that began with the same event
	ToFirst              // drop those that began before the first event of an element
	ToLast               // drop those that began before the last event of an element
)

func (s Skip) String() string { return name(s, append(skipNames(), skipToNames()...)) }

// skipNames are the strategies that are a word, skipToNames those that name an
// element.
func skipNames() []string   { return []string{"past-last", "none", "to-next"} }
func skipToNames() []string { return []string{"to-first", "to-last"} }

// Emit says when a complete match is given out.
type Emit uint8

// The two ways to give out matches. Immediate is the default.
const (
	Immediate Emit = iota // at the event that completes it
	Ordered               // once no partial match that began earlier can still complete
)

func (e Emit) String() string { return name(e, emitNames()) }

func emitNames() []string { return []string{"immediate", "ordered"} }

// Full says what happens to a start event beyond Limit.Runs.
type Full uint8

// The two answers to a full limit. Reject is the default.
const (
	Reject     Full = iota // the new start event opens nothing
	DropOldest             // the oldest open start event makes room
)

func (f Full) String() string { return name(f, fullNames()) }

func fullNames() []string { return []string{"reject", "drop-oldest"} }

// Link is how a term of a sequence joins the one before it, and how one
// repetition of a term joins the last.
type Link uint8

// The links.
const (
	Begin   Link = iota // the first term
	Next                // `next`: the very next event of the key
	Then                // `then`: the next event that matches; others are skipped
	Any                 // `then any`: any later event that matches, not only the first
	NextNot             // `next not`: the very next event is not this
	ThenNot             // `then not`: this does not happen before the unit that follows, or before the end
)

// Negative reports whether the term must not happen.
func (l Link) Negative() bool { return l == NextNot || l == ThenNot }

func (l Link) String() string {
	return name(l, []string{"begin", "next", "then", "then any", "next not", "then not"})
}

// Missed says what a schedule does about times that passed while nothing ran.
// cep/trigger has the details; its constants have the same numbers.
type Missed uint8

// The answers to missed times. MissedOnce is the default.
const (
	MissedOnce Missed = iota // one match for all of them, at the latest
	MissedAll                // one match for each
	MissedNone               // none
)

func (m Missed) String() string { return name(m, missedNames()) }

func missedNames() []string { return []string{"once", "all", "none"} }

// DST says what a schedule does about times that a change of clocks leaves out or
// repeats. cep/trigger has the details; its constants have the same numbers.
type DST uint8

// The answers to changes of clocks. DSTOnce is the default.
const (
	DSTOnce    DST = iota // exactly once
	DSTSkip               // at most once: not when it is left out
	DSTTwice              // at least once: twice when it is repeated
	DSTLiteral            // as often as the clock shows it
)

func (d DST) String() string { return name(d, dstNames()) }

func dstNames() []string { return []string{"once", "skip", "twice", "literal"} }

// StateTest is what a state rule asks of a value.
type StateTest uint8

// The tests of state rules.
const (
	Above   StateTest = iota // the value is above Low
	Below                    // the value is below High
	Equals                   // the value is Value
	Differs                  // the value is another than Value
	Between                  // the value is at least Low and at most High
	Changes                  // the value is another than before
	Matches                  // the text matches Regexp
)

func (t StateTest) String() string { return name(t, stateTestNames()) }

func stateTestNames() []string {
	return []string{"above", "below", "equals", "differs", "between", "changes", "matches"}
}

// name looks v up among names, which stand in the order of the constants; a value
// outside is a bug worth showing as a number.
func name[T ~uint8](v T, names []string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return strconv.Itoa(int(v))
}
