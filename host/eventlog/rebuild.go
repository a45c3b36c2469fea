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
	streams map[string]*rebuilt
	note    uint64 // sequence of the last snapshot note
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
	r := &Rebuild{log: l, streams: map[string]*rebuilt{
		evName:  {s: l.events, slot: slotEvents, check: NewChecker(evName)},
		runName: {s: l.run.out.s, slot: slotRun, check: NewChecker(runName)},
	}}
	if err := r.begin(ctx, floors{ev: first[evName], run: first[runName]}); err != nil {
		return nil, errors.Join(fmt.Errorf("write log %s: %w", dir, err), r.Finish(false))
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
	if err == nil {
		err = r.log.run.out.witness.sayFloors(f)
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
func (r *Rebuild) Note(ctx context.Context, b []byte) error {
	if _, _, err := decodeNoteFrame(b, snapshotNote); err != nil {
		return fmt.Errorf("store a snapshot's note: %w", err)
	}
	seq, err := r.log.notes.store.Put(ctx, snapshotNote, r.note, b)
	r.note = seq
	return err
}

// Blob stores a blob. It is on disk when Blob returns.
func (r *Rebuild) Blob(ctx context.Context, digest string, b []byte) error {
	return r.log.PutBlob(ctx, digest, b)
}

// Finish notes what the streams end with and closes the log. When good is false,
// it closes it as a crash would have.
func (r *Rebuild) Finish(good bool) error {
	var errs []error
	for _, to := range r.streams {
		if seq, sum, _ := to.check.Tail(); seq > 0 {
			errs = append(errs, r.log.run.out.witness.say(to.slot, testimony{seq: seq, crc: sum}))
		}
	}
	if !good {
		r.log.committer.out.doubt = true
	}
	return errors.Join(append(errs, r.log.Close())...)
}
