package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/host/dispatch"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
	"github.com/rhost/rhost/tenants"
)

// batchMeasures are of one guest whose calls wait in the dispatcher's queue: taken one
// by one, and as many at once as wait. What there is to gain is what a call costs beside
// the guest's own work.
func batchMeasures(ctx context.Context, engine *wasm.Engine) ([]measure, *sandbox.Slot, error) {
	src, err := batchGuest()
	if err != nil {
		return nil, nil, err
	}
	module, err := engine.Compile(ctx, sandbox.Source{Name: "batch", Bytes: src})
	if err != nil {
		return nil, nil, err
	}
	slot := sandbox.NewSlot()
	if err := slot.Swap(ctx, module, runtime.GOMAXPROCS(0)); err != nil {
		return nil, nil, err
	}
	of := func(together bool) func(context.Context, time.Duration) (float64, error) {
		return func(ctx context.Context, d time.Duration) (float64, error) { return queuedRate(ctx, slot, together, d) }
	}
	return []measure{
		{name: "small Wasm guest, queued, one by one", unit: "calls/s", fn: of(false)},
		{name: "small Wasm guest, queued, in batches", unit: "calls/s", base: "small Wasm guest, queued, one by one", fn: of(true)},
	}, slot, nil
}

// batchGuest reads its input and emits an event, for each call of a batch.
func batchGuest() ([]byte, error) {
	m := wasmtest.New()
	m.Memory(4, 16)
	item, input, emit := m.Core(v1.FuncItem), m.Core(v1.FuncInput), m.Service(v1.FuncEmit)
	request := v1.AppendMessage(nil, "blocked", []byte(`{"ip":"203.0.113.77"}`))
	m.Data(100, string(request))
	say := wasmtest.Seq(wasmtest.I32(100), wasmtest.I32(int32(len(request))), wasmtest.I32(0), wasmtest.I32(0), wasmtest.Call(emit), wasmtest.Drop())
	fetch := wasmtest.Seq(wasmtest.I32(4096), wasmtest.I32(200_000), wasmtest.Call(input), wasmtest.Drop())
	m.Func(v1.ExportBatch, []byte{wasmtest.TypeI32}, []byte{wasmtest.TypeI32}, []byte{wasmtest.TypeI32, wasmtest.TypeI32},
		fetch, wasmtest.I32(4096), wasmtest.Load(0), wasmtest.Set(2),
		wasmtest.Loop(
			wasmtest.Get(1), wasmtest.Call(item), say,
			wasmtest.Get(1), wasmtest.I32(1), wasmtest.Add(), wasmtest.Tee(1), wasmtest.Get(2), wasmtest.Less(), wasmtest.BranchIf(0)),
		wasmtest.I32(0))
	m.Invoke(nil, fetch, say, wasmtest.I32(0))
	return manifest.Embed(m.Bytes(), []byte(`{"name":"batch","version":"1","abi":"rhost.v1","batch":true,"capabilities":{"emit":{}}}`))
}

// onePlugin is the dispatch.Plugins of a caller with one plugin.
type onePlugin struct{ only dispatch.Plugin }

func (p onePlugin) Plugin(tenants.Name, string) (dispatch.Plugin, bool) { return p.only, true }

// queuedRate keeps a dispatcher's queue filled and says how many calls it makes.
func queuedRate(ctx context.Context, slot *sandbox.Slot, together bool, d time.Duration) (float64, error) {
	caller := dispatch.NewCaller(onePlugin{dispatch.Plugin{
		Slot: slot, Grant: abi.Capabilities(), Limits: sandbox.Limits{Fuel: 1e9, Memory: 64 << 20, Deadline: 10 * time.Second},
	}}, nil)
	queue := dispatch.New(dispatch.Config{Workers: runtime.GOMAXPROCS(0), QueuePerTenant: 1024})
	action := dispatch.Action{Tenant: tenants.Default(), Plugin: "batch", Call: sampleCall()}
	wrong := make(chan error, 1)
	look := func(out dispatch.Outcome) {
		if out.Kind == dispatch.KindOK && len(out.Reply.Effects) == 1 {
			return
		}
		select {
		case wrong <- fmt.Errorf("a call ended with %q and %d effects: %w", out.Kind, len(out.Reply.Effects), out.Err):
		default:
		}
	}
	task := dispatch.Task{Tenant: action.Tenant, Do: func(ctx context.Context) { look(caller.Call(ctx, action)) }}
	if together {
		task.Batch = &dispatch.Batch{Key: "batch", Size: 300, Do: func(ctx context.Context, items []any) {
			list := make([]dispatch.Action, len(items))
			for i := range list {
				list[i] = action
			}
			for _, out := range caller.CallBatch(ctx, list) {
				look(out)
			}
		}}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return queue.Run(ctx) })
	start := time.Now()
	for time.Since(start) < d {
		if err := queue.Submit(ctx, task); err != nil {
			return 0, err
		}
	}
	if err := queue.Drain(ctx); err != nil {
		return 0, err
	}
	took := time.Since(start)
	if err := g.Wait(); err != nil {
		return 0, err
	}
	select {
	case err := <-wrong:
		return 0, err
	default:
	}
	return float64(queue.Stats().Ended) / took.Seconds(), nil
}
