package host

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rhost/rhost/host/eventlog"
)

// keptSnapshots is how many are kept: one that cannot be read leaves the one before.
const keptSnapshots = 3

// snapshotNote says where a snapshot is. It is what the stream SNAP holds.
type snapshotNote struct {
	Version int       `json:"v"`
	Digest  string    `json:"digest"` // of the blob
	Frame   uint64    `json:"frame"`  // of EV: the record that is in it last
	Index   uint32    `json:"index"`
	Run     uint64    `json:"run"` // frame of RUN that is in it last
	At      time.Time `json:"at"`
	Bytes   int       `json:"bytes"`           // of the blob
	Lanes   string    `json:"lanes,omitempty"` // how the matcher's events were spread
}

func (n *snapshotNote) position() eventlog.Position {
	return eventlog.Position{Frame: n.Frame, Index: n.Index}
}

// noteVersion is the version of the notes that are written.
const noteVersion = 1

// snapshotStore is where snapshots are kept: their bytes by digest, and a few notes.
type snapshotStore interface {
	blobs
	// Remove removes a blob.
	Remove(ctx context.Context, digest string) error
	// AppendSnapshot adds a note, which counts from then on.
	AppendSnapshot(ctx context.Context, note []byte) error
	// NewestSnapshots gives the newest notes: those of the latest state, that first. An
	// unreadable one has an error in its place.
	NewestSnapshots(ctx context.Context, n int) ([]storedNote, error)
}

// storedNote is a note as it is kept, or why it cannot be read.
type storedNote struct {
	body []byte
	err  error
}

// logSnapshots is the snapshotStore of a log.
type logSnapshots struct{ *heldBlobs }

func (s logSnapshots) AppendSnapshot(ctx context.Context, note []byte) error {
	return s.Snapshots().Append(ctx, note)
}

func (s logSnapshots) NewestSnapshots(ctx context.Context, n int) ([]storedNote, error) {
	return newestSnapshots(ctx, s.Log, n)
}

// newestSnapshots gives the notes of the n latest states. That is not the order in which
// the notes were added: an owner that stood still may add the note of an old one after
// the next owner has added its own, and let go of the log in between. A state that the
// log does not reach, because its end was cut off, comes last.
func newestSnapshots(ctx context.Context, log *eventlog.Log, n int) ([]storedNote, error) {
	list, err := log.Snapshots().Newest(ctx, eventlog.NotesKept)
	notes := make([]storedNote, len(list))
	for i, one := range list {
		notes[i] = storedNote{body: one.Body, err: one.Err}
	}
	sortNotes(notes, log.Tail(), log.RunLog().Tail())
	return notes[:min(n, len(notes))], err
}

// sortNotes sorts the readable notes by their states, latest first, among the places
// that they have. The log ends at tail, and at frame run of RUN.
func sortNotes(notes []storedNote, tail eventlog.Position, run uint64) {
	type known struct {
		*snapshotNote
		stored storedNote
		ahead  int // 1: of the log
	}
	var places []int
	var states []known
	for i, one := range notes {
		if one.err != nil {
			continue
		}
		note, err := readNote(one.body)
		if err != nil {
			continue
		}
		k := known{snapshotNote: note, stored: one}
		if note.position().Compare(tail) > 0 || note.Run > run {
			k.ahead = 1
		}
		places, states = append(places, i), append(states, k)
	}
	slices.SortStableFunc(states, func(a, b known) int {
		return cmp.Or(cmp.Compare(a.ahead, b.ahead), b.position().Compare(a.position()), cmp.Compare(b.Run, a.Run))
	})
	for i, place := range places {
		notes[place] = states[i].stored
	}
}

func readNote(b []byte) (*snapshotNote, error) {
	var n snapshotNote
	if err := json.Unmarshal(b, &n); err != nil {
		return nil, fmt.Errorf("note of a snapshot: %w", err)
	}
	if n.Version < 1 || n.Version > noteVersion {
		return nil, fmt.Errorf("note of a snapshot: version %d; this release reads up to %d", n.Version, noteVersion)
	}
	return &n, nil
}
