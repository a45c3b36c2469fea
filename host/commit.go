package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rhost/rhost/host/eventlog"
)

// onAck carries out what was waiting for a batch to be on disk.
func (l *lane) onAck(a ack) error {
	l.flying = false
	if a.err != nil {
		return fmt.Errorf("record what was decided: %w", a.err)
	}
	l.committed = l.now()
	l.ready = append(l.ready, a.batch.commands...)
	for _, m := range a.batch.messages {
		l.hub.Publish(m)
	}
	for i := range a.batch.emits {
		a.batch.emits[i].seq = a.seq
	}
	l.emits = append(l.emits, a.batch.emits...)
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

// write appends records to RUN. While the disk is full it waits: nothing was
// written, and nothing decided so far is lost. Without records there is nothing
// to wait for: commands that a crash cut off have their intents on disk already.
func (l *lane) write(ctx context.Context, recs []eventlog.RunRecord) (uint64, error) {
	if len(recs) == 0 {
		return l.log.RunLog().Tail(), nil
	}
	seq, err := l.log.RunLog().Append(ctx, recs)
	for errors.Is(err, eventlog.ErrDiskFull) && ctx.Err() == nil {
		l.logger.Error("the disk is full; matching waits until there is room", "error", err)
		select {
		case <-time.After(diskFullWait):
		case <-ctx.Done():
		}
		seq, err = l.log.RunLog().Append(ctx, recs)
	}
	return seq, err
}
