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

// version is a module with the instances that wait for a call, and the number
// of calls it still owes an answer.
type version struct {
	module Module
	digest string
	spares int // how many idle instances to keep
	gauge  gauge
	size   batchSize

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

func newVersion(m Module, spares int) *version {
	return &version{module: m, digest: m.Info().Digest, spares: spares, drained: make(chan struct{})}
}

// runEntered runs a call on the version, which its caller has entered, and leaves
// it, also when the engine panics.
func (v *version) runEntered(ctx context.Context, call *abi.Call, session *Session) (abi.Reply, Usage, error) {
	defer v.leave(ctx)
	return v.run(ctx, call, session)
}

func (v *version) run(ctx context.Context, call *abi.Call, session *Session) (abi.Reply, Usage, error) {
	inst, err := v.take(ctx, session.Limits())
	if err != nil {
		v.gauge.add(ctx, Usage{}, err)
		return abi.Reply{}, Usage{Module: v.digest}, err
	}
	session.runsOn(v.module.Info(), call)
	reply, usage, err := inst.Invoke(ctx, call, session)
	usage.Module = v.digest
	v.gauge.add(ctx, usage, err)
	if closeErr := v.give(ctx, inst); closeErr != nil && err == nil {
		err = fmt.Errorf("close instance of %s: %w", v.module.Info().Name, closeErr)
	}
	return reply, usage, err
}

// enter lets a call in, unless the version drains.
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
