package script

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

// Host is the services of the ABI as a script sees them. Every method charges
// sandbox.HostCallFuel before it does anything. Its last result is false when
// the call has to stop, and the engine then unwinds the script.
type Host struct {
	*Meter
	Session *sandbox.Session
	call    *abi.Call

	clock  time.Time // what Clock answers, once asked
	seeded bool
	seed   [2]uint64
}

// NewHost offers the services of s to one call.
func NewHost(m *Meter, s *sandbox.Session, call *abi.Call) *Host {
	return &Host{Meter: m, Session: s, call: call}
}

// begin charges a service call that moves n bytes and counts it.
func (h *Host) begin(service string, n int) bool {
	if !h.Spend(sandbox.HostCallFuel(n)) {
		return false
	}
	if err := h.Session.Begin(service); err != nil {
		h.Fail(sandbox.FaultLimit, err)
		return false
	}
	return true
}

// answered passes on the status of a service that gives nothing else.
func (h *Host) answered(st abi.Status) (abi.Status, bool) { return st, h.compare() }

// compare stops a replayed call that went another way than its record.
func (h *Host) compare() bool {
	if err := h.Session.Err(); err != nil {
		h.Fail(sandbox.FaultReplay, err)
		return false
	}
	return true
}

// Emit buffers an event.
func (h *Host) Emit(eventType string, data []byte) (abi.Status, bool) {
	if !h.begin("emit", len(eventType)+len(data)) {
		return 0, false
	}
	return h.answered(h.Session.Emit(eventType, data))
}

// Notify buffers a message to a topic.
func (h *Host) Notify(topic string, data []byte) (abi.Status, bool) {
	if !h.begin("notify", len(topic)+len(data)) {
		return 0, false
	}
	return h.answered(h.Session.Notify(topic, data))
}

// StateGet reads a key. The bytes of the answer are charged as they are found,
// because nobody knows them before.
func (h *Host) StateGet(key string) (value []byte, version uint64, st abi.Status, ok bool) {
	if !h.begin("state.get", len(key)) {
		return nil, 0, 0, false
	}
	value, version, st = h.Session.StateGet(key)
	return value, version, st, h.compare() && h.Spend(int64(len(value))/8) && h.Alloc(int64(len(value))*4)
}

// StateSet buffers a write; an empty value deletes the key.
func (h *Host) StateSet(key string, value []byte) (abi.Status, bool) {
	if !h.begin("state.set", len(key)+len(value)) {
		return 0, false
	}
	return h.answered(h.Session.StateSet(key, value))
}

// StateCAS buffers a write that holds only if the key has the version expected.
func (h *Host) StateCAS(key string, expect uint64, value []byte) (abi.Status, bool) {
	if !h.begin("state.cas", len(key)+len(value)) {
		return 0, false
	}
	return h.answered(h.Session.StateCAS(key, expect, value))
}

// Now is the time that the host tells.
func (h *Host) Now() (time.Time, abi.Status, bool) {
	if !h.begin("now", 8) {
		return time.Time{}, 0, false
	}
	t, st := h.Session.Now()
	return t, st, h.compare()
}

// Random gives n random bytes. More than the ABI allows is StatusLimit.
func (h *Host) Random(n int) ([]byte, abi.Status, bool) {
	if n < 0 || n > sandbox.MaxRandomBytes {
		return nil, abi.StatusLimit, h.begin("random", 0)
	}
	if !h.begin("random", n) {
		return nil, 0, false
	}
	p := make([]byte, n)
	st := h.Session.Random(p)
	return p, st, h.compare()
}

// Log passes a line to the host.
func (h *Host) Log(level sandbox.LogLevel, msg string) bool {
	if !h.begin("log", len(msg)) {
		return false
	}
	h.Session.Log(level, msg)
	return h.compare()
}

// Clock is the time that the language's own clock shows. It stands still during
// a call: the first reading of the host's time where that is granted, else the
// time of the match.
func (h *Host) Clock() time.Time {
	if h.clock.IsZero() {
		h.clock = h.call.Match.At
		if t, st := h.Session.Now(); st == abi.StatusOK {
			h.clock = t
		}
		h.compare()
	}
	return h.clock
}

// Seed starts the language's own generator of random numbers: from the host's
// random bytes where those are granted, else from the identity of the step, so
// that every attempt draws the same numbers.
func (h *Host) Seed() (a, b uint64) {
	if h.seeded {
		return h.seed[0], h.seed[1]
	}
	h.seeded = true
	var p [16]byte
	if h.Session.Random(p[:]) != abi.StatusOK {
		sum := fnv.New128a()
		for _, part := range []string{h.call.Match.Tenant, h.call.Match.Rule, h.call.Match.ID, h.call.Key} {
			fmt.Fprintf(sum, "%d:%s", len(part), part) //nolint:errcheck // a hash never fails
		}
		sum.Sum(p[:0])
	}
	h.compare()
	for i := range 8 {
		h.seed[0] = h.seed[0]<<8 | uint64(p[i])
		h.seed[1] = h.seed[1]<<8 | uint64(p[8+i])
	}
	return h.seed[0], h.seed[1]
}

// StatusName is the name of a status as scripts compare it: "not_found",
// "denied", "conflict".
func StatusName(st abi.Status) string { return strings.ReplaceAll(st.String(), " ", "_") }

// ParseLevel reads the name of a log level.
func ParseLevel(s string) (level sandbox.LogLevel, ok bool) {
	for l := sandbox.LogDebug; l <= sandbox.LogError; l++ {
		if l.String() == s {
			return l, true
		}
	}
	return 0, false
}
