package eventlog

import (
	"context"
	"slices"
	"strings"
)

// SnapshotNotes gives the notes of a Cut that say where snapshots are, the oldest
// first, each as it is stored; Snapshots reads them. What is damaged is given to
// bad, as by Scan.
func (c *Cut) SnapshotNotes(ctx context.Context, bad func(*CorruptError) error) (list [][]byte, err error) {
	type stored struct {
		seq  uint64
		body []byte
	}
	var notes []stored
	_, err = c.Scan(ctx, noteStream, 0, func(e *Entry) error {
		switch {
		case e.Gone:
			notes = slices.DeleteFunc(notes, func(n stored) bool { return n.seq == e.Seq })
		case strings.HasSuffix(e.Subject, "."+snapshotNote):
			notes = append(notes, stored{e.Seq, e.Body})
		}
		return nil
	}, bad)
	for _, n := range notes[max(0, len(notes)-NotesKept):] {
		list = append(list, n.body)
	}
	return list, err
}

// ReadEditionNote gives what was appended to Editions, of a note as a LiveCut gave it.
func ReadEditionNote(b []byte) (body []byte, err error) {
	_, body, err = decodeNoteFrame(b, editionNote)
	return body, err
}

// ReadSnapshotNote gives what was appended to Snapshots, of a note as a Cut gave it.
func ReadSnapshotNote(b []byte) (body []byte, err error) {
	_, body, err = decodeNoteFrame(b, snapshotNote)
	return body, err
}
