package backup

import (
	"context"

	"github.com/rhost/rhost/host/eventlog"
)

// Log is a log at one moment: an eventlog.Cut, which is read from files, or an
// eventlog.LiveCut, which is read through servers.
type Log interface {
	Streams() []string
	Size(stream string) int64
	Acked(stream string) (seq uint64, crc uint32, ok bool)
	Floor(stream string) uint64
	Clean() bool
	Scan(ctx context.Context, stream string, from uint64, fn func(*eventlog.Entry) error, bad func(*eventlog.CorruptError) error) (eventlog.Extent, error)
	CheckEnds(stream string, ext eventlog.Extent, sums map[uint64]uint32) error
	SnapshotNotes(ctx context.Context, bad func(*eventlog.CorruptError) error) ([][]byte, error)
	EditionNotes() ([][]byte, error)
	Blobs(ctx context.Context) (Blobs, error)
}

// Blobs are the blobs of a Log.
type Blobs interface {
	Digests() []string
	Get(digest string) ([]byte, error)
}

// fileLog is a Cut as a Log.
type fileLog struct{ *eventlog.Cut }

// EditionNotes gives none: one machine has its app folder in force.
func (l fileLog) EditionNotes() ([][]byte, error) { return nil, nil }

func (l fileLog) Blobs(ctx context.Context) (Blobs, error) {
	index, err := l.Cut.Blobs(ctx, nil)
	if err != nil {
		return nil, err // not an index that is nil
	}
	return index, nil
}

// liveLog is a LiveCut as a Log.
type liveLog struct{ *eventlog.LiveCut }

func (l liveLog) Blobs(ctx context.Context) (Blobs, error) {
	blobs, err := l.LiveCut.Blobs(ctx)
	if err != nil {
		return nil, err
	}
	return blobs, nil
}

// OfEngine takes the log of an engine's group 0, for Options.
func OfEngine(e *eventlog.Engine) func(context.Context) (Log, error) {
	return func(ctx context.Context) (Log, error) {
		cut, err := e.TakeCut(ctx, 0)
		if err != nil {
			return nil, err
		}
		return liveLog{cut}, nil
	}
}

// take looks at the log.
func (w *writer) take(ctx context.Context) (Log, error) {
	if w.Take != nil {
		return w.Take(ctx)
	}
	cut, err := eventlog.TakeCut(w.Log)
	if err != nil {
		return nil, err
	}
	return fileLog{cut}, nil
}
