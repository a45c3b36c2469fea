package eventlog

import (
	"cmp"
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
// gone, ErrBroken when the engine cannot write any more, and ErrClosed when the log is closed meanwhile; what is queued then
// fails with the same error. Any other trouble, a full disk among them, fails
// the commits concerned and Run goes on. Run is called once.
func (c *Committer) Run(ctx context.Context) error {
	if _, ok := c.enter(driven); !ok {
		return errors.New("run committer: it has been run before, or the log is closed")
	}
	err := c.serve(ctx)
	c.stop(err)
	return err
}

// stop answers what is left and ends the committer.
func (c *Committer) stop(err error) {
	c.queue.close()
	if err == nil {
		err = ErrClosed
	}
	for c.gather() {
		c.answer(err)
	}
	close(c.stopped)
}

// enter puts the committer into mode next if it is idle, and returns the mode it
// was in.
func (c *Committer) enter(next mode) (was mode, ok bool) {
	c.driving.Lock()
	defer c.driving.Unlock()
	if was = c.mode; was == idle {
		c.mode = next
	}
	return was, was == idle
}

// shut ends the committer for a log that is being closed. It returns when Run
// has returned, or can no longer start.
func (c *Committer) shut() {
	c.queue.close()
	switch was, ok := c.enter(shutOff); {
	case ok:
		c.stop(ErrClosed)
	case was == stepped:
		c.endSteps()
	}
	<-c.stopped
}

func (c *Committer) serve(ctx context.Context) error {
	// A commit that has begun is finished although ctx ends: its callers wait.
	finish := context.WithoutCancel(ctx)
	for {
		select {
		case <-ctx.Done():
			c.queue.close()
			return c.commitAll(finish)
		case <-c.log.closing:
			return ErrClosed
		case <-c.queue.wake:
			if err := c.commitAll(finish); err != nil {
				return err
			}
		}
	}
}

// commitAll commits until the queue is empty.
func (c *Committer) commitAll(ctx context.Context) error {
	for c.gather() {
		if err := c.commit(ctx); err != nil {
			return err
		}
	}
	return nil
}

// gather fills c.group with what is queued and fits one frame, and reports
// whether there is anything. It waits for nothing: while one frame is being
// synced, the requests of the next queue up by themselves.
func (c *Committer) gather() bool {
	c.group = c.group[:0]
	size, limit := 0, c.log.cfg.MaxFrame-frameOverhead-mentionRoom
	for {
		if c.next == len(c.pending) {
			c.pending, c.next = c.queue.swap(c.pending), 0
			if len(c.pending) == 0 {
				return len(c.group) > 0
			}
		}
		q := c.pending[c.next]
		if size += q.size; size > limit && len(c.group) > 0 {
			return true
		}
		c.pending[c.next] = nil
		c.next++
		if q.take() {
			c.group = append(c.group, q)
		} else {
			c.queue.leave(1, int64(q.size))
		}
	}
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
	c.answer(err)
	if corrupt := (*CorruptError)(nil); errors.Is(err, ErrFenced) || errors.As(err, &corrupt) {
		return fmt.Errorf("commit: %w", err)
	}
	if s, ok := c.log.store.(*natsStore); ok && errors.Is(err, ErrUncertain) {
		return s.broken()
	}
	return nil
}

// answer tells the callers of c.group what became of their records.
func (c *Committer) answer(err error) {
	now, bytes := time.Now(), int64(0)
	for _, q := range c.group {
		bytes += int64(q.size)
		failed := cmp.Or(err, q.refusal)
		if failed != nil {
			q.res, q.err = Result{}, fmt.Errorf("commit %s: %w", counted(len(q.recs)), failed)
		} else {
			c.log.count.commit.observe(now.Sub(q.began))
			c.log.count.duplicates.Add(uint64(len(q.res.Duplicates)))
		}
	}
	c.queue.leave(len(c.group), bytes)
	for i, q := range c.group {
		c.group[i] = nil
		q.done <- struct{}{} // q is its caller's again
	}
}

// counted is a number of records in words.
func counted(n int) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprint(n, " records")
}
