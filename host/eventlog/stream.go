package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// A stream is one of the log's two streams as the log sees it: what the store
// cannot give although it should have it is damage, and says so.
type stream struct {
	Stream
	timeout  time.Duration                         // for a message to be acknowledged
	patience time.Duration                         // see origin
	floor    func(context.Context) (uint64, error) // first frame that the purges of whoever it was have left
	first    atomic.Uint64                         // first frame that readers may ask for; see Log.Release
	purged   atomic.Uint64                         // first frame that the store has
}

// search returns the first of the frames from..to for which late is true, or
// to+1. late must be false up to some frame and true from there on. It looks at
// frames near the end first. Frames that are released meanwhile, by whomever, are
// not late.
func (s *stream) search(ctx context.Context, typ frameType, from, to uint64, late func(*header) bool) (uint64, error) {
	lo, hi := from, to+1 // late is false below lo, true from hi on
	for step := uint64(1); lo < hi; {
		at := lo + (hi-lo)/2
		if step > 0 { // not found yet how far back it is
			at = hi - min(step, hi-lo)
			step *= 2
		}
		b, err := s.get(ctx, at)
		if err = s.orReleased(ctx, err, at); errors.Is(err, ErrOutside) {
			lo, step = at+1, 0 // it went meanwhile, and all before it
			continue
		}
		if err != nil {
			return 0, err
		}
		h, err := parseHeader(b, typ)
		if err != nil {
			return 0, s.corrupt(at, err.Error())
		}
		if late(&h) {
			hi = at
		} else {
			lo, step = at+1, 0
		}
	}
	return hi, nil
}

// publish stores frame as sequence seq and returns once it is on disk. The
// errors are those of Stream.Publish. ctx's end does not interrupt it.
func (s *stream) publish(ctx context.Context, seq uint64, frame []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	err := s.Publish(ctx, seq, frame)
	if err == nil || errors.Is(err, ErrStale) {
		return err
	}
	return fmt.Errorf("store frame %d of stream %s: %w", seq, s.Name(), err)
}

// stateFrom is State for somebody who knows that frame last has been stored. Of
// servers that may be electing a leader it waits no longer than for a message to be
// acknowledged.
func (s *stream) stateFrom(ctx context.Context, last uint64) (StreamState, error) {
	if s.patience > 0 {
		short, cancel := context.WithTimeout(ctx, s.timeout)
		defer cancel()
		ctx = short
	}
	deadline := time.Now().Add(s.patience)
	for {
		st, err := s.State(ctx)
		if err != nil || st.Last >= last || !time.Now().Before(deadline) || !pause(ctx, 50*time.Millisecond) {
			return st, err
		}
	}
}

// get returns the message with sequence seq.
func (s *stream) get(ctx context.Context, seq uint64) ([]byte, error) {
	b, err := s.Get(ctx, seq)
	if errors.Is(err, ErrNotFound) {
		return nil, s.missing(seq)
	}
	return b, err
}

// scan hands the messages from..to to fn in order and reports the first one
// missing as *CorruptError.
func (s *stream) scan(ctx context.Context, from, to uint64, fn func(seq uint64, data []byte) error) error {
	if from > to {
		return nil
	}
	want := from
	err := s.Scan(ctx, from, to, func(seq uint64, data []byte) error {
		if seq != want {
			return s.missing(want)
		}
		want++
		return fn(seq, data)
	})
	if err == nil && want <= to {
		err = s.missing(want)
	}
	return err
}

// missing is the error for a frame that ought to be there and cannot be read.
func (s *stream) missing(seq uint64) error { return s.corrupt(seq, "it is missing or unreadable") }

func (s *stream) corrupt(seq uint64, reason string) error { return corrupt(s.Name(), seq, reason) }

func corrupt(stream string, seq uint64, reason string) *CorruptError {
	return &CorruptError{Stream: stream, Seq: seq, Reason: reason, Fix: corruptFix}
}

const corruptFix = "keep a copy of the log's folder as it is, then restore the folder from a backup, or move it away to start an empty log"
