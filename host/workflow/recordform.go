package workflow

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
)

// A record on disk is its version, the number of its kind, the execution, the time, and
// the fields of its body in the order in which they are declared: texts and raw
// messages with their lengths before them, numbers as varints. JSON, which was
// version 1, took half of the time in which a lane decided an event.

// kindNumbers are the numbers of the kinds on disk.
//
//nolint:gochecknoglobals // a table
var kindNumbers = [...]RecordKind{
	1: KindStarted, 2: KindScheduled, 3: KindSucceeded, 4: KindFailed, 5: KindRetryAt,
	6: KindUndoScheduled, 7: KindUndoSucceeded, 8: KindUndoFailed, 9: KindUndoRetryAt,
	10: KindFinished, 11: KindDeadLettered, 12: KindRedriven, 13: KindDropped,
}

func (k RecordKind) number() byte {
	for n, kind := range kindNumbers {
		if kind == k && n > 0 {
			return byte(n)
		}
	}
	return 0
}

// append writes a record that check has passed.
func (r *Record) append(b []byte) ([]byte, error) {
	b = append(b, RecordVersion, r.Kind.number())
	b = appendText(b, r.Execution)
	b = appendTime(b, r.At)
	switch {
	case r.Started != nil:
		return r.Started.append(b), nil
	case r.Scheduled != nil:
		return r.Scheduled.append(b)
	case r.Succeeded != nil:
		return r.Succeeded.append(b)
	case r.Failed != nil:
		return r.Failed.append(b)
	case r.RetryAt != nil:
		return r.RetryAt.append(b), nil
	case r.Finished != nil:
		return appendErrors(appendText(b, string(r.Finished.Status)), r.Finished.Errors), nil
	case r.DeadLettered != nil:
		return r.DeadLettered.append(b)
	case r.Redriven != nil:
		return appendText(b, string(r.Redriven.From)), nil
	default:
		return appendText(b, string(r.Dropped.Reason)), nil
	}
}

func (s *Started) append(b []byte) []byte {
	b = appendText(b, s.Key)
	b = appendText(b, s.Rule)
	b = appendText(b, s.Version)
	b = appendText(b, s.Definition)
	b = appendRaw(b, s.Match)
	if s.Origin != "" { // most have none, and end here
		b = appendText(b, s.Origin)
	}
	return b
}

func (s *Scheduled) append(b []byte) ([]byte, error) {
	b = appendText(b, s.Step)
	b = appendText(b, string(s.Action))
	b = appendText(b, s.Plugin)
	b = binary.AppendVarint(b, int64(s.Attempt))
	b = appendText(b, s.Key)
	b, err := appendJSON(b, s.Args)
	b = binary.AppendVarint(b, int64(s.Timeout))
	return appendTime(b, s.Deadline), err
}

func (s *Succeeded) append(b []byte) ([]byte, error) {
	b = appendText(b, s.Step)
	b = binary.AppendVarint(b, int64(s.Attempt))
	b = append(b, flag(s.Dropped, 1))
	b, err := appendJSON(b, s.Out)
	if err != nil {
		return b, err
	}
	b = binary.AppendUvarint(b, uint64(len(s.Effects)))
	for i := range s.Effects {
		if b, err = s.Effects[i].append(b); err != nil {
			return b, err
		}
	}
	b = appendText(b, s.Digest)
	return appendJSON(s.Usage.append(b), s.Calls)
}

// The flag of an effect.
const flagExpect = 1

func (e *Effect) append(b []byte) ([]byte, error) {
	b = append(b, flag(e.Expect != nil, flagExpect))
	b = appendText(b, string(e.Kind))
	b = appendText(b, e.Name)
	b = appendText(b, e.Subject)
	b, err := appendJSON(b, e.Value)
	if e.Expect != nil {
		b = binary.AppendUvarint(b, *e.Expect)
	}
	return appendTime(appendRaw(b, e.Bytes), e.Expires), err
}

func (u *Usage) append(b []byte) []byte {
	if u == nil {
		return append(b, 0)
	}
	b = binary.AppendVarint(append(b, 1), u.Fuel)
	b = binary.AppendVarint(b, int64(u.Wall))
	b = binary.AppendVarint(b, u.PeakMemory)
	return binary.AppendVarint(b, int64(u.HostCalls))
}

func (f *Failed) append(b []byte) ([]byte, error) {
	b = appendText(b, f.Step)
	b = binary.AppendVarint(b, int64(f.Attempt))
	b = appendText(b, string(f.Kind))
	b = appendText(b, f.Message)
	b = append(b, flag(f.Retryable, 1))
	b = binary.AppendVarint(b, int64(f.After))
	b = appendText(b, f.Digest)
	return appendJSON(f.Usage.append(b), f.Calls)
}

func (r *RetryAt) append(b []byte) []byte {
	b = appendText(b, r.Step)
	b = binary.AppendVarint(b, int64(r.Attempt))
	return appendTime(b, r.At)
}

func (d *DeadLettered) append(b []byte) ([]byte, error) {
	b = appendText(b, d.Key)
	b = appendText(b, d.Rule)
	b = appendText(b, d.Version)
	b = appendText(b, d.Definition)
	b = appendRaw(b, d.Match)
	b = appendTime(b, d.Started)
	b = appendText(b, string(d.Status))
	b = binary.AppendUvarint(b, uint64(len(d.Steps)))
	for i := range d.Steps {
		s := &d.Steps[i]
		b = appendText(b, s.Step)
		b = appendText(b, s.State)
		b = binary.AppendVarint(b, int64(s.Attempts))
		var err error
		for _, raw := range []json.RawMessage{s.Args, s.Out} {
			if b, err = appendJSON(b, raw); err != nil {
				return b, err
			}
		}
	}
	return appendErrors(b, d.Errors), nil
}

