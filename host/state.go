package host

import (
	"encoding/json"
	"sync"
)

// state is the tenant's key-value state, folded from the log. The lane writes;
// guest calls read from their own goroutines.
//
// A call may see a value whose record is not on disk yet. That is safe: what
// the call decides is written to the same log after it, so neither or both
// survive a crash.
type state struct {
	mu     sync.RWMutex
	values layered[stateValue] // guarded by mu, but for what is frozen
	bytes  int64               // that values count for the quota; guarded by mu
	kv     *kv
}

// stateOver is what a key of state or kv counts for the quota beside itself and its
// value.
const stateOver = 32

// stateValue is one key. Deleting keeps the version, so that a compare-and-set
// that began before the deletion does not find the key as it was.
type stateValue struct {
	json    json.RawMessage // nil: deleted
	version uint64
}

// held is what a key counts for the quota; nothing once it is deleted.
func (v stateValue) held(key string) int64 {
	if v.json == nil {
		return 0
	}
	return int64(len(key) + len(v.json) + stateOver)
}

// held is what state and kv count for the quota.
func (s *state) held() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.kv.mu.Lock()
	defer s.kv.mu.Unlock()
	return s.bytes + s.kv.bytes
}

// heldOf is what a key of state, or else of kv, counts now.
func (s *state) heldOf(inKV bool, key string) int64 {
	if inKV {
		s.kv.mu.Lock()
		defer s.kv.mu.Unlock()
		v, ok := s.kv.values.get(key)
		if !ok {
			return 0
		}
		return v.held(key)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, _ := s.values.get(key)
	return v.held(key)
}

func newState() *state {
	return &state{values: newLayered[stateValue](), kv: newKV()}
}

// get has the signature of sandbox.Services.State.
func (s *state) get(key string) (value json.RawMessage, version uint64, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, _ := s.values.get(key)
	return v.json, v.version, v.json != nil
}

// holds reports whether key still has the version a guest expected; 0 means
// that the key must be absent.
func (s *state) holds(key string, expect uint64) bool {
	_, version, ok := s.get(key)
	if !ok {
		return expect == 0
	}
	return version == expect
}

// set writes one effect; a nil value deletes the key.
func (s *state) set(key string, value json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, _ := s.values.get(key)
	v := stateValue{json: value, version: was.version + 1}
	s.bytes += v.held(key) - was.held(key)
	s.values.set(key, v)
}

// freeze gives all values, which stay as they are until melt.
func (s *state) freeze() (values map[string]stateValue, kv map[string]kvValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kv.mu.Lock()
	defer s.kv.mu.Unlock()
	return s.values.freeze(), s.kv.values.freeze()
}

// melt ends freeze.
func (s *state) melt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kv.mu.Lock()
	defer s.kv.mu.Unlock()
	s.values.melt()
	s.kv.values.melt()
}

// restore puts the values of a snapshot in place.
func (s *state) restore(values map[string]stateValue, kv map[string]kvValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kv.mu.Lock()
	defer s.kv.mu.Unlock()
	s.values, s.kv.values = layered[stateValue]{base: values}, layered[kvValue]{base: kv}
	s.bytes, s.kv.bytes = 0, 0
	for key, v := range values {
		s.bytes += v.held(key)
	}
	for key, v := range kv {
		s.kv.bytes += v.held(key)
	}
}
