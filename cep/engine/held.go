package engine

import (
	"time"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// Position is where an event stands in the log.
type Position struct {
	Lane  uint32 `json:"lane"`
	Seq   uint64 `json:"seq"`   // of the record in its lane
	Index uint32 `json:"index"` // of the event in its record
}

// Held is an event that some partial match or match keeps. Its bytes are its
// own, so keeping it keeps nothing else alive.
type Held struct {
	Event event.Event
	Pos   Position
	Order uint64    // how many events the matcher had seen before it, this one counted
	At    time.Time // lane time when it came

	// Seen is the event as conditions see it. Fields are filled in by whoever
	// evaluates conditions, when one asks.
	Seen predicate.Event

	// Mark is for the engine that counts events: the last count that saw this
	// one. It means nothing between two turns and is not part of a snapshot.
	Mark uint64

	// written is the latest Encoder that wrote the event, and the number it gave it.
	written uint64
}

// Input is the event being fed. It is turned into a Held when the first run
// binds it, and all runs of all rules then share that one.
type Input struct {
	Ev    *event.Event
	Pos   Position
	Order uint64
	At    time.Time

	// Fields are what conditions and keys read of the event, in the order of the
	// program's paths. They are good until the event has been fed.
	Fields []event.Value

	// Tables are what conditions look up while the event is fed.
	Tables *predicate.Tables

	held *Held
}

// Hold gives the lasting form of the event.
func (in *Input) Hold() *Held {
	if in.held == nil {
		h := &Held{Event: in.Ev.Clone(), Pos: in.Pos, Order: in.Order, At: in.At}
		h.Seen.Ev, h.Seen.Tables = &h.Event, in.Tables
		in.held = h
	}
	return in.held
}

// Pair is an event and the element it is bound to.
type Pair struct {
	Elem int
	Held *Held
}
