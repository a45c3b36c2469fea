package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/notify"
)

// onAck carries out what was waiting for a batch to be on disk.
func (l *lane) onAck(a ack) error {
	l.flying = nil
	if a.err != nil {
		return fmt.Errorf("record what was decided: %w", a.err)
	}
	l.committed = l.now()
	l.ready = append(l.ready, a.batch.commands...)
	for _, m := range a.batch.messages {
		if m.Place != (notify.Place{}) {
			l.topics.Show(m.Topic, m.Place)
		}
		l.hub.Publish(m)
	}
	for i := range a.batch.emits {
		a.batch.emits[i].seq = a.seq
	}
	l.emits = append(l.emits, a.batch.emits...)
	// What goes to disk up to the batch of a snapshot is in that, and is not folded
	// again: else each snapshot would be a reason for the next.
	if len(a.batch.recs) > 0 && !l.snaps.covers() {
		l.snaps.spent(time.Duration(len(a.batch.recs)) * foldRecord)
	}
	if a.batch.snap != nil {
		l.onDisk(a.batch.snap, a.batch, a.seq)
	}
	for _, saved := range a.batch.saved {
		close(saved)
	}
	return nil
}

// commitLoop writes batches one after the other.
func (l *lane) commitLoop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case b := <-l.commits:
			seq, err := l.write(ctx, b.recs)
			l.acks <- ack{batch: b, seq: seq, err: err}
		}
	}
}

// write appends records to RUN. Without records there is nothing to wait for:
// commands that a crash cut off have their intents on disk already.
func (l *lane) write(ctx context.Context, recs []eventlog.RunRecord) (uint64, error) {
	if len(recs) == 0 {
		return l.log.RunLog().Tail(), nil
	}
	var seq uint64
	err := whileFull(ctx, l.logger, func() (err error) {
		seq, err = l.log.RunLog().Append(ctx, recs)
		return err
	})
	return seq, err
}

// whileFull does fn again and again while the disk is full: nothing was written
// then, and nothing decided so far is lost by waiting. Where something may have
// been, doing it again could do it twice. That it waits is told less and less often.
func whileFull(ctx context.Context, logger *slog.Logger, fn func() error) error {
	for tries, tell := 0, 1; ; tries++ {
		err := fn()
		if !errors.Is(err, eventlog.ErrDiskFull) || errors.Is(err, eventlog.ErrUncertain) || ctx.Err() != nil {
			if err == nil && tries > 0 {
				logger.Info("the disk has room again; matching goes on")
			}
			return err
		}
		if tries+1 == tell {
			logger.Error("the disk is full; matching waits until there is room", "error", err)
			tell *= 2
		}
		select {
		case <-time.After(diskFullWait):
		case <-ctx.Done():
		}
	}
}

// patient is the blobs of the log for the lane, which has no answer to a full
// disk but to wait.
type patient struct{ *lane }

// GetBlob implements blobs.
func (p patient) GetBlob(ctx context.Context, digest string) ([]byte, error) {
	return p.blobs.GetBlob(ctx, digest)
}

// PutBlob implements blobs. What is put counts as the tenant's.
func (p patient) PutBlob(ctx context.Context, digest string, b []byte) error {
	err := whileFull(ctx, p.logger, func() error { return p.blobs.PutBlob(ctx, digest, b) })
	if err == nil {
		p.account.keeps(p.tenant, digest, len(b))
	}
	return err
}
