package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	noteStream = "SNAP"
	// maxNote bounds the body of a note.
	maxNote = 64 << 10
	// noteTries bounds how often a change is tried again because somebody else
	// came first, or because its outcome was unknown.
	noteTries = 8
)

// notes are the log's view of its store's notes: each is a frame of its own,
// numbered and checksummed.
type notes struct {
	store  Notes
	writer uint64
	stamp  func() int64
	within time.Duration // for a note to be acknowledged
}

// note is a stored note taken to pieces, or err says why it cannot be.
type note struct {
	header
	at   uint64 // its sequence in the store
	body []byte
	err  error
}

// list returns the notes of a name, newest first.
func (n *notes) list(ctx context.Context, name string) ([]note, error) {
	stored, err := n.store.List(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("list the notes %q: %w", name, err)
	}
	list := make([]note, len(stored))
	for i, s := range stored {
		list[i] = decodeNote(name, s)
	}
	return list, nil
}

func decodeNote(name string, s Note) note {
	h, body, err := decodeNoteFrame(s.Body, name)
	if err != nil {
		return note{at: s.Seq, err: corrupt(noteStream, s.Seq, err.Error())}
	}
	return note{header: h, at: s.Seq, body: body}
}

// change appends the note that next makes of the newest readable one, which may
// be nil; nothing when next returns nil. It starts over when somebody else has
// been quicker, and finds out what became of a note whose answer got lost.
func (n *notes) change(ctx context.Context, name string, next func(newest *note) []byte) error {
	var sent []uint32 // checksums of what may be stored
	for try := 1; ; try++ {
		list, err := n.list(ctx, name)
		if err != nil {
			return err
		}
		newest, after := newestOf(list)
		if newest != nil && newest.writer == n.writer && slices.Contains(sent, newest.crc) {
			return nil // it was stored after all
		}
		body := next(newest)
		if body == nil {
			return nil
		}
		h := n.header(newest)
		frame := noteFrameOf(&h, name, body)
		err = n.put(ctx, name, after, frame)
		if err == nil {
			return nil
		}
		stale, uncertain := errors.Is(err, ErrStale), errors.Is(err, ErrUncertain)
		if !stale && !uncertain || try == noteTries {
			return fmt.Errorf("write the note %q: %w", name, err)
		}
		if uncertain {
			sent = append(sent, h.crc)
		}
	}
}

func (n *notes) put(ctx context.Context, name string, after uint64, frame []byte) error {
	ctx, cancel := context.WithTimeout(ctx, n.within)
	defer cancel()
	_, err := n.store.Put(ctx, name, after, frame)
	return err
}

// newestOf returns the newest note that can be read, or nil, and the sequence of
// the newest of all.
func newestOf(list []note) (newest *note, after uint64) {
	if len(list) > 0 {
		after = list[0].at
	}
	for i := range list {
		if list[i].err == nil {
			return &list[i], after
		}
	}
	return nil, after
}

// header is the start of the header of the note after newest.
func (n *notes) header(newest *note) header {
	h := header{typ: noteFrame, seq: 1, writer: n.writer, base: n.stamp()}
	if newest != nil {
		h.seq, h.first, h.prev = newest.seq+1, newest.seq, newest.crc
	}
	return h
}

// noteFrameOf encodes a note as the frame h describes and seals it.
func noteFrameOf(h *header, name string, body []byte) []byte {
	dst := appendString(make([]byte, headerSize), name)
	dst = appendBytes(dst, body)
	h.count = 1
	h.seal(dst)
	return dst
}

// decodeNoteFrame returns the body of a stored note, which is a part of b.
func decodeNoteFrame(b []byte, name string) (header, []byte, error) {
	h, err := parseHeader(b, noteFrame)
	if err != nil {
		return h, nil, err
	}
	c := cursor{b: b[headerSize:]}
	said, body := string(c.bytes()), c.bytes()
	switch {
	case c.failed || len(c.b) != 0 || h.count != 1 || h.table != 0 || h.lanes != 0:
		return h, nil, errors.New("it is not a note")
	case said != name:
		return h, nil, fmt.Errorf("it is a note %q, not %q", said, name)
	}
	return h, body, nil
}
