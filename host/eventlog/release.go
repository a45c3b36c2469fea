package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

const (
	floorNote    = "floor"
	purgeTimeout = time.Minute
)

// floors are the first frames of the two streams that a purge has left. They are
// recorded before anything is removed, so that a stream that starts later is
// found out as damaged.
type floors struct{ ev, run uint64 }

func (f floors) encode() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, f.ev), f.run)
}

func parseFloors(b []byte) (f floors, ok bool) {
	c := cursor{b: b}
	f.ev, f.run = c.uvarint(), c.uvarint()
	return f, !c.failed && len(c.b) == 0
}

// floors returns the highest floors recorded, in the notes or by the witness when
// the log was opened; zeros when nothing was purged.
func (l *Log) floors(ctx context.Context) (floors, error) {
	notes, err := l.notes.list(ctx, floorNote)
	if err != nil {
		return floors{}, err
	}
	f := l.witnessed
	for _, n := range notes {
		if one, ok := parseFloors(n.body); n.err == nil && ok {
			f.ev, f.run = max(f.ev, one.ev), max(f.run, one.run)
		}
	}
	return f, nil
}

// Release says that nobody needs records before ev and run frames before run any
// more, and removes them. It keeps what the log itself needs to be opened: the
// frames that name the lanes and those inside the window of duplicates. So First
// may stay behind what was released; a later Release, which may say the same,
// goes on. Readers that are inside what goes get ErrOutside.
//
// Nothing is lost by a Release that fails: calling it again finishes it. One
// Release runs at a time, others wait. It is ErrFenced for a log that has claimed
// the group when another has done so since.
func (l *Log) Release(ctx context.Context, ev Position, run uint64) error {
	ctx, cancel := context.WithTimeout(ctx, purgeTimeout)
	defer cancel()
	l.releasing.Lock()
	defer l.releasing.Unlock()
	runs := l.run.out.s
	want := floors{
		ev:  max(min(ev.Frame, l.committer.keep.Load(), l.Tail().Frame), l.events.first.Load()),
		run: max(min(run, l.run.Tail()), runs.first.Load()),
	}
	if want.ev <= l.events.purged.Load() && want.run <= runs.purged.Load() {
		return nil
	}
	err := l.stillOurs(ctx)
	if err == nil {
		err = l.recordFloors(ctx, want)
	}
	if w := l.run.out.witness; err == nil && w != nil {
		err = w.sayFloors(want)
	}
	if err == nil {
		err = errors.Join(l.events.release(ctx, want.ev), runs.release(ctx, want.run))
	}
	if err != nil {
		return fmt.Errorf("release the log below %v and run frame %d: %w", ev, run, l.orClosed(err))
	}
	return nil
}

func (l *Log) recordFloors(ctx context.Context, want floors) error {
	return l.notes.change(ctx, floorNote, func(newest *note) []byte {
		var f floors
		if newest != nil {
			f, _ = parseFloors(newest.body) // what cannot be read is replaced
		}
		if f.ev >= want.ev && f.run >= want.run {
			return nil
		}
		return floors{ev: max(f.ev, want.ev), run: max(f.run, want.run)}.encode()
	})
}

// release removes what lies below floor, which is recorded.
func (s *stream) release(ctx context.Context, floor uint64) error {
	if floor <= s.purged.Load() {
		return nil
	}
	if floor > s.first.Load() {
		s.first.Store(floor)
	}
	if err := s.Purge(ctx, floor); err != nil {
		return err
	}
	s.purged.Store(floor)
	return nil
}

// released reports a frame that the stream no longer has to have.
func (s *stream) released(seq uint64) error {
	if first := s.first.Load(); seq < first {
		return fmt.Errorf("%w, which starts at %d", ErrOutside, first)
	}
	return nil
}

// orReleased returns the reason of err when it is that frame seq was released
// while somebody was about to read it: by this log, or by an owner after it.
func (s *stream) orReleased(ctx context.Context, err error, seq uint64) error {
	damage := (*CorruptError)(nil)
	if !errors.As(err, &damage) {
		return err
	}
	gone := s.released(seq)
	if gone == nil {
		if floor, unknown := s.floor(ctx); unknown == nil && seq < floor {
			gone = fmt.Errorf("%w, which another owner has released up to %d", ErrOutside, floor)
		}
	}
	if gone == nil {
		return err
	}
	return fmt.Errorf("read frame %d: %w", seq, gone)
}
