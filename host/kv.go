package host

import (
	"sync"
	"time"
)

// kv is what guests keep with kv_set, folded from the log as state is: bytes
// under keys, without versions. The lane writes; guest calls read.
//
// A value may have an end. It is a time of matches, not of the wall: a replay of
// old events finds what it found then.
type kv struct {
	mu     sync.Mutex
	values layered[kvValue] // guarded by mu, but for what is frozen
	bytes  int64            // that values count for the quota, with those that are over; guarded by mu
	newest time.Time        // latest match that looked; guarded by mu
	writes int              // since the last sweep; guarded by mu
}

type kvValue struct {
	bytes   []byte
	expires time.Time // zero: never
}

// sweepAfter is how many writes pass at least before values that are over are
// looked for. Where there are many values it takes half as many writes as there
// are values, so a sweep costs no more than the writes did.
const sweepAfter = 1024

func newKV() *kv { return &kv{values: newLayered[kvValue]()} }

// get returns what a key holds at the time of a match. The bytes are not to be
// written to.
func (k *kv) get(key string, at time.Time) (value []byte, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at.After(k.newest) {
		k.newest = at
	}
	v, ok := k.values.get(key)
	if !ok || v.over(at) {
		return nil, false
	}
	return v.bytes, true
}

// set writes one effect; nil bytes delete the key.
func (k *kv) set(key string, value []byte, expires time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if was, ok := k.values.get(key); ok {
		k.bytes -= was.held(key)
	}
	if value == nil {
		k.values.remove(key)
		return
	}
	v := kvValue{bytes: value, expires: expires}
	k.bytes += v.held(key)
	k.values.set(key, v)
	if k.writes++; k.writes >= max(sweepAfter, k.values.len()/2) {
		k.sweepLocked()
	}
}

// sweep removes values that are over at the time of a match.
func (k *kv) sweep(at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at.After(k.newest) {
		k.newest = at
	}
	k.sweepLocked()
}

func (k *kv) sweepLocked() {
	swept := k.values.sweep(func(key string, v kvValue) bool {
		over := v.over(k.newest)
		if over {
			k.bytes -= v.held(key)
		}
		return over
	})
	if swept {
		k.writes = 0
	}
}

func (v kvValue) held(key string) int64 { return int64(len(key) + len(v.bytes) + stateOver) }

func (v kvValue) over(at time.Time) bool { return !v.expires.IsZero() && !at.Before(v.expires) }
