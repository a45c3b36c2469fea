package connect

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstWait = 200 * time.Millisecond
	maxWait   = 30 * time.Second
	// steady is how long a source must run before a failure counts as the first.
	steady = time.Minute
)

// State says how a source is doing.
type State string

// The states of a source.
const (
	StateIdle    State = "idle"    // not started yet
	StateRunning State = "running" //
	StateWaiting State = "waiting" // failed; it is started again soon
	StateHeld    State = "held"    // its tenant may bring or hold no more now; it goes on by itself
	StateDone    State = "done"    // read to its end, or stopped
)

// Status is a source's health at one moment.
type Status struct {
	State    State     `json:"state"`
	Events   uint64    `json:"events"`
	Bad      uint64    `json:"bad"`
	Restarts uint64    `json:"restarts"`
	Last     time.Time `json:"last,omitzero"` // when a batch was last accepted
	Error    string    `json:"error,omitempty"`
}

// Health keeps the Status of one source. It is safe for concurrent use; the
// zero Health is that of an idle source.
type Health struct {
	mu     sync.Mutex
	status Status // guarded by mu
	cursor []byte // guarded by mu; of the last batch accepted
}

// Status returns the health as it is now.
func (h *Health) Status() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.status
	if s.State == "" {
		s.State = StateIdle
	}
	return s
}

// Hold says that the source waits, and why; without an error, that it goes on.
func (h *Health) Hold(why error) {
	h.set(func(s *Status) {
		switch {
		case why != nil:
			s.State, s.Error = StateHeld, why.Error()
		case s.State == StateHeld:
			s.State, s.Error = StateRunning, ""
		}
	})
}

func (h *Health) set(change func(*Status)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(&h.status)
}

// Supervise runs a source until ctx ends or it has been read to its end. One
// that fails is started again where it was, after a wait that doubles with each
// failure in a row. failed is told of each failure; it may be nil.
func Supervise(ctx context.Context, src Source, cursor []byte, sink Sink, h *Health, failed func(error)) {
	h.mu.Lock()
	h.cursor = cursor
	h.mu.Unlock()
	wait := firstWait
	for {
		h.set(func(s *Status) { s.State = StateRunning })
		began := time.Now()
		err := runOnce(ctx, src, sink, h)
		if err == nil || ctx.Err() != nil {
			h.set(func(s *Status) { s.State = StateDone })
			return
		}
		h.set(func(s *Status) { s.State, s.Error, s.Restarts = StateWaiting, err.Error(), s.Restarts+1 })
		if failed != nil {
			failed(err)
		}
		if time.Since(began) > steady {
			wait = firstWait
		}
		select {
		case <-time.After(wait/2 + rand.N(wait/2+1)):
		case <-ctx.Done():
		}
		wait = min(2*wait, maxWait)
	}
}

// runOnce turns a panic of a source, which is a bug, into an error, so that it
// does not end the host.
func runOnce(ctx context.Context, src Source, sink Sink, h *Health) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the source panicked, which is a bug of rhost: %v", v)
		}
	}()
	h.mu.Lock()
	cursor := h.cursor
	h.mu.Unlock()
	return src.Run(ctx, cursor, counted{sink, h})
}

// Counted returns a sink that keeps h while it passes batches on, for a source
// that is called from outside and so not supervised.
func Counted(sink Sink, h *Health) Sink {
	h.set(func(s *Status) { s.State = StateRunning })
	return counted{sink, h}
}

// counted keeps a source's health while it submits.
type counted struct {
	sink   Sink
	health *Health
}

func (c counted) Submit(ctx context.Context, b Batch) error {
	if err := c.sink.Submit(ctx, b); err != nil {
		return err
	}
	c.health.mu.Lock()
	defer c.health.mu.Unlock()
	if b.Cursor != nil {
		c.health.cursor = b.Cursor
	}
	c.health.status.Events += uint64(len(b.Events))
	c.health.status.Bad += uint64(len(b.Bad))
	c.health.status.Last = time.Now()
	c.health.status.Error = ""
	return nil
}
