package workflow

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rhost/rhost/host/form"
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
	b = form.AppendText(b, r.Execution)
	b = form.AppendTime(b, r.At)
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
		return appendErrors(form.AppendText(b, string(r.Finished.Status)), r.Finished.Errors), nil
	case r.DeadLettered != nil:
		return r.DeadLettered.append(b)
	case r.Redriven != nil:
		return form.AppendText(b, string(r.Redriven.From)), nil
	default:
		return form.AppendText(b, string(r.Dropped.Reason)), nil
	}
}

func (s *Started) append(b []byte) []byte {
	b = form.AppendText(b, s.Key)
	b = form.AppendText(b, s.Rule)
	b = form.AppendText(b, s.Version)
	b = form.AppendText(b, s.Definition)
	b = form.AppendRaw(b, s.Match)
	if s.Origin != "" { // most have none, and end here
		b = form.AppendText(b, s.Origin)
	}
	return b
}

func (s *Scheduled) append(b []byte) ([]byte, error) {
	b = form.AppendText(b, s.Step)
	b = form.AppendText(b, string(s.Action))
	b = form.AppendText(b, s.Plugin)
	b = binary.AppendVarint(b, int64(s.Attempt))
	b = form.AppendText(b, s.Key)
	b, err := appendJSON(b, s.Args)
	b = binary.AppendVarint(b, int64(s.Timeout))
	return form.AppendTime(b, s.Deadline), err
}

func (s *Succeeded) append(b []byte) ([]byte, error) {
	b = form.AppendText(b, s.Step)
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
	b = form.AppendText(b, s.Digest)
	return appendJSON(s.Usage.append(b), s.Calls)
}

// The flag of an effect.
const flagExpect = 1

func (e *Effect) append(b []byte) ([]byte, error) {
	b = append(b, flag(e.Expect != nil, flagExpect))
	b = form.AppendText(b, string(e.Kind))
	b = form.AppendText(b, e.Name)
	b = form.AppendText(b, e.Subject)
	b, err := appendJSON(b, e.Value)
	if e.Expect != nil {
		b = binary.AppendUvarint(b, *e.Expect)
	}
	return form.AppendTime(form.AppendRaw(b, e.Bytes), e.Expires), err
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
	b = form.AppendText(b, f.Step)
	b = binary.AppendVarint(b, int64(f.Attempt))
	b = form.AppendText(b, string(f.Kind))
	b = form.AppendText(b, f.Message)
	b = append(b, flag(f.Retryable, 1))
	b = binary.AppendVarint(b, int64(f.After))
	b = form.AppendText(b, f.Digest)
	return appendJSON(f.Usage.append(b), f.Calls)
}

func (r *RetryAt) append(b []byte) []byte {
	b = form.AppendText(b, r.Step)
	b = binary.AppendVarint(b, int64(r.Attempt))
	return form.AppendTime(b, r.At)
}

func (d *DeadLettered) append(b []byte) ([]byte, error) {
	b = form.AppendText(b, d.Key)
	b = form.AppendText(b, d.Rule)
	b = form.AppendText(b, d.Version)
	b = form.AppendText(b, d.Definition)
	b = form.AppendRaw(b, d.Match)
	b = form.AppendTime(b, d.Started)
	b = form.AppendText(b, string(d.Status))
	b = binary.AppendUvarint(b, uint64(len(d.Steps)))
	for i := range d.Steps {
		s := &d.Steps[i]
		b = form.AppendText(b, s.Step)
		b = form.AppendText(b, s.State)
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
		return form.AppendRaw(b, raw), nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return b, err
	}
	return form.AppendRaw(b, compact.Bytes()), nil
}

