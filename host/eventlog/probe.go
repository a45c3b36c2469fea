package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	probeNote = "probe"
	// troubleLasts is for how long a frame that was not stored counts. Whoever asks
	// before sending anything would otherwise never see the trouble end.
	troubleLasts = 30 * time.Second
)

// Probe finds out whether the log can store something now, by storing a note that
// replaces those of probes before, and whether another owner has claimed the group
// since this log did. It returns nil once the note is safe on disk;
// otherwise the error names the trouble: ErrDiskFull, ErrFenced, ErrClosed,
// ErrUnavailable, ErrUncertain. The last of these means that the servers take
// longer than AckTimeout; a storage engine whose disk was full does so until it is
// started anew. Trouble that the last frame of either stream ran into is reported
// as well for a while: the note lies in a stream of its own.
func (l *Log) Probe(ctx context.Context) error {
	began := time.Now()
	err := l.probe(ctx)
	if errors.Is(err, ErrUncertain) || errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no write was acknowledged within %v: %w", time.Since(began).Round(time.Millisecond), err)
	}
	if err != nil {
		return fmt.Errorf("the log cannot be written: %w", l.orClosed(err))
	}
	return nil
}

func (l *Log) probe(ctx context.Context) error {
	if err := l.live(); err != nil {
		return err
	}
	if err := l.checkRoom(l.cfg.MinFree); err != nil {
		return err
	}
	if err := l.stillOurs(ctx); err != nil {
		return err
	}
	for _, a := range []*appender{l.committer.out, l.run.out} {
		if t := a.trouble.Load(); t != nil && time.Since(t.at) < troubleLasts {
			return fmt.Errorf("stream %s: %w", a.s.Name(), t.err)
		}
	}
	return l.notes.change(ctx, probeNote, func(*note) []byte { return []byte("probe") })
}
