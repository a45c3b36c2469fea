package tenants

import (
	"fmt"
	"time"
)

// Budget is what is left of a tenant's quota. It belongs to one goroutine, or to
// whoever guards it.
type Budget struct {
	quota   Quota
	events  Bucket
	bytes   Bucket
	fuel    Bucket
	queued  int
	running int
	usage   Usage
}

// Usage is what a tenant has used since its budget was made.
type Usage struct {
	Events  int64
	Bytes   int64
	Fuel    int64
	Actions int64 // actions that were started
	Refused int64 // refusals, of every kind
	Queued  int   // actions waiting now
	Running int   // actions running now
}

// Refusal says which limit was reached and when to come back.
type Refusal struct {
	Limit      string        // the key of the quota, as an operator types it
	Quota      int64         // its value
	RetryAfter time.Duration // 0 when time alone does not help
}

func (r *Refusal) Error() string {
	msg := fmt.Sprintf("limit %s of %d is reached", r.Limit, r.Quota)
	if r.RetryAfter > 0 {
		msg += fmt.Sprintf("; try again in %s", r.RetryAfter.Round(time.Millisecond))
	}
	return msg
}

// NewBudget returns a budget of which nothing is used.
func NewBudget(q Quota) *Budget {
	b := &Budget{}
	b.SetQuota(q)
	return b
}

// SetQuota changes what the tenant may use from now on. What runs or waits
// already is let be, even above a lowered limit.
func (b *Budget) SetQuota(q Quota) {
	b.quota = q
	b.events.SetRate(q.EventsPerSecond)
	b.bytes.SetRate(q.BytesPerSecond)
	b.fuel.SetRate(q.FuelPerSecond)
}

// Quota returns what the tenant may use.
func (b *Budget) Quota() Quota { return b.quota }

// Usage returns what the tenant has used.
func (b *Budget) Usage() Usage {
	u := b.usage
	u.Queued, u.Running = b.queued, b.running
	return u
}

// Admit takes in a batch of events, whole or not at all. A refusal is a
// *Refusal and uses nothing of either rate.
func (b *Budget) Admit(now time.Time, events int, bytes int64) error {
	if wait := b.events.Wait(now, int64(events)); wait > 0 {
		return b.refuse("events_per_second", b.quota.EventsPerSecond, wait)
	}
	if wait := b.bytes.Wait(now, bytes); wait > 0 {
		return b.refuse("bytes_per_second", b.quota.BytesPerSecond, wait)
	}
	b.events.Charge(now, int64(events))
	b.bytes.Charge(now, bytes)
	b.usage.Events += int64(events)
	b.usage.Bytes += bytes
	return nil
}

// Queue takes in one action to wait for a worker, or gives a *Refusal.
func (b *Budget) Queue() error {
	if q := b.quota.QueuedActions; q > 0 && b.queued >= q {
		return b.refuse("queued_actions", int64(q), 0)
	}
	b.queued++
	return nil
}

// Start moves a waiting action to running, or gives a *Refusal and leaves it
// waiting. Fuel counts here: a tenant in debt for earlier calls starts none. To
// start what was not queued is a mistake of the caller, and panics.
func (b *Budget) Start(now time.Time) error {
	if b.queued == 0 {
		panic("tenants: an action was started that was not queued")
	}
	if q := b.quota.RunningActions; q > 0 && b.running >= q {
		return b.refuse("running_actions", int64(q), 0)
	}
	if wait := b.fuel.Wait(now, 1); wait > 0 {
		return b.refuse("fuel_per_second", b.quota.FuelPerSecond, wait)
	}
	b.queued--
	b.running++
	b.usage.Actions++
	return nil
}

// Finish ends a running action and charges the fuel it used.
func (b *Budget) Finish(now time.Time, fuel int64) {
	if b.running == 0 {
		panic("tenants: an action was finished that was not running")
	}
	b.running--
	b.fuel.Charge(now, fuel)
	b.usage.Fuel += max(fuel, 0)
}

// Forget gives up a waiting action that will never start.
func (b *Budget) Forget() {
	if b.queued == 0 {
		panic("tenants: an action was forgotten that was not queued")
	}
	b.queued--
}

func (b *Budget) refuse(limit string, quota int64, wait time.Duration) error {
	b.usage.Refused++
	return &Refusal{Limit: limit, Quota: quota, RetryAfter: wait}
}
