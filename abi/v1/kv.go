package v1

import "encoding/binary"

// KVSet is the request of kv_set.
type KVSet struct {
	Key   string
	TTL   uint64 // milliseconds that the value is kept for; 0: for ever
	Value []byte // any bytes; empty deletes the key
}

// AppendKVSet appends the request of kv_set.
func AppendKVSet(dst []byte, key string, ttl uint64, value []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(appendString(dst, key), ttl)
	return append(dst, value...)
}

// ReadKVSet reads the request of kv_set.
func ReadKVSet(b []byte) (KVSet, error) {
	r := reader{b: b, msg: FuncKVSet}
	s := KVSet{Key: r.string("key"), TTL: r.u64("ttl"), Value: r.tail()}
	return s, r.error()
}
