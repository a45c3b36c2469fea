package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// maxTries bounds how often one frame is offered to the stream. The first try
// usually does it; another follows when it is unclear what became of a try, and
// more when frames of this process turn out to have been stored after all.
const maxTries = 4

// claimTries is maxTries for a claim, which an owner that is still writing may
// beat to the next place many times.
const claimTries = 256

// An appender writes the frames of one stream, one at a time. Every frame names
// the sequence it must get, so that of two writers, or of two tries, only one
// can succeed. An appender belongs to one goroutine, or to who holds its lock.
type appender struct {
	s      *stream
	typ    frameType
	writer uint64 // marks this process's frames
	tail   chain
	doubt  bool // a frame was sent whose fate is unknown

	witness  *witness // nil when there is none
	slot     int
	room     func() error            // reports a disk too full for another frame
	fenced   *atomic.Bool            // the log's: neither stream is written after a foreign frame in one
	tolerant bool                    // frames of others are adopted as well: the log is claiming the group
	trouble  atomic.Pointer[trouble] // nil when the last frame was stored
	logger   *slog.Logger
	warned   bool // the witness could not be written
}

// adoptFunc takes over a frame of this process that was stored although nobody
// heard of it at the time.
type adoptFunc func(h *header, b []byte) error

// append stores the frame that build completes from the header it is given. A
// build without bytes stores nothing. build is called once for each try; undo
// takes back what a build has noted. adopt is called for every frame that turns
// out to have been stored earlier, the current one included; adopted reports that.
func (a *appender) append(ctx context.Context, build func(*header) ([]byte, error), undo func(), adopt adoptFunc) (h header, adopted bool, err error) {
	h, adopted, err = a.offer(ctx, build, undo, adopt)
	if err != nil {
		a.trouble.Store(&trouble{at: time.Now(), err: err})
	} else {
		a.trouble.Store(nil)
	}
	return h, adopted, err
}

// trouble is why a frame was not stored.
type trouble struct {
	at  time.Time
	err error
}

func (a *appender) offer(ctx context.Context, build func(*header) ([]byte, error), undo func(), adopt adoptFunc) (h header, adopted bool, err error) {
	if a.fenced.Load() {
		return h, false, fmt.Errorf("%w, as its other stream shows", ErrFenced)
	}
	tries := maxTries
	if a.tolerant {
		tries = claimTries
	}
	var sent uint64 // place of a frame of this call whose fate is unknown
	deadline := time.Now().Add(a.s.timeout)
	for try := 1; ; try++ {
		if a.doubt {
			before := a.tail.seq
			err := a.resolve(ctx, adopt)
			if h.seq != 0 && a.tail.is(&h) {
				return h, true, nil // whatever followed it
			}
			if err != nil {
				return h, false, a.unless(sent, err)
			}
			// The place may be taken by a frame that a leader has, and cannot show
			// before others have it as well. That passes, or the leader goes.
			if a.s.patience > 0 && try > 1 && a.tail.seq == before && time.Now().Before(deadline) && pause(ctx, tryPause) {
				try = 2
			}
		}
		h = a.header()
		b, err := build(&h)
		if err != nil || b == nil {
			return h, false, a.unless(sent, err)
		}
		if err = a.store(ctx, &h, b); err == nil {
			return h, false, nil
		}
		undo()
		stale, uncertain := errors.Is(err, ErrStale), errors.Is(err, ErrUncertain)
		a.doubt = stale || uncertain
		if uncertain {
			sent = h.seq
		}
		if !a.doubt || try >= tries || uncertain && try > 1 {
			return h, false, a.unless(sent, err)
		}
	}
}

// unless adds to err that a frame sent before, at place sent, may be stored late,
// unless its place has been taken. The next try at that place is the same frame
// again, so that it does no harm to have sent both.
func (a *appender) unless(sent uint64, err error) error {
	if err == nil || sent <= a.tail.seq || errors.Is(err, ErrUncertain) || errors.Is(err, ErrFenced) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUncertain, err)
}

