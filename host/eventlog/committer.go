package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	stopped chan struct{} // closed when Run has returned or cannot start any more
	keep    atomic.Uint64 // first frame that the log must keep; see noteKeep

	driving sync.Mutex // guards the next two; held by Step and by Log.Claim
	mode    mode
	over    bool // Step has come to its end

	// The rest belongs to Run's goroutine, or to who holds driving.
	out     *appender
	lanes   *lanes
	dedup   *dedup
	at      int64      // newest stamp in the log
	pending []*request // taken out of the queue, from next on still to be committed
	next    int
	group   []*request // what goes into the frame being built
	draft   draft

	metering metering
}

// mode says who drives a committer. It leaves idle once.
type mode uint8

const (
	idle    mode = iota
	driven       // by Run
	stepped      // by Step
	shutOff      // by neither any more
)

// Result says where the records of one Commit are.
type Result struct {
	// Last is the highest position among the records, a duplicate counting
	// where it was first stored.
	Last Position
	// Duplicates lists the indices of records that had been accepted before and
	// were not stored again. Nil when all are new.
	Duplicates []int
}

func newCommitter(l *Log, out *appender) *Committer {
	return &Committer{
		log:     l,
		queue:   newQueue(l.cfg.MaxQueue, l.cfg.MaxQueueBytes),
		stopped: make(chan struct{}),
		out:     out,
		lanes:   newLanes(),
		dedup:   newDedup(l.cfg.DedupWindow, l.cfg.DedupRecords),

		metering: metering{meter: l.cfg.Meter},
	}
}

// Commit stores recs, all in one frame and in their order, or none of them,
// and returns once they are safe on disk. It waits while the queue is full.
// Records whose DedupKey was accepted before are left out and reported. What
// Config.Meter has no room for ends in its error.
//
// When ctx ends while recs are queued, they are withdrawn; when it ends later,
// Commit returns ErrUncertain. Other errors, but for ErrUncertain, mean that
// nothing was stored.
func (c *Committer) Commit(ctx context.Context, recs []Record) (Result, error) {
	return c.submit(ctx, recs, true, false)
}

// CommitAdmitted is Commit for records that Config.Meter may not refuse: room for
// them was found when it was decided that they will be.
func (c *Committer) CommitAdmitted(ctx context.Context, recs []Record) (Result, error) {
	return c.submit(ctx, recs, true, true)
}

// TryCommit is Commit, except that it returns ErrFull at once when the queue
// is full.
func (c *Committer) TryCommit(ctx context.Context, recs []Record) (Result, error) {
	return c.submit(ctx, recs, false, false)
}

func (c *Committer) submit(ctx context.Context, recs []Record, patient, admitted bool) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	q, err := c.request(recs)
	if err == nil {
		q.admitted = admitted
		err = c.push(q, patient)
	}
	if err != nil {
		return Result{}, err
	}
	return c.wait(ctx, q)
}

// request makes a request of recs, or says what is wrong with them.
func (c *Committer) request(recs []Record) (*request, error) {
	size, err := c.check(recs)
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	q, ok := requests.Get().(*request)
	if !ok {
		panic("eventlog: the pool holds something else than requests")
	}
	q.recs, q.size, q.began = recs, size, time.Now()
	q.at = c.log.stamp(q.began)
	return q, nil
}

// push queues q, or gives it back and says why not.
func (c *Committer) push(q *request, patient bool) error {
	err := c.queue.push(q, patient)
	if err != nil {
		_, _ = q.recycle() // it was never answered
		err = c.refusal(err)
	}
	return err
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
