package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const snapshotNote = "snapshot"

// MaxSnapshot bounds the bytes of one snapshot record. What is larger goes into
// blobs, which the record names.
const MaxSnapshot = maxNote

// Snapshots are the newest few records of where snapshots are. The log keeps
// NotesKept of them and reads none. Methods may be called from any goroutine.
type Snapshots struct{ log *Log }

// Snapshot is one record of the Snapshots.
type Snapshot struct {
	Number uint64    // counted from 1
	At     time.Time // on the log's clock, UTC
	Body   []byte
	Err    error // why the record cannot be read; then the rest is not set
}

// Snapshots returns the records of where this group's snapshots are.
func (l *Log) Snapshots() Snapshots { return Snapshots{log: l} }

// Append stores one record and returns once it is safe on disk. The oldest goes
// when there are NotesKept already. Errors are ErrTooLarge, ErrDiskFull,
// ErrFenced when another owner has claimed the group, ErrClosed, and
// ErrUncertain.
func (s Snapshots) Append(ctx context.Context, body []byte) error {
	if len(body) == 0 {
		return errors.New("append snapshot: the record is empty")
	}
	if len(body) > MaxSnapshot {
		return fmt.Errorf("append snapshot: %w: it has %d bytes, at most %d fit", ErrTooLarge, len(body), MaxSnapshot)
	}
	err := s.log.checkRoom(s.log.cfg.MinFree / 2)
	if err == nil {
		err = s.log.stillOurs(ctx)
	}
	if err == nil {
		err = s.log.orClosed(s.log.notes.change(ctx, snapshotNote, func(*note) []byte { return body }))
	}
	if err != nil {
		return fmt.Errorf("append snapshot: %w", err)
	}
	return nil
}

// Newest returns up to n records, newest first. One that is damaged is in its
// place and says so.
func (s Snapshots) Newest(ctx context.Context, n int) ([]Snapshot, error) {
	notes, err := s.log.notes.list(ctx, snapshotNote)
	if err != nil {
		return nil, s.log.orClosed(err)
	}
	list := make([]Snapshot, 0, min(n, len(notes)))
	for _, one := range notes[:min(n, len(notes))] {
		if one.err != nil {
			list = append(list, Snapshot{Err: one.err})
			continue
		}
		list = append(list, Snapshot{Number: one.seq, At: time.Unix(0, one.base).UTC(), Body: one.body})
	}
	return list, nil
}
