package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrCold is in the chain of the error of a call to a version that was unloaded and
// could not be loaded again.
var ErrCold = errors.New("the version was unloaded and could not be loaded again")

// A version that takes no calls for a while is unloaded: its instances, its image
// and its compiled code are given back, and what remains is its description and how
// to load it again. The next call does that, while it and those after it wait.

// waking is a version on its way back.
type waking struct {
	done   chan struct{} // closed when it is there, or could not be brought back
	stop   context.CancelFunc
	module Module // set before done is closed
	err    error  // set before done is closed
}

// warm gives the module, loading it again if it was unloaded. The caller has entered
// the version.
func (v *version) warm(ctx context.Context) (Module, error) {
	v.mu.Lock()
	if m := v.module; m != nil {
		v.mu.Unlock()
		return m, nil
	}
	w := v.wakeUp(ctx)
	v.mu.Unlock()
	select {
	case <-w.done:
		return w.module, w.err
	case <-ctx.Done():
		return nil, &Fault{Kind: FaultDeadline, Module: v.info.Name, Err: fmt.Errorf("was being loaded again: %w", context.Cause(ctx))}
	}
}

// wakeUp starts to load the version again, unless somebody has. It goes on when the
// caller gives up: the next one will want it. The caller holds mu.
func (v *version) wakeUp(ctx context.Context) *waking {
	if v.waking != nil {
		return v.waking
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	w := &waking{done: make(chan struct{}), stop: stop}
	v.waking = w
	v.calls++ // like a call, which whoever closes the version waits for
	go func() {
		defer stop()
		w.module, w.err = v.load(ctx)
		v.mu.Lock()
		v.module, v.waking = w.module, nil
		v.woken++
		v.mu.Unlock()
		v.leave(ctx) // first, so that whoever waited finds no call but its own
		close(w.done)
	}()
	return w
}

// unwanted gives up loading a version that is on its way out, unless a call waits for
// it. The caller holds mu.
func (v *version) unwanted() {
	if v.draining && v.waking != nil && v.calls == 1 { // which is the loading itself
		v.waking.stop()
	}
}

// load calls wake, in a goroutine where nobody else would catch a panic of it.
func (v *version) load(ctx context.Context) (m Module, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("%w: the engine panicked; this is a bug of rhost: %v", ErrCold, p)
		}
	}()
	if m, err = v.plan.Wake(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCold, err)
	}
	return m, nil
}

// cool unloads the version if its latest call ended before that time. It reports
// whether it did.
func (v *version) cool(ctx context.Context, before time.Time) (bool, error) {
	v.mu.Lock()
	if v.plan.Wake == nil || v.module == nil || v.draining || v.calls > 0 || !v.used.Before(before) {
		v.mu.Unlock()
		return false, nil
	}
	m, idle := v.module, v.idle
	v.module, v.idle = nil, nil
	v.calls++ // whoever closes the version waits until its parts are closed
	v.mu.Unlock()
	defer v.leave(ctx)
	return true, closeAll(ctx, idle, m)
}

// closeAll closes idle instances and then their module, which may be nil.
func closeAll(ctx context.Context, idle []spare, m Module) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for _, inst := range idle {
		errs = append(errs, inst.Close(ctx))
	}
	if m != nil {
		errs = append(errs, m.Close(ctx))
	}
	return errors.Join(errs...)
}

// Cool unloads the version that takes the calls if none came for that long and it can
// be loaded again. It reports whether it did. During a rollout nothing is unloaded.
func (s *Slot) Cool(ctx context.Context, unused time.Duration) (bool, error) {
	v, r := s.current()
	if v == nil || r != nil {
		return false, nil
	}
	return v.cool(ctx, time.Now().Add(-unused))
}

// Wake begins to load the version that takes the calls, if it was unloaded, and does
// not wait for it. Whoever knows that a call will come saves it a part of the wait.
func (s *Slot) Wake(ctx context.Context) {
	v, _ := s.current()
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.module == nil && !v.draining {
		v.wakeUp(ctx)
	}
}

// Held is what a slot holds in memory.
type Held struct {
	Warm      bool `json:"warm"`              // its version is loaded; a cold one is with the next call
	Instances int  `json:"instances"`         // that run or are idle, of all versions
	Most      int  `json:"most,omitempty"`    // how many there may be; 0: no bound
	Reloads   int  `json:"reloads,omitempty"` // how often its version was loaded again
}

// Held tells what the slot holds now.
func (s *Slot) Held() Held {
	h := Held{Instances: s.room.count(), Most: s.room.bound()}
	v, r := s.current()
	if r != nil && r.phase() == PhaseFull {
		v = r.version
	}
	if v != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		h.Warm, h.Reloads = v.module != nil, v.woken
	}
	return h
}
