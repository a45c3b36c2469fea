package workflow

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Encode writes r in the form of RecordVersion, whichever r was read in, in fewer than
// 900,000 bytes as long as the match payload takes no more than half of that.
func (r Record) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	b, err := r.append(make([]byte, 0, r.room()))
	if err != nil {
		return nil, fmt.Errorf("encode %s record of execution %s: %w", r.Kind, r.Execution, err)
	}
	return b, nil
}

// room is about how many bytes a record takes.
func (r *Record) room() int {
	n := 200
	switch {
	case r.Started != nil:
		n += len(r.Started.Match)
	case r.Scheduled != nil:
		n += len(r.Scheduled.Args)
	case r.Succeeded != nil:
		n += len(r.Succeeded.Out) + len(r.Succeeded.Calls)
	}
	return n
}

// marshal leaves '<', '>' and '&' as they are: escaped for HTML they take six
// bytes each, and what was small enough for a frame no longer is.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// DecodeRecord reads what Encode wrote, of this version or an older one.
func DecodeRecord(b []byte) (Record, error) {
	var r Record
	var err error
	if len(b) > 0 && b[0] == '{' { // version 1, which no later version begins with
		err = json.Unmarshal(b, &r)
	} else {
		r, err = parseRecord(b)
	}
	if err != nil {
		return Record{}, fmt.Errorf("decode workflow record: %w", err)
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
	if own, others := r.bodies(); !own || others > 0 {
		return fmt.Errorf("execution %s: a record of kind %q does not have the one body of its kind", r.Execution, r.Kind)
	}
	return nil
}

// bodies reports whether the field that the kind names is filled, and how many
// others are.
func (r Record) bodies() (own bool, others int) {
	for _, f := range [...]struct {
		filled bool
		kind   RecordKind
		undo   RecordKind // the other kind that fills it, if there is one
	}{
		{r.Started != nil, KindStarted, ""},
		{r.Scheduled != nil, KindScheduled, KindUndoScheduled},
		{r.Succeeded != nil, KindSucceeded, KindUndoSucceeded},
		{r.Failed != nil, KindFailed, KindUndoFailed},
		{r.RetryAt != nil, KindRetryAt, KindUndoRetryAt},
		{r.Finished != nil, KindFinished, ""},
		{r.DeadLettered != nil, KindDeadLettered, ""},
		{r.Redriven != nil, KindRedriven, ""},
		{r.Dropped != nil, KindDropped, ""},
	} {
		switch {
		case !f.filled:
		case r.Kind == f.kind, f.undo != "" && r.Kind == f.undo:
			own = true
		default:
			others++
		}
	}
	return own, others
}
