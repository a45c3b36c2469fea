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

// Skip says what a match does to the partial matches that overlap it.
type Skip uint8

// The skip strategies of this release. PastLast is the default.
const (
	PastLast Skip = iota // drop every partial match that began before the match's last event
	NoSkip               // drop nothing
)

func (s Skip) String() string { return name(s, skipNames()) }

func skipNames() []string { return []string{"past-last", "none"} }

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

// name looks v up among names, which stand in the order of the constants; a value
// outside is a bug worth showing as a number.
func name[T ~uint8](v T, names []string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return strconv.Itoa(int(v))
}
