package guest

import (
	"time"

	v1 "github.com/rhost/rhost/abi/v1"
)

// KV is the tenant's store of bytes: values under keys, without versions, that may
// go away by themselves. The last write wins; what must not be lost belongs into
// State. A call sees its own writes; others see them when the call is done.
type KV struct{ host host }

// Get returns the value of a key. A key that is absent is ErrNotFound.
func (k KV) Get(key string) ([]byte, error) {
	return ask(k.host, v1.FuncKVGet, host.kvGet, []byte(key))
}

// Set writes a key, which is gone after ttl, or never when that is 0. Less than a
// millisecond counts as one. An empty value deletes the key.
func (k KV) Set(key string, value []byte, ttl time.Duration) error {
	ms := max(ttl, 0) / time.Millisecond
	if ttl > ms*time.Millisecond { //nolint:durationcheck // ms is a number of them
		ms++
	}
	_, err := ask(k.host, v1.FuncKVSet, host.kvSet, v1.AppendKVSet(nil, key, uint64(ms), value))
	return err
}

// Delete removes a key. Removing one that is absent is no error.
func (k KV) Delete(key string) error { return k.Set(key, nil, 0) }
