package trigger

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/rhost/rhost/cep/window/codec"
	"github.com/rhost/rhost/event"
)

// State is what a Watch knows of one key. The zero State is ready to be used. A
// State belongs to one Watch and one goroutine.
//
// An excursion begins with the value that enters and ends with the value that
// leaves. It fires once: at once, or when it has lasted as long as the Watch asks.
type State struct {
	started bool
	now     time.Time

	inside bool // an excursion goes on
	fired  bool // and has fired
	since  time.Time
	order  uint64      // of the value that entered
	value  event.Value // that entered; in a Watch for changes, the one changed to

	known bool        // whether there is a last value
	last  event.Value // what a change is a change from
}

// Firing is a time at which a state fires.
type Firing struct {
	At    time.Time   // when: with the value, or at the deadline
	Since time.Time   // when the value came that began the excursion
	Order uint64      // of that value, as it was given to Feed
	Value event.Value // that value
}

// Empty reports whether forgetting s loses nothing. A Watch for changes always
// remembers the last value it saw.
func (s *State) Empty() bool { return !s.inside && !s.known }

// Deadline is when the excursion will have lasted long enough. It is unset when
// none goes on, or when it has fired.
func (w *Watch) Deadline(s *State) (time.Time, bool) {
	if !s.inside || s.fired {
		return time.Time{}, false
	}
	return s.since.Add(w.hold), true
}

// Advance moves the key's time on to now, unless that lies behind, and appends
// what fires on the way to dst, at most one Firing. A value holds until the next
// one comes: silence does not end an excursion.
func (w *Watch) Advance(s *State, now time.Time, dst []Firing) []Firing {
	if s.started && !now.After(s.now) {
		return dst
	}
	s.started, s.now = true, now.UTC()
	if due, ok := w.Deadline(s); ok && !due.After(s.now) {
		dst = append(dst, w.fire(s, due))
	}
	return dst
}

// Feed shows the key a value and appends what fires to dst. Time moves on first:
// what lasts until exactly the deadline fires, even when the value that comes then
// ends it. A value that Takes refuses changes nothing but the time. A value from
// the past counts as at the present. The order is whatever the caller knows the
// event by. What is kept of a value has bytes of its own.
func (w *Watch) Feed(s *State, at time.Time, v event.Value, order uint64, dst []Firing) []Firing {
	dst = w.Advance(s, at, dst)
	if !w.Takes(v) {
		return dst
	}
	if w.test == Changes {
		w.change(s, v, order)
	} else {
		w.cross(s, v, order)
	}
	if s.inside && !s.fired && w.hold == 0 {
		dst = append(dst, w.fire(s, s.now))
	}
	return dst
}

// cross begins or ends an excursion.
func (w *Watch) cross(s *State, v event.Value, order uint64) {
	switch {
	case s.inside && w.leaves(v):
		s.leave()
	case !s.inside && w.enters(v):
		s.enter(v, order)
	}
}

// change follows a value that differs from the last one, until it has held long
// enough to be the last one itself.
func (w *Watch) change(s *State, v event.Value, order uint64) {
	switch {
	case !s.known:
		s.known, s.last = true, own(v) // the first is no change
	case w.same(v, s.last):
		s.leave() // it went back before it counted
	case !s.inside || !w.same(v, s.value):
		s.enter(v, order)
	}
}

func (s *State) enter(v event.Value, order uint64) {
	s.inside, s.fired = true, false
	s.since, s.order, s.value = s.now, order, own(v)
}

func (s *State) leave() {
	s.inside, s.fired = false, false
	s.since, s.order, s.value = time.Time{}, 0, event.Value{}
}

func (w *Watch) fire(s *State, at time.Time) Firing {
	f := Firing{At: at, Since: s.since, Order: s.order, Value: s.value}
	s.fired = true
	if w.test == Changes {
		s.last = s.value
		s.leave()
	}
	return f
}

// own gives a value with bytes of its own.
func own(v event.Value) event.Value {
	switch v.Kind() {
	case event.String:
		return event.StringValue(string(append([]byte(nil), v.Str()...)))
	case event.List, event.Map:
		return event.RawValue(append([]byte(nil), v.Raw()...))
	default:
		return v
	}
}

// A state, version 1:
//
//	byte     1, the version
//	8 bytes  fingerprint of the watch, little-endian
//	byte     flags
//	time     now                                  if flagStarted
//	time, uvarint, value   since, order, value    if flagInside
//	value    last                                 if flagKnown
const stateVersion = 1

const (
	flagStarted = 1 << iota
	flagInside
	flagFired
	flagKnown
	flagsAll = 1<<iota - 1
)

// AppendState appends the state's versioned binary form, which RestoreState reads
// with an equal Watch, on any machine.
func (w *Watch) AppendState(dst []byte, s *State) []byte {
	dst = binary.LittleEndian.AppendUint64(append(dst, stateVersion), w.print)
	at := len(dst)
	dst = append(dst, 0)
	if s.started {
		dst[at] |= flagStarted
		dst = codec.AppendTime(dst, s.now)
	}
	if s.inside {
		dst[at] |= flagInside
		dst = codec.AppendUint(codec.AppendTime(dst, s.since), s.order)
		dst = codec.AppendValue(dst, s.value)
	}
	if s.fired {
		dst[at] |= flagFired
	}
	if s.known {
		dst[at] |= flagKnown
		dst = codec.AppendValue(dst, s.last)
	}
	return dst
}

// RestoreState reads what AppendState wrote at the start of b and gives the rest
// of b. Bytes that no state of this Watch can have written are an error.
func (w *Watch) RestoreState(b []byte) (*State, []byte, error) {
	r := codec.NewReader(b)
	if v := r.Byte(); r.Err() == nil && v != stateVersion {
		return nil, b, fmt.Errorf("state of version %d: this release reads version %d; run the release that wrote it", v, stateVersion)
	}
	var watch [8]byte
	for i := range watch {
		watch[i] = r.Byte()
	}
	if r.Err() == nil && binary.LittleEndian.Uint64(watch[:]) != w.print {
		return nil, b, fmt.Errorf("state of another condition than %s", w)
	}
	s, flags := &State{}, r.Byte()
	r.Check(flags&^flagsAll == 0, "unknown flags")
	s.started, s.inside, s.fired, s.known = flags&flagStarted != 0, flags&flagInside != 0, flags&flagFired != 0, flags&flagKnown != 0
	if s.started {
		s.now = r.Time()
	}
	if s.inside {
		s.since, s.order = r.Time(), r.Uint()
		s.value = r.Value(MaxValue)
	}
	if s.known {
		s.last = r.Value(MaxValue)
	}
	if r.Err() == nil {
		r.Check(w.sound(s), "a state that cannot be")
	}
	if err := r.Err(); err != nil {
		return nil, b, fmt.Errorf("state: %w", err)
	}
	return s, r.Rest(), nil
}

// sound reports whether a state can be one of this Watch.
func (w *Watch) sound(s *State) bool {
	due, waits := w.Deadline(s)
	switch {
	case (s.inside || s.known) && !s.started, s.fired && !s.inside, s.known && w.test != Changes:
		return false
	case s.inside && (s.since.After(s.now) || !w.Takes(s.value)), waits && !due.After(s.now):
		return false
	case s.known && !w.Takes(s.last), w.test == Changes && (s.fired || s.inside && !s.known):
		return false
	}
	return true
}
