package sandbox

import (
	"bytes"
	"math"
	"time"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
)

// KVGet returns the bytes under a key, the call's own buffered writes included.
func (s *Session) KVGet(key string) (value []byte, st abi.Status) {
	if s.tape == nil {
		return s.kvGet(key)
	}
	return s.tape.ask(v1.FuncKVGet, []byte(key), func() ([]byte, abi.Status) { return s.kvGet(key) })
}

func (s *Session) kvGet(key string) (value []byte, st abi.Status) {
	if !s.grant.Has(abi.CapKV) {
		return nil, abi.StatusDenied
	}
	if !isName(key) {
		return nil, abi.StatusInvalid
	}
	if value = s.readKV(key); value == nil {
		return nil, abi.StatusNotFound
	}
	return value, abi.StatusOK
}

// KVSet buffers a write: the last one of a key wins, whoever makes it. The value
// is kept for ttl milliseconds from the match's time on, or for ever when that is
// 0. An empty value deletes the key.
func (s *Session) KVSet(key string, ttl uint64, value []byte) abi.Status {
	if s.tape == nil {
		return s.kvSet(key, ttl, value)
	}
	return s.tape.tell(v1.FuncKVSet, v1.AppendKVSet(nil, key, ttl, value), func() abi.Status { return s.kvSet(key, ttl, value) })
}

func (s *Session) kvSet(key string, ttl uint64, value []byte) abi.Status {
	if !s.grant.Has(abi.CapKV) {
		return abi.StatusDenied
	}
	return s.buffer(abi.Effect{Kind: abi.EffectKVSet, Name: key, Bytes: clone(value), TTL: lifetime(ttl)})
}

// lifetime is a time to live. One that a Duration cannot hold, which is more than
// 292 years, is for ever.
func lifetime(ms uint64) time.Duration {
	if ms > math.MaxInt64/uint64(time.Millisecond) {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// readKV sees the call's own writes first, and of each other key what it held
// when the call first looked.
func (s *Session) readKV(key string) []byte {
	for i := len(s.effects) - 1; i >= 0; i-- {
		if e := &s.effects[i]; e.Kind == abi.EffectKVSet && e.Name == key {
			return e.Bytes
		}
	}
	value, seen := s.seenKV[key]
	if seen {
		return value
	}
	if s.services.KV != nil {
		if v, ok := s.services.KV(key); ok {
			value = bytes.Clone(v)
		}
	}
	if s.seenKV == nil {
		s.seenKV = make(map[string][]byte)
	}
	s.seenKV[key] = value
	return value
}
