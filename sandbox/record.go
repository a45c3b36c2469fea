package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
)

// HostCall is one thing that a guest asked of its host, and what it was told.
// What WASI's clock and random bytes begin with comes from the same services
// and is on record with them.
type HostCall struct {
	Seq    int        `json:"seq"`              // from 1
	Func   string     `json:"func"`             // by its name in ABI v1, whatever the engine
	Input  string     `json:"input"`            // hexadecimal SHA-256 of the request, in the bytes of ABI v1
	Status abi.Status `json:"status"`           // 0 is ok
	Output []byte     `json:"output,omitempty"` // the answer, in the bytes of ABI v1
	// Withheld is the number of bytes of an answer that is kept out of the record:
	// a secret's. A replay asks its host for it.
	Withheld int `json:"withheld,omitempty"`
}

// tape stands between a guest and a session that is recorded or replayed.
type tape interface {
	// ask passes on a call that asks for something.
	ask(function string, in []byte, do func() ([]byte, abi.Status)) ([]byte, abi.Status)
	// tell passes on a call that is answered with a status alone, and whose effect
	// is the session's to keep, replayed or not.
	tell(function string, in []byte, do func() abi.Status) abi.Status
	// knows reports whether the tape answers a compare-and-set itself: the state is
	// not looked at then.
	knows(function string, in []byte) bool
	// failure is what stands in the way of going on, or nil.
	failure() error
}

// Tape is what a session's host calls are written to or answered from: a *Recorder, a
// *Replayer or a *Trial.
type Tape interface{ joins(s *Session) }

// Use begins with t, from now on.
func (s *Session) Use(t Tape) { t.joins(s) }

func (r *Recorder) joins(s *Session) { s.Record(r) }
func (p *Replayer) joins(s *Session) { s.Replay(p) }

// Record has every host call of the session written to r, from now on.
func (s *Session) Record(r *Recorder) {
	s.tape = r
	r.setting.Grant, r.setting.Limits = s.grant, s.limits
}

// Replay has every host call of the session answered from p, from now on. The
// services behind the session are asked for secrets alone.
func (s *Session) Replay(p *Replayer) { s.tape = p }

// Err says how a replayed call differs from its record; nil as long as it does
// not. An engine looks after each host call and ends the call as a FaultReplay.
func (s *Session) Err() error {
	if s.tape == nil {
		return nil
	}
	return s.tape.failure()
}

// runsOn notes which module runs the call, and what the call is set up with.
func (s *Session) runsOn(info Info, call *abi.Call) {
	r, ok := s.tape.(*Recorder)
	if !ok {
		return
	}
	r.setting.Engine, r.setting.Runtime = info.Engine, info.Runtime
	if r.setting.Config == nil && len(call.Config) > 0 {
		r.setting.Config = slices.Clone(call.Config)
	}
	r.setting.Export = call.Export
}

// answered is the status of a recorded answer that may not be readable.
func (s *Session) answered(st abi.Status, err error) abi.Status {
	if st == abi.StatusOK && err != nil {
		return abi.StatusInternal
	}
	return st
}

// Setting is what a recorded call ran under, beside the call itself.
type Setting struct {
	Engine  string    `json:"engine"`  // "wasm", "lua" or "js"
	Runtime string    `json:"runtime"` // as in Info: fuel of another one does not compare
	Grant   abi.Grant `json:"grant"`
	Limits  Limits    `json:"limits"`
	Config  []byte    `json:"config,omitempty"` // byte for byte: fuel is counted by the byte
	Export  string    `json:"export,omitempty"`
}

// Recorder keeps the host calls of one call. It belongs to the call's goroutine
// until the call has ended.
type Recorder struct {
	limit   int
	size    int
	calls   []HostCall
	full    bool
	setting Setting
}

// callOverhead is what a host call counts beside its answer.
const callOverhead = 128

// NewRecorder returns a recorder that keeps about limit bytes. Of a call that
// needs more it keeps nothing.
func NewRecorder(limit int) *Recorder { return &Recorder{limit: limit} }

// rewind forgets what was recorded of a run that does not count.
func (r *Recorder) rewind() { *r = Recorder{limit: r.limit, setting: r.setting} }

