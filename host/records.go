package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/workflow"
)

// recordReader reads records as a start would, without doing anything, and notes
// what they need. It belongs to one goroutine.
type recordReader struct {
	needs    map[string]string // by digest of a blob: the first record that names it
	origin   string
	progress eventlog.Position // of the last record that tells it
	ends     map[string]uint64 // by stream: its last frame
	records  uint64
}

func newRecordReader() *recordReader {
	return &recordReader{needs: make(map[string]string), ends: make(map[string]uint64)}
}

// frame reads the records of a frame. The error names the first that cannot be
// read.
func (r *recordReader) frame(stream string, f *eventlog.CheckedFrame) error {
	r.ends[stream] = f.Seq
	r.records += uint64(f.Count())
	for i := range f.Records {
		if err := r.event(stream, f.Seq, &f.Records[i]); err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
	}
	for i := range f.Runs {
		if err := r.run(stream, f.Seq, &f.Runs[i]); err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
	}
	return nil
}

func (r *recordReader) need(digest, stream string, seq uint64, what string) {
	if _, ok := r.needs[digest]; !ok {
		r.needs[digest] = fmt.Sprintf("%s, in frame %d of stream %s", what, seq, stream)
	}
}

func (r *recordReader) event(stream string, seq uint64, rec *eventlog.Record) error {
	switch rec.Kind {
	case eventlog.Event:
		if _, rest, err := event.DecodeBinary(rec.Body); err != nil || len(rest) > 0 {
			return errors.Join(errors.New("it is no event"), err)
		}
	case eventlog.Revision:
		r.need(rec.Key, stream, seq, "rules in force from there on")
	case eventlog.Tick, eventlog.Checkpoint, eventlog.Claim, eventlog.Origin:
	default:
		return fmt.Errorf("%s is unknown: a newer version has written it", rec.Kind)
	}
	return nil
}

func (r *recordReader) run(stream string, seq uint64, rec *eventlog.RunRecord) error {
	if rec.Kind&runIndirect != 0 {
		r.need(string(rec.Body), stream, seq, "record "+rec.Key)
		return nil
	}
	switch rec.Kind {
	case runProgress:
		p, err := decodeProgress(rec.Body)
		if err == nil && p.Compare(r.progress) < 0 {
			err = fmt.Errorf("progress goes back from %s to %s", r.progress, p)
		}
		r.progress = p
		return err
	case runRules:
		r.need(rec.Key, stream, seq, "rules in force from there on")
	case runMatch:
		return json.Unmarshal(rec.Body, &MatchRecord{})
	case runFlow:
		return r.flow(stream, seq, rec)
	case runForwarded:
		_, err := decodeForwarded(rec.Body)
		return err
	case runBad:
		return json.Unmarshal(rec.Body, &BadRecord{})
	case runBadDropped, eventlog.RunClaim:
	case runOrigin:
		r.origin = rec.Key
	default:
		return fmt.Errorf("its kind, %d, is unknown: a newer version has written it", rec.Kind)
	}
	return nil
}

func (r *recordReader) flow(stream string, seq uint64, rec *eventlog.RunRecord) error {
	h, err := workflow.DecodeRecord(rec.Body)
	if err != nil {
		return fmt.Errorf("history of %s: %w", rec.Key, err)
	}
	var match workflow.Payload
	switch {
	case h.Started != nil:
		match = h.Started.Match
	case h.DeadLettered != nil:
		match = h.DeadLettered.Match
	}
	if len(match) == 0 {
		return nil
	}
	_, blob, err := parsePayload(match)
	if err != nil {
		return fmt.Errorf("history of %s: its match: %w", rec.Key, err)
	}
	if blob != "" {
		r.need(blob, stream, seq, "the match of execution "+rec.Key)
	}
	return nil
}

// missing lists the blobs that records need and get does not have whole, each
// with what needs it.
func (r *recordReader) missing(get func(digest string) ([]byte, error)) (errs []error) {
	for _, digest := range sortedNames(r.needs) {
		b, err := get(digest)
		if err == nil && strings.HasPrefix(r.needs[digest], "rules ") {
			err = neededFiles(b, get)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%w; it is needed as %s", err, r.needs[digest]))
		}
	}
	return errs
}

// neededFiles looks for the files of a rule set.
func neededFiles(set []byte, get func(digest string) ([]byte, error)) error {
	var kept []keptFile
	if err := json.Unmarshal(set, &kept); err != nil {
		return fmt.Errorf("decode rules: %w", err)
	}
	for _, k := range kept {
		if k.Blob == "" {
			continue
		}
		if _, err := get(k.Blob); err != nil {
			return fmt.Errorf("%s: %w", k.Name, err)
		}
	}
	return nil
}

// checkProgress compares what RUN says was decided with what EV has.
func (r *recordReader) checkProgress() error {
	if last := r.ends["EV"]; r.progress.Frame > last {
		return fmt.Errorf("stream RUN says that everything up to %s of stream EV was decided, which ends with frame %d", r.progress, last)
	}
	return nil
}

// checkSnapshot reads the newest of the notes that say where snapshots are, and what
// it names. A log that has let go of its start cannot be read without one.
func (r *recordReader) checkSnapshot(notes [][]byte, first map[string]uint64, get func(digest string) ([]byte, error)) error {
	if len(notes) == 0 {
		if first["EV"] > 1 || first["RUN"] > 1 {
			return fmt.Errorf("the log starts with frame %d of EV and frame %d of RUN, and there is no snapshot of what was before", first["EV"], first["RUN"])
		}
		return nil
	}
	stored := make([]storedNote, 0, len(notes))
	for _, b := range slices.Backward(notes) {
		body, err := eventlog.ReadSnapshotNote(b)
		stored = append(stored, storedNote{body: body, err: err})
	}
	sortNotes(stored, eventlog.Position{Frame: r.ends["EV"], Index: math.MaxUint32}, r.ends["RUN"])
	if stored[0].err != nil {
		return stored[0].err
	}
	note, err := readNote(stored[0].body)
	if err != nil {
		return err
	}
	b, err := get(note.Digest)
	switch {
	case err != nil:
	case len(b) != note.Bytes:
		err = fmt.Errorf("it has %d bytes, not %d", len(b), note.Bytes)
	case note.Frame > r.ends["EV"] || note.Run > r.ends["RUN"]:
		err = fmt.Errorf("it is ahead of the log, which ends with frame %d of EV and frame %d of RUN", r.ends["EV"], r.ends["RUN"])
	case note.Frame+1 < first["EV"] || note.Run+1 < first["RUN"]:
		err = fmt.Errorf("it ends before the log begins, with frame %d of EV and frame %d of RUN", first["EV"], first["RUN"])
	}
	if err != nil {
		return fmt.Errorf("snapshot %s of %v: %w", short(note.Digest), note.At, err)
	}
	return nil
}
