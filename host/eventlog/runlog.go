package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// RunKind says what a RunRecord is. The host gives the numbers their meaning;
// zero is refused, and RunClaim is the log's.
type RunKind uint8

// RunClaim is the kind of a record that says who has taken the group over: Key is
// the owner, Body its epoch as a uvarint. Log.Claim writes it.
const RunClaim RunKind = 127

// RunRecord is one entry of the run log: a match, an intent, a result, a state
// change, a checkpoint. The log reads none of it.
type RunRecord struct {
	Kind RunKind
	Key  string
	Body []byte
}

// RunLog is the stream RUN: everything the core decides, one frame for each
// progress commit. Its methods may be called from any goroutine.
type RunLog struct {
	log  *Log
	tail atomic.Uint64

	mu     sync.Mutex // guards the rest: one commit at a time
	out    *appender
	buf    []byte
	closed bool
}

func newRunLog(l *Log, out *appender) *RunLog { return &RunLog{log: l, out: out} }

// Append stores recs as one frame, whole or not at all, and returns its
// sequence once it is safe on disk. Concurrent calls are put in some order.
//
// Errors are ErrTooLarge, ErrDiskFull, ErrFenced, ErrClosed, ErrUncertain, or
// ctx's when it ends before the frame is sent. Nothing was stored unless the
// error is ErrUncertain.
func (r *RunLog) Append(ctx context.Context, recs []RunRecord) (seq uint64, err error) {
	if err := r.check(recs); err != nil {
		return 0, fmt.Errorf("append to run log: %w", err)
	}
	began := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	h, err := r.write(ctx, recs)
	if err != nil {
		return 0, fmt.Errorf("append %d records to run log: %w", len(recs), err)
	}
	r.log.count.runFrame(&h, time.Since(began))
	return h.seq, nil
}

// write stores recs as the next frame. r.mu is held.
func (r *RunLog) write(ctx context.Context, recs []RunRecord) (header, error) {
	at := r.log.stamp(time.Now()) // the same for each try; see appender.unless
	h, _, err := r.out.append(ctx,
		func(h *header) ([]byte, error) {
			h.base = at
			r.buf = appendRunFrame(r.buf[:0], h, recs)
			return r.buf, nil
		},
		func() {},
		func(h *header, _ []byte) error {
			r.tail.Store(h.seq)
			return nil
		})
	if err == nil {
		r.tail.Store(h.seq)
	}
	return h, err
}

func (r *RunLog) check(recs []RunRecord) error {
	if len(recs) == 0 {
		return errors.New("there are no records")
	}
	for i := range recs {
		if recs[i].Kind == 0 {
			return fmt.Errorf("record %d has no kind", i)
		}
	}
	if size, limit := runSizeOf(recs), r.log.cfg.MaxFrame; size > limit {
		return fmt.Errorf("%w: %d records take %d bytes, at most %d fit", ErrTooLarge, len(recs), size, limit)
	}
	return nil
}

// Replay hands every frame from sequence from on, in order, up to the tail at
// the time of the call. From 0 means the oldest frame there is. The bytes of recs
// are fn's to keep. Replay returns fn's error as it is, ErrOutside when from
// lies beyond the end or was released, *CorruptError at damaged data, and ctx's
// error when it ends early.
func (r *RunLog) Replay(ctx context.Context, from uint64, fn func(seq uint64, recs []RunRecord) error) error {
	tail := r.Tail()
	if from > tail+1 {
		return fmt.Errorf("replay run log from %d: %w, which ends at %d", from, ErrOutside, tail)
	}
	var c chain
	s := r.out.s
	if from == 0 {
		from = s.first.Load()
	}
	if err := s.released(from); err != nil {
		return fmt.Errorf("replay run log from %d: %w", from, err)
	}
	err := s.scan(ctx, from, tail, func(seq uint64, b []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, recs, err := decodeRunFrame(b)
		if err == nil {
			err = c.check(&h, seq)
		}
		if err != nil {
			return s.corrupt(seq, err.Error())
		}
		c.follow(&h)
		return fn(seq, recs)
	})
	if err != nil {
		err = s.orReleased(ctx, err, max(from, c.seq+1))
	}
	return r.log.orClosed(err)
}

// First is the sequence of the oldest frame there is; that of the next frame
// when the log is empty. It grows with Log.Release.
func (r *RunLog) First() uint64 { return r.out.s.first.Load() }

// Since returns a sequence at or after which every frame lies that was appended
// at or after at.
func (r *RunLog) Since(ctx context.Context, at time.Time) (uint64, error) {
	s := r.out.s
	seq, err := s.search(ctx, runFrame, s.first.Load(), r.Tail(), func(h *header) bool { return h.base >= at.UnixNano() })
	return seq, r.log.orClosed(err)
}

// At returns when a frame was appended, on the log's clock, UTC; ErrOutside when it has
// been released.
func (r *RunLog) At(ctx context.Context, seq uint64) (time.Time, error) {
	s := r.out.s
	b, err := s.get(ctx, seq)
	if err = s.orReleased(ctx, err, seq); err != nil {
		return time.Time{}, r.log.orClosed(err)
	}
	h, err := parseHeader(b, runFrame)
	if err != nil {
		return time.Time{}, s.corrupt(seq, err.Error())
	}
	return time.Unix(0, h.base).UTC(), nil
}

// Tail is the sequence of the last frame known to be durable; 0 when empty.
func (r *RunLog) Tail() uint64 { return r.tail.Load() }

// recover finds out where the stream ends.
func (r *RunLog) recover(ctx context.Context, said *testimony) error {
	s := r.out.s
	st, err := s.examine(ctx, said)
	if err != nil || st.Last == 0 {
		return err
	}
	b, err := s.get(ctx, st.Last)
	if err != nil {
		return err
	}
	h, _, err := decodeRunFrame(b)
	if err == nil {
		err = new(chain).check(&h, st.Last)
	}
	if err != nil {
		return s.corrupt(st.Last, err.Error())
	}
	if err := s.confirm(&h, said); err != nil {
		return err
	}
	r.out.tail.follow(&h)
	r.tail.Store(h.seq)
	return nil
}

// shut waits for the commit under way and takes no more. It reports whether
// the fate of every frame is known.
func (r *RunLog) shut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return !r.out.doubt
}
