package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"
)

// The streams. Shards are spread over groups, each with its own subject; one
// machine has one group.
const (
	eventStream  = "EV"
	eventSubject = "ev.0"
	runStream    = "RUN"
	runSubject   = "run.0"
)

// examine creates the stream or takes it over, and checks that it holds what
// it should: every frame from the first on, none missing in between, none that
// was acknowledged missing at the end.
func (s *stream) examine(ctx context.Context, said *testimony) (streamState, error) {
	if err := s.ensure(ctx); err != nil {
		return streamState{}, err
	}
	st, err := s.state(ctx)
	if err != nil {
		return st, err
	}
	switch {
	case st.count == 0 && st.last == 0:
		// empty
	case st.first > 1:
		return st, s.corrupt(1, fmt.Sprintf("the stream starts with frame %d", st.first))
	case st.count != st.last-st.first+1:
		gap := st.last + 1 - (st.last - st.first + 1 - st.count)
		if len(st.missing) > 0 {
			gap = st.missing[0]
		}
		return st, s.corrupt(gap, fmt.Sprintf("%d of %d frames are missing", st.last-st.first+1-st.count, st.last))
	}
	if said != nil && st.last < said.seq {
		return st, s.corrupt(st.last+1, fmt.Sprintf("the stream ends with frame %d, yet frame %d had been stored", st.last, said.seq))
	}
	return st, nil
}

// confirm compares the frame at the end of the stream with the witness.
func (s *stream) confirm(h *header, said *testimony) error {
	if said != nil && said.seq == h.seq && said.crc != h.crc {
		return s.corrupt(h.seq, fmt.Sprintf("its checksum is %08x; frame %d was stored with %08x", h.crc, h.seq, said.crc))
	}
	return nil
}

// recoverEvents finds out where the log ends: its tail, every lane's last
// sequence, the clock and the duplicates to recognise.
func (l *Log) recoverEvents(ctx context.Context, said *testimony) error {
	st, err := l.events.examine(ctx, said)
	if err != nil || st.last == 0 {
		return err
	}
	b, err := l.events.get(ctx, st.last)
	if err != nil {
		return err
	}
	tail, err := decodeEventFrame(b)
	if err != nil {
		return l.events.corrupt(st.last, err.Error())
	}
	if err := l.events.confirm(&tail.header, said); err != nil {
		return err
	}
	if err := new(chain).check(&tail.header, st.last); err != nil {
		return l.events.corrupt(st.last, err.Error())
	}
	if err := l.rebuild(ctx, tail); err != nil {
		return err
	}
	l.committer.out.tail.follow(&tail.header)
	l.recent.start(tail.frame().Last())
	return nil
}

// rebuild restores the committer's state from the newest frames: first those
// that the duplicates need, then as many before them as it takes to have seen
// every lane.
func (l *Log) rebuild(ctx context.Context, tail *eventFrameData) error {
	c := l.committer
	from, err := l.dedupStart(ctx, tail)
	if err != nil {
		return err
	}
	search := laneSearch{want: int(tail.lanes), batch: make(map[laneKey]uint64)}
	err = l.scanFrames(ctx, from, tail.seq, func(f *eventFrameData) error {
		search.add(f)
		c.dedup.adopt(f)
		return nil
	})
	for step := uint64(64); err == nil; step *= 2 {
		search.flush()
		if search.done() || from == 1 {
			break
		}
		to := from - 1
		from = max(from, step+1) - step
		err = l.scanFrames(ctx, from, to, func(f *eventFrameData) error {
			search.add(f)
			return nil
		})
	}
	if err != nil {
		return err
	}
	if !search.done() {
		return l.events.corrupt(1, fmt.Sprintf("it names %d lanes, and frame %d counts %d", len(search.found), tail.seq, tail.lanes))
	}
	c.lanes.restore(search.found)
	c.at = tail.records[len(tail.records)-1].Ingest.UnixNano()
	return nil
}

// dedupStart returns the first frame with a record that may have to be
// recognised as a duplicate; the tail when there is none.
func (l *Log) dedupStart(ctx context.Context, tail *eventFrameData) (uint64, error) {
	d := l.committer.dedup
	if !d.enabled() {
		return tail.seq, nil
	}
	// The engine's clock is this machine's, of which stamps may be ahead.
	newest := min(l.stamp(time.Now()), tail.base)
	from, err := l.events.since(ctx, time.Unix(0, newest).Add(-d.window))
	if errors.Is(err, ErrNotFound) {
		return tail.seq, nil
	}
	if err != nil {
		return 0, err
	}
	records := tail.first + uint64(tail.count)
	if records <= d.limit {
		return from, nil
	}
	// Frames are numbered by their records; look for the first that counts.
	n := sort.Search(int(tail.seq-from), func(i int) bool {
		if err != nil {
			return true
		}
		var b []byte
		var h header
		if b, err = l.events.get(ctx, from+uint64(i)); err == nil {
			if h, err = parseHeader(b, eventFrame); err != nil {
				err = l.events.corrupt(from+uint64(i), err.Error())
			}
		}
		return err != nil || h.first+d.limit >= records
	})
	return from + uint64(n), err
}
