package eventlog

import (
	"sort"
	"time"
)

// dedup remembers the DedupKeys of the newest records. A key is forgotten when
// its record is older than the window or has limit records behind it; both can
// be told from the log alone, so that a restart changes nothing. It belongs to
// the committer's goroutine.
type dedup struct {
	window time.Duration
	limit  uint64
	seen   keyTable     // key → number of its record in the stream
	frames []dedupFrame // oldest first; holds the keys in seen
	warmed uint64       // see keyTable.warm
}

// dedupFrame lists the keys of one frame.
type dedupFrame struct {
	seq   uint64
	first uint64 // number of the frame's first record
	at    int64  // base time of the frame
	keys  []DedupKey
}

func newDedup(window time.Duration, limit int) *dedup {
	return &dedup{window: window, limit: uint64(max(limit, 0))}
}

func (d *dedup) enabled() bool { return d.window > 0 && d.limit > 0 }

// find returns where the record with key was stored first.
func (d *dedup) find(key *DedupKey) (Position, bool) {
	record, ok := d.seen.get(key)
	if !ok {
		return Position{}, false
	}
	i := sort.Search(len(d.frames), func(i int) bool { return d.frames[i].first > record }) - 1
	return Position{Frame: d.frames[i].seq, Index: uint32(record - d.frames[i].first)}, true
}

// warm prepares the look-up of recs' keys.
func (d *dedup) warm(recs []Record) {
	for i := range recs {
		d.warmed += d.seen.warm(&recs[i].Dedup)
	}
}

// open starts the list of frame seq; add, then settle or rollBack follow.
func (d *dedup) open(seq, first uint64, at int64) {
	d.evict(first, at)
	d.frames = append(d.frames, dedupFrame{seq: seq, first: first, at: at})
}

// add notes that record index of the open frame has key, which is new.
func (d *dedup) add(key *DedupKey, index uint32) {
	f := &d.frames[len(d.frames)-1]
	d.seen.put(key, f.first+uint64(index))
	f.keys = append(f.keys, *key)
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
	d.forget(&d.frames[n])
	d.frames = d.frames[:n]
}

// adopt takes over the keys of a stored frame.
func (d *dedup) adopt(f *eventFrameData) {
	if !d.enabled() {
		return
	}
	d.open(f.seq, f.first, f.base)
	for i := range f.records {
		key := &f.records[i].Dedup
		if _, ok := d.seen.get(key); !ok && *key != (DedupKey{}) {
			d.add(key, uint32(i))
		}
	}
	d.settle()
}

// evict forgets what is too old when the log has records records and the time is now.
func (d *dedup) evict(records uint64, now int64) {
	n := 0
	for n < len(d.frames) && d.outdated(&d.frames[n], records, now) {
		d.forget(&d.frames[n])
		n++
	}
	d.frames = d.frames[n:]
}

func (d *dedup) outdated(f *dedupFrame, records uint64, now int64) bool {
	return f.at < now-int64(d.window) || f.first+d.limit < records
}

func (d *dedup) forget(f *dedupFrame) {
	for i := range f.keys {
		d.warmed += d.seen.warm(&f.keys[i])
	}
	for i := range f.keys {
		d.seen.remove(&f.keys[i])
	}
	f.keys = nil
}
