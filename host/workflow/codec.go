package workflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// Encode writes r as JSON.
func (r Record) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode %s record of execution %s: %w", r.Kind, r.Execution, err)
	}
	return b, nil
}

// DecodeRecord reads what Encode wrote, of this version or an older one.
func DecodeRecord(b []byte) (Record, error) {
	var r Record
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return Record{}, fmt.Errorf("decode workflow record: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Record{}, fmt.Errorf("decode workflow record: more than one value")
	}
	if err := r.check(); err != nil {
		return Record{}, fmt.Errorf("decode workflow record: %w", err)
	}
	return r, nil
}

// check reports a record that says nothing, or more than one thing.
func (r Record) check() error {
	if r.Version < 1 || r.Version > RecordVersion {
		return fmt.Errorf("record version %d is not known; this host reads up to %d", r.Version, RecordVersion)
	}
	if r.Execution == "" {
		return fmt.Errorf("%s record names no execution", r.Kind)
	}
	bodies := 0
	for _, has := range r.bodies() {
		if has {
			bodies++
		}
	}
	if body, ok := r.bodies()[r.body()]; !ok || !body || bodies != 1 {
		return fmt.Errorf("execution %s: a record of kind %q does not have the one body of its kind", r.Execution, r.Kind)
	}
	return nil
}

// body names the field that the kind fills.
func (r Record) body() RecordKind {
	switch r.Kind {
	case KindUndoScheduled:
		return KindScheduled
	case KindUndoSucceeded:
		return KindSucceeded
	case KindUndoFailed:
		return KindFailed
	case KindUndoRetryAt:
		return KindRetryAt
	default:
		return r.Kind
	}
}

// bodies says which fields are filled.
func (r Record) bodies() map[RecordKind]bool {
	return map[RecordKind]bool{
		KindStarted:      r.Started != nil,
		KindScheduled:    r.Scheduled != nil,
		KindSucceeded:    r.Succeeded != nil,
		KindFailed:       r.Failed != nil,
		KindRetryAt:      r.RetryAt != nil,
		KindFinished:     r.Finished != nil,
		KindDeadLettered: r.DeadLettered != nil,
		KindRedriven:     r.Redriven != nil,
		KindDropped:      r.Dropped != nil,
	}
}
