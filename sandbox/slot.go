package sandbox

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/rhost/rhost/abi"
)

// The errors of a slot.
var (
	// ErrEmpty is the error of a call to a slot that holds no version.
	ErrEmpty = errors.New("no version is loaded")
	// ErrClosed is the error of a swap into a slot that was closed. The module
	// stays with the caller.
	ErrClosed = errors.New("the slot is closed")
)

// Slot is the place of one plugin: it holds the version that takes new calls,
// and while a rollout lasts the one that is to follow it. It is safe for
// concurrent use.
type Slot struct {
	mu     sync.Mutex
	cur    *version // guarded by mu; nil while empty
	next   *rollout // guarded by mu; nil while none is under way
	closed bool     // guarded by mu

	room        room
	quarantined atomic.Int64
}

// NewSlot returns an empty slot.
func NewSlot() *Slot { return &Slot{} }

// Info describes the version that takes new calls: in the last phase of a rollout
// that is the new one. ok is false while the slot is empty.
func (s *Slot) Info() (info Info, ok bool) {
	v, r := s.current()
	if r != nil && r.phase() == PhaseFull {
		v = r.version
	}
	if v == nil {
		return Info{}, false
	}
	return v.info, true
}

// Stats tells how the calls of the version went that Info describes.
func (s *Slot) Stats() (Stats, bool) {
	v, r := s.current()
	if r != nil && r.phase() == PhaseFull {
		v = r.version
	}
	if v == nil {
		return Stats{}, false
	}
	return v.gauge.stats(v.digest), true
}

// Call runs one call on the current version, or during a rollout on the one the
// rollout sends it to. Calls may run side by side; each has an instance of its
// own, taken from the idle ones or made for it.
//
// A call that faults on a version that is being rolled out runs again on the old
// one, unless it has reached outside: the caller sees the old one's answer.
func (s *Slot) Call(ctx context.Context, call *abi.Call, session *Session) (abi.Reply, Usage, error) {
	v, r, err := s.enter(call)
	if err != nil {
		return abi.Reply{}, Usage{}, err
	}
	reply, usage, err := v.runEntered(ctx, call, session)
	switch {
	case r == nil:
		return reply, usage, err
	case v == r.version:
		r.judge(err)
		if err == nil || ctx.Err() != nil || session.Outside() {
			return reply, usage, err
		}
		return s.again(ctx, call, session, reply, usage, err)
	default:
		r.shadow(call, session, outcome{reply, usage, err})
		return reply, usage, err
	}
}

// again runs a call on the old version after it faulted on the new one. reply,
// usage and err are what the new one gave, for when there is no old one any more.
func (s *Slot) again(ctx context.Context, call *abi.Call, session *Session, reply abi.Reply, usage Usage, err error) (abi.Reply, Usage, error) {
	old, _ := s.current()
	if old == nil || old.digest == usage.Module || !old.enter() {
		return reply, usage, err
	}
	return old.runEntered(ctx, call, session.fresh())
}

// Swap sends new calls to next at once and closes the old version when its
// running calls have ended; it waits for them at most until ctx ends. next may
// be nil, which empties the slot. At most spares idle instances are kept. A rollout
// that is under way ends, and its version is closed too.
//
// When ctx ends first, the old version is quarantined: the error says so, the
// last of its calls closes it, and until then Quarantined counts it.
func (s *Slot) Swap(ctx context.Context, next Module, spares int) error {
	return s.replace(ctx, next, spares, false)
}

// Close empties the slot for good and closes its versions as Swap does. A second
// Close does nothing.
func (s *Slot) Close(ctx context.Context) error {
	err := s.replace(ctx, nil, 0, true)
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// Quarantined is the number of old versions whose calls did not end in the time
// that Swap gave them, and have not ended since.
func (s *Slot) Quarantined() int { return int(s.quarantined.Load()) }

func (s *Slot) replace(ctx context.Context, next Module, spares int, last bool) error {
	var v *version
	if next != nil {
		v = newVersion(next, Plan{Spares: spares}, &s.room)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	old, r := s.cur, s.next
	s.cur, s.next, s.closed = v, nil, last
	s.mu.Unlock()
	var errs []error
	if r != nil {
		errs = append(errs, r.cancel(ctx, "another version was put in its place"))
	}
	if old != nil {
		errs = append(errs, old.close(ctx, &s.quarantined))
	}
	return errors.Join(errs...)
}

func (s *Slot) current() (*version, *rollout) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cur, s.next
}

// enter picks the version for a call. A version that began to drain between the
// look and the entry has a successor, so the loop ends.
func (s *Slot) enter(call *abi.Call) (*version, *rollout, error) {
	for {
		v, r := s.current()
		if v == nil {
			return nil, nil, ErrEmpty
		}
		if r != nil && r.takes(call) && r.version.enter() {
			return r.version, r, nil
		}
		if v.enter() {
			return v, r, nil
		}
	}
}
