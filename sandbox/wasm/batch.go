package wasm

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
)

var _ sandbox.Batcher = (*instance)(nil)

// batchItem is what a run keeps of an item of its batch while another one is in
// hand.
type batchItem struct {
	sandbox.BatchItem
	output  []byte
	result  abi.Result
	message string
	fuel    int64
}

// batch is the state of a run that has several calls. The fields of the run are
// those of the current item.
type batch struct {
	items   []batchItem
	current int   // -1 before the first call of item
	since   int64 // fuel consumed when the current item was taken up
}

// InvokeBatch runs several calls with one of rhost_batch.
func (i *instance) InvokeBatch(ctx context.Context, items []sandbox.BatchItem) ([]sandbox.BatchReply, sandbox.Usage, error) {
	about := i.module.info.Manifest
	switch {
	case about == nil || !about.Batch:
		return nil, sandbox.Usage{}, fmt.Errorf("call %s: %w", i.module.info.Name, sandbox.ErrNoBatch)
	case len(items) == 0 || len(items) > sandbox.MaxBatch:
		return nil, sandbox.Usage{}, fmt.Errorf("call %s: a batch of %d calls; it has from 1 to %d", i.module.info.Name, len(items), sandbox.MaxBatch)
	case !i.ready:
		return nil, sandbox.Usage{}, fmt.Errorf("call %s: the instance is not as new and cannot run another call", i.module.info.Name)
	}
	i.ready = false
	b := &batch{current: -1, items: make([]batchItem, len(items))}
	i.frames = v1.AppendBatchCount(i.frames[:0], len(items))
	for n, item := range items {
		b.items[n].BatchItem = item
		i.frames = v1.AppendBatchFrame(i.frames, i.input(item.Call))
	}
	i.run = run{
		Context: ctx, module: i.module, meter: i.run.meter, wasi: newWASI(i.elapsed),
		input: i.frames, batch: b,
	}
	defer i.end()

	err := i.execute(ctx, i.guest.ExportedFunction(v1.ExportBatch), b.limits())
	i.run.wasi.stdio.end(&i.run)
	i.run.put()
	usage := sandbox.Usage{Fuel: i.run.meter.used(), Wall: time.Since(i.run.meter.began), PeakMemory: int64(i.mem.size)}
	for _, item := range b.items {
		usage.HostCalls += item.Session.HostCalls()
	}
	var replies []sandbox.BatchReply
	if err == nil {
		replies, err = i.replies(usage)
	}
	i.renew(err)
	return replies, usage, err
}

// limits are those of all items together: fuel and time of each.
func (b *batch) limits() sandbox.Limits {
	lim := b.items[0].Session.Limits()
	n := int64(len(b.items))
	lim.Fuel = min(lim.Fuel, math.MaxInt64/n) * n
	lim.Deadline = min(lim.Deadline, math.MaxInt64/time.Duration(n)) * time.Duration(n)
	return lim
}

// replies makes the replies of what the guest returned and said of each item.
func (i *instance) replies(usage sandbox.Usage) ([]sandbox.BatchReply, error) {
	b := i.run.batch
	whole := abi.Result(api.DecodeI32(i.stack[0]))
	switch whole {
	case abi.ResultOK, abi.ResultFail, abi.ResultRetry, abi.ResultDrop:
	default:
		return nil, i.noResult(v1.ExportBatch, whole)
	}
	shared := usage.Fuel
	for _, item := range b.items {
		shared -= item.fuel
	}
	out := make([]sandbox.BatchReply, len(b.items))
	for n, item := range b.items {
		reply := abi.Reply{Result: whole, Output: item.output, Message: item.message}
		if whole == abi.ResultOK {
			reply.Result = item.result
		}
		if reply.Result == abi.ResultOK {
			reply.Effects = item.Session.Effects()
		}
		fuel := item.fuel + shared/int64(len(b.items))
		if n == 0 {
			fuel += shared % int64(len(b.items))
		}
		out[n] = sandbox.BatchReply{Reply: reply, Usage: sandbox.Usage{
			Fuel: fuel, Wall: usage.Wall / time.Duration(len(b.items)), PeakMemory: usage.PeakMemory, HostCalls: item.Session.HostCalls(),
		}}
	}
	return out, nil
}

// coreItem takes up an item of the batch.
func coreItem(ctx context.Context, _ api.Module, stack []uint64) {
	r := runOf(ctx)
	r.charge(0)
	b := r.batch
	if b == nil {
		return
	}
	index := int(api.DecodeI32(stack[0]))
	if index < 0 || index >= len(b.items) {
		panic(stop(sandbox.FaultABI, fmt.Errorf("%s.%s: the batch has %d items and none of index %d", v1.Module, v1.FuncItem, len(b.items), index)))
	}
	r.put()
	r.take(index)
}

// put puts the current item of a batch back, with what the run knows of it.
func (r *run) put() {
	b := r.batch
	if b == nil || b.current < 0 {
		return
	}
	item := &b.items[b.current]
	used := r.meter.used()
	item.fuel += used - b.since
	b.since = used
	item.output, item.result, item.message = r.output, r.result, r.message
	r.session, r.call, r.kept = nil, nil, nil
	b.current = -1
}

// take takes up an item of a batch.
func (r *run) take(index int) {
	b := r.batch
	item := &b.items[index]
	b.current, b.since = index, r.meter.used()
	r.session, r.call = item.Session, item.Call
	r.output, r.result, r.message, r.kept = item.output, item.result, item.message, nil
}

// belongs ends the call when what the guest says is of no item of its batch.
func (r *run) belongs(function string) {
	if r.batch != nil && r.batch.current < 0 {
		panic(stop(sandbox.FaultABI, fmt.Errorf("%s.%s: which item of the batch is it of? call %s first", v1.Module, function, v1.FuncItem)))
	}
}

// guide is the session and the call that the clock and the random bytes of the run
// begin with: of a batch, those of its first item. They are nil during start-up.
func (r *run) guide() (*sandbox.Session, *abi.Call) {
	if r.batch != nil {
		return r.batch.items[0].Session, r.batch.items[0].Call
	}
	return r.session, r.call
}