// Calls returns what was recorded, in order. ok is false when it was more than
// the recorder may keep.
func (r *Recorder) Calls() (calls []HostCall, ok bool) {
	return r.calls, !r.full && r.size+len(r.setting.Config) <= r.limit
}

// Setting returns what the call ran under. Its Engine is "" when no Slot has run it.
func (r *Recorder) Setting() Setting { return r.setting }

func (r *Recorder) knows(string, []byte) bool { return false }

func (r *Recorder) failure() error { return nil }

func (r *Recorder) ask(function string, in []byte, do func() ([]byte, abi.Status)) ([]byte, abi.Status) {
	hash := hashOf(in) // before the answer is written, perhaps over the request
	answer, st := do()
	c := HostCall{Func: function, Input: hash, Status: st}
	switch {
	case st != abi.StatusOK:
	case function == v1.FuncSecret:
		c.Withheld = len(answer)
	default:
		c.Output = slices.Clone(answer)
	}
	r.add(c)
	return answer, st
}

func (r *Recorder) tell(function string, in []byte, do func() abi.Status) abi.Status {
	st := do()
	r.add(HostCall{Func: function, Input: hashOf(in), Status: st})
	return st
}

func (r *Recorder) add(c HostCall) {
	r.size += len(c.Output) + callOverhead
	if r.full || r.size > r.limit {
		r.full, r.calls = true, nil
		return
	}
	c.Seq = len(r.calls) + 1
	r.calls = append(r.calls, c)
}

// ErrSecret is within the error of a call that cannot be replayed because its secret is
// another one now.
var ErrSecret = errors.New("give it the same secret")

// Replayer answers the host calls of one call from a record. It belongs to the
// call's goroutine until the call has ended.
type Replayer struct {
	calls []HostCall
	next  int
	err   error
}

// NewReplayer returns a replayer of what a Recorder kept.
func NewReplayer(calls []HostCall) *Replayer { return &Replayer{calls: calls} }

// Err says how the call differs from its record, or nil. After the call has
// ended it also tells of what the record holds beyond that.
func (p *Replayer) Err() error {
	if p.err == nil && p.next < len(p.calls) {
		return fmt.Errorf("replay: the call ended after %d host calls; the record goes on with %s", p.next, p.calls[p.next].Func)
	}
	return p.err
}

func (p *Replayer) knows(string, []byte) bool { return true }

func (p *Replayer) failure() error { return p.err }

func (p *Replayer) ask(function string, in []byte, do func() ([]byte, abi.Status)) ([]byte, abi.Status) {
	c, ok := p.take(function, in)
	switch {
	case !ok:
		return nil, abi.StatusInternal
	case c.Withheld == 0:
		return c.Output, c.Status
	}
	answer, st := do()
	if st != abi.StatusOK || len(answer) != c.Withheld {
		p.err = fmt.Errorf("replay: host call %d, %s: the record withholds an answer of %d bytes, and the host now answers %s with %d; %w", c.Seq, function, c.Withheld, st, len(answer), ErrSecret)
		return nil, abi.StatusInternal
	}
	return answer, st
}

func (p *Replayer) tell(function string, in []byte, do func() abi.Status) abi.Status {
	c, ok := p.take(function, in)
	if !ok {
		return abi.StatusInternal
	}
	if c.Status == abi.StatusConflict {
		return c.Status
	}
	st := do()
	if st != c.Status {
		p.err = fmt.Errorf("replay: host call %d, %s, was answered %s and is now %s: the grant or the limits are others", c.Seq, function, c.Status, st)
	}
	return st
}

// take gives the next call of the record if it is the one that the guest makes.
func (p *Replayer) take(function string, in []byte) (c HostCall, ok bool) {
	if p.err != nil {
		return HostCall{}, false
	}
	if p.next == len(p.calls) {
		p.err = fmt.Errorf("replay: the call goes on with %s; its record ends after %d host calls", function, len(p.calls))
		return HostCall{}, false
	}
	c = p.calls[p.next]
	p.next++
	switch {
	case c.Func != function:
		p.err = fmt.Errorf("replay: host call %d is %s; the record has %s", p.next, function, c.Func)
	case c.Input != hashOf(in):
		p.err = fmt.Errorf("replay: host call %d, %s, has another request than the record", p.next, function)
	}
	return c, p.err == nil
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
