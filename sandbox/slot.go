package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// Slot is the place of one plugin: it holds the version that takes new calls.
// It is safe for concurrent use.
type Slot struct {
	mu     sync.Mutex
	cur    *version // guarded by mu; nil while empty
	closed bool     // guarded by mu

	quarantined atomic.Int64
}

// version is a module with the instances that wait for a call, and the number
// of calls it still owes an answer.
type version struct {
	module Module
	spares int // how many idle instances to keep

	mu        sync.Mutex
	idle      []spare       // guarded by mu
	calls     int           // guarded by mu; running calls
	draining  bool          // guarded by mu; takes no new call, keeps no instance
	abandoned func()        // guarded by mu; set when nobody waits for drained any more
	drained   chan struct{} // closed by the last call once draining
}

// spare is an idle instance with the limits it was made for.
type spare struct {
	Instance
	limits Limits
}

// NewSlot returns an empty slot.
func NewSlot() *Slot { return &Slot{} }

// Info describes the current version. ok is false while the slot is empty.
func (s *Slot) Info() (info Info, ok bool) {
	v := s.current()
	if v == nil {
		return Info{}, false
	}
	return v.module.Info(), true
}

// Call runs one call on the current version. Calls may run side by side; each
// has an instance of its own, taken from the idle ones or made for it.
func (s *Slot) Call(ctx context.Context, call *abi.Call, session *Session) (abi.Reply, Usage, error) {
	v, err := s.enter()
	if err != nil {
		return abi.Reply{}, Usage{}, err
	}
	defer v.leave(ctx)
	inst, err := v.take(ctx, session.Limits())
	if err != nil {
		return abi.Reply{}, Usage{Module: v.module.Info().Digest}, err
	}
	reply, usage, err := inst.Invoke(ctx, call, session)
	usage.Module = v.module.Info().Digest
	if closeErr := v.give(ctx, inst); closeErr != nil && err == nil {
		err = fmt.Errorf("close instance of %s: %w", v.module.Info().Name, closeErr)
	}
	return reply, usage, err
}

// Swap sends new calls to next at once and closes the old version when its
// running calls have ended; it waits for them at most until ctx ends. next may
// be nil, which empties the slot. At most spares idle instances are kept.
//
// When ctx ends first, the old version is quarantined: the error says so, the
// last of its calls closes it, and until then Quarantined counts it.
func (s *Slot) Swap(ctx context.Context, next Module, spares int) error {
	return s.replace(ctx, next, spares, false)
}

// Close empties the slot for good and closes its version as Swap does. A second
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
		v = &version{module: next, spares: spares, drained: make(chan struct{})}
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	old := s.cur
	s.cur = v
	s.closed = last
	s.mu.Unlock()
	if old == nil {
		return nil
	}
	return old.close(ctx, &s.quarantined)
}

func (s *Slot) current() *version {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cur
}

// enter picks the current version for a call. A version that began to drain
// between the look and the entry has a successor, so the loop ends.
func (s *Slot) enter() (*version, error) {
	for {
		v := s.current()
		if v == nil {
			return nil, ErrEmpty
		}
		if v.enter() {
			return v, nil
		}
	}
}

func (v *version) enter() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.draining {
		return false
	}
	v.calls++
	return true
}

// leave ends a call. The last call of a version that nobody waits for closes
// it.
func (v *version) leave(ctx context.Context) {
	v.mu.Lock()
	v.calls--
	last := v.draining && v.calls == 0
	abandoned := v.abandoned
	v.mu.Unlock()
	if !last {
		return
	}
	close(v.drained)
	if abandoned == nil {
		return
	}
	// Nobody is left to be told of an error here: the caller of Swap has had one
	// that says this version is closed behind its back.
	_ = v.module.Close(context.WithoutCancel(ctx))
	abandoned()
}

// take picks an idle instance that was made for the limits, or makes one.
func (v *version) take(ctx context.Context, lim Limits) (Instance, error) {
	v.mu.Lock()
	for i := len(v.idle) - 1; i >= 0; i-- {
		if s := v.idle[i]; s.limits.Memory == lim.Memory && s.limits.Stack == lim.Stack {
			v.idle = slices.Delete(v.idle, i, i+1)
			v.mu.Unlock()
			return s, nil
		}
	}
	v.mu.Unlock()
	inst, err := v.module.New(ctx, lim)
	if err != nil {
		return nil, err
	}
	return spare{inst, lim}, nil
}

// give takes an instance back: as a spare if the next call would find it as
// new, else it is closed. The oldest spare makes room, so that those made for
// limits no longer asked for do not stay.
func (v *version) give(ctx context.Context, inst Instance) error {
	s, ok := inst.(spare)
	if ok && inst.Reusable() && v.spares > 0 {
		v.mu.Lock()
		if !v.draining {
			v.idle = append(v.idle, s)
			inst = nil
			if len(v.idle) > v.spares {
				inst = v.idle[0]
				v.idle = slices.Delete(v.idle, 0, 1)
			}
		}
		v.mu.Unlock()
		if inst == nil {
			return nil
		}
	}
	return inst.Close(context.WithoutCancel(ctx))
}

// close drains the version, then closes its instances and its module.
func (v *version) close(ctx context.Context, quarantined *atomic.Int64) error {
	v.mu.Lock()
	v.draining = true
	idle := v.idle
	v.idle = nil
	if v.calls == 0 {
		close(v.drained)
	}
	v.mu.Unlock()

	var errs []error
	for _, inst := range idle {
		errs = append(errs, inst.Close(context.WithoutCancel(ctx)))
	}
	select {
	case <-v.drained:
	case <-ctx.Done():
		if v.abandon(quarantined) {
			errs = append(errs, fmt.Errorf("drain %s: calls are still running, the last of them closes it: %w", v.module.Info().Name, ctx.Err()))
			return errors.Join(errs...)
		}
		<-v.drained
	}
	errs = append(errs, v.module.Close(context.WithoutCancel(ctx)))
	return errors.Join(errs...)
}

// abandon leaves the version to its calls. It reports false when there are none
// left to leave it to.
func (v *version) abandon(quarantined *atomic.Int64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.calls == 0 {
		return false
	}
	quarantined.Add(1)
	v.abandoned = func() { quarantined.Add(-1) }
	return true
}
