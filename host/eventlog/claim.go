package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

const (
	claimNote = "claim"
	// claimLane is the lane of claims, of a tenant without a name.
	claimLane = math.MaxUint32
	maxOwner  = 255
)

// claim says who has taken a group over.
type claim struct {
	epoch  uint64
	writer uint64
	owner  string
}

func (c claim) encode() []byte {
	b := binary.AppendUvarint(nil, c.epoch)
	b = binary.AppendUvarint(b, c.writer)
	return appendString(b, c.owner)
}

func parseClaim(b []byte) (c claim, ok bool) {
	cur := cursor{b: b}
	c.epoch, c.writer, c.owner = cur.uvarint(), cur.uvarint(), string(cur.bytes())
	return c, !cur.failed && len(cur.b) == 0
}

// Claim takes the group over for owner: it appends a record to each of the two
// streams, behind whatever the owner before has written until then. From there
// on that owner's next append to either stream finds the record and ends in
// ErrFenced. epoch must be higher than that of any other claim, or Claim returns
// ErrFenced itself: of two who try, the later one in the order of epochs wins.
//
// Claim comes after opening and before Run, the first Step, and whatever the
// host reads: what others wrote in the meantime is part of the log afterwards. An
// error other than ErrFenced leaves it open who owns the group; call Claim again.
//
// Readers find the claim as a record of kind Claim in EV, which belongs to no
// tenant, and of kind RunClaim in RUN.
func (l *Log) Claim(ctx context.Context, owner string, epoch uint64) error {
	c := claim{epoch: epoch, writer: l.notes.writer, owner: owner}
	err := l.claim(ctx, c)
	if err != nil {
		return fmt.Errorf("claim the group for %s with epoch %d: %w", owner, epoch, l.orClosed(err))
	}
	l.claimed.Store(true)
	return nil
}

func (l *Log) claim(ctx context.Context, c claim) error {
	if c.owner == "" || len(c.owner) > maxOwner {
		return fmt.Errorf("the owner's name has %d bytes, not 1 to %d", len(c.owner), maxOwner)
	}
	l.committer.driving.Lock()
	defer l.committer.driving.Unlock()
	if l.committer.mode != idle {
		return errors.New("the log is in use already, or closed")
	}
	if err := l.announce(ctx, c); err != nil {
		return err
	}
	if err := l.committer.appendClaim(ctx, c); err != nil {
		return err
	}
	return l.run.appendClaim(ctx, c)
}

// announce notes the claim where the next one looks for it.
func (l *Log) announce(ctx context.Context, c claim) (err error) {
	changed := l.notes.change(ctx, claimNote, func(newest *note) []byte {
		err = nil
		old, ok := claim{}, false
		if newest != nil {
			old, ok = parseClaim(newest.body)
		}
		switch {
		case ok && old == c:
			return nil // a Claim that failed half-way
		case ok && old.epoch >= c.epoch:
			err = fmt.Errorf("%w: %s has claimed the group with epoch %d", ErrFenced, old.owner, old.epoch)
			return nil
		}
		return c.encode()
	})
	return errors.Join(changed, err)
}

// StillOurs returns ErrFenced when another owner has claimed the group since this log
// did. It is for what the streams cannot refuse: nil tells of the past.
func (l *Log) StillOurs(ctx context.Context) error { return l.orClosed(l.stillOurs(ctx)) }

// stillOurs reports that another owner has claimed the group since this log did.
func (l *Log) stillOurs(ctx context.Context) error {
	if l.fenced.Load() {
		return ErrFenced
	}
	if !l.claimed.Load() {
		return nil
	}
	owner, epoch, writer, err := l.owner(ctx)
	if err == nil && writer != l.notes.writer {
		l.fenced.Store(true)
		err = fmt.Errorf("%w: %s has claimed it with epoch %d", ErrFenced, owner, epoch)
	}
	return err
}

// Owner returns the newest claim; no name when the group was never claimed.
func (l *Log) Owner(ctx context.Context) (owner string, epoch uint64, err error) {
	owner, epoch, _, err = l.owner(ctx)
	return owner, epoch, l.orClosed(err)
}

func (l *Log) owner(ctx context.Context) (owner string, epoch, writer uint64, err error) {
	list, err := l.notes.list(ctx, claimNote)
	if err != nil {
		return "", 0, 0, err
	}
	newest, _ := newestOf(list)
	if newest == nil {
		return "", 0, 0, nil
	}
	c, ok := parseClaim(newest.body)
	if !ok {
		return "", 0, 0, corrupt(noteStream, newest.at, "it is not a claim")
	}
	return c.owner, c.epoch, c.writer, nil
}

// appendClaim writes a frame with the claim behind what there is. c.driving is
// held.
func (c *Committer) appendClaim(ctx context.Context, cl claim) error {
	rec := Record{Kind: Claim, Lane: claimLane, Key: cl.owner, Body: binary.AppendUvarint(nil, cl.epoch)}
	q := &request{recs: []Record{rec}}
	q.at = c.log.notes.stamp()
	c.group = append(c.group[:0], q)
	c.out.tolerant = true
	h, adopted, err := c.out.append(ctx, c.build, c.rollBack, c.adopt)
	c.out.tolerant = false
	c.group = c.group[:0]
	if err == nil && !adopted {
		c.settle(&h)
	}
	return err
}

func (r *RunLog) appendClaim(ctx context.Context, cl claim) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.tolerant = true
	_, err := r.write(ctx, []RunRecord{{Kind: RunClaim, Key: cl.owner, Body: binary.AppendUvarint(nil, cl.epoch)}})
	r.out.tolerant = false
	return err
}
