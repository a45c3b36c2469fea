package eventlog

import "time"

// dedup remembers the DedupKeys of the newest records. A key is forgotten when
// its record is older than the window or has limit records behind it; both can
// be told from the log alone, so that a restart changes nothing. It belongs to
// the committer's goroutine.
type dedup struct {
	window time.Duration
	limit  uint64
	seen   map[DedupKey]Position
	frames []dedupFrame // oldest first; holds the keys in seen
}

// dedupFrame lists the keys of one frame.
type dedupFrame struct {
	seq   uint64
	first uint64 // number of the frame's first record
	at    int64  // base time of the frame
	keys  []DedupKey
}

func newDedup(window time.Duration, limit int) *dedup {
	return &dedup{window: window, limit: uint64(max(limit, 0)), seen: make(map[DedupKey]Position)}
}

func (d *dedup) enabled() bool { return d.window > 0 && d.limit > 0 }

// find returns where the record with key was stored first.
func (d *dedup) find(key DedupKey) (Position, bool) {
	p, ok := d.seen[key]
	return p, ok
}

// open starts the list of frame seq; add, then settle or rollBack follow.
func (d *dedup) open(seq, first uint64, at int64) {
	d.evict(first, at)
	d.frames = append(d.frames, dedupFrame{seq: seq, first: first, at: at})
}

// add notes that the open frame holds key.
func (d *dedup) add(key DedupKey, p Position) {
	d.seen[key] = p
	f := &d.frames[len(d.frames)-1]
	f.keys = append(f.keys, key)
}

// settle accepts the open frame.
func (d *dedup) settle() {
	if n := len(d.frames) - 1; len(d.frames[n].keys) == 0 {
		d.frames = d.frames[:n]
	}
}

// rollBack forgets the open frame.
func (d *dedup) rollBack() {
	n := len(d.frames) - 1
	for _, key := range d.frames[n].keys {
		delete(d.seen, key)
	}
	d.frames = d.frames[:n]
}

// adopt takes over the keys of a stored frame.
func (d *dedup) adopt(f *eventFrameData) {
	if !d.enabled() {
		return
	}
	d.open(f.seq, f.first, f.base)
	for i := range f.records {
		if key := f.records[i].Dedup; key != (DedupKey{}) {
			if _, ok := d.seen[key]; !ok {
				d.add(key, Position{Frame: f.seq, Index: uint32(i)})
			}
		}
	}
	d.settle()
}

// evict forgets what is too old when the log has records records and the time is now.
func (d *dedup) evict(records uint64, now int64) {
	n := 0
	for n < len(d.frames) && d.outdated(&d.frames[n], records, now) {
		for _, key := range d.frames[n].keys {
			delete(d.seen, key)
		}
		d.frames[n].keys = nil
		n++
	}
	d.frames = d.frames[n:]
}

func (d *dedup) outdated(f *dedupFrame, records uint64, now int64) bool {
	return f.at < now-int64(d.window) || f.first+d.limit < records
}
