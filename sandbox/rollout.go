package sandbox

import (
	"context"
	"errors"
	"hash/fnv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rhost/rhost/abi"
)

// Roll brings next into force as the plan says, and returns at once: from then on
// the slot owns next. Into an empty slot it goes as by Swap. A rollout that is
// under way ends: its version takes the place of the old one if it has answered
// calls enough, else it is dropped.
//
// ErrClosed leaves next with the caller. Another error is that of closing what went
// before, and next is in force.
func (s *Slot) Roll(ctx context.Context, next Module, plan Plan) error {
	plan.Back = plan.Back.withDefaults()
	fill(&plan.Drain, 5*time.Second)
	var errs []error
	for {
		s.mu.Lock()
		was := s.next
		switch {
		case s.closed:
			s.mu.Unlock()
			return errors.Join(append(errs, ErrClosed)...)
		case s.cur == nil:
			s.cur = newVersion(next, plan, &s.room)
			s.mu.Unlock()
			s.room.resize(plan.instances())
			plan.done(Verdict{Promoted: true, Phase: PhaseFull})
			return errors.Join(errs...)
		case was == nil:
			r := newRollout(s, next, plan)
			s.next = r
			s.mu.Unlock()
			s.room.resize(plan.instances())
			r.begin() //nolint:contextcheck // a rollout outlives the call that began it
			return errors.Join(errs...)
		}
		s.mu.Unlock()
		errs = append(errs, was.supersede(ctx))
	}
}

// Progress tells of the rollout under way; ok is false when there is none.
func (s *Slot) Progress() (p Progress, ok bool) {
	old, r := s.current()
	if r == nil || old == nil {
		return Progress{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return Progress{
		Phase: r.phases[r.at], Until: r.until, Canary: r.plan.Canary,
		Old: old.gauge.stats(old.digest), New: r.version.gauge.stats(r.version.digest), Shadowed: r.shadows.stats(),
	}, true
}

// rollout watches a version on its way into a slot. Its goroutine moves it from
// phase to phase and ends it; whoever takes it out of the slot stops the goroutine.
type rollout struct {
	slot    *Slot
	version *version
	plan    Plan
	phases  []Phase
	shadows shadows

	now    atomic.Pointer[Phase] // phases[at], for calls
	failed atomic.Bool           // takes no more calls
	bad    chan string           // why, at most one
	stop   chan struct{}         // closed by whoever took the rollout out of the slot
	ended  chan struct{}         // closed when the goroutine has ended

	mu    sync.Mutex
	at    int       // guarded by mu; of phases
	until time.Time // guarded by mu
	slow  int       // guarded by mu; looks in a row that found the calls slow
}

func newRollout(s *Slot, next Module, plan Plan) *rollout {
	r := &rollout{
		slot: s, version: newVersion(next, plan, &s.room), plan: plan,
		bad: make(chan string, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	if plan.Shadow {
		r.shadows.open()
		r.phases = append(r.phases, PhaseShadow)
	}
	if plan.Canary > 0 {
		r.phases = append(r.phases, PhaseCanary)
	}
	r.phases = append(r.phases, PhaseFull)
	r.until = time.Now().Add(plan.Back.For)
	r.now.Store(&r.phases[0])
	return r
}

func (r *rollout) phase() Phase { return *r.now.Load() }

// takes reports whether a call goes to the new version: by the hash of its match,
// so that all its steps and tries go the same way.
func (r *rollout) takes(call *abi.Call) bool {
	if r.failed.Load() {
		return false
	}
	switch r.phase() {
	case PhaseFull:
		return true
	case PhaseCanary:
		h := fnv.New64a()
		h.Write([]byte(call.Match.ID))
		const grains = 1 << 20
		return h.Sum64()%grains < uint64(r.plan.Canary*grains)
	case PhaseShadow:
	}
	return false
}

// begin starts the goroutine of the rollout.
func (r *rollout) begin() {
	go func() {
		defer close(r.ended)
		r.shadows.run(r)
		defer r.shadows.wait()
		r.watch()
	}()
}

// watch goes from phase to phase and ends the rollout.
func (r *rollout) watch() {
	timer := time.NewTimer(r.plan.Back.For)
	defer timer.Stop()
	for {
		select {
		case <-r.stop:
			return
		case reason := <-r.bad:
			r.settle(reason)
			return
		case <-timer.C:
		}
		if reason := r.compare(true); reason != "" {
			r.settle(reason)
			return
		}
		if !r.advance() {
			r.settle("")
			return
		}
		timer.Reset(r.plan.Back.For)
	}
}

// advance goes on to the next phase, if there is one.
func (r *rollout) advance() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at+1 == len(r.phases) {
		return false
	}
	r.at++
	r.until = time.Now().Add(r.plan.Back.For)
	r.now.Store(&r.phases[r.at])
	return true
}

// settle ends the rollout: the new version takes the place of the old one, or
// gives way to it for a reason. It does nothing when somebody else has ended it.
func (r *rollout) settle(reason string) {
	s := r.slot
	s.mu.Lock()
	if s.next != r {
		s.mu.Unlock()
		return
	}
	s.next = nil
	old, leaves := s.cur, r.version
	if reason == "" {
		s.cur, leaves = r.version, old
	}
	s.mu.Unlock()
	r.shadows.end()
	ctx, cancel := context.WithTimeout(context.Background(), r.plan.Drain)
	defer cancel()
	r.tell(old, Verdict{Promoted: reason == "", Reason: reason, Err: leaves.close(ctx, &s.quarantined)})
}

// Abort ends a rollout in favour of the old version and waits for its end. It
// reports whether there was one.
func (s *Slot) Abort(reason string) bool {
	_, r := s.current()
	if r == nil {
		return false
	}
	if r.failed.CompareAndSwap(false, true) {
		r.bad <- reason
	}
	<-r.ended
	return true
}

// tell reports the end of the rollout.
func (r *rollout) tell(old *version, v Verdict) {
	v.Phase, v.Shadow = r.phase(), r.shadows.stats()
	v.New = r.version.gauge.stats(r.version.digest)
	if old != nil {
		v.Old = old.gauge.stats(old.digest)
	}
	r.plan.done(v)
}

// cancel ends a rollout that was taken out of the slot, and closes its version.
func (r *rollout) cancel(ctx context.Context, reason string) error {
	close(r.stop)
	<-r.ended
	err := r.version.close(ctx, &r.slot.quarantined)
	r.tell(nil, Verdict{Canceled: true, Reason: reason, Err: err})
	return err
}

// supersede ends a rollout because another is to begin.
func (r *rollout) supersede(ctx context.Context) error {
	s := r.slot
	s.mu.Lock()
	if s.next != r {
		s.mu.Unlock()
		<-r.ended
		return nil
	}
	s.next = nil
	old := s.cur
	proven := r.phase() == PhaseFull && !r.failed.Load() && r.version.gauge.seen() >= uint64(max(r.plan.Back.MinCalls, 0))
	if proven {
		s.cur = r.version
	}
	s.mu.Unlock()
	if !proven {
		return r.cancel(ctx, "a newer version came before this one had answered enough calls")
	}
	close(r.stop)
	<-r.ended
	err := old.close(ctx, &s.quarantined)
	r.tell(old, Verdict{Promoted: true, Err: err})
	return err
}
