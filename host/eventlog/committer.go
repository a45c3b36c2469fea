package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// Committer is the single way to write records: it puts what all goroutines
// bring into frames, one at a time, and answers once a frame is on disk.
//
// Commit and TryCommit may be called from any goroutine, before Run as well;
// they are answered while Run runs.
type Committer struct {
	log   *Log
	queue chan *request
	room  *semaphore.Weighted // bytes in the queue
	held  atomic.Int64        // of them in use

	started  atomic.Bool
	closing  chan struct{} // closed when nothing more is taken
	stopped  chan struct{} // closed when nothing more is answered
	stopOnce sync.Once

	// The rest belongs to Run's goroutine.
	out   appender
	lanes *lanes
	dedup *dedup
	at    int64    // newest stamp in the log
	next  *request // taken from the queue, and too large for the last frame
	group []*request
	draft draft
}

// Result says where the records of one Commit are.
type Result struct {
	// Last is the highest position among the records, a duplicate counting
	// where it was first stored.
	Last Position
	// Duplicates lists the indices of records that had been accepted before and
	// were not stored again. Nil when all are new.
	Duplicates []int
}

func newCommitter(l *Log, out appender) *Committer {
	return &Committer{
		log:     l,
		queue:   make(chan *request, l.cfg.MaxQueue),
		room:    semaphore.NewWeighted(l.cfg.MaxQueueBytes),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
		out:     out,
		lanes:   newLanes(),
		dedup:   newDedup(l.cfg.DedupWindow, l.cfg.DedupRecords),
	}
}

// Commit stores recs, all in one frame and in their order, or none of them,
// and returns once they are safe on disk. It waits while the queue is full.
// Records whose DedupKey was accepted before are left out and reported.
//
// When ctx ends while recs are queued, they are withdrawn; when it ends later,
// Commit returns ErrUncertain. Other errors, but for ErrUncertain, mean that
// nothing was stored.
func (c *Committer) Commit(ctx context.Context, recs []Record) (Result, error) {
	q, err := c.newRequest(recs)
	if err != nil {
		return Result{}, err
	}
	if err := c.room.Acquire(ctx, q.weight); err != nil {
		return Result{}, err
	}
	c.held.Add(q.weight)
	select {
	case c.queue <- q:
		return c.wait(ctx, q)
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.closing:
		err = ErrClosed
	}
	c.release(q)
	return Result{}, err
}

// TryCommit is Commit, except that it returns ErrFull at once when the queue
// is full.
func (c *Committer) TryCommit(ctx context.Context, recs []Record) (Result, error) {
	q, err := c.newRequest(recs)
	if err != nil {
		return Result{}, err
	}
	if !c.room.TryAcquire(q.weight) {
		return Result{}, c.full()
	}
	c.held.Add(q.weight)
	select {
	case c.queue <- q:
		return c.wait(ctx, q)
	default:
		c.release(q)
		return Result{}, c.full()
	}
}

func (c *Committer) full() error {
	c.log.count.refused.Add(1)
	return fmt.Errorf("%w: %d commits of %d bytes are waiting", ErrFull, len(c.queue), c.held.Load())
}

// newRequest checks recs before anything waits for them.
func (c *Committer) newRequest(recs []Record) (*request, error) {
	if len(recs) == 0 {
		return nil, errors.New("commit: there are no records")
	}
	for i := range recs {
		if err := checkRecord(&recs[i]); err != nil {
			return nil, fmt.Errorf("commit: record %d: %w", i, err)
		}
	}
	size := sizeOf(recs)
	if limit := c.log.cfg.MaxFrame - frameOverhead; size > limit {
		return nil, fmt.Errorf("commit: %w: %d records take %d bytes, at most %d fit", ErrTooLarge, len(recs), size, limit)
	}
	select {
	case <-c.closing:
		return nil, ErrClosed
	default:
	}
	q, ok := requests.Get().(*request)
	if !ok {
		q = &request{done: make(chan struct{}, 1)}
	}
	q.recs, q.size = recs, size
	q.weight = min(int64(size), c.log.cfg.MaxQueueBytes)
	q.began, q.at = time.Now(), c.log.cfg.Now().UnixNano()
	return q, nil
}

// wait returns q's answer. A request that nobody else can see any more goes
// back to the pool.
func (c *Committer) wait(ctx context.Context, q *request) (Result, error) {
	select {
	case <-q.done:
		return q.recycle()
	case <-ctx.Done():
		if q.withdraw() {
			return Result{}, ctx.Err() // its place in the queue is freed in its turn
		}
		select {
		case <-q.done:
			return q.recycle()
		default:
			return Result{}, fmt.Errorf("%w: %w", ErrUncertain, ctx.Err())
		}
	case <-c.stopped:
		if q.withdraw() {
			c.release(q)
			return Result{}, ErrClosed
		}
		<-q.done
		return q.recycle()
	}
}

func (c *Committer) release(q *request) {
	c.held.Add(-q.weight)
	c.room.Release(q.weight)
}

// request is one Commit on its way.
type request struct {
	recs   []Record
	size   int
	weight int64
	began  time.Time
	at     int64 // arrival, Unix nanoseconds
	state  atomic.Int32
	done   chan struct{} // receives once when res and err are set

	res Result
	err error
}

// The states of a request. Whoever moves it from queued decides its fate.
const (
	queued int32 = iota
	taken
	withdrawn
)

//nolint:gochecknoglobals // requests hold nothing of a log while they are in the pool
var requests sync.Pool

func (q *request) take() bool     { return q.state.CompareAndSwap(queued, taken) }
func (q *request) withdraw() bool { return q.state.CompareAndSwap(queued, withdrawn) }

func (q *request) recycle() (Result, error) {
	res, err := q.res, q.err
	q.recs, q.res, q.err = nil, Result{}, nil
	q.state.Store(queued)
	requests.Put(q)
	return res, err
}
