package eventlog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

// restoredNote says that a log was written by Rebuild. Its body is a byte, 0 until
// the log is whole and 1 then, and the origin.
const restoredNote = "restored"

// ErrUnfinished is the error of a log that was being written from a backup when that
// ended: what is there may be any part of it.
var ErrUnfinished = errors.New("a restore of this log was begun and not finished")

// Restored tells the origin that a Rebuild has given the log: a random text, by which
// what is begun from here on can be told from what was begun in the log that it is a
// copy of. It is "" for a log that was never restored; ErrUnfinished for one that is
// not whole.
func (l *Log) Restored(ctx context.Context) (origin string, err error) {
	origin, begun, err := l.restored(ctx)
	if err != nil {
		return "", fmt.Errorf("read where the log comes from: %w", l.orClosed(err))
	}
	if begun {
		return "", fmt.Errorf("%w; empty the folders of the log, or remove its streams, and restore again", ErrUnfinished)
	}
	return origin, nil
}

// Restored is that of the log of a group, without opening it.
func (e *Engine) Restored(ctx context.Context, group int) (origin string, err error) {
	s, err := e.Store(group)
	if err != nil {
		return "", err
	}
	origin, err = (&Log{store: s, notes: notes{store: s.Notes()}}).Restored(ctx)
	return origin, errors.Join(err, s.Close())
}

func (l *Log) restored(ctx context.Context) (origin string, begun bool, err error) {
	list, err := l.notes.list(ctx, restoredNote)
	if err != nil || len(list) == 0 {
		return "", false, err
	}
	newest := list[0]
	if newest.err == nil && len(newest.body) == 0 {
		newest.err = corrupt(noteStream, newest.at, "it does not say whether the restore was finished")
	}
	if newest.err != nil {
		return "", false, newest.err
	}
	return string(newest.body[1:]), newest.body[0] == 0, nil
}

func (l *Log) noteRestored(ctx context.Context, done bool, origin string) error {
	body := append([]byte{0}, origin...)
	if done {
		body[0] = 1
	}
	return l.notes.change(ctx, restoredNote, func(*note) []byte { return body })
}

// newOrigin draws an origin.
func newOrigin() string { return rand.Text()[:16] }
