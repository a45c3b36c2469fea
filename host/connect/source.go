package connect

import (
	"context"
	"time"

	"github.com/rhost/rhost/event"
)

// Sink takes the events of one source.
type Sink interface {
	// Submit returns once the batch is on disk. It waits while the log is full,
	// which is how a source is held back. A batch may be submitted again: its
	// events are recognised by source and id, and accepted once.
	Submit(ctx context.Context, b Batch) error
}

// Refusal is the error of a Submit that does not wait: nothing was accepted, and it
// may be tried again after a while.
type Refusal struct {
	After time.Duration
	Err   error
}

func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the reason.
func (r *Refusal) Unwrap() error { return r.Err }

// Batch is what a source read since the batch before.
type Batch struct {
	Events []event.Event
	// Bad is what could not be read. It becomes a dead letter.
	Bad []BadRecord
	// Cursor is where the source goes on after a restart. It is stored beside the
	// events, in the same write. Nil leaves the one before.
	Cursor []byte
	// Clock says that the times of these events, and of no other source's, move
	// the clock by which rules measure.
	Clock bool
}

// BadRecord is something a source read that is no event.
type BadRecord struct {
	Position string // where in the source: "auth.log:120"
	Reason   string // what is wrong and what to do
	Raw      []byte // its beginning
}

// MaxRaw is how much of a bad record is kept.
const MaxRaw = 512

// Source brings events from somewhere.
type Source interface {
	// Run reads from cursor, which is nil at the first start, and submits to
	// sink until ctx ends. It returns nil then, and when a finite source has been
	// read to its end. Run is called again after an error.
	Run(ctx context.Context, cursor []byte, sink Sink) error
	// Finite reports whether the source has an end.
	Finite() bool
}
