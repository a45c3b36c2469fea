package sandbox

import (
	"encoding/json"
	"slices"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
)

// StateGet returns the value of a key and its version, the call's own buffered
// writes included. A key that the call itself wrote has the version it will
// have once committed.
func (s *Session) StateGet(key string) (value []byte, version uint64, st abi.Status) {
	if s.tape == nil {
		return s.stateGet(key)
	}
	answer, st := s.tape.ask(v1.FuncStateGet, []byte(key), func() ([]byte, abi.Status) {
		value, version, st := s.stateGet(key)
		return v1.AppendState(nil, version, value), st
	})
	version, value, err := v1.ReadState(answer)
	if st != abi.StatusOK || err != nil {
		return nil, 0, s.answered(st, err)
	}
	return value, version, st
}

func (s *Session) stateGet(key string) (value []byte, version uint64, st abi.Status) {
	if !s.grant.Has(abi.CapState) {
		return nil, 0, abi.StatusDenied
	}
	if !isName(key) {
		return nil, 0, abi.StatusInvalid
	}
	value, version, ok := s.read(key)
	if !ok {
		return nil, 0, abi.StatusNotFound
	}
	return value, version, abi.StatusOK
}

// StateSet buffers a write. An empty value deletes the key.
func (s *Session) StateSet(key string, value []byte) abi.Status {
	if s.tape == nil {
		return s.stateSet(key, value)
	}
	return s.tape.tell(v1.FuncStateSet, v1.AppendStateSet(nil, key, value), func() abi.Status { return s.stateSet(key, value) })
}

func (s *Session) stateSet(key string, value []byte) abi.Status {
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
	if s.tape == nil {
		return s.stateCAS(key, expect, value, true)
	}
	// Of a replayed call the state is not known, and whether the version was right
	// is on record.
	in := v1.AppendStateCAS(nil, key, expect, value)
	known := s.tape.knows(v1.FuncStateCAS, in)
	return s.tape.tell(v1.FuncStateCAS, in, func() abi.Status { return s.stateCAS(key, expect, value, !known) })
}

func (s *Session) stateCAS(key string, expect uint64, value []byte, check bool) abi.Status {
	if !s.grant.Has(abi.CapState) {
		return abi.StatusDenied
	}
	if !isName(key) || !payload("", value) {
		return abi.StatusInvalid
	}
	if check {
		if _, version, ok := s.read(key); ok && version != expect || !ok && expect != 0 {
			return abi.StatusConflict
		}
	}
	e := abi.Effect{Kind: abi.EffectStateSet, Name: key, Value: clone(value)}
	if !s.wrote(key) {
		e.Expect = &expect // what the state held when the call first looked
	}
	return s.buffer(e)
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
