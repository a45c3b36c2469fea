package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
)

// Rebuild writes a log anew from frames, notes and blobs that were copied out of
// it: the same frames under the same numbers. Its methods belong to one goroutine.
type Rebuild struct {
	log     *Log
	origin  string // of what will be begun in it
	streams map[string]*rebuilt
	notes   map[string]uint64 // sequence of the last note of a name
}

// rebuilt is a stream that is being written.
type rebuilt struct {
	s     *stream
	slot  int
	check *Checker
}

// NewRebuild begins to write a log into dir, which must be missing or empty; its
// parent must exist. first gives the number of the first frame of EV and of RUN, by
// their names; 0 and 1 both mean the start. The log is not to be used until Finish.
func NewRebuild(ctx context.Context, dir string, first map[string]uint64, logger *slog.Logger) (*Rebuild, error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("write log %s: the folder is not empty", dir)
	}
	l, err := Open(ctx, Config{Dir: dir, Owner: "rhost, which restores it", Logger: logger})
	if err != nil {
		return nil, err
	}
	r, err := newRebuild(ctx, l, first)
	if err != nil {
		return nil, fmt.Errorf("write log %s: %w", dir, err)
	}
	return r, nil
}

// NewRebuildOn is NewRebuild for group 0 of an engine, which must have nothing in it
// yet. Until Finish others who open the group find that its restore has begun.
func NewRebuildOn(ctx context.Context, e *Engine, first map[string]uint64, logger *slog.Logger) (*Rebuild, error) {
	l, err := e.Open(ctx, 0, Config{Logger: logger})
	if err != nil {
		return nil, err
	}
	name := func(err error) error { return e.cfg.name("write log", err) }
	_, begun, err := l.restored(ctx)
	if err == nil && begun {
		err = ErrUnfinished
	}
	if err == nil && l.Tail().Frame+l.run.Tail() > 0 {
		err = fmt.Errorf("there is a log already, of %d frames; stop every `rhost run` that is part of the cluster, and empty the folders of the log, or remove its streams, before a restore", l.Tail().Frame)
	}
	if err != nil {
		return nil, errors.Join(name(err), l.Close())
	}
	r, err := newRebuild(ctx, l, first)
	if err != nil {
		return nil, name(err)
	}
	return r, nil
}

func newRebuild(ctx context.Context, l *Log, first map[string]uint64) (*Rebuild, error) {
	r := &Rebuild{log: l, origin: newOrigin(), notes: make(map[string]uint64), streams: map[string]*rebuilt{
		evName:  {s: l.events, slot: slotEvents, check: NewChecker(evName)},
		runName: {s: l.run.out.s, slot: slotRun, check: NewChecker(runName)},
	}}
	err := l.noteRestored(ctx, false, r.origin)
	if err == nil {
		err = r.begin(ctx, floors{ev: first[evName], run: first[runName]})
	}
	if err != nil {
		return nil, errors.Join(err, r.close(false))
	}
	return r, nil
}

// begin has the streams begin where they did, which is recorded before, as for
// any purge.
func (r *Rebuild) begin(ctx context.Context, f floors) error {
	if f.ev <= 1 && f.run <= 1 {
		return nil
	}
	err := r.log.recordFloors(ctx, f)
	if w := r.log.run.out.witness; err == nil && w != nil {
		err = w.sayFloors(f)
	}
	for name, first := range map[string]uint64{evName: f.ev, runName: f.run} {
		if err == nil && first > 1 {
			err = r.streams[name].s.Purge(ctx, first)
		}
	}
	return err
}

// Frame stores the next frame of stream EV or RUN. It is checked before. It is on
// disk when Frame returns.
func (r *Rebuild) Frame(ctx context.Context, stream string, seq uint64, b []byte) error {
	to := r.streams[stream]
	if to == nil {
		return fmt.Errorf("there is no stream %s in this log", stream)
	}
	if _, err := to.check.Check(seq, b); err != nil {
		return err
	}
	return to.s.publish(ctx, seq, b)
}

// Note stores the next of the notes that say where snapshots are, as SnapshotNotes
// of a Cut gave it.
func (r *Rebuild) Note(ctx context.Context, b []byte) error { return r.put(ctx, snapshotNote, b) }

// Edition stores the next of the notes that say what is in force, as EditionNotes of
// a LiveCut gave it.
func (r *Rebuild) Edition(ctx context.Context, b []byte) error { return r.put(ctx, editionNote, b) }

func (r *Rebuild) put(ctx context.Context, name string, b []byte) error {
	if _, _, err := decodeNoteFrame(b, name); err != nil {
		return fmt.Errorf("store a note %q: %w", name, err)
	}
	seq, err := r.log.notes.store.Put(ctx, name, r.notes[name], b)
	r.notes[name] = seq
	return err
}

// Blob stores a blob. It is on disk when Blob returns.
func (r *Rebuild) Blob(ctx context.Context, digest string, b []byte) error {
	return r.log.PutBlob(ctx, digest, b)
}

// Finish notes what the streams end with, and that the log is whole, and closes it.
// When good is false, it closes it as a crash would have.
func (r *Rebuild) Finish(ctx context.Context, good bool) error {
	var err error
	if good {
		err = r.log.noteRestored(ctx, true, r.origin)
	}
	return errors.Join(err, r.close(good && err == nil))
}

func (r *Rebuild) close(good bool) error {
	var errs []error
	for _, to := range r.streams {
		w := r.log.run.out.witness
		if seq, sum, _ := to.check.Tail(); w != nil && seq > 0 {
			errs = append(errs, w.say(to.slot, testimony{seq: seq, crc: sum}))
		}
	}
	if !good {
		r.log.committer.out.doubt = true
	}
	return errors.Join(append(errs, r.log.Close())...)
}
