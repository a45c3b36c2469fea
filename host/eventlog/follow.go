package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Follow hands every frame that holds a record at or after from to fn, in
// order, each once: first those stored, then those being committed, from
// memory, as soon as they are durable. A frame is never seen before its commit
// was acknowledged. A follower that is slower than the committer holds nobody
// up: it reads from the stream until it has caught up.
//
// The zero Position stands for the oldest frame there is. Follow returns nil when
// ctx ends, fn's error as it is when fn fails, ErrOutside when from lies beyond
// the log's end or in what was released, *CorruptError at damaged data,
// ErrClosed when the log is closed.
func (l *Log) Follow(ctx context.Context, from Position, fn func(*Frame) error) error {
	w := l.walk(from, fn)
	err := w.run(ctx, false)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// Read is Follow up to the tail at the time of the call; it returns ctx's error
// when ctx ends before that.
func (l *Log) Read(ctx context.Context, from Position, fn func(*Frame) error) error {
	w := l.walk(from, fn)
	w.last = l.Tail().Frame
	return w.run(ctx, true)
}

// First is the position of the oldest record there is; where the next one will
// be when the log is empty. It grows with Release.
func (l *Log) First() Position { return Position{Frame: l.events.first.Load()} }

// Since returns a position at or after which every record lies whose Ingest is
// at or after at.
func (l *Log) Since(ctx context.Context, at time.Time) (Position, error) {
	first := l.events.first.Load()
	seq, err := l.events.search(ctx, eventFrame, first, l.Tail().Frame, func(h *header) bool { return h.base >= at.UnixNano() })
	if err != nil {
		return Position{}, l.orClosed(err)
	}
	// The frame before may have begun earlier and gone on until then.
	return Position{Frame: max(seq-1, first)}, nil
}

// A walk goes through the log's frames.
type walk struct {
	log  *Log
	from Position
	next uint64 // frame to be handed on
	last uint64 // frame to stop after, for a walk that ends
	fn   func(*Frame) error
}

func (l *Log) walk(from Position, fn func(*Frame) error) *walk {
	if from.Frame == 0 {
		from = l.First()
	}
	return &walk{log: l, from: from, next: from.Frame, fn: fn}
}

func (w *walk) run(ctx context.Context, ends bool) error {
	if err := w.inside(); err != nil {
		return err
	}
	for {
		v := w.log.recent.view(w.next)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case v.closed:
			return ErrClosed
		case ends && w.next > w.last:
			return nil
		case v.frame != nil:
			if err := w.hand(v.frame); err != nil {
				return err
			}
		case w.next > v.tail.Frame:
			select {
			case <-ctx.Done():
			case <-v.wake:
			}
		default:
			if err := w.readStored(ctx, v, ends); err != nil {
				return err
			}
		}
	}
}

// inside reports a starting point that the log cannot have given to anybody.
func (w *walk) inside() error {
	tail := w.log.Tail()
	if w.from.Frame > tail.Frame+1 || w.from.Frame == tail.Frame+1 && w.from.Index > 0 {
		return fmt.Errorf("follow from %v: %w, which ends at %v", w.from, ErrOutside, tail)
	}
	if err := w.log.events.released(w.from.Frame); err != nil {
		return fmt.Errorf("follow from %v: %w", w.from, err)
	}
	return nil
}

// readStored hands on what is no longer in memory.
func (w *walk) readStored(ctx context.Context, v view, ends bool) error {
	to := v.tail.Frame
	if v.oldest > 0 {
		to = min(to, v.oldest-1)
	}
	if ends {
		to = min(to, w.last)
	}
	err := w.log.scanFrames(ctx, w.next, to, func(f *eventFrameData) error {
		return w.hand(f.frame())
	})
	return w.log.events.orReleased(ctx, err, w.next)
}

// hand gives fn the frame, without the records before w.from.
func (w *walk) hand(f *Frame) error {
	w.next = f.Seq + 1
	if skip := w.from.Index; f.Seq == w.from.Frame && skip > 0 {
		if skip >= uint32(len(f.Records)) {
			return nil
		}
		f = &Frame{Seq: f.Seq, First: skip, Records: f.Records[skip:]}
	}
	return w.fn(f)
}

// scanFrames hands the stored frames from..to to fn, decoded and checked.
func (l *Log) scanFrames(ctx context.Context, from, to uint64, fn func(*eventFrameData) error) error {
	var c chain
	err := l.events.scan(ctx, from, to, func(seq uint64, b []byte) error {
		f, err := decodeEventFrame(b)
		if err == nil {
			err = c.check(&f.header, seq)
		}
		if err != nil {
			return l.events.corrupt(seq, err.Error())
		}
		c.follow(&f.header)
		return fn(f)
	})
	return l.orClosed(err)
}

// orClosed returns ErrClosed for an error that a log being closed explains.
func (l *Log) orClosed(err error) error {
	if closed := l.live(); err != nil && closed != nil {
		return closed
	}
	return err
}

// live returns ErrClosed when the log is closed.
func (l *Log) live() error {
	select {
	case <-l.closing:
		return ErrClosed
	default:
		return nil
	}
}