// parseRecord reads what append wrote, and nothing after it.
func parseRecord(b []byte) (Record, error) {
	p := piece{form.NewReader(b)}
	r := Record{Version: int(p.Byte())}
	if p.Err() == nil && r.Version != RecordVersion {
		return r, nil // check says what is wrong
	}
	if n := int(p.Byte()); n < len(kindNumbers) {
		r.Kind = kindNumbers[n]
	}
	if r.Kind == "" {
		p.Fail("its kind is not known")
	}
	r.Execution, r.At = p.Text(), p.Time()
	switch r.Kind {
	case KindStarted:
		r.Started = &Started{Key: p.Text(), Rule: p.name(), Version: p.name(), Definition: p.name(), Match: p.Raw()}
		if rest := p.Rest(); len(rest) > 0 && rest[0] != 0 { // an empty one is not written
			r.Started.Origin = p.name()
		}
	case KindScheduled, KindUndoScheduled:
		r.Scheduled = &Scheduled{
			Step: p.name(), Action: Action(p.name()), Plugin: p.name(), Attempt: p.number(), Key: p.Text(), Args: p.json(),
			Timeout: time.Duration(p.Int()), Deadline: p.Time(),
		}
	case KindSucceeded, KindUndoSucceeded:
		r.Succeeded = &Succeeded{
			Step: p.name(), Attempt: p.number(), Dropped: p.Byte() != 0, Out: p.json(), Effects: p.effects(),
			Digest: p.name(), Usage: p.usage(), Calls: p.json(),
		}
	case KindFailed, KindUndoFailed:
		r.Failed = &Failed{
			Step: p.name(), Attempt: p.number(), Kind: FailureKind(p.name()), Message: p.Text(), Retryable: p.Byte() != 0,
			After: time.Duration(p.Int()), Digest: p.name(), Usage: p.usage(), Calls: p.json(),
		}
	case KindRetryAt, KindUndoRetryAt:
		r.RetryAt = &RetryAt{Step: p.name(), Attempt: p.number(), At: p.Time()}
	case KindFinished:
		r.Finished = &Finished{Status: Status(p.name()), Errors: p.errors()}
	case KindDeadLettered:
		r.DeadLettered = p.deadLettered()
	case KindRedriven:
		r.Redriven = &Redriven{From: RedriveFrom(p.Text())}
	case KindDropped:
		r.Dropped = &Dropped{Reason: DropReason(p.Text())}
	}
	p.End()
	if p.Err() != nil {
		return r, fmt.Errorf("record %q of execution %q: %w", r.Kind, r.Execution, p.Err())
	}
	return r, nil
}

// number reads a number that may be anything: of a record, nobody relies on it.
func (p *piece) number() int { return int(p.Int()) }

// json reads a raw message that is to be JSON, or nil.
func (p *piece) json() json.RawMessage {
	raw := p.Raw()
	if raw != nil && !json.Valid(raw) {
		p.Fail("what should be JSON is not")
	}
	return raw
}

func (p *piece) effects() []Effect {
	n := p.Count(least, "effects")
	if n == 0 {
		return nil
	}
	list := make([]Effect, n)
	for i := range list {
		e := &list[i]
		flags := p.Byte()
		e.Kind, e.Name, e.Subject, e.Value = EffectKind(p.name()), p.Text(), p.Text(), p.json()
		if flags&flagExpect != 0 {
			version := p.Uint()
			e.Expect = &version
		}
		e.Bytes, e.Expires = p.Raw(), p.Time()
	}
	return list
}

func (p *piece) usage() *Usage {
	if p.Byte() == 0 {
		return nil
	}
	return &Usage{Fuel: p.Int(), Wall: time.Duration(p.Int()), PeakMemory: p.Int(), HostCalls: p.number()}
}

func (p *piece) deadLettered() *DeadLettered {
	d := &DeadLettered{
		Key: p.Text(), Rule: p.name(), Version: p.name(), Definition: p.name(), Match: p.Raw(),
		Started: p.Time(), Status: Status(p.name()),
	}
	if n := p.Count(least, "steps"); n > 0 {
		d.Steps = make([]StepState, n)
		for i := range d.Steps {
			d.Steps[i] = StepState{Step: p.name(), State: p.name(), Attempts: p.number(), Args: p.json(), Out: p.json()}
		}
	}
	d.Errors = p.errors()
	return d
}
