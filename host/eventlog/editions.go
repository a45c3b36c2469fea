package eventlog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

const editionNote = "edition"

// MaxEdition bounds the bytes of one record of Editions. What is larger goes into
// blobs, which the record names.
const MaxEdition = maxNote

// Editions are the newest few records of what the hosts of a group have put in
// force. The log keeps NotesKept of them and reads none. Methods may be called from
// any goroutine.
type Editions struct{ log *Log }

// Edition is one record of the Editions.
type Edition struct {
	Number uint64    // counted from 1
	At     time.Time // on the log's clock, UTC
	Body   []byte
	Err    error // why the record cannot be read; then the rest is not set
}

// Editions returns the records of what is in force in this group.
func (l *Log) Editions() Editions { return Editions{log: l} }

// Append stores the record that next makes of the newest one, and returns once it is
// safe on disk. next is given nil when there is none that can be read, and is asked
// again when somebody else was quicker; its error ends Append and is returned as it
// is. The oldest record goes when there are NotesKept already. Other errors are
// ErrTooLarge, ErrDiskFull, ErrFenced when another owner has claimed the group,
// ErrClosed, and ErrUncertain.
func (e Editions) Append(ctx context.Context, next func(newest []byte) ([]byte, error)) error {
	err := e.log.checkRoom(e.log.cfg.MinFree / 2)
	if err == nil {
		err = e.log.stillOurs(ctx)
	}
	if err != nil {
		return fmt.Errorf("append edition: %w", err)
	}
	var refused error
	err = e.log.notes.change(ctx, editionNote, func(newest *note) []byte {
		var before, body []byte
		if newest != nil {
			before = newest.body
		}
		if body, refused = next(before); refused == nil {
			refused = checkEdition(body)
		}
		if refused != nil {
			return nil
		}
		return body
	})
	if refused != nil {
		return refused
	}
	if err != nil {
		return fmt.Errorf("append edition: %w", e.log.orClosed(err))
	}
	return nil
}

func checkEdition(body []byte) error {
	switch {
	case len(body) == 0:
		return errors.New("append edition: the record is empty")
	case len(body) > MaxEdition:
		return fmt.Errorf("append edition: %w: it has %d bytes, at most %d fit", ErrTooLarge, len(body), MaxEdition)
	}
	return nil
}

// Newest returns up to n records, newest first. One that is damaged is in its place
// and says so.
func (e Editions) Newest(ctx context.Context, n int) ([]Edition, error) {
	notes, err := e.log.notes.list(ctx, editionNote)
	if err != nil {
		return nil, e.log.orClosed(err)
	}
	list := make([]Edition, 0, min(n, len(notes)))
	for _, one := range notes[:min(n, len(notes))] {
		list = append(list, editionOf(one))
	}
	return list, nil
}

func editionOf(n note) Edition {
	if n.err != nil {
		return Edition{Err: n.err}
	}
	return Edition{Number: n.seq, At: time.Unix(0, n.base).UTC(), Body: n.body}
}

// Onlooker reads what the owner of a group has put in force, without the group's log.
// It belongs to the engine, which closes it. Methods may be called from any
// goroutine.
type Onlooker struct {
	notes *natsNotes
	blobs Blobs
}

// Onlooker looks at a group of the engine.
func (e *Engine) Onlooker(group int) *Onlooker {
	return &Onlooker{notes: newNatsNotes(group, e.cfg.Replicas, e.shared(), e.connect), blobs: e.blobs.of(group)}
}

// Newest returns the newest record; ok is false when there is none.
func (o *Onlooker) Newest(ctx context.Context) (e Edition, ok bool, err error) {
	stored, err := o.notes.last(ctx, editionNote)
	if errors.Is(err, ErrNotFound) {
		return Edition{}, false, nil
	}
	if err != nil {
		return Edition{}, false, fmt.Errorf("read the note %q: %w", editionNote, err)
	}
	return editionOf(decodeNote(editionNote, stored)), true, nil
}

// GetBlob is Log.GetBlob.
func (o *Onlooker) GetBlob(ctx context.Context, digest string) ([]byte, error) {
	name, err := blobName(digest)
	var b []byte
	if err == nil {
		b, err = o.blobs.Get(ctx, name)
	}
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", digest, err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != name {
		return nil, fmt.Errorf("read blob %s: %w", digest, corrupt(blobStream, 0, "the stored bytes have another digest"))
	}
	return b, nil
}
