package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/tenants"
)

// account is what tenants hold, and what they may. What they hold of the log it is
// told by the log's committer, which asks it for room before anything is stored; so
// the sums are those of a count of the log, to the byte, whoever sends what at the
// same time. Which frames the bytes are in is kept in a ledger, in the snapshots: what
// retention removes is given back, and a restart counts only what came since.
//
// It is safe for concurrent use, and implements eventlog.Meter.
type account struct {
	now func() time.Time

	mu       sync.Mutex // guards the rest
	ledger   tenants.Ledger
	complete bool               // the ledger has all that was there when the log was opened
	of       map[string]*holder // by tenant
	charges  []tenants.Charge   // scratch
}

// holder is the account of one tenant, beside what the ledger has.
type holder struct {
	quota    QuotaConfig
	rate     tenants.Bucket
	pending  int64            // room taken for what is being stored
	promised int64            // room for emitted events that are decided and not in EV
	blobs    map[string]int64 // sizes of payloads, by digest
	payloads int64            // sum of blobs
	refused  map[string]uint64
	full     string // quota that refused last
	fullAt   time.Time
}

// newAccount makes an account on which nothing is, of tenants without quotas.
func newAccount(now func() time.Time) *account {
	return &account{now: now, of: make(map[string]*holder)}
}

// allow says what a tenant may bring and hold from now on.
func (a *account) allow(tenant string, q QuotaConfig) {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.holder(tenant)
	h.quota, h.rate = q, tenants.NewBurst(int64(q.Events.Rate), int64(q.Events.Burst))
}

// quota is what a tenant may bring and hold.
func (a *account) quota(tenant string) QuotaConfig {
	if a == nil {
		return QuotaConfig{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.holder(tenant).quota
}

// holder returns the account of a tenant; a.mu is held.
func (a *account) holder(tenant string) *holder {
	h := a.of[tenant]
	if h == nil {
		h = &holder{blobs: make(map[string]int64), refused: make(map[string]uint64)}
		a.of[tenant] = h
	}
	return h
}

// held is what a tenant holds of events.held.
func (a *account) held(tenant string, h *holder) int64 {
	return a.ledger.Held(tenant) + h.pending + h.promised + h.payloads
}

// fits reports whether a tenant may hold n bytes more, or refuses.
func (a *account) fits(tenant string, h *holder, n int64) error {
	limit, used := int64(h.quota.Events.Held), a.held(tenant, h)
	if limit == 0 || n <= limit-used {
		return nil
	}
	return h.quota.fullHeld(tenant, used, n)
}

// refused counts that a tenant was turned away.
func (a *account) refused(tenant, quota string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.holder(tenant).refuse(quota, a.now())
}

func (h *holder) refuse(quota string, now time.Time) {
	h.refused[quota]++
	h.full, h.fullAt = quota, now
}

// Take implements eventlog.Meter.
func (a *account) Take(tenant string, n int64, must bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.holder(tenant)
	if !must {
		if err := a.fits(tenant, h, n); err != nil {
			return err
		}
	}
	h.pending += n
	return nil
}

// Return implements eventlog.Meter.
func (a *account) Return(tenant string, n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.holder(tenant).pending -= n
}

// Stored implements eventlog.Meter.
func (a *account) Stored(frame uint64, charges []eventlog.Charge) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range charges {
		a.holder(c.Tenant).pending -= c.Bytes
	}
	if a.complete { // else catchUp finds the frame in the log
		a.add(frame, charges)
	}
}

// add puts a frame into the ledger; a.mu is held.
func (a *account) add(frame uint64, charges []eventlog.Charge) {
	a.charges = a.charges[:0]
	for _, c := range charges {
		a.charges = append(a.charges, tenants.Charge(c))
	}
	a.ledger.Add(frame, a.charges)
}

// pace takes n bytes of a tenant's rate, or refuses and says how long to wait.
func (a *account) pace(tenant string, n int64) error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.of[tenant]
	if h == nil || h.quota.Events.Rate == 0 {
		return nil
	}
	now := a.now()
	wait, ok := h.rate.Take(now, n)
	if ok {
		return nil
	}
	h.refuse(quotaRate, now)
	return h.quota.fullRate(tenant, n, wait)
}

// unpace gives back what pace took for what was refused after all.
func (a *account) unpace(tenant string, n int64) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if h := a.of[tenant]; h != nil {
		h.rate.Refund(n)
	}
}

// promise keeps room for emitted events, or refuses them, unless must is set. n below
// zero gives room back. Emitted events count for the rate as well, and do not wait for
// it: who sends from outside does.
func (a *account) promise(tenant string, n int64, must bool) error {
	if a == nil || n == 0 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.holder(tenant)
	if !must && n > 0 {
		if err := a.fits(tenant, h, n); err != nil {
			h.refuse(quotaHeld, a.now())
			return err
		}
	}
	h.promised += n
	return nil
}

// charge takes n bytes of the rate, whether or not they are there.
func (a *account) charge(tenant string, n int64) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if h := a.of[tenant]; h != nil {
		h.rate.Charge(a.now(), n)
	}
}

// stateFits reports whether a tenant that holds used bytes of state may hold more, or
// refuses.
func (a *account) stateFits(tenant string, used, more int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.holder(tenant)
	if limit := int64(h.quota.State); limit == 0 || more <= limit-used {
		return nil
	}
	h.refuse(quotaState, a.now())
	return h.quota.fullState(tenant, used, more)
}

