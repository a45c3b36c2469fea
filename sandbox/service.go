package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
)

// MaxRandomBytes is the most that one call of Session.Random gives.
const MaxRandomBytes = 4096

const maxNameBytes = 256 // of an event type, a state key, a topic

// Begin counts a service call. An error means that the call must end as a
// FaultLimit: a guest that ignores a status would loop for ever.
func (s *Session) Begin(service string) error {
	s.last = service
	s.calls++
	if s.calls > s.limits.HostCalls {
		return fmt.Errorf("more than %d host calls; raise limits.host_calls of the plugin if they are wanted", s.limits.HostCalls)
	}
	return nil
}

// Emit buffers a new event of the given type. data is JSON, or empty for none.
func (s *Session) Emit(eventType string, data []byte) abi.Status {
	if !s.grant.Has(abi.CapEmit) {
		return abi.StatusDenied
	}
	if !payload(eventType, data) {
		return abi.StatusInvalid
	}
	return s.buffer(abi.Effect{Kind: abi.EffectEmit, Name: eventType, Value: clone(data)})
}

// Notify buffers a message to a topic. data is JSON.
func (s *Session) Notify(topic string, data []byte) abi.Status {
	if !s.grant.Has(abi.CapNotify) {
		return abi.StatusDenied
	}
	if len(data) == 0 || !payload("", data) {
		return abi.StatusInvalid
	}
	return s.buffer(abi.Effect{Kind: abi.EffectNotify, Name: topic, Value: clone(data)})
}

// StateGet returns the value of a key and its version, the call's own buffered
// writes included. A key that the call itself wrote has the version it will
// have once committed.
func (s *Session) StateGet(key string) (value []byte, version uint64, st abi.Status) {
	if !s.grant.Has(abi.CapState) {
		return nil, 0, abi.StatusDenied
	}
	value, version, ok := s.read(key)
	if !ok {
		return nil, 0, abi.StatusNotFound
	}
	return value, version, abi.StatusOK
}

// StateSet buffers a write. An empty value deletes the key.
func (s *Session) StateSet(key string, value []byte) abi.Status {
	if !s.grant.Has(abi.CapState) {
		return abi.StatusDenied
	}
	if !payload("", value) {
		return abi.StatusInvalid
	}
	return s.buffer(abi.Effect{Kind: abi.EffectStateSet, Name: key, Value: clone(value)})
}

// StateCAS buffers a write that holds only if the key still has the version the
// guest read; 0 means that it must be absent.
func (s *Session) StateCAS(key string, expect uint64, value []byte) abi.Status {
	if !s.grant.Has(abi.CapState) {
		return abi.StatusDenied
	}
	if !payload("", value) {
		return abi.StatusInvalid
	}
	_, version, ok := s.read(key)
	if !ok {
		version = 0
	}
	if version != expect {
		return abi.StatusConflict
	}
	e := abi.Effect{Kind: abi.EffectStateSet, Name: key, Value: clone(value)}
	if !s.wrote(key) {
		base := s.stored(key).version
		e.Expect = &base
	}
	return s.buffer(e)
}

// Now returns the time the guest sees.
func (s *Session) Now() (time.Time, abi.Status) {
	if !s.grant.Has(abi.CapNow) {
		return time.Time{}, abi.StatusDenied
	}
	if s.services.Now == nil {
		return time.Now(), abi.StatusOK
	}
	return s.services.Now(), abi.StatusOK
}

// Random fills p, at most MaxRandomBytes.
func (s *Session) Random(p []byte) abi.Status {
	if !s.grant.Has(abi.CapRandom) {
		return abi.StatusDenied
	}
	if len(p) > MaxRandomBytes {
		return abi.StatusLimit
	}
	if s.services.Random == nil {
		rand.Read(p) // never fails: crypto/rand ends the program instead
		return abi.StatusOK
	}
	s.services.Random(p)
	return abi.StatusOK
}

// Log passes a line to the host's log. It needs no capability.
func (s *Session) Log(level LogLevel, msg string) {
	if s.services.Log != nil {
		s.services.Log(min(max(level, LogDebug), LogError), msg)
	}
}

// payload reports whether data, which may be empty, is JSON that an event of the
// type could carry. Events are stricter than encoding/json: UTF-8 throughout, no
// key twice, no deep nesting. What an effect carries may become an event, and
// what it says of a type must hold there too. An empty type stands for any.
func payload(eventType string, data []byte) bool {
	e := event.Event{ID: "-", Source: "-", Type: "-", Data: data}
	if eventType != "" {
		e.Type = eventType
	}
	if len(data) == 0 {
		e.Data = nil
	}
	return e.Validate() == nil
}

// buffer keeps an effect, within the limits of the call.
func (s *Session) buffer(e abi.Effect) abi.Status {
	if e.Name == "" || len(e.Name) > maxNameBytes {
		return abi.StatusInvalid
	}
	size := len(e.Name) + len(e.Value)
	if len(s.effects) >= s.limits.Effects || s.effectBytes+size > s.limits.EffectBytes {
		return abi.StatusLimit
	}
	s.effects = append(s.effects, e)
	s.effectBytes += size
	return abi.StatusOK
}

// read sees the call's own writes first.
func (s *Session) read(key string) (json.RawMessage, uint64, bool) {
	base := s.stored(key)
	written := uint64(0)
	var last json.RawMessage
	for _, e := range s.effects {
		if e.Kind == abi.EffectStateSet && e.Name == key {
			written++
			last = e.Value
		}
	}
	if written > 0 {
		return last, base.version + written, len(last) > 0
	}
	return base.value, base.version, base.ok
}

// stored returns what the state held when the call first looked: a call sees
// one version of a key from beginning to end. Whether that version still holds is
// decided when its effects are committed, and a call that lost runs again.
func (s *Session) stored(key string) stored {
	if v, ok := s.seen[key]; ok {
		return v
	}
	var v stored
	if s.services.State != nil {
		v.value, v.version, v.ok = s.services.State(key)
	}
	if !v.ok {
		v.version = 0 // of an absent key, whatever was there before
	}
	if s.seen == nil {
		s.seen = make(map[string]stored)
	}
	s.seen[key] = v
	return v
}

// wrote reports whether the call has written key.
func (s *Session) wrote(key string) bool {
	return slices.ContainsFunc(s.effects, func(e abi.Effect) bool {
		return e.Kind == abi.EffectStateSet && e.Name == key
	})
}

// clone copies p out of guest memory, which the guest goes on to change.
func clone(p []byte) json.RawMessage {
	if len(p) == 0 {
		return nil
	}
	return append(json.RawMessage(nil), p...)
}
