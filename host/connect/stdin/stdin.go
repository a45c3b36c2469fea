// Package stdin reads events from the standard input: one CloudEvent a line, as
// JSON. The input has no place to go on from, so it is read once, and an event
// without an id gets a new one.
package stdin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
)

const maxBatch = 1000

// Config is the `stdin:` of a source. It has no keys.
type Config struct{}

// Validate has nothing to report.
func (c *Config) Validate() error { return nil }

// Source reads one input. What was read and not taken is kept from one Run to the
// next: it cannot be read again.
type Source struct {
	name    string
	in      io.Reader
	lines   chan found // nil before the first Run
	failed  chan error
	waiting connect.Batch // read, and not accepted yet
}

// New returns the source called name, which reads in.
func New(name string, in io.Reader) *Source { return &Source{name: name, in: in} }

// Finite is true: the input ends when its writer closes it.
func (s *Source) Finite() bool { return true }

// found is one line of the input: an event, or why it is none.
type found struct {
	event event.Event
	bad   *connect.BadRecord
}

// Run reads the input to its end. A read cannot be interrupted, so it happens on
// a goroutine of its own, which the first Run starts. When ctx ends, Run returns,
// and that goroutine stays until its read does: for a terminal, until the process
// ends. The same ctx is passed to every Run of a source.
func (s *Source) Run(ctx context.Context, _ []byte, sink connect.Sink) error {
	if s.lines == nil {
		s.lines, s.failed = make(chan found, maxBatch), make(chan error, 1)
		go func() {
			defer close(s.lines)
			s.failed <- s.read(ctx, s.lines)
		}()
	}
	for {
		if err := s.submit(ctx, sink); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // it was asked to stop
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case f, ok := <-s.lines:
			if !ok {
				return s.ended()
			}
			add(&s.waiting, f)
			for len(s.lines) > 0 && len(s.waiting.Events) < maxBatch {
				add(&s.waiting, <-s.lines)
			}
		}
	}
}

// submit hands on what was read; after an error it is still there.
func (s *Source) submit(ctx context.Context, sink connect.Sink) error {
	if len(s.waiting.Events)+len(s.waiting.Bad) == 0 {
		return nil
	}
	if err := sink.Submit(ctx, s.waiting); err != nil {
		return err
	}
	s.waiting = connect.Batch{}
	return nil
}

// ended returns how reading ended, the same to every Run.
func (s *Source) ended() error {
	err := <-s.failed
	s.failed <- err
	return err
}

func add(b *connect.Batch, f found) {
	if f.bad != nil {
		b.Bad = append(b.Bad, *f.bad)
		return
	}
	b.Events = append(b.Events, f.event)
}

// read sends what the input holds until its end or ctx's.
func (s *Source) read(ctx context.Context, lines chan<- found) error {
	r := event.NewReader(s.in, event.MaxSize)
	for {
		n, text, err := r.Next()
		var bad *event.LineError
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.As(err, &bad) {
			return fmt.Errorf("read standard input: %w", err)
		}
		f := found{}
		if err == nil {
			f.event, err = s.parse(text)
		}
		if err != nil {
			reason := strings.TrimPrefix(err.Error(), fmt.Sprintf("line %d: ", n)) // the position says so
			f.bad = &connect.BadRecord{Position: fmt.Sprintf("line %d", n), Reason: reason, Raw: text[:min(len(text), connect.MaxRaw)]}
		}
		select {
		case lines <- f:
		case <-ctx.Done():
			return nil
		}
	}
}

// parse fills in what a hand-written line leaves out.
func (s *Source) parse(text []byte) (event.Event, error) {
	ev, err := event.ParseLoose(text)
	if err != nil {
		return ev, err
	}
	ev = ev.Clone() // so that one event that is kept does not keep a block of lines
	if ev.ID == "" {
		ev.ID = event.NewID(time.Now())
	}
	if ev.Source == "" {
		ev.Source = "/rhost/stdin/" + s.name
	}
	return ev, nil
}
