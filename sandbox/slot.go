package sandbox

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rhost/rhost/abi"
)

// ErrEmpty is the error of a call to a slot that holds no version.
var ErrEmpty = errors.New("no version is loaded")

// Slot is the place of one plugin: it holds the version that takes new calls.
// It is safe for concurrent use.
type Slot struct {
	mu  sync.Mutex
	cur *version // guarded by mu; nil while empty
}

// version is a module with the instances that wait for a call, and the number
// of calls it still owes an answer.
type version struct {
	module Module
	spares int // how many idle instances to keep

	mu       sync.Mutex
	idle     []Instance    // guarded by mu
	calls    int           // guarded by mu; running calls
	draining bool          // guarded by mu; takes no new call, keeps no instance
	drained  chan struct{} // closed by the last call once draining
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
	defer v.leave()
	inst, err := v.take(ctx, session.Limits())
	if err != nil {
		return abi.Reply{}, Usage{}, err
	}
	reply, usage, err := inst.Invoke(ctx, call, session)
	if closeErr := v.give(ctx, inst); closeErr != nil && err == nil {
		err = fmt.Errorf("close instance of %s: %w", v.module.Info().Name, closeErr)
	}
	return reply, usage, err
}

// Swap sends new calls to next at once and closes the old version when its
// running calls have ended; it waits for them at most until ctx ends. next may
// be nil, which empties the slot. At most spares idle instances are kept.
//
// When ctx ends first, the old version is left to its calls: the last of them
// closes nothing, and the error says so.
func (s *Slot) Swap(ctx context.Context, next Module, spares int) error {
	var v *version
	if next != nil {
		v = &version{module: next, spares: spares, drained: make(chan struct{})}
	}
	s.mu.Lock()
	old := s.cur
	s.cur = v
	s.mu.Unlock()
	if old == nil {
		return nil
	}
	return old.close(ctx)
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

func (v *version) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls--
	if v.draining && v.calls == 0 {
		close(v.drained)
	}
}

func (v *version) take(ctx context.Context, lim Limits) (Instance, error) {
	v.mu.Lock()
	if n := len(v.idle); n > 0 {
		inst := v.idle[n-1]
		v.idle = v.idle[:n-1]
		v.mu.Unlock()
		return inst, nil
	}
	v.mu.Unlock()
	return v.module.New(ctx, lim)
}

// give takes an instance back: as a spare if the next call would find it as
// new, else it is closed.
func (v *version) give(ctx context.Context, inst Instance) error {
	if inst.Reusable() {
		v.mu.Lock()
		keep := !v.draining && len(v.idle) < v.spares
		if keep {
			v.idle = append(v.idle, inst)
		}
		v.mu.Unlock()
		if keep {
			return nil
		}
	}
	return inst.Close(context.WithoutCancel(ctx))
}

// close drains the version, then closes its instances and its module.
func (v *version) close(ctx context.Context) error {
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
		errs = append(errs, v.module.Close(context.WithoutCancel(ctx)))
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("drain %s: calls are still running: %w", v.module.Info().Name, ctx.Err()))
	}
	return errors.Join(errs...)
}
