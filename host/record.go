package host

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/workflow"
	"github.com/rhost/rhost/sandbox"
)

// The kinds of record in the stream RUN. Their numbers are part of what is on
// disk. Everything else the host knows of the past is a projection of them.
const (
	runProgress  eventlog.RunKind = 1 // Body: position in EV up to which everything was decided
	runRules     eventlog.RunKind = 2 // Key: digest of the rule set in force from here on
	runMatch     eventlog.RunKind = 3 // Key: match id; Body: MatchRecord
	runFlow      eventlog.RunKind = 4 // Key: execution id; Body: workflow.Record, which holds the effects
	runForwarded eventlog.RunKind = 5 // Body: RUN sequence up to which emitted events are in EV
	runBad       eventlog.RunKind = 6 // Key: id; Body: BadRecord

	runBadDropped eventlog.RunKind = 7 // Key: id of the bad record that somebody dropped
	runOrigin     eventlog.RunKind = 8 // Key: what tells this log from every other

	// runIndirect is set on the kind of a record whose body is larger than
	// maxInline: the body is a blob, and the record holds its digest.
	runIndirect eventlog.RunKind = 0x80
)

// maxInline leaves room for others in a frame of a megabyte.
const maxInline = 600_000

// shrink puts the body of a record larger than most into the blobs, so that no match and
// no result, however large, is more than a frame can hold.
func shrink(ctx context.Context, b blobs, r eventlog.RunRecord, most int) (eventlog.RunRecord, error) {
	if len(r.Body) <= most {
		return r, nil
	}
	digest := sandbox.Digest(r.Body)
	if err := b.PutBlob(ctx, digest, r.Body); err != nil {
		return r, fmt.Errorf("keep record %s: %w", r.Key, err)
	}
	return eventlog.RunRecord{Kind: r.Kind | runIndirect, Key: r.Key, Body: []byte(digest)}, nil
}

// replayRun hands the records of RUN to fn, frame by frame, their bodies in full.
func replayRun(ctx context.Context, log *eventlog.Log, from uint64, fn func(seq uint64, recs []eventlog.RunRecord) error) error {
	return log.RunLog().Replay(ctx, from, func(seq uint64, recs []eventlog.RunRecord) error {
		for i := range recs {
			r := &recs[i]
			if r.Kind&runIndirect == 0 {
				continue
			}
			body, err := log.GetBlob(ctx, string(r.Body))
			if err != nil {
				return fmt.Errorf("frame %d of RUN: record %s: %w", seq, r.Key, err)
			}
			r.Kind, r.Body = r.Kind&^runIndirect, body
		}
		return fn(seq, recs)
	})
}

// MatchRecord is a recorded match: the line of `rhost match`, and where and why.
type MatchRecord struct {
	Line    json.RawMessage `json:"line"`          // what `rhost match` prints
	Key     string          `json:"key,omitempty"` // value of the rule's `by`, for people
	Lane    uint32          `json:"lane"`
	Version string          `json:"version"` // of the rule
	Mode    string          `json:"mode"`
	Acts    bool            `json:"acts,omitempty"` // it started an execution
	Why     []cep.Reason    `json:"why,omitempty"`  // of at most maxReasons events
}

// BadRecord is something a source brought that is not an event.
type BadRecord struct {
	ID       string    `json:"id,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Source   string    `json:"source"`
	Position string    `json:"position"` // where in the source
	Reason   string    `json:"reason"`
	Raw      string    `json:"raw,omitempty"` // the beginning of it
}

func progressRecord(p eventlog.Position) eventlog.RunRecord {
	body := binary.AppendUvarint(nil, p.Frame)
	return eventlog.RunRecord{Kind: runProgress, Body: binary.AppendUvarint(body, uint64(p.Index))}
}

func decodeProgress(body []byte) (eventlog.Position, error) {
	frame, n := binary.Uvarint(body)
	if n <= 0 {
		return eventlog.Position{}, errors.New("progress record: no frame")
	}
	index, m := binary.Uvarint(body[n:])
	if m <= 0 || n+m != len(body) || index > 1<<32-1 {
		return eventlog.Position{}, errors.New("progress record: no index")
	}
	return eventlog.Position{Frame: frame, Index: uint32(index)}, nil
}

func forwardedRecord(seq uint64) eventlog.RunRecord {
	return eventlog.RunRecord{Kind: runForwarded, Body: binary.AppendUvarint(nil, seq)}
}

func decodeForwarded(body []byte) (uint64, error) {
	seq, n := binary.Uvarint(body)
	if n <= 0 || n != len(body) {
		return 0, errors.New("forwarded record: no sequence")
	}
	return seq, nil
}

func flowRecord(rec workflow.Record) (eventlog.RunRecord, error) {
	body, err := rec.Encode()
	if err != nil {
		return eventlog.RunRecord{}, fmt.Errorf("encode history of %s: %w", rec.Execution, err)
	}
	return eventlog.RunRecord{Kind: runFlow, Key: rec.Execution, Body: body}, nil
}
