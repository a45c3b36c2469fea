package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// LiveCut is what the log of one group holds at one moment, read through the servers
// that keep it while its owner goes on. It is a moment as that of a Cut is, which is
// read from files: what was decided was decided from frames that it has, and what
// was emitted into EV was recorded in RUN. What is removed meanwhile ends a reader
// with ErrMoved.
//
// A LiveCut is safe for concurrent use. Close it when done.
type LiveCut struct {
	store  Store
	names  map[string]StreamKind
	states map[string]StreamState
	floors map[string]uint64
	notes  map[string][]Note // as they were before the streams were looked at, newest first
}

// Cut is what a Rebuild has written so far. It ends with the Rebuild.
func (r *Rebuild) Cut(ctx context.Context) (*LiveCut, error) { return cutOf(ctx, r.log.store, 0) }

// TakeCut looks at the log of a group. It writes nothing.
func (e *Engine) TakeCut(ctx context.Context, group int) (*LiveCut, error) {
	s, err := e.Store(group)
	if err != nil {
		return nil, err
	}
	c, err := cutOf(ctx, s, group)
	if err == nil {
		_, err = (&Log{store: s, notes: notes{store: s.Notes()}}).Restored(ctx)
	}
	if err != nil {
		return nil, e.cfg.name("look at the log", errors.Join(err, s.Close()))
	}
	return c, nil
}

func cutOf(ctx context.Context, s Store, group int) (*LiveCut, error) {
	ev, _ := EventStream.NamesOf(group)
	run, _ := RunStream.NamesOf(group)
	c := &LiveCut{
		store: s, names: map[string]StreamKind{ev: EventStream, run: RunStream},
		states: make(map[string]StreamState), floors: make(map[string]uint64), notes: make(map[string][]Note),
	}
	l := &Log{notes: notes{store: s.Notes()}}
	f, err := l.floors(ctx)
	if err != nil {
		return nil, err
	}
	c.floors[ev], c.floors[run] = f.ev, f.run
	for _, name := range []string{snapshotNote, editionNote} {
		if c.notes[name], err = s.Notes().List(ctx, name); err != nil {
			return nil, err
		}
	}
	// EV as it is while RUN does not change; see Cut.
	was, err := s.Stream(RunStream).State(ctx)
	for try := 1; err == nil; try++ {
		var now StreamState
		if c.states[ev], err = s.Stream(EventStream).State(ctx); err != nil {
			break
		}
		if now, err = s.Stream(RunStream).State(ctx); err == nil && now.Last == was.Last {
			c.states[run] = now
			return c, nil
		}
		if was = now; try == cutTries {
			err = errors.New("the host decides without a pause; try again")
		}
	}
	return nil, err
}

// Streams and Size, Acked, Floor and Clean are as those of a Cut. What a frame's
// servers have acknowledged is what they hold, so nothing else is known of it.
func (c *LiveCut) Streams() []string {
	var names []string
	for name, st := range c.states {
		if st.Last > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Size is about how many bytes the servers keep of a stream.
func (c *LiveCut) Size(stream string) int64 { return int64(c.states[stream].Bytes) }

// Acked knows nothing.
func (c *LiveCut) Acked(string) (seq uint64, crc uint32, ok bool) { return 0, 0, false }

// Floor is the first frame of a stream that somebody may still need.
func (c *LiveCut) Floor(stream string) uint64 { return c.floors[stream] }

// Clean is false: the owner goes on.
func (c *LiveCut) Clean() bool { return false }

// Scan hands the frames of a stream with the sequence from or a later one to fn, in
// order. Their checksums are the caller's to check. A frame that is not there ends
// the scan: with ErrMoved if it was purged, else with a *CorruptError.
func (c *LiveCut) Scan(ctx context.Context, stream string, from uint64, fn func(*Entry) error, _ func(*CorruptError) error) (ext Extent, err error) {
	kind, ok := c.names[stream]
	if !ok {
		return ext, fmt.Errorf("there is no stream %s in this log", stream)
	}
	st := c.states[stream]
	next := max(from, c.Floor(stream), st.First)
	if next > st.Last {
		return ext, nil
	}
	s := c.store.Stream(kind)
	err = s.Scan(ctx, next, st.Last, func(seq uint64, b []byte) error {
		if seq != next {
			return c.gone(ctx, stream, next)
		}
		next++
		if ext.First == 0 {
			ext.First = seq
		}
		ext.Last, ext.Count, ext.Bytes = seq, ext.Count+1, ext.Bytes+int64(len(b))
		return fn(&Entry{Seq: seq, Body: b})
	})
	if err == nil && next <= st.Last {
		err = c.gone(ctx, stream, next)
	}
	return ext, err
}

// gone says why a frame is not there.
func (c *LiveCut) gone(ctx context.Context, stream string, seq uint64) error {
	now, err := c.store.Stream(c.names[stream]).State(ctx)
	if err == nil && seq < now.First {
		return fmt.Errorf("frame %d of stream %s: %w", seq, stream, ErrMoved)
	}
	return errors.Join(corrupt(stream, seq, "it is missing or unreadable"), err)
}

// CheckEnds reports a stream that does not begin and end where it should.
func (c *LiveCut) CheckEnds(stream string, ext Extent, _ map[uint64]uint32) error {
	floor := max(c.Floor(stream), 1)
	if ext.First > floor {
		return corrupt(stream, floor, fmt.Sprintf("the stream starts with frame %d", ext.First))
	}
	return nil
}

// SnapshotNotes gives the notes that say where snapshots are, the oldest first, each
// as it is stored. What is damaged is given to bad, as by Scan.
func (c *LiveCut) SnapshotNotes(_ context.Context, bad func(*CorruptError) error) (list [][]byte, err error) {
	return c.bodies(snapshotNote, bad)
}

// EditionNotes gives the notes that say what is in force, as SnapshotNotes does.
func (c *LiveCut) EditionNotes() (list [][]byte, err error) { return c.bodies(editionNote, nil) }

func (c *LiveCut) bodies(name string, bad func(*CorruptError) error) (list [][]byte, err error) {
	for _, n := range slices.Backward(c.notes[name]) {
		if one := decodeNote(name, n); one.err != nil {
			damage := (*CorruptError)(nil)
			if !errors.As(one.err, &damage) || bad == nil {
				return nil, one.err
			}
			if err := bad(damage); err != nil {
				return nil, err
			}
			continue
		}
		list = append(list, n.Body)
	}
	return list, nil
}

// Blobs finds the blobs that there are now.
func (c *LiveCut) Blobs(ctx context.Context) (*LiveBlobs, error) {
	names, _, err := c.store.Blobs().List(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return &LiveBlobs{ctx: ctx, log: &Log{store: c.store}, names: names}, nil
}

// Close gives back the connections.
func (c *LiveCut) Close() error { return c.store.Close() }

// LiveBlobs are the blobs of a LiveCut.
type LiveBlobs struct {
	ctx   context.Context //nolint:containedctx // it belongs to one reader of one cut
	log   *Log
	names []string
}

// Digests lists the digests of the blobs, sorted.
func (b *LiveBlobs) Digests() []string {
	list := make([]string, len(b.names))
	for i, name := range b.names {
		list[i] = digestMark + name
	}
	return list
}

// Get reads a blob. The errors are those of Log.GetBlob.
func (b *LiveBlobs) Get(digest string) ([]byte, error) {
	name, err := blobName(digest)
	if err == nil {
		var body []byte
		if body, err = b.log.loadBlob(b.ctx, name); err == nil {
			return body, nil
		}
	}
	return nil, fmt.Errorf("read blob %s: %w", digest, err)
}
