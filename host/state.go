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
	kv     *kv
}

// stateValue is one key. Deleting keeps the version, so that a compare-and-set
// that began before the deletion does not find the key as it was.
type stateValue struct {
	json    json.RawMessage // nil: deleted
	version uint64
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
	s.values.set(key, stateValue{json: value, version: was.version + 1})
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
}
