package wasm

import (
	"encoding/binary"
	"math"

	"github.com/tetratelabs/wazero/api"
)

const (
	subscriptionSize = 48
	eventSize        = 32
)

// subscription is what poll_oneoff waits for.
type subscription struct {
	userdata uint64
	kind     byte   // 0: a clock; 1, 2: a descriptor
	due      uint64 // of a clock: on the monotonic clock
}

// wasiPoll makes time pass at once: it moves the clocks on to the first timer
// and reports those that are due then. A descriptor is never ready; it answers
// at once with an error, as WASI has it.
func wasiPoll(r *run, mem api.Memory, a []uint64) errno {
	in, out, count := uint32(a[0]), uint32(a[1]), uint32(a[2])
	if count == 0 {
		return errnoInval
	}
	const most = math.MaxUint32 / subscriptionSize
	text, ok := mem.Read(in, min(count, most)*subscriptionSize)
	events, ok2 := mem.Read(out, min(count, most)*eventSize)
	if !ok || !ok2 || count > most {
		return errnoFault
	}
	r.chargeBytes(len(text))
	until := r.firstDue(text)
	n := uint32(0)
	for i := range count {
		s := r.subscription(text[i*subscriptionSize:])
		if s.kind == 0 && s.due > until {
			continue
		}
		event := events[n*eventSize : (n+1)*eventSize]
		clear(event)
		binary.LittleEndian.PutUint64(event, s.userdata)
		if s.kind != 0 {
			binary.LittleEndian.PutUint16(event[8:], uint16(errnoBadf))
		}
		event[10] = s.kind
		n++
	}
	r.wasi.elapsed = max(r.wasi.elapsed, until)
	if !mem.WriteUint32Le(uint32(a[3]), n) {
		return errnoFault
	}
	return errnoSuccess
}

// firstDue returns how far the monotonic clock moves: to the first timer, or not
// at all when a descriptor answers at once.
func (r *run) firstDue(text []byte) uint64 {
	first := uint64(math.MaxUint64)
	for ; len(text) > 0; text = text[subscriptionSize:] {
		s := r.subscription(text)
		if s.kind != 0 {
			return r.wasi.elapsed
		}
		first = min(first, s.due)
	}
	return first
}

func (r *run) subscription(b []byte) subscription {
	const absolute = 1
	s := subscription{userdata: binary.LittleEndian.Uint64(b), kind: b[8]}
	if s.kind != 0 {
		return s
	}
	clock := binary.LittleEndian.Uint32(b[16:])
	timeout := binary.LittleEndian.Uint64(b[24:])
	if binary.LittleEndian.Uint16(b[40:])&absolute == 0 {
		s.due = r.wasi.elapsed + timeout
		if s.due < timeout {
			s.due = math.MaxUint64
		}
		return s
	}
	s.due = timeout
	if clock == 0 { // realtime
		zero := r.realtime() - r.wasi.elapsed
		s.due = timeout - min(timeout, zero)
	}
	return s
}