func appendErrors(b []byte, errs []StepError) []byte {
	b = binary.AppendUvarint(b, uint64(len(errs)))
	for i := range errs {
		b = errs[i].append(b)
	}
	return b
}

// appendJSON is appendRaw of JSON, without the spaces between its tokens.
func appendJSON(b, raw []byte) ([]byte, error) {
	if bytes.IndexFunc(raw, func(c rune) bool { return c <= ' ' }) < 0 {
		return appendRaw(b, raw), nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return b, err
	}
	return appendRaw(b, compact.Bytes()), nil
}

// parseRecord reads what append wrote, and nothing after it.
func parseRecord(b []byte) (Record, error) {
	p := piece{b: b}
	r := Record{Version: int(p.byte())}
	if p.failed == "" && r.Version != RecordVersion {
		return r, nil // check says what is wrong
	}
	if n := int(p.byte()); n < len(kindNumbers) {
		r.Kind = kindNumbers[n]
	}
	if r.Kind == "" {
		p.fail("its kind is not known")
	}
	r.Execution, r.At = p.text(), p.time()
	switch r.Kind {
	case KindStarted:
		r.Started = &Started{Key: p.text(), Rule: p.name(), Version: p.name(), Definition: p.name(), Match: p.raw()}
		if p.failed == "" && len(p.b) > 0 && p.b[0] != 0 { // an empty one is not written
			r.Started.Origin = p.name()
		}
	case KindScheduled, KindUndoScheduled:
		r.Scheduled = &Scheduled{
			Step: p.name(), Action: Action(p.name()), Plugin: p.name(), Attempt: p.number(), Key: p.text(), Args: p.json(),
			Timeout: time.Duration(p.int()), Deadline: p.time(),
		}
	case KindSucceeded, KindUndoSucceeded:
		r.Succeeded = &Succeeded{
			Step: p.name(), Attempt: p.number(), Dropped: p.byte() != 0, Out: p.json(), Effects: p.effects(),
			Digest: p.name(), Usage: p.usage(), Calls: p.json(),
		}
	case KindFailed, KindUndoFailed:
		r.Failed = &Failed{
			Step: p.name(), Attempt: p.number(), Kind: FailureKind(p.name()), Message: p.text(), Retryable: p.byte() != 0,
			After: time.Duration(p.int()), Digest: p.name(), Usage: p.usage(), Calls: p.json(),
		}
	case KindRetryAt, KindUndoRetryAt:
		r.RetryAt = &RetryAt{Step: p.name(), Attempt: p.number(), At: p.time()}
	case KindFinished:
		r.Finished = &Finished{Status: Status(p.name()), Errors: p.errors()}
	case KindDeadLettered:
		r.DeadLettered = p.deadLettered()
	case KindRedriven:
		r.Redriven = &Redriven{From: RedriveFrom(p.text())}
	case KindDropped:
		r.Dropped = &Dropped{Reason: DropReason(p.text())}
	}
	if p.failed == "" && len(p.b) > 0 {
		p.fail("%d bytes too many", len(p.b))
	}
	if p.failed != "" {
		return r, fmt.Errorf("record %q of execution %q: %s", r.Kind, r.Execution, p.failed)
	}
	return r, nil
}

// number reads a number that may be anything: of a record, nobody relies on it.
func (p *piece) number() int { return int(p.int()) }

// json reads a raw message that is to be JSON, or nil.
func (p *piece) json() json.RawMessage {
	raw := p.raw()
	if raw != nil && !json.Valid(raw) {
		p.fail("what should be JSON is not")
	}
	return raw
}

func (p *piece) effects() []Effect {
	n := p.small()
	if n > len(p.b)/least {
		p.fail("%d effects", n)
	}
	if n == 0 || p.failed != "" {
		return nil
	}
	list := make([]Effect, n)
	for i := range list {
		e := &list[i]
		flags := p.byte()
		e.Kind, e.Name, e.Subject, e.Value = EffectKind(p.name()), p.text(), p.text(), p.json()
		if flags&flagExpect != 0 {
			version := p.uint()
			e.Expect = &version
		}
		e.Bytes, e.Expires = p.raw(), p.time()
	}
	return list
}

func (p *piece) usage() *Usage {
	if p.byte() == 0 {
		return nil
	}
	return &Usage{Fuel: p.int(), Wall: time.Duration(p.int()), PeakMemory: p.int(), HostCalls: p.number()}
}

func (p *piece) deadLettered() *DeadLettered {
	d := &DeadLettered{
		Key: p.text(), Rule: p.name(), Version: p.name(), Definition: p.name(), Match: p.raw(),
		Started: p.time(), Status: Status(p.name()),
	}
	n := p.small()
	if n > len(p.b)/least {
		p.fail("%d steps", n)
	}
	if n > 0 && p.failed == "" {
		d.Steps = make([]StepState, n)
		for i := range d.Steps {
			d.Steps[i] = StepState{Step: p.name(), State: p.name(), Attempts: p.number(), Args: p.json(), Out: p.json()}
		}
	}
	d.Errors = p.errors()
	return d
}
