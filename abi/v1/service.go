package v1

import "encoding/binary"

// Message is the request of emit and notify: a name, the event type or the
// topic, and JSON.
type Message struct {
	Name string
	Data []byte // JSON; empty for none
}

// AppendMessage appends the request of emit or notify.
func AppendMessage(dst []byte, name string, data []byte) []byte {
	return append(appendString(dst, name), data...)
}

// ReadMessage reads the request of emit or notify; service names it in errors.
func ReadMessage(service string, b []byte) (Message, error) {
	r := reader{b: b, msg: service}
	m := Message{Name: r.string("name"), Data: r.tail()}
	return m, r.error()
}

// StateSet is the request of state_set.
type StateSet struct {
	Key   string
	Value []byte // JSON; empty deletes the key
}

// AppendStateSet appends the request of state_set.
func AppendStateSet(dst []byte, key string, value []byte) []byte {
	return append(appendString(dst, key), value...)
}

// ReadStateSet reads the request of state_set.
func ReadStateSet(b []byte) (StateSet, error) {
	r := reader{b: b, msg: FuncStateSet}
	s := StateSet{Key: r.string("key"), Value: r.tail()}
	return s, r.error()
}

// StateCAS is the request of state_cas.
type StateCAS struct {
	Expect uint64 // the version that the guest read; 0: the key must be absent
	Key    string
	Value  []byte // JSON; empty deletes the key
}

// AppendStateCAS appends the request of state_cas.
func AppendStateCAS(dst []byte, key string, expect uint64, value []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, expect)
	return append(appendString(dst, key), value...)
}

// ReadStateCAS reads the request of state_cas.
func ReadStateCAS(b []byte) (StateCAS, error) {
	r := reader{b: b, msg: FuncStateCAS}
	s := StateCAS{Expect: r.u64("expect"), Key: r.string("key"), Value: r.tail()}
	return s, r.error()
}

// AppendState appends the answer of state_get.
func AppendState(dst []byte, version uint64, value []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(dst, version), value...)
}

// ReadState reads the answer of state_get. value lies in b.
func ReadState(b []byte) (version uint64, value []byte, err error) {
	r := reader{b: b, msg: FuncStateGet}
	version, value = r.u64("version"), r.tail()
	return version, value, r.error()
}

// AppendNow appends the answer of now.
func AppendNow(dst []byte, sec int64, nsec uint32) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(sec))
	return binary.LittleEndian.AppendUint32(dst, nsec)
}

// ReadNow reads the answer of now.
func ReadNow(b []byte) (sec int64, nsec uint32, err error) {
	r := reader{b: b, msg: FuncNow}
	sec, nsec = int64(r.u64("seconds")), r.u32("nanoseconds")
	return sec, nsec, r.error()
}

// AppendRandom appends the request of random: how many bytes are wanted.
func AppendRandom(dst []byte, n uint32) []byte {
	return binary.LittleEndian.AppendUint32(dst, n)
}

// ReadRandom reads the request of random.
func ReadRandom(b []byte) (n uint32, err error) {
	r := reader{b: b, msg: FuncRandom}
	n = r.u32("count")
	return n, r.error()
}
