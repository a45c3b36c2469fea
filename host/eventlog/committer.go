package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Committer is the single way to write records: it puts what all goroutines
// bring into frames, one at a time, and answers once a frame is on disk.
//
// Commit and TryCommit may be called from any goroutine, before Run as well;
// they are answered while Run runs.
type Committer struct {
	log     *Log
	queue   *queue
	started atomic.Bool
	stopped chan struct{} // closed when Run has returned or cannot start any more

	// The rest belongs to Run's goroutine.
	out     appender
	lanes   *lanes
	dedup   *dedup
	at      int64      // newest stamp in the log
	pending []*request // taken out of the queue, from next on still to be committed
	next    int
	group   []*request // what goes into the frame being built
	draft   draft
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
		queue:   newQueue(l.cfg.MaxQueue, l.cfg.MaxQueueBytes),
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
	return c.submit(ctx, recs, true)
}

// TryCommit is Commit, except that it returns ErrFull at once when the queue
// is full.
func (c *Committer) TryCommit(ctx context.Context, recs []Record) (Result, error) {
	return c.submit(ctx, recs, false)
}

func (c *Committer) submit(ctx context.Context, recs []Record, patient bool) (Result, error) {
	size, err := c.check(recs)
	if err != nil {
		return Result{}, fmt.Errorf("commit: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	q, ok := requests.Get().(*request)
	if !ok {
		panic("eventlog: the pool holds something else than requests")
	}
	q.recs, q.size, q.began = recs, size, time.Now()
	q.at = c.log.stamp(q.began)
	if err := c.queue.push(q, patient); err != nil {
		_, _ = q.recycle() // it was never answered
		return Result{}, c.refusal(err)
	}
	return c.wait(ctx, q)
}

func (c *Committer) refusal(err error) error {
	if !errors.Is(err, ErrFull) {
		return err
	}
	c.log.count.refused.Add(1)
	count, bytes := c.queue.length()
	return fmt.Errorf("%w: %d commits of %d bytes are waiting", err, count, bytes)
}

// check reports what makes recs impossible to commit, and bounds their size.
func (c *Committer) check(recs []Record) (size int, err error) {
	if len(recs) == 0 {
		return 0, errors.New("there are no records")
	}
	for i := range recs {
		if err := checkRecord(&recs[i]); err != nil {
			return 0, fmt.Errorf("record %d: %w", i, err)
		}
	}
	size = sizeOf(recs)
	if limit := c.log.cfg.MaxFrame - frameOverhead; size > limit {
		return 0, fmt.Errorf("%w: %d records take %d bytes, at most %d fit", ErrTooLarge, len(recs), size, limit)
	}
	return size, nil
}

// wait returns q's answer. When ctx ends first, q belongs to the committer.
func (c *Committer) wait(ctx context.Context, q *request) (Result, error) {
	select {
	case <-q.done:
		return q.recycle()
	case <-ctx.Done():
	}
	if q.withdraw() {
		return Result{}, ctx.Err() // the committer drops it in its turn
	}
	select {
	case <-q.done:
		return q.recycle()
	default:
		return Result{}, fmt.Errorf("%w: %w", ErrUncertain, ctx.Err())
	}
}
