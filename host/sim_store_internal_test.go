package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"

	"github.com/rhost/rhost/host/eventlog"
)

// simStore is the store of one process: it notes who sent what, and has the disk of
// its node.
type simStore struct {
	eventlog.Store
	owner *simOwner
}

func (s simStore) Stream(kind eventlog.StreamKind) eventlog.Stream {
	return simStream{s.Store.Stream(kind), s.owner, kind}
}

func (s simStore) Notes() eventlog.Notes { return simNotes{s.Store.Notes(), s.owner} }
func (s simStore) Blobs() eventlog.Blobs { return simBlobs{s.Store.Blobs(), s.owner} }

func (s simStore) Free() (int64, bool) { return 0, s.owner.node.full }

type simStream struct {
	eventlog.Stream
	owner *simOwner
	kind  eventlog.StreamKind
}

// simFrame is a place in a stream and what somebody wanted to be stored there.
type simFrame struct {
	kind eventlog.StreamKind
	seq  uint64
	hash uint64
}

var simHashSeed = maphash.MakeSeed()

func (s simStream) State(ctx context.Context) (eventlog.StreamState, error) {
	s.owner.called(false)
	return s.Stream.State(ctx)
}

func (s simStream) Get(ctx context.Context, seq uint64) ([]byte, error) {
	s.owner.called(false)
	return s.Stream.Get(ctx, seq)
}

func (s simStream) Publish(ctx context.Context, seq uint64, b []byte) error {
	s.owner.writes()
	s.owner.g.sent[simFrame{s.kind, seq, maphash.Bytes(simHashSeed, b)}] = s.owner.id
	err := s.Stream.Publish(ctx, seq, b)
	s.owner.writes()
	return err
}

func (s simStream) Scan(ctx context.Context, from, to uint64, fn func(uint64, []byte) error) error {
	s.owner.called(false)
	return s.Stream.Scan(ctx, from, to, func(seq uint64, b []byte) error {
		if left := &s.owner.reads; *left > 0 {
			if *left--; *left == 0 {
				return fmt.Errorf("%w: nobody answered", eventlog.ErrUnavailable)
			}
		}
		return fn(seq, b)
	})
}

func (s simStream) Purge(ctx context.Context, seq uint64) error {
	o := s.owner
	o.called(false)
	o.writes()
	o.say("lets go of stream %d below %d", s.kind, seq)
	if o.w.plant == plantPurgeAhead {
		if st, err := s.Stream.State(ctx); err == nil {
			seq = st.Last
		}
	}
	err := s.Stream.Purge(ctx, seq)
	o.w.did["the start of a log was released"]++
	o.writes()
	return err
}

type simNotes struct {
	eventlog.Notes
	owner *simOwner
}

func (n simNotes) Put(ctx context.Context, name string, after uint64, b []byte) (uint64, error) {
	n.owner.called(false)
	n.owner.writes()
	n.owner.g.floors(n.owner.w, b)
	seq, err := n.Notes.Put(ctx, name, after, b)
	n.owner.writes()
	return seq, err
}

// floors has those who check remember what is about to be let go of: from then on
// nobody has to have it.
func (g *simGroup) floors(w *simWorld, note []byte) {
	at := bytes.Index(note, []byte("floor"))
	if at < 0 {
		return
	}
	body := note[at+len("floor")+1:] // behind the name there is a length
	ev, n := binary.Uvarint(body)
	run, m := binary.Uvarint(body[max(n, 0):])
	if n <= 0 || m <= 0 {
		w.broken("a note of floors cannot be read")
		return
	}
	g.ev.mustRead(w, ev)
	g.run.mustRead(w, run)
}

func (n simNotes) List(ctx context.Context, name string) ([]eventlog.Note, error) {
	n.owner.called(false)
	return n.Notes.List(ctx, name)
}

type simBlobs struct {
	eventlog.Blobs
	owner *simOwner
}

func (b simBlobs) Put(ctx context.Context, name string, body []byte) error {
	b.owner.called(true)
	b.owner.writes()
	b.owner.g.blobs["sha256:"+name] = bytes.Clone(body)
	err := b.Blobs.Put(ctx, name, body)
	b.owner.writes()
	return err
}

func (b simBlobs) Get(ctx context.Context, name string) ([]byte, error) {
	b.owner.called(b.owner.thread == b.owner.publishing) // which looks before it stores
	return b.Blobs.Get(ctx, name)
}

func (b simBlobs) List(ctx context.Context) ([]string, eventlog.BlobMark, error) {
	b.owner.called(false)
	return b.Blobs.List(ctx)
}

func (b simBlobs) Delete(ctx context.Context, name string, mark eventlog.BlobMark) error {
	b.owner.called(true)
	b.owner.writes()
	b.owner.say("removes a blob")
	w := b.owner.w
	w.did["a blob was removed"]++
	if w.plant == plantDeleteUnfenced {
		mark = eventlog.AnyBlob
	}
	if !w.sound && w.once(4) {
		w.deletes = append(w.deletes, func() error { return b.Blobs.Delete(ctx, name, mark) })
		return fmt.Errorf("%w: nobody answers", eventlog.ErrUncertain)
	}
	err := b.Blobs.Delete(ctx, name, mark)
	b.owner.writes()
	return err
}

// simStored is what servers have stored.
type simStored interface {
	Frames(group int, kind eventlog.StreamKind) (first uint64, frames [][]byte)
	Blob(group int, digest string) ([]byte, bool)
}

// simHistory is all that a stream has ever held, what was released included.
type simHistory struct {
	stored  simStored
	g       *simGroup
	kind    eventlog.StreamKind
	checker *eventlog.Checker
	frames  []*eventlog.CheckedFrame
	hashes  []uint64
}

func newSimHistory(m simStored, g *simGroup, events bool) *simHistory {
	kind := eventlog.RunStream
	if events {
		kind = eventlog.EventStream
	}
	name, _ := kind.NamesOf(g.no)
	return &simHistory{stored: m, g: g, kind: kind, checker: eventlog.NewChecker(name)}
}

// read reads on, up to but not including frame to; 0: to the end.
func (h *simHistory) read(to uint64) error {
	first, frames := h.stored.Frames(h.g.no, h.kind)
	for i, b := range frames {
		seq := first + uint64(i)
		if seq <= uint64(len(h.frames)) || to > 0 && seq >= to {
			continue
		}
		f, err := h.checker.Check(seq, bytes.Clone(b))
		if err != nil {
			return err
		}
		if err := h.named(f); err != nil {
			return err
		}
		for k := range f.Runs {
			if r := &f.Runs[k]; r.Kind&runIndirect != 0 {
				r.Kind, r.Body = r.Kind&^runIndirect, h.g.blobs[string(r.Body)]
			}
		}
		h.frames = append(h.frames, f)
		h.hashes = append(h.hashes, maphash.Bytes(simHashSeed, b))
	}
	return nil
}

func (h *simHistory) mustRead(w *simWorld, to uint64) {
	if err := h.read(to); err != nil {
		w.broken("a stream is damaged: %v", err)
	}
}
