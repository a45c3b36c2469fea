package eventlog

import (
	"context"
	"errors"
)

// Pending is a commit that was submitted and may not be answered yet. It belongs
// to one goroutine.
type Pending struct {
	q    *request // nil once it is answered
	res  Result
	err  error
	done bool
}

// Poll returns the answer and whether there is one yet. The answer is that of
// Committer.Commit.
func (p *Pending) Poll() (res Result, done bool, err error) {
	if !p.done {
		select {
		case <-p.q.done:
			p.res, p.err = p.q.recycle()
			p.q, p.done = nil, true
		default:
		}
	}
	return p.res, p.done, p.err
}

// Submit is TryCommit for those who do not wait: the answer comes while Run
// runs, or out of a Step.
func (c *Committer) Submit(recs []Record) (*Pending, error) {
	q, err := c.request(recs)
	if err == nil {
		err = c.push(q, false)
	}
	if err != nil {
		return nil, err
	}
	return &Pending{q: q}, nil
}

// Step commits one frame of what is queued, in the caller's goroutine, and
// reports whether there was anything. It takes the place of Run for those who
// decide themselves what happens when, and may not be mixed with it. Its errors
// are those that end Run; after one, and after Close, Step returns ErrClosed.
func (c *Committer) Step(ctx context.Context) (bool, error) {
	c.driving.Lock()
	defer c.driving.Unlock()
	if c.mode == idle {
		c.mode = stepped
	}
	if c.mode != stepped {
		return false, errors.New("step the committer: it is run, or the log is closed")
	}
	if c.over {
		return false, ErrClosed
	}
	if !c.gather() {
		return false, nil
	}
	err := c.commit(ctx)
	if err != nil {
		c.over = true
		c.stop(err)
	}
	return true, err
}

// endSteps ends a committer that is stepped.
func (c *Committer) endSteps() {
	c.driving.Lock()
	defer c.driving.Unlock()
	if !c.over {
		c.over = true
		c.stop(ErrClosed)
	}
}