// header is the start of the next frame's header.
func (a *appender) header() header {
	return header{typ: a.typ, seq: a.tail.seq + 1, writer: a.writer, first: a.tail.records, prev: a.tail.crc}
}

func (a *appender) store(ctx context.Context, h *header, b []byte) error {
	if err := a.room(); err != nil {
		return err
	}
	if err := a.s.publish(ctx, h.seq, b); err != nil {
		return err
	}
	a.advance(h)
	return nil
}

// advance notes that h's frame is safe on disk.
func (a *appender) advance(h *header) {
	a.tail.follow(h)
	if a.witness == nil {
		return
	}
	err := a.witness.say(a.slot, testimony{seq: h.seq, crc: h.crc})
	if err != nil && !a.warned {
		// The frame itself is safe; only the alarm for a later loss is weaker.
		a.logger.Warn("the log cannot note what it has stored", "stream", a.s.Name(), "error", err)
		a.warned = true
	}
}

// resolve finds out what became of frames sent without an answer. Frames of
// this process are adopted; a frame of anybody else means that the stream is
// no longer ours.
func (a *appender) resolve(ctx context.Context, adopt adoptFunc) error {
	st, err := a.s.stateFrom(ctx, a.tail.seq)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	if st.Last < a.tail.seq {
		return a.s.corrupt(st.Last+1, fmt.Sprintf("the stream ends with frame %d, yet frame %d had been stored", st.Last, a.tail.seq))
	}
	if err := a.passed(ctx, st.First); err != nil {
		return err
	}
	err = a.s.scan(ctx, a.tail.seq+1, st.Last, func(seq uint64, b []byte) error {
		return a.adopt(seq, b, adopt)
	})
	if err != nil {
		return err
	}
	a.doubt = false
	return nil
}

// passed reports that frames which this process has never seen were written, and
// released, so that the stream starts behind them. If nobody says so, they are
// missing.
func (a *appender) passed(ctx context.Context, first uint64) error {
	if first <= a.tail.seq+1 {
		return nil
	}
	floor, err := a.s.floor(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	if first > floor {
		return nil
	}
	a.fenced.Store(true)
	return fmt.Errorf("%w: it has released stream %s up to frame %d: %w", ErrFenced, a.s.Name(), first, ErrUncertain)
}

func (a *appender) adopt(seq uint64, b []byte, adopt adoptFunc) error {
	h, err := parseHeader(b, a.typ)
	ours := err == nil && (h.writer == a.writer || a.tolerant)
	if ours {
		err = a.tail.check(&h, seq)
	}
	if a.tolerant && err != nil {
		return a.s.corrupt(seq, err.Error())
	}
	if err != nil || !ours {
		a.fenced.Store(true)
		return fmt.Errorf("%w: frame %d of stream %s is not of this process", ErrFenced, seq, a.s.Name())
	}
	if err := adopt(&h, b); err != nil {
		return err
	}
	a.advance(&h)
	return nil
}

// A chain checks that frames follow each other: each carries its own number,
// the number of records before it, and the checksum of the frame before it.
// The zero chain accepts any frame as its first.
type chain struct {
	seq     uint64
	crc     uint32
	records uint64 // in the stream up to here
}

// check reports how h, stored as seq, fails to follow what c has seen.
func (c *chain) check(h *header, seq uint64) error {
	switch {
	case h.seq != seq:
		return fmt.Errorf("it says it is frame %d", h.seq)
	case c.seq != 0 && (seq != c.seq+1 || h.prev != c.crc):
		return fmt.Errorf("it does not follow frame %d", c.seq)
	case c.seq != 0 && h.first != c.records:
		return fmt.Errorf("it starts at record %d, not %d", h.first, c.records)
	case seq == 1 && (h.first != 0 || h.prev != 0):
		return errors.New("it is not a first frame")
	}
	return nil
}

func (c *chain) follow(h *header) {
	c.seq, c.crc, c.records = h.seq, h.crc, h.first+uint64(h.count)
}

// is reports whether h's frame is the last one seen.
func (c *chain) is(h *header) bool { return c.seq == h.seq && c.crc == h.crc }
