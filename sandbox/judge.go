package sandbox

import (
	"fmt"
	"time"
)

// judge looks, after a call that ended with err, whether the new version has to
// give way. Times and fuel are compared now and then.
func (r *rollout) judge(err error) {
	if err == nil && r.version.gauge.seen()%uint64(max(r.plan.Back.MinCalls, 1)) != 0 || r.failed.Load() {
		return
	}
	if reason := r.compare(false); reason != "" && r.failed.CompareAndSwap(false, true) {
		r.bad <- reason
	}
}

// fewCalls is how many calls are compared at the end of a phase when there were
// no more.
const fewCalls = 20

// slowBy is by how much the calls of a version must be slower before a ratio of
// times means anything: below it lies the noise of the machine.
const slowBy = time.Millisecond

// compare says why the new version has to give way, or "". At the end of a phase
// fewer calls are enough.
func (r *rollout) compare(end bool) string {
	b := r.plan.Back
	fresh := r.version.gauge.stats(r.version.digest)
	var was Stats
	if old, _ := r.slot.current(); old != nil {
		was = old.gauge.stats(old.digest)
	}
	if b.Faults >= 0 {
		allowed := (b.Faults + was.faultShare()) * float64(max(fresh.Calls, uint64(max(b.MinCalls, 0))))
		if float64(fresh.Faults) > allowed {
			return fmt.Sprintf("%d of %d calls faulted; of the old version %.2g %%", fresh.Faults, fresh.Calls, 100*was.faultShare())
		}
	}
	enough := uint64(max(b.MinCalls, 1))
	if end {
		enough = min(enough, fewCalls)
	}
	if fresh.Calls < enough || was.Calls < enough {
		return ""
	}
	if b.Fuel > 0 && was.Fuel > 0 && fresh.Fuel > b.Fuel*was.Fuel {
		return fmt.Sprintf("a call uses %.0f fuel, %.1f times the %.0f of the old version", fresh.Fuel, fresh.Fuel/was.Fuel, was.Fuel)
	}
	return r.slower(was, fresh, end)
}

// slower says that calls take too long, once two looks in a row find it so.
func (r *rollout) slower(was, fresh Stats, end bool) string {
	b := r.plan.Back
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.P99 <= 0 || fresh.P99 < was.P99+slowBy || float64(fresh.P99) <= b.P99*float64(was.P99) {
		r.slow = 0
		return ""
	}
	if r.slow++; r.slow < 2 && !end {
		return ""
	}
	return fmt.Sprintf("the 99th percentile is %v, %.1f times the %v of the old version", fresh.P99, float64(fresh.P99)/float64(was.P99), was.P99)
}
