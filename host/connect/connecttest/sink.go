package connecttest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
)

// Patience is how long Sink waits for a source before it fails the test.
const Patience = 30 * time.Second

// Sink keeps what a source submits. It may be made to wait, as the log does when
// it is full, and to fail.
type Sink struct {
	mu      sync.Mutex
	batches []connect.Batch // guarded by mu
	err     error           // guarded by mu; what Submit returns instead
	gate    chan struct{}   // guarded by mu; not nil: Submit waits until it is closed

	changed chan struct{} // holds a token after each batch
	waiting chan struct{} // holds a token when Submit has begun to wait
	inside  atomic.Int32
	doubled atomic.Bool // Submit was called while it ran
}

// NewSink returns a sink that takes everything.
func NewSink() *Sink {
	return &Sink{changed: make(chan struct{}, 1), waiting: make(chan struct{}, 1)}
}

// Submit implements connect.Sink.
func (s *Sink) Submit(ctx context.Context, b connect.Batch) error {
	if s.inside.Add(1) > 1 {
		s.doubled.Store(true)
	}
	defer s.inside.Add(-1)
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		token(s.waiting)
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.batches = append(s.batches, b)
	token(s.changed)
	return nil
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // there is one already
	}
}

// Hold makes Submit wait until Release.
func (s *Sink) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = make(chan struct{})
}

// Release ends Hold.
func (s *Sink) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.gate)
	s.gate = nil
}

// Fail makes Submit return err from now on.
func (s *Sink) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Batches gives what was submitted so far.
func (s *Sink) Batches() []connect.Batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]connect.Batch(nil), s.batches...)
}

// Events gives the events submitted so far.
func (s *Sink) Events() []event.Event {
	var all []event.Event
	for _, b := range s.Batches() {
		all = append(all, b.Events...)
	}
	return all
}

// Bad gives the bad records submitted so far.
func (s *Sink) Bad() []connect.BadRecord {
	var all []connect.BadRecord
	for _, b := range s.Batches() {
		all = append(all, b.Bad...)
	}
	return all
}

// Cursor gives the last cursor; nil when there was none.
func (s *Sink) Cursor() []byte {
	var last []byte
	for _, b := range s.Batches() {
		if b.Cursor != nil {
			last = b.Cursor
		}
	}
	return last
}

// Wait returns once n events have been submitted, and gives them all.
func (s *Sink) Wait(t testing.TB, n int) []event.Event {
	t.Helper()
	s.Until(t, func() bool { return len(s.Events()) >= n })
	return s.Events()
}

// Until returns once ok, which is asked after each batch.
func (s *Sink) Until(t testing.TB, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(Patience)
	defer limit.Stop()
	for !ok() {
		select {
		case <-s.changed:
		case <-limit.C:
			t.Fatalf("the source is stuck: %d events, bad records %v", len(s.Events()), s.Bad())
		}
	}
}

// Blocked returns once Submit waits.
func (s *Sink) Blocked(t testing.TB) {
	t.Helper()
	select {
	case <-s.waiting:
	case <-time.After(Patience):
		t.Fatal("the source submits nothing")
	}
}

// Running is a source at work.
type Running struct {
	stop context.CancelFunc
	done chan error
	end  func() error
}

// Start runs src on a goroutine, which ends with the test at the latest.
func Start(t testing.TB, src connect.Source, cursor []byte, sink connect.Sink) *Running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &Running{stop: stop, done: make(chan error, 1)}
	go func() { r.done <- src.Run(ctx, cursor, sink) }()
	r.end = sync.OnceValue(func() error {
		select {
		case err := <-r.done:
			return err
		case <-time.After(Patience):
			return errors.New("the source does not end")
		}
	})
	return r
}

// Stop asks the source to stop and gives what Run returned.
func (r *Running) Stop() error {
	r.stop()
	return r.end()
}

// End waits for a source that ends by itself.
func (r *Running) End() error {
	defer r.stop()
	return r.end()
}
