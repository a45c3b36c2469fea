package engine

import (
	"time"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// Engine is a rule compiled for one way of matching. It is immutable and may be
// shared by any number of matchers.
type Engine interface {
	// Plan says what the engine is and how it will work, for `rhost explain`.
	Plan() Plan

	// Needs says which events the rule must be shown.
	Needs() Needs

	// New gives the state of a matcher that has seen nothing.
	New() State
}

// Plan describes a compiled rule to people.
type Plan struct {
	Engine string // nfa, dfa, cea, window, state or schedule
	Why    string // what made this engine fit: a clause without a full stop
	States int    // of the automaton
	Bound  string // on what one key may hold, in words
	Graph  Graph  // of the automaton; empty when there is none
}

// Graph is an automaton to be drawn or written down.
type Graph struct {
	Nodes []GraphNode
	Edges []GraphEdge
}

// GraphNode is a state.
type GraphNode struct {
	Name                    string
	Start, Final, Forbidden bool
	Pending                 bool // complete when time runs out
}

// GraphEdge leads from one node to another, both by their index.
type GraphEdge struct {
	From, To int
	Kind     string // take, ignore or proceed
	Elem     int    // what a take edge binds; otherwise -1
	If       string // what must hold, with conditions as c1, c2 …; "" for always
}

// Needs says which events a rule must be shown.
type Needs struct {
	Starts   uint64       // conditions that can begin a match, bit by bit
	AnyStart bool         // an event that meets none of them can, too
	Paths    []event.Path // what Turn.Values must hold, in this order
	Always   bool         // it needs no event to begin: a Starter is told the time at once
	SeesAll  bool         // a key with anything open must be shown every event, also one that meets none of the conditions
}

// State is what one matcher keeps for one rule: its open runs, by key. It belongs
// to one goroutine.
type State interface {
	// Feed shows the rule an event of a key. What falls due at or before the
	// event's time must have been expired. The key may be reused afterwards.
	Feed(t *Turn, key []byte)

	// Deadline says when Expire has something to do.
	Deadline() (at time.Time, ok bool)

	// Expire does what is due at the time Deadline gave, or earlier than now: it
	// gives out what that time completes or cuts short, in the order of the
	// events it began with, and frees what is over. The caller repeats it for as
	// long as Deadline is not after now.
	Expire(t *Turn, now time.Time)

	// Size counts what is held. It may take time in proportion to the keys.
	Size() Size

	// Empty reports whether nothing is held.
	Empty() bool

	// Clear drops all that is held.
	Clear()

	// AppendTo writes the state to a snapshot, and Restore reads it into an empty
	// one that the same Engine made. The error of Restore says what is wrong with
	// the bytes; the state is then to be thrown away.
	AppendTo(e *Encoder)
	Restore(d *Decoder) error
}

// Starter is a State that goes by the clock.
type Starter interface {
	// Start says from when on. It is called once, before anything else.
	Start(now time.Time)
}

// Drainer is a State that must be told when the rule begins to drain, since what
// it keeps goes on by itself. Turn.Closed says the rest.
type Drainer interface {
	// Drain says from when on nothing new may begin.
	Drain(now time.Time)

	// Resume says that something new may begin again.
	Resume()
}

// Size is what a State holds.
type Size struct {
	Keys  int // with anything open
	Runs  int // open partial matches; some whose time is up may still be among them
	Bytes int // of memory, about, without the events
}

// Truth is what is known of the conditions for the event under test before any
// run is looked at. A condition that is not Known depends on the run.
type Truth struct{ Known, True uint64 }

// Bindings are the events that a partial match has bound.
type Bindings interface {
	// Events gives the events bound to an element, oldest first. The slice is
	// good until the next call.
	Events(elem int) []*predicate.Event

	// Folded gives what a fold comes to for them; ok is false where they have to be
	// listed.
	Folded(f predicate.Fold) (so predicate.Folded, ok bool)
}

// Conds decides the conditions that depend on what a run has bound.
type Conds interface {
	Holds(c Cond, b Bindings) bool
}

// Turn is what a matcher lends an engine for one call: what comes in, and room
// for what comes out.
type Turn struct {
	In    *Input
	Truth Truth
	Conds Conds

	// Values are what the engine's Needs.Paths lead to in the event.
	Values []event.Value

	// Until is where lane time is going while deadlines on the way are met; it is
	// only set for Expire.
	Until time.Time

	// Closed keeps events from beginning new runs: the rule drains.
	Closed bool

	// Out is what the call gave out, in order. The caller empties it.
	Out []Done

	// Err is ErrMiss when a strict skip found nothing to skip to. The match is
	// then not given out, and the rule is stopped.
	Err error

	// Counts of what bounds made different; the caller clears them.
	Rejected uint64 // start events refused by the limit
	Dropped  uint64 // start events that made room for others
	Overflow uint64 // partial matches refused because a key had too many
	Ignored  uint64 // values an aggregate could not use

	// Scratch is room that engines keep from one call to the next, each under
	// its own kind.
	Scratch [kinds]any
}

// The kinds of engines, as places in Turn.Scratch.
const (
	NFA = iota
	DFA
	CEA
	kinds
)

// Outcome is what became of a run that was given out.
type Outcome uint8

// The outcomes.
const (
	Complete Outcome = iota // an event completed it
	ByTime                  // its deadline completed it
	TimedOut                // its deadline cut it short
)

// Done is a match, or a partial match that ran out of time. It belongs to the
// caller.
type Done struct {
	Outcome  Outcome
	Key      string    // the key it belongs to
	Pairs    []Pair    // the bound events, oldest first
	Trigger  *Held     // the completing event, which need not be bound; nil unless Complete
	At       time.Time // lane time when it was given out
	Deadline time.Time // unless Complete

	// Of windows: its bounds, the values of `let` in the order of the rule, and
	// how many events were in it.
	From, To time.Time
	Let      []event.Value
	Count    int
	Order    uint64 // of its first event
}

// Inspector is a State that can tell how far its partial matches have come.
type Inspector interface {
	// Furthest gives the open partial match of a key that has come furthest: that
	// has bound the latest element, and of those the most events. With none open it
	// says what would begin one. waiting are the elements it would bind an event
	// to, nots the conditions that end it, bit by bit; a zero deadline means none.
	Furthest(key []byte, now time.Time) (pairs []Pair, waiting []int, nots uint64, deadline time.Time, ok bool)

	// EachKey visits the keys in order.
	EachKey(visit func(key []byte))
}
