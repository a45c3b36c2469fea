package sandbox

import (
	"context"
	"errors"
	"sync"

	"github.com/rhost/rhost/abi"
)

// MaxBatch is how many calls a batch may have.
const MaxBatch = 256

// Batcher is an Instance of a module whose manifest says that it takes several
// calls at once. What one of them leaves in memory is visible in those after it:
// a batch is not pristine, and the call after it is.
type Batcher interface {
	Instance
	// InvokeBatch runs several calls, of one tenant and one rule, each with a
	// session of its own and all with the same limits. There are at least one and at
	// most MaxBatch. An error means that none of them counts, and that they may be
	// run one by one instead; of what they did, requests alone have happened.
	// Fuel and time of the batch are those of a call, times their number.
	InvokeBatch(ctx context.Context, items []BatchItem) ([]BatchReply, Usage, error)
}

// BatchItem is a call of a batch.
type BatchItem struct {
	Call    *abi.Call
	Session *Session
}

// BatchReply is how a call of a batch ended.
type BatchReply struct {
	Reply abi.Reply
	Usage Usage // Fuel is the item's own; Wall its share of the batch's
}

// ErrNoBatch is the error of InvokeBatch where the module takes none.
var ErrNoBatch = errors.New("the module takes no batches")

// BatchResult is how a call ended that was given to Batch or CallBatch.
type BatchResult struct {
	Reply abi.Reply
	Usage Usage
	Err   error
	// Session is the one that the call's answer is from; not the item's own after
	// the batch it was in was discarded.
	Session *Session
}

// CallBatch runs several calls, of one tenant and one rule: at once what Batch does,
// the others one by one. Every call has a result.
func (s *Slot) CallBatch(ctx context.Context, items []BatchItem) []BatchResult {
	out := make([]BatchResult, len(items))
	for i, done := range s.Batch(ctx, items) {
		if done != nil {
			out[i] = *done
			continue
		}
		session := items[i].Session
		if session.HostCalls() > 0 {
			session = session.fresh()
		}
		reply, usage, err := s.Call(ctx, items[i].Call, session)
		out[i] = BatchResult{Reply: reply, Usage: usage, Err: err, Session: session}
	}
	return out
}

// Batch runs those of several calls, of one tenant and one rule, at once that can be.
// During a rollout each goes to the version that Call would send it to, so there may
// be a batch for each. What is nil in the result has not run, or not so that it counts,
// and is to be given to Call with a fresh session: where the module takes no batches,
// where a call stands alone, has other limits or is recorded or replayed, and all calls
// of a batch that faulted, so that the one that is to blame faults alone.
//
// A batch may take as long as one call. After one that faulted the next are smaller,
// down to calls one by one, and grow again: what is lost by faults stays in proportion
// to how many there are.
func (s *Slot) Batch(ctx context.Context, items []BatchItem) []*BatchResult {
	out := make([]*BatchResult, len(items))
	old, r := s.current()
	if old == nil || len(items) < 2 {
		return out
	}
	var stay, move []int
	for i, item := range items {
		switch {
		case item.Session.tape != nil || item.Session.Limits() != items[0].Session.Limits():
		case r != nil && r.takes(item.Call):
			move = append(move, i)
		default:
			stay = append(stay, i)
		}
	}
	old.batches(ctx, r, items, stay, out)
	if r != nil {
		r.version.batches(ctx, r, items, move, out)
	}
	return out
}

// batches runs the calls that which names, in batches as large as they may be.
func (v *version) batches(ctx context.Context, r *rollout, items []BatchItem, which []int, out []*BatchResult) {
	if m := v.info.Manifest; m == nil || !m.Batch {
		return
	}
	for len(which) > 1 {
		n := min(len(which), v.size.next(len(which)))
		if n < 2 {
			return
		}
		part := which[:n]
		which = which[n:]
		ok := v.batch(ctx, items, part, out)
		v.size.took(n, ok)
		if !ok {
			return // the others may hold what is to blame as well: they wait for the singles
		}
		for _, i := range part {
			switch {
			case r == nil:
			case v == r.version:
				r.judge(nil)
			default:
				r.shadow(items[i].Call, items[i].Session, outcome{reply: out[i].Reply, usage: out[i].Usage})
			}
		}
	}
}

// batch runs calls at once; ok is false when none of them counts.
func (v *version) batch(ctx context.Context, items []BatchItem, which []int, out []*BatchResult) (ok bool) {
	if !v.enter() {
		return false
	}
	defer v.leave(ctx)
	begin()
	defer end()
	lim := items[which[0]].Session.Limits()
	inst, err := v.take(ctx, lim)
	if err != nil {
		return false
	}
	list := make([]BatchItem, len(which))
	for n, i := range which {
		list[n] = items[i]
	}
	var replies []BatchReply
	b, ok := batcher(inst)
	if ok {
		within, cancel := context.WithTimeout(ctx, lim.Deadline)
		replies, _, err = b.InvokeBatch(within, list)
		cancel()
	}
	if closeErr := v.give(ctx, inst); !ok || err != nil || closeErr != nil {
		return false
	}
	for n, one := range replies {
		one.Usage.Module = v.digest
		v.gauge.add(ctx, one.Usage, nil)
		out[which[n]] = &BatchResult{Reply: one.Reply, Usage: one.Usage, Session: list[n].Session}
	}
	return true
}

func batcher(inst Instance) (Batcher, bool) {
	if s, ok := inst.(spare); ok {
		inst = s.Instance
	}
	b, ok := inst.(Batcher)
	return b, ok
}

// patience is how many calls run one by one before a batch is tried again.
const patience = 64

// batchSize is how large the batches of a version are. It is safe for concurrent use.
type batchSize struct {
	mu     sync.Mutex
	most   int // guarded by mu; 0: as many as a batch may have
	single int // guarded by mu; calls since batches were given up
}

// next is how many of n calls the next batch may have; 1 means that it is none.
func (b *batchSize) next(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.most == 0 {
		return MaxBatch
	}
	if b.most > 1 {
		return b.most
	}
	if b.single += n; b.single >= patience {
		b.most, b.single = 2, 0
	}
	return b.most
}

// took notes how a batch of n ended: after a fault the next ones have a quarter of
// its calls, and after a good one of full size twice as many.
func (b *batchSize) took(n int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !ok:
		b.most, b.single = max(n/4, 1), 0
	case b.most != 0 && n >= b.most:
		if b.most *= 2; b.most >= MaxBatch {
			b.most = 0
		}
	}
}
