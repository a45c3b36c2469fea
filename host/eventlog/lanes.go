package eventlog

import (
	"cmp"
	"container/list"
	"encoding/binary"
	"maps"
	"slices"
)

const (
	// A lane is named in a frame's lane table at least once in so many frames
	// or bytes, even when it has no record there, so that opening the log finds
	// every lane's last sequence near the end.
	mentionFrames = 2048
	mentionBytes  = 32 << 20
	// mentionRoom bounds the bytes that one frame spends on such mentions.
	mentionRoom = 2 << 10
)

// lanes are the lanes of the log and how far each has come. They belong to the
// committer's goroutine.
type lanes struct {
	byKey map[laneKey]*lane
	order *list.List // of *lane, the one mentioned longest ago first
	size  uint64     // bytes of all frames seen

	// The frame being built.
	marks   []laneMark
	touched []*lane
	last    *lane // lane of the last record: the most likely one for the next
}

type lane struct {
	key   laneKey
	seq   uint64 // sequence of the last record
	entry int    // index in marks, or -1
	frame uint64 // last frame that named the lane
	size  uint64 // lanes.size at that time
	place *list.Element
	fresh bool // first seen in the frame being built
}

func newLanes() *lanes {
	return &lanes{byKey: make(map[laneKey]*lane), order: list.New()}
}

// next gives the frame's next record its place in its lane: the lane's entry
// in the frame's table and the record's sequence.
func (l *lanes) next(tenant string, number uint32) (entry int, seq uint64) {
	ln := l.last
	if ln == nil || ln.key.lane != number || ln.key.tenant != tenant {
		ln = l.lane(laneKey{tenant, number})
	}
	if ln.entry < 0 {
		l.mark(ln)
	}
	l.last = ln
	ln.seq++
	return ln.entry, ln.seq
}

func (l *lanes) lane(key laneKey) *lane {
	ln := l.byKey[key]
	if ln == nil {
		ln = &lane{key: key, entry: -1, fresh: true}
		ln.place = l.order.PushBack(ln)
		l.byKey[key] = ln
	}
	return ln
}

func (l *lanes) mark(ln *lane) {
	ln.entry = len(l.marks)
	l.marks = append(l.marks, laneMark{laneKey: ln.key, base: ln.seq})
	l.touched = append(l.touched, ln)
}

// mentionStale adds lanes that have not been named for long to the table of
// frame seq, as far as room goes.
func (l *lanes) mentionStale(seq uint64, room int) {
	for e := l.order.Front(); e != nil; e = e.Next() {
		ln, ok := e.Value.(*lane)
		if !ok || ln.frame+mentionFrames > seq && ln.size+mentionBytes > l.size {
			return
		}
		if ln.entry >= 0 {
			continue
		}
		if room -= markSize(ln.key.tenant); room < 0 {
			return
		}
		l.mark(ln)
	}
}

// tableSize bounds the bytes of the frame's lane table.
func (l *lanes) tableSize() int {
	size := binary.MaxVarintLen32
	for i := range l.marks {
		size += markSize(l.marks[i].tenant)
	}
	return size
}

// appendTable encodes the frame's lane table.
func (l *lanes) appendTable(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(l.marks)))
	for _, m := range l.marks {
		dst = appendMark(dst, m)
	}
	return dst
}

// settle accepts the frame being built, which was stored as seq.
func (l *lanes) settle(seq uint64, size int) {
	l.size += uint64(size)
	for _, ln := range l.touched {
		l.named(ln, seq)
	}
	l.reset()
}

// rollBack forgets the frame being built.
func (l *lanes) rollBack() {
	for i, ln := range l.touched {
		ln.seq = l.marks[i].base
		if ln.fresh {
			l.order.Remove(ln.place)
			delete(l.byKey, ln.key)
		}
	}
	l.reset()
}

func (l *lanes) named(ln *lane, seq uint64) {
	ln.frame, ln.size, ln.fresh = seq, l.size, false
	l.order.MoveToBack(ln.place)
}

func (l *lanes) reset() {
	for _, ln := range l.touched {
		ln.entry = -1
	}
	l.marks, l.touched, l.last = l.marks[:0], l.touched[:0], nil
}

// adopt takes over where the lanes stand after a stored frame.
func (l *lanes) adopt(f *eventFrameData) {
	l.size += uint64(f.length)
	for _, end := range f.ends() {
		ln := l.lane(end.laneKey)
		ln.seq = end.base
		l.named(ln, f.seq)
	}
}

// restore sets where the lanes stand. They count as not named for long, so that
// the frames that come do it again.
func (l *lanes) restore(last map[laneKey]laneEnd) {
	keys := slices.SortedFunc(maps.Keys(last), func(a, b laneKey) int {
		return cmp.Or(cmp.Compare(last[a].frame, last[b].frame), cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.lane, b.lane))
	})
	for _, key := range keys {
		ln := l.lane(key)
		ln.seq, ln.frame, ln.fresh = last[key].seq, last[key].frame, false
	}
	l.size += mentionBytes
}

// oldest is the last frame that must be kept so that every lane is named in
// what is left; 0 when there is none.
func (l *lanes) oldest() uint64 {
	if e := l.order.Front(); e != nil {
		if ln, ok := e.Value.(*lane); ok {
			return ln.frame
		}
	}
	return 0
}

// laneEnd is a lane's last sequence and the last frame that names the lane.
type laneEnd struct{ seq, frame uint64 }

// A laneSearch collects every lane's last sequence from frames read from the
// end of the log towards its start.
type laneSearch struct {
	want  int // lanes to be found
	found map[laneKey]laneEnd
	batch map[laneKey]laneEnd // of the frames being read, oldest first
}

// add looks at the next frame of the batch.
func (s *laneSearch) add(f *eventFrameData) {
	for _, end := range f.ends() {
		s.batch[end.laneKey] = laneEnd{seq: end.base, frame: f.seq}
	}
}

// flush ends a batch; the batches before it were newer.
func (s *laneSearch) flush() {
	newer := s.found
	s.found, s.batch = s.batch, make(map[laneKey]laneEnd)
	maps.Copy(s.found, newer)
}

func (s *laneSearch) done() bool { return len(s.found) >= s.want }
