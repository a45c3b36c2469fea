package sandbox

import (
	"context"
	"errors"
	"slices"

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

// BatchResult is how a call ended that was given to CallBatch.
type BatchResult struct {
	Reply abi.Reply
	Usage Usage
	Err   error
	// Session is the one that the call's answer is from; not the item's own after
	// the batch it was in was discarded.
	Session *Session
}

// CallBatch runs several calls, of one tenant and one rule, on the current version:
// at once where the module takes batches, else one by one. A batch that faults is
// discarded and its calls run one by one, so that the one that is to blame faults
// alone. Every call has a result.
//
// Calls that are recorded or replayed, and all calls during a rollout, run one by
// one.
func (s *Slot) CallBatch(ctx context.Context, items []BatchItem) []BatchResult {
	out := make([]BatchResult, 0, len(items))
	for part := range slices.Chunk(items, MaxBatch) {
		done, ok := s.batch(ctx, part)
		if ok {
			out = append(out, done...)
			continue
		}
		for _, item := range part {
			session := item.Session
			if session.HostCalls() > 0 {
				session = session.fresh()
			}
			reply, usage, err := s.Call(ctx, item.Call, session)
			out = append(out, BatchResult{Reply: reply, Usage: usage, Err: err, Session: session})
		}
	}
	return out
}

// batch runs calls at once; ok is false when they have to run one by one.
func (s *Slot) batch(ctx context.Context, items []BatchItem) (out []BatchResult, ok bool) {
	taped := func(i BatchItem) bool { return i.Session.tape != nil }
	if len(items) < 2 || slices.ContainsFunc(items, taped) {
		return nil, false
	}
	v, r := s.current()
	if v == nil || r != nil || !v.batches() || !v.enter() {
		return nil, false
	}
	defer v.leave(ctx)
	inst, err := v.take(ctx, items[0].Session.Limits())
	if err != nil {
		return nil, false
	}
	b, ok := batcher(inst)
	var replies []BatchReply
	if ok {
		replies, _, err = b.InvokeBatch(ctx, items)
	}
	if closeErr := v.give(ctx, inst); !ok || err != nil || closeErr != nil {
		return nil, false
	}
	for i, one := range replies {
		one.Usage.Module = v.digest
		v.gauge.add(ctx, one.Usage, nil)
		out = append(out, BatchResult{Reply: one.Reply, Usage: one.Usage, Session: items[i].Session})
	}
	return out, true
}

// batches reports whether the version's module takes batches.
func (v *version) batches() bool {
	m := v.info.Manifest
	return m != nil && m.Batch
}

func batcher(inst Instance) (Batcher, bool) {
	if s, ok := inst.(spare); ok {
		inst = s.Instance
	}
	b, ok := inst.(Batcher)
	return b, ok
}
