package eventlog

import (
	"sync"
	"sync/atomic"
	"time"
)

// request is one Commit on its way.
type request struct {
	recs  []Record
	size  int       // bound of the bytes it adds to a frame
	began time.Time // arrival
	at    int64     // arrival on the log's clock, Unix nanoseconds
	state atomic.Int32
	// admitted says that the meter has let the records in before.
	admitted bool
	refusal  error         // by the meter, of the draft
	done     chan struct{} // receives once when res and err are set

	res Result
	err error
}

// The states of a request. Whoever moves it on from queued decides its fate.
const (
	queued int32 = iota
	taken
	withdrawn
)

//nolint:gochecknoglobals // requests hold nothing of a log while they are in the pool
var requests = sync.Pool{New: func() any { return &request{done: make(chan struct{}, 1)} }}

func (q *request) take() bool     { return q.state.CompareAndSwap(queued, taken) }
func (q *request) withdraw() bool { return q.state.CompareAndSwap(queued, withdrawn) }

// recycle returns q's answer and gives q back: nobody else sees it any more.
func (q *request) recycle() (Result, error) {
	res, err := q.res, q.err
	q.recs, q.res, q.err, q.admitted, q.refusal = nil, Result{}, nil, false, nil
	q.state.Store(queued)
	requests.Put(q)
	return res, err
}

// A queue holds the requests that the committer has not taken yet, oldest
// first. What it bounds is what TryCommit may add: a caller of Commit waits for
// its answer in any case, and waits here as well as anywhere.
type queue struct {
	limit      int
	limitBytes int64
	wake       chan struct{} // holds a token when items may have become non-empty

	mu     sync.Mutex // guards the rest
	items  []*request
	count  int   // requests not yet answered: in items, or taken
	bytes  int64 // their sizes together
	closed bool
}

func newQueue(limit int, limitBytes int64) *queue {
	return &queue{limit: limit, limitBytes: limitBytes, wake: make(chan struct{}, 1)}
}

// push adds q, or reports why not: ErrClosed, and ErrFull unless patient.
func (w *queue) push(q *request, patient bool) error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return ErrClosed
	}
	// An empty queue has room for one of any size.
	if !patient && w.count > 0 && (w.count >= w.limit || w.bytes+int64(q.size) > w.limitBytes) {
		w.mu.Unlock()
		return ErrFull
	}
	w.items = append(w.items, q)
	w.count++
	w.bytes += int64(q.size)
	first := len(w.items) == 1
	w.mu.Unlock()
	if first {
		select {
		case w.wake <- struct{}{}:
		default: // a token is there already
		}
	}
	return nil
}

// swap returns everything queued and keeps into, emptied, in its place.
func (w *queue) swap(into []*request) []*request {
	w.mu.Lock()
	defer w.mu.Unlock()
	items := w.items
	w.items = into[:0]
	return items
}

// leave counts out requests that have been answered or withdrawn.
func (w *queue) leave(count int, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count -= count
	w.bytes -= bytes
}

// close makes push refuse everything from now on.
func (w *queue) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

func (w *queue) length() (count int, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count, w.bytes
}
