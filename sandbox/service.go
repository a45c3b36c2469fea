package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/event"
)

// MaxRandomBytes is the most that one call of Session.Random gives.
const MaxRandomBytes = 4096

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
	if s.tape == nil {
		return s.emit(eventType, data)
	}
	return s.tape.tell(v1.FuncEmit, v1.AppendMessage(nil, eventType, data), func() abi.Status { return s.emit(eventType, data) })
}

func (s *Session) emit(eventType string, data []byte) abi.Status {
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
	if s.tape == nil {
		return s.notify(topic, data)
	}
	return s.tape.tell(v1.FuncNotify, v1.AppendMessage(nil, topic, data), func() abi.Status { return s.notify(topic, data) })
}

func (s *Session) notify(topic string, data []byte) abi.Status {
	if !s.grant.Has(abi.CapNotify) {
		return abi.StatusDenied
	}
	if len(data) == 0 || !payload("", data) {
		return abi.StatusInvalid
	}
	return s.buffer(abi.Effect{Kind: abi.EffectNotify, Name: topic, Value: clone(data)})
}

// Config returns one of the operator's settings, or all of them when name is
// empty. settings is the Config of the call.
func (s *Session) Config(settings json.RawMessage, name string) ([]byte, abi.Status) {
	if s.tape == nil {
		return s.config(settings, name)
	}
	return s.tape.ask(v1.FuncConfig, []byte(name), func() ([]byte, abi.Status) { return s.config(settings, name) })
}

func (s *Session) config(settings json.RawMessage, name string) ([]byte, abi.Status) {
	if !s.grant.Has(abi.CapConfig) {
		return nil, abi.StatusDenied
	}
	if len(settings) == 0 {
		settings = json.RawMessage("{}")
	}
	if name == "" {
		return settings, abi.StatusOK
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(settings, &members); err != nil {
		return nil, abi.StatusInternal // the host's own: it promised an object
	}
	value, ok := members[name]
	if !ok {
		return nil, abi.StatusNotFound
	}
	return value, abi.StatusOK
}

// Now returns the time the guest sees.
func (s *Session) Now() (time.Time, abi.Status) {
	if s.tape == nil {
		return s.now()
	}
	answer, st := s.tape.ask(v1.FuncNow, nil, func() ([]byte, abi.Status) {
		t, st := s.now()
		return v1.AppendNow(nil, t.Unix(), uint32(t.Nanosecond())), st
	})
	sec, nsec, err := v1.ReadNow(answer)
	if st != abi.StatusOK || err != nil {
		return time.Time{}, s.answered(st, err)
	}
	return time.Unix(sec, int64(nsec)).UTC(), st
}

func (s *Session) now() (time.Time, abi.Status) {
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
	if s.tape == nil {
		return s.random(p)
	}
	answer, st := s.tape.ask(v1.FuncRandom, v1.AppendRandom(nil, uint32(len(p))), func() ([]byte, abi.Status) {
		st := s.random(p)
		return slices.Clone(p), st
	})
	if st == abi.StatusOK && copy(p, answer) != len(p) {
		return abi.StatusInternal
	}
	return st
}

func (s *Session) random(p []byte) abi.Status {
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

// MaxLogBytes is what the host's log is given of one call; the rest is left out. A
// line counts LogLineCost besides its text.
const (
	MaxLogBytes = 256 << 10
	LogLineCost = 64
)

// Listens reports whether anybody sees what Log is given. An engine need not make a
// text of what nobody does.
func (s *Session) Listens() bool {
	return s.tape != nil || s.services.Log != nil && s.logged <= MaxLogBytes
}

// Log passes a line to the host's log, without the secrets that the call was
// given. It needs no capability.
func (s *Session) Log(level LogLevel, msg string) {
	level = min(max(level, LogDebug), LogError)
	if s.tape != nil {
		s.tape.tell(v1.FuncLog, append([]byte{byte(level)}, msg...), func() abi.Status { return abi.StatusOK })
	}
	if s.services.Log == nil || s.logged > MaxLogBytes {
		return
	}
	if s.logged += len(msg) + LogLineCost; s.logged > MaxLogBytes {
		level, msg = LogWarn, "(the rest of what the call logged is left out)"
	}
	s.services.Log(level, s.Redact(msg))
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
	if !isName(e.Name) {
		return abi.StatusInvalid
	}
	size := len(e.Name) + len(e.Value) + len(e.Bytes)
	if len(s.effects) >= s.limits.Effects || s.effectBytes+size > s.limits.EffectBytes {
		return abi.StatusLimit
	}
	if len(s.effects) == fewEffects {
		s.effects = append(spareEffects.take(), s.effects...)
	}
	s.effects = append(s.effects, e)
	s.effectBytes += size
	return abi.StatusOK
}

// fewEffects are kept in memory that the call asked for. More go to memory that calls
// whose effects came to nothing have left.
const fewEffects = 64

// spareEffects is such memory.
var spareEffects effectPool //nolint:gochecknoglobals // of the process, as the heap is

type effectPool struct{ pool sync.Pool }

func (p *effectPool) take() []abi.Effect {
	if e, ok := p.pool.Get().(*[]abi.Effect); ok {
		return *e
	}
	return make([]abi.Effect, 0, 4*fewEffects)
}

// give takes memory that nobody looks at any more.
func (p *effectPool) give(e []abi.Effect) {
	if len(e) <= fewEffects || cap(e) > DefaultLimits().Effects*2 {
		return
	}
	clear(e)
	e = e[:0]
	p.pool.Put(&e)
}

// drop forgets the effects of a call that ended as a fault.
func (s *Session) drop() {
	spareEffects.give(s.effects)
	s.effects, s.effectBytes = nil, 0
}

// isName reports whether a name is one that the ABI allows.
func isName(name string) bool {
	return name != "" && len(name) <= v1.MaxName && utf8.ValidString(name)
}

// clone copies p out of guest memory, which the guest goes on to change.
func clone(p []byte) json.RawMessage {
	if len(p) == 0 {
		return nil
	}
	return append(json.RawMessage(nil), p...)
}