// keeps says that a tenant has a payload in the blobs of the log.
func (a *account) keeps(tenant, digest string, size int) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.holder(tenant)
	if _, ok := h.blobs[digest]; !ok {
		h.blobs[digest] = int64(size)
		h.payloads += int64(size)
	}
}

// dropped says that a blob is gone.
func (a *account) dropped(digest string) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.of {
		if size, ok := h.blobs[digest]; ok {
			delete(h.blobs, digest)
			h.payloads -= size
		}
	}
}

// refusing reports whether a tenant was refused within the last minutes because of
// what it holds of the log.
func (a *account) refusing() bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.of {
		if h.full == quotaHeld && a.now().Sub(h.fullAt) < 2*heldRetry {
			return true
		}
	}
	return false
}

// summary says what a tenant holds, which is state bytes of state.
func (a *account) summary(tenant string, state int64) QuotaSummary {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.holder(tenant)
	s := QuotaSummary{
		Tenant: tenant, Events: a.held(tenant, h) - h.payloads, Payloads: h.payloads, Held: int64(h.quota.Events.Held),
		State: state, MaxState: int64(h.quota.State), Rate: int64(h.quota.Events.Rate),
	}
	if len(h.refused) > 0 {
		s.Refused = make(map[string]uint64, len(h.refused))
		maps.Copy(s.Refused, h.refused)
	}
	if a.now().Sub(h.fullAt) < heldRetry {
		s.Full = h.full
	}
	return s
}

// holdings is what a snapshot keeps of an account.
type holdings struct {
	upto  uint64
	parts []tenants.Segment
	blobs map[string]int64 // of the lane's tenant
}

// capture gives what a snapshot keeps.
func (a *account) capture(tenant string) (h holdings) {
	if a == nil {
		return h
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	h.upto, h.parts = a.ledger.Segments()
	h.blobs = maps.Clone(a.holder(tenant).blobs)
	return h
}

// restore puts what a snapshot kept in place.
func (a *account) restore(tenant string, h holdings) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ledger, a.complete = *tenants.NewLedger(h.upto, h.parts), false
	of := a.holder(tenant)
	of.blobs, of.payloads = h.blobs, 0
	if of.blobs == nil {
		of.blobs = make(map[string]int64)
	}
	for _, size := range of.blobs {
		of.payloads += size
	}
}

// seen counts a frame that a recovery reads, if it is the next one.
func (a *account) seen(f *eventlog.Frame) {
	if a == nil || f.First > 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if f.Seq == a.ledger.Upto()+1 {
		a.add(f.Seq, f.Charges(nil))
	}
}

// catchUp has the ledger count what the log holds, all of it and nothing else: the
// frames that no recovery has shown it, and none of those that were removed.
func (a *account) catchUp(ctx context.Context, log *eventlog.Log) error {
	if a == nil {
		return nil
	}
	first, tail := log.First().Frame, log.Tail().Frame
	a.mu.Lock()
	if a.ledger.Upto() > tail { // it is of another log, or of a longer one
		a.ledger = tenants.Ledger{}
	}
	from := max(a.ledger.Upto()+1, first)
	a.mu.Unlock()
	if from <= tail {
		err := log.Read(ctx, eventlog.Position{Frame: from}, func(f *eventlog.Frame) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.add(f.Seq, f.Charges(nil))
			return nil
		})
		if err != nil {
			return fmt.Errorf("count what tenants hold: %w", err)
		}
	}
	a.mu.Lock()
	a.complete = true
	a.mu.Unlock()
	return a.trim(ctx, log)
}

// trim gives back what was removed from the beginning of the log. What the ledger
// does not know frame by frame is counted again, from what is left.
func (a *account) trim(ctx context.Context, log *eventlog.Log) error {
	if a == nil {
		return nil
	}
	for {
		a.mu.Lock()
		from, to, again := a.ledger.Trim(log.First().Frame)
		a.mu.Unlock()
		if !again {
			return nil
		}
		charges, err := countFrames(ctx, log, from, to)
		if err != nil {
			if errors.Is(err, eventlog.ErrOutside) {
				continue // more was removed meanwhile
			}
			return fmt.Errorf("count what tenants hold: %w", err)
		}
		a.mu.Lock()
		done := a.ledger.Recount(from, to, charges)
		a.mu.Unlock()
		if done {
			return nil
		}
	}
}

// checkPayloads lets go of payloads that are not in the blobs of the log any more.
func (a *account) checkPayloads(ctx context.Context, log *eventlog.Log) error {
	a.mu.Lock()
	var kept []string
	for _, h := range a.of {
		kept = slices.AppendSeq(kept, maps.Keys(h.blobs))
	}
	a.mu.Unlock()
	if len(kept) == 0 {
		return nil
	}
	all, _, err := log.Blobs(ctx)
	if err != nil {
		return fmt.Errorf("count what tenants hold: %w", err)
	}
	there := make(map[string]bool, len(all))
	for _, digest := range all {
		there[digest] = true
	}
	for _, digest := range kept {
		if !there[digest] {
			a.dropped(digest)
		}
	}
	return nil
}

// countFrames adds up the frames from..to of the log.
func countFrames(ctx context.Context, log *eventlog.Log, from, to uint64) (charges []tenants.Charge, err error) {
	var sums []eventlog.Charge
	err = log.Read(ctx, eventlog.Position{Frame: from}, func(f *eventlog.Frame) error {
		if f.Seq <= to {
			sums = f.Charges(sums)
		}
		if f.Seq >= to {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	for _, c := range sums {
		charges = append(charges, tenants.Charge(c))
	}
	return charges, nil
}
