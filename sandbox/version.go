package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rhost/rhost/abi"
)

// version is a module with the instances that wait for a call, and the number
// of calls it still owes an answer.
type version struct {
	info   Info
	digest string
	plan   Plan // its Spares, Wake and Closed
	room   *room
	gauge  gauge
	size   batchSize

	mu        sync.Mutex
	module    Module        // guarded by mu; nil while it is unloaded
	waking    *waking       // guarded by mu; set while it is being loaded again
	woken     int           // guarded by mu; times that it was
	used      time.Time     // guarded by mu; when the latest call ended
	idle      []spare       // guarded by mu
	calls     int           // guarded by mu; running calls
	draining  bool          // guarded by mu; takes no new call, keeps no instance
	abandoned func()        // guarded by mu; set when nobody waits for drained any more
	drained   chan struct{} // closed by the last call once draining
}

func newVersion(m Module, plan Plan, r *room) *version {
	info := m.Info()
	v := &version{module: m, info: info, digest: info.Digest, plan: plan, room: r, used: time.Now(), drained: make(chan struct{})}
	r.add(v)
	return v
}

// runEntered runs a call on the version, which its caller has entered, and leaves
// it, also when the engine panics.
func (v *version) runEntered(ctx context.Context, call *abi.Call, session *Session) (abi.Reply, Usage, error) {
	defer v.leave(ctx)
	begin()
	defer end()
	return v.run(ctx, call, session)
}

func (v *version) run(ctx context.Context, call *abi.Call, session *Session) (abi.Reply, Usage, error) {
	inst, err := v.take(ctx, session.Limits())
	if err != nil {
		v.gauge.add(ctx, Usage{}, err)
		return abi.Reply{}, Usage{Module: v.digest}, err
	}
	session.runsOn(v.info, call)
	reply, usage, err := inst.Invoke(ctx, call, session)
	usage.Module = v.digest
	v.gauge.add(ctx, usage, err)
	if err != nil {
		session.drop()
	}
	if closeErr := v.give(ctx, inst); closeErr != nil && err == nil {
		err = fmt.Errorf("close instance of %s: %w", v.info.Name, closeErr)
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
	v.used = time.Now()
	v.unwanted()
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
	_ = v.end(ctx)
	abandoned()
}

// fitting picks an idle instance that was made for the limits.
func (v *version) fitting(lim Limits) (spare, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, s := range slices.Backward(v.idle) {
		if s.limits.Memory == lim.Memory && s.limits.Stack == lim.Stack {
			v.idle = slices.Delete(v.idle, i, i+1)
			return s, true
		}
	}
	return spare{}, false
}

// oldest picks the instance that was idle first.
func (v *version) oldest() (s spare, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.idle) == 0 {
		return spare{}, false
	}
	s = v.idle[0]
	v.idle = slices.Delete(v.idle, 0, 1)
	return s, true
}

// give takes an instance back: as a spare if the next call would find it as
// new, else it is closed. The oldest spare makes room, so that those made for
// limits no longer asked for do not stay.
func (v *version) give(ctx context.Context, inst Instance) error {
	s, ok := inst.(spare)
	if ok && inst.Reusable() && v.plan.Spares > 0 {
		v.mu.Lock()
		kept := !v.draining
		if kept {
			v.idle = append(v.idle, s)
			inst = nil
			if len(v.idle) > v.plan.Spares {
				inst = v.idle[0]
				v.idle = slices.Delete(v.idle, 0, 1)
			}
		}
		v.mu.Unlock()
		if kept {
			v.room.idle()
		}
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
	v.unwanted()
	if v.calls == 0 {
		close(v.drained)
	}
	v.mu.Unlock()

	errs := []error{closeAll(ctx, idle, nil)}
	select {
	case <-v.drained:
	case <-ctx.Done():
		if v.abandon(quarantined) {
			errs = append(errs, fmt.Errorf("drain %s: calls are still running, the last of them closes it: %w", v.info.Name, ctx.Err()))
			return errors.Join(errs...)
		}
		<-v.drained
	}
	return errors.Join(append(errs, v.end(ctx))...)
}

// end closes the module of a version that has drained.
func (v *version) end(ctx context.Context) error {
	v.mu.Lock()
	m := v.module
	v.module = nil
	v.mu.Unlock()
	v.room.remove(v)
	err := closeAll(ctx, nil, m)
	if v.plan.Closed != nil {
		v.plan.Closed()
	}
	return err
}

// abandon leaves the version to its calls. It reports false when there are none
// left to leave it to.
func (v *version) abandon(quarantined *atomic.Int64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.calls == 0 {
		return false
	}
	if v.waking != nil {
		v.waking.stop()
	}
	quarantined.Add(1)
	v.abandoned = func() { quarantined.Add(-1) }
	return true
}
