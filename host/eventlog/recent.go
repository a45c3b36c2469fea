package eventlog

import (
	"sync"
)

// recent holds the newest committed frames for followers. Each follower keeps
// its own place, so that a slow one costs the others nothing: when the frame
// it wants has left, it reads the stream instead.
type recent struct {
	limit int64

	mu     sync.Mutex // guards the rest
	frames []recentFrame
	bytes  int64
	tail   Position
	closed bool
	wake   chan struct{} // closed and replaced when tail or closed changes
}

type recentFrame struct {
	f    *Frame
	size int64
}

func newRecent(limit int64) *recent {
	return &recent{limit: limit, wake: make(chan struct{})}
}

// start sets the tail found on disk.
func (r *recent) start(tail Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tail = tail
}

// push adds a frame that is safe on disk and wakes the followers.
func (r *recent) push(f *Frame, size int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames = append(r.frames, recentFrame{f, int64(size)})
	r.bytes += int64(size)
	drop := 0
	for r.bytes > r.limit && drop < len(r.frames)-1 {
		r.bytes -= r.frames[drop].size
		r.frames[drop] = recentFrame{} // the array outlives the slice's start
		drop++
	}
	r.frames = r.frames[drop:]
	r.tail = f.Last()
	r.announce()
}

// close wakes the followers for the last time.
func (r *recent) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		r.announce()
	}
}

func (r *recent) announce() {
	close(r.wake)
	r.wake = make(chan struct{})
}

// a view is what a follower that wants frame seq can do next.
type view struct {
	frame  *Frame          // the frame, when it is in memory
	tail   Position        // last record committed
	oldest uint64          // oldest frame in memory; 0 when there is none
	wake   <-chan struct{} // closed when there is more to see
	closed bool
}

func (r *recent) view(seq uint64) view {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := view{tail: r.tail, wake: r.wake, closed: r.closed}
	if len(r.frames) == 0 {
		return v
	}
	v.oldest = r.frames[0].f.Seq
	if seq >= v.oldest && seq <= r.tail.Frame {
		v.frame = r.frames[seq-v.oldest].f
	}
	return v
}
