package eventlog

import (
	"context"
	"fmt"
	"time"
)

// examine creates the stream or takes it over, and checks that it holds what
// it should: every frame from the floor on, none missing in between, none that
// was acknowledged missing at the end..
func (s *stream) examine(ctx context.Context, said *testimony) (StreamState, error) {
	if err := s.Ensure(ctx); err != nil {
		return StreamState{}, err
	}
	st, err := s.State(ctx)
	if err != nil {
		return st, err
	}
	if st.Last > 0 {
		if err := s.examineStart(ctx, st); err != nil {
			return st, err
		}
	} else {
		s.first.Store(1)
		s.purged.Store(1)
	}
	if said != nil && st.Last < said.seq {
		return st, s.corrupt(st.Last+1, fmt.Sprintf("the stream ends with frame %d, yet frame %d had been stored", st.Last, said.seq))
	}
	return st, nil
}

// examineStart checks where the stream starts and that nothing is missing from
// there on. What lies below the floor may be there, in part or not at all.
func (s *stream) examineStart(ctx context.Context, st StreamState) error {
	first := uint64(1)
	gaps := int(st.Last - st.First + 1 - st.Count)
	if st.First > 1 || gaps > 0 {
		f, err := s.floor(ctx)
		if err != nil {
			return err
		}
		first = max(f, first)
	}
	if st.First > first {
		return s.corrupt(first, fmt.Sprintf("the stream starts with frame %d", st.First))
	}
	for _, seq := range st.Missing {
		if seq >= first {
			return s.lacks(seq, gaps, st.Last)
		}
		gaps--
	}
	if gaps > 0 {
		return s.lacks(max(first, st.First), gaps, st.Last)
	}
	// The engine may know of a first frame that it no longer has.
	if _, err := s.get(ctx, first); err != nil {
		return err
	}
	s.first.Store(first)
	s.purged.Store(st.First)
	return nil
}

func (s *stream) lacks(seq uint64, gaps int, last uint64) error {
	return s.corrupt(seq, fmt.Sprintf("%d of %d frames are missing", gaps, last))
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
	if err != nil || st.Last == 0 {
		return err
	}
	b, err := l.events.get(ctx, st.Last)
	if err != nil {
		return err
	}
	tail, err := decodeEventFrame(b)
	if err != nil {
		return l.events.corrupt(st.Last, err.Error())
	}
	if err := l.events.confirm(&tail.header, said); err != nil {
		return err
	}
	if err := new(chain).check(&tail.header, st.Last); err != nil {
		return l.events.corrupt(st.Last, err.Error())
	}
	if err := l.rebuild(ctx, tail); err != nil {
		return err
	}
	l.committer.out.tail.follow(&tail.header)
	l.committer.noteKeep()
	l.recent.start(tail.frame().Last())
	return nil
}

// rebuild restores the committer's state from the newest frames: first those
// that the duplicates need, then as many before them as it takes to have seen
// every lane.
func (l *Log) rebuild(ctx context.Context, tail *eventFrameData) error {
	c := l.committer
	first := l.events.first.Load()
	from, err := l.dedupStart(ctx, tail)
	if err != nil {
		return err
	}
	search := laneSearch{want: int(tail.lanes), batch: make(map[laneKey]laneEnd)}
	err = l.scanFrames(ctx, from, tail.seq, func(f *eventFrameData) error {
		search.add(f)
		c.dedup.adopt(f)
		return nil
	})
	for step := uint64(64); err == nil; step *= 2 {
		search.flush()
		if search.done() || from == first {
			break
		}
		to := from - 1
		from -= min(step, from-first)
		err = l.scanFrames(ctx, from, to, func(f *eventFrameData) error {
			search.add(f)
			return nil
		})
	}
	if err != nil {
		return err
	}
	if !search.done() {
		return l.events.corrupt(first, fmt.Sprintf("it names %d lanes, and frame %d counts %d", len(search.found), tail.seq, tail.lanes))
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
	// This process's clock may be behind the stamps.
	oldest := min(l.stamp(time.Now()), tail.base) - int64(d.window)
	records := tail.first + uint64(tail.count)
	return l.events.search(ctx, eventFrame, l.events.first.Load(), tail.seq-1, func(h *header) bool {
		return h.base >= oldest && h.first+d.limit >= records
	})
}
