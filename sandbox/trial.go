package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
)

// Trial answers the host calls of another version of a module from the record of a
// call, so that it can be seen what that version would have done. It may ask in
// another order, or for less; a thing that the record does not hold cannot be
// answered, and ends the call as a FaultReplay. It belongs to the call's goroutine
// until the call has ended.
//
// What the call reads is as it was when the recorded one first looked. What it writes
// it sees itself, and whether a compare-and-set held is decided anew, unless the
// recorded call made the same one.
type Trial struct {
	answers map[string][]HostCall // by function and request, in order
	err     error
}

// NewTrial returns a trial over what a Recorder kept.
func NewTrial(calls []HostCall) *Trial {
	t := &Trial{answers: make(map[string][]HostCall)}
	for _, c := range calls {
		key := c.Func + " " + c.Input
		t.answers[key] = append(t.answers[key], c)
	}
	return t
}

// Try has the session's host calls answered by t, from now on. What the session
// was made with must be what t.Services returned.
func (s *Session) Try(t *Trial) { s.tape = t }

// Err says what the call asked for that the record does not hold, or nil.
func (t *Trial) Err() error { return t.err }

// Services are those of a session for the trial. Of base, Secret and Log go on as they
// are.
func (t *Trial) Services(base Services) Services {
	return Services{
		State: t.state, KV: t.kv, HTTP: t.http, Now: t.now, Random: t.random,
		Secret: base.Secret, Log: base.Log,
	}
}

func (t *Trial) joins(s *Session) { s.Try(t) }

func (t *Trial) failure() error { return t.err }

func (t *Trial) ask(_ string, _ []byte, do func() ([]byte, abi.Status)) ([]byte, abi.Status) {
	answer, st := do()
	if t.err != nil {
		return nil, abi.StatusInternal
	}
	return answer, st
}

// tell lets an effect happen, but for a compare-and-set that lost: its answer is that
// of the recorded call.
func (t *Trial) tell(function string, in []byte, do func() abi.Status) abi.Status {
	if function == v1.FuncStateCAS {
		if c, ok := t.find(function, in); ok && c.Status == abi.StatusConflict {
			return c.Status
		}
	}
	st := do()
	if t.err != nil {
		return abi.StatusInternal
	}
	return st
}

func (t *Trial) knows(function string, in []byte) bool {
	_, ok := t.find(function, in)
	return ok
}

// find gives the first answer to a request.
func (t *Trial) find(function string, in []byte) (HostCall, bool) {
	list := t.answers[function+" "+hashOf(in)]
	if len(list) == 0 {
		return HostCall{}, false
	}
	return list[0], true
}

// next gives the answer to a request that was not given yet.
func (t *Trial) next(function string, in []byte) (HostCall, bool) {
	c, ok := t.find(function, in)
	if ok {
		key := function + " " + c.Input
		t.answers[key] = t.answers[key][1:]
	}
	return c, ok
}

// missing ends the call: the record does not hold what it asks for.
func (t *Trial) missing(what string) {
	if t.err == nil {
		t.err = fmt.Errorf("replay: the call asks for %s, which is not on record", what)
	}
}

func (t *Trial) state(key string) (json.RawMessage, uint64, bool) {
	c, ok := t.find(v1.FuncStateGet, []byte(key))
	if !ok {
		t.missing(fmt.Sprintf("state_get of %q", key))
		return nil, 0, false
	}
	if c.Status != abi.StatusOK {
		return nil, 0, false
	}
	version, value, err := v1.ReadState(c.Output)
	if err != nil {
		t.damaged(c, err)
		return nil, 0, false
	}
	return value, version, true
}

func (t *Trial) kv(key string) ([]byte, bool) {
	c, ok := t.find(v1.FuncKVGet, []byte(key))
	if !ok {
		t.missing(fmt.Sprintf("kv_get of %q", key))
	}
	return c.Output, ok && c.Status == abi.StatusOK
}

// http answers a request with what came of the same one; the second of two equal
// requests gets the second answer.
func (t *Trial) http(_ context.Context, req *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
	c, ok := t.next(v1.FuncHTTP, appendRequest(nil, req))
	switch {
	case !ok:
		t.missing(fmt.Sprintf("http %s %s as it makes it", req.Method, req.URL))
		return abi.HTTPResponse{}, abi.StatusInternal
	case c.Status != abi.StatusOK:
		return abi.HTTPResponse{}, c.Status
	}
	res, err := v1.ReadHTTPResponse(c.Output)
	if err != nil {
		t.damaged(c, err)
		return abi.HTTPResponse{}, abi.StatusInternal
	}
	return abi.HTTPResponse{Status: int(res.Status), Header: fromWire(res.Header), Body: res.Body}, abi.StatusOK
}

// now goes through the recorded times, and stays at the last.
func (t *Trial) now() time.Time {
	key := v1.FuncNow + " " + hashOf(nil)
	list := t.answers[key]
	if len(list) == 0 {
		t.missing(v1.FuncNow)
		return time.Time{}
	}
	if len(list) > 1 {
		t.answers[key] = list[1:]
	}
	sec, nsec, err := v1.ReadNow(list[0].Output)
	if err != nil {
		t.damaged(list[0], err)
	}
	return time.Unix(sec, int64(nsec)).UTC()
}

func (t *Trial) random(p []byte) {
	c, ok := t.next(v1.FuncRandom, v1.AppendRandom(nil, uint32(len(p))))
	if !ok || copy(p, c.Output) != len(p) {
		t.missing(fmt.Sprintf("%d random bytes more", len(p)))
	}
}

func (t *Trial) damaged(c HostCall, err error) {
	t.err = errors.Join(t.err, fmt.Errorf("replay: the record of host call %d, %s, cannot be read: %w", c.Seq, c.Func, err))
}
