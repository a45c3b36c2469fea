package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// frameOverhead is what a frame needs besides records and their lanes.
const frameOverhead = headerSize + 8

// Run commits what Commit and TryCommit bring, until ctx ends; then it takes
// nothing new, commits what is queued and returns nil. It returns ErrFenced
// when another writer has taken over, *CorruptError when stored frames have
// gone, and ErrClosed when the log is closed meanwhile; what is queued then
// fails with the same error. Any other trouble, a full disk among them, fails
// the commits concerned and Run goes on. Run is called once.
func (c *Committer) Run(ctx context.Context) error {
	if !c.started.CompareAndSwap(false, true) {
		return errors.New("run committer: it has been run before, or the log is closed")
	}
	err := c.serve(ctx)
	c.stop(err)
	return err
}

// stop answers what is left in the queue and ends the committer.
func (c *Committer) stop(err error) {
	c.stopOnce.Do(func() { close(c.closing) })
	if err == nil {
		err = ErrClosed
	}
	for q := c.poll(); q != nil; q = c.poll() {
		c.answer([]*request{q}, err)
	}
	close(c.stopped)
}

// shut ends the committer for a log that is being closed. It returns when Run
// has returned, or can no longer start.
func (c *Committer) shut() {
	c.stopOnce.Do(func() { close(c.closing) })
	if c.started.CompareAndSwap(false, true) {
		c.stop(ErrClosed)
	}
	<-c.stopped
}

func (c *Committer) serve(ctx context.Context) error {
	// A commit that has begun is finished although ctx ends: its callers wait.
	finish := context.WithoutCancel(ctx)
	for {
		var first *request
		select {
		case <-ctx.Done():
			return c.drain(finish)
		case <-c.log.closing:
			return ErrClosed
		case first = <-c.queue:
			if !c.claim(first) {
				continue
			}
		}
		// What did not fit comes first in the frame after.
		for first != nil {
			c.gather(first)
			first, c.next = c.next, nil
			if err := c.commit(finish); err != nil {
				if first != nil {
					c.answer([]*request{first}, err)
				}
				return err
			}
		}
	}
}

// drain commits what is queued, so long as there is any.
func (c *Committer) drain(ctx context.Context) error {
	c.stopOnce.Do(func() { close(c.closing) })
	for first := c.poll(); first != nil; {
		c.gather(first)
		if err := c.commit(ctx); err != nil {
			return err
		}
		if first, c.next = c.next, nil; first == nil {
			first = c.poll()
		}
	}
	return nil
}

// gather fills c.group with first and whatever else is queued and fits its
// frame. It waits for nothing: while one frame is being synced, the next one's
// requests queue up by themselves.
func (c *Committer) gather(first *request) {
	c.group = append(c.group[:0], first)
	size, limit := first.size, c.log.cfg.MaxFrame-frameOverhead-mentionRoom
	for q := c.poll(); q != nil; q = c.poll() {
		if size += q.size; size > limit {
			c.next = q
			return
		}
		c.group = append(c.group, q)
	}
}

// poll takes the next request from the queue, if there is one.
func (c *Committer) poll() *request {
	for {
		select {
		case q := <-c.queue:
			if c.claim(q) {
				return q
			}
		default:
			return nil
		}
	}
}

// claim takes q for committing, unless its caller has withdrawn it.
func (c *Committer) claim(q *request) bool {
	ok := q.take()
	if !ok {
		c.release(q)
	}
	return ok
}

// commit stores c.group and answers it. Its error is one that ends Run.
func (c *Committer) commit(ctx context.Context) error {
	began := time.Now()
	h, adopted, err := c.out.append(ctx, c.build, c.rollBack, c.adopt)
	if err == nil && h.length > 0 {
		if !adopted {
			c.settle(&h)
		}
		c.log.count.frame(&h, time.Since(began))
	}
	c.answer(c.group, err)
	clear(c.group)
	if corrupt := (*CorruptError)(nil); errors.Is(err, ErrFenced) || errors.As(err, &corrupt) {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// answer tells the callers of group what became of their records.
func (c *Committer) answer(group []*request, err error) {
	now := time.Now()
	for _, q := range group {
		if q.err = err; err != nil {
			q.res = Result{}
			q.err = fmt.Errorf("commit %d records: %w", len(q.recs), err)
		} else {
			c.log.count.commit.observe(now.Sub(q.began))
			c.log.count.duplicates.Add(uint64(len(q.res.Duplicates)))
		}
		c.release(q)
		q.done <- struct{}{}
	}
}
