package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// swaps is how many versions come one after another while calls run.
const swaps = 100

// swapSuite swaps versions of a Wasm plugin at full load. Each call has an id; what
// it gave back, and the effects it asked for, are counted by id.
func swapSuite(ctx context.Context) ([]measure, func() error, error) {
	engine, err := wasm.New(wasm.Options{})
	if err != nil {
		return nil, nil, err
	}
	slot := sandbox.NewSlot()
	first, err := engine.Compile(ctx, sandbox.Source{Name: "v0", Bytes: versionGuest(0, good)})
	if err != nil {
		return nil, nil, err
	}
	if err := slot.Swap(ctx, first, runtime.GOMAXPROCS(0)); err != nil {
		return nil, nil, err
	}
	var fine, mixed swapCount
	count := func(of *swapCount, field func(*swapCount) int64) func(context.Context, time.Duration) (float64, error) {
		return func(context.Context, time.Duration) (float64, error) { return float64(field(of)), nil }
	}
	const still = "calls, no swaps"
	measures := []measure{
		{name: still, unit: "calls/s", fn: func(ctx context.Context, d time.Duration) (float64, error) { return callRate(ctx, slot, d) }},
		{name: "calls during 100 swaps", unit: "calls/s", base: still, fn: func(ctx context.Context, _ time.Duration) (rate float64, err error) {
			fine, rate, err = swapUnderLoad(ctx, engine, slot, func(int) flaw { return good })
			return rate, err
		}},
		{name: "of them failed", unit: "calls", fn: count(&fine, func(c *swapCount) int64 { return c.failed })},
		{name: "of them lost or doubled", unit: "calls", fn: count(&fine, func(c *swapCount) int64 { return c.wrong })},
		{name: "calls during 100 swaps, 80 of them broken", unit: "calls/s", base: still, fn: func(ctx context.Context, _ time.Duration) (rate float64, err error) {
			mixed, rate, err = swapUnderLoad(ctx, engine, slot, func(n int) flaw { return flaw(n % int(flaws)) })
			return rate, err
		}},
		{name: "broken: failed", unit: "calls", fn: count(&mixed, func(c *swapCount) int64 { return c.failed })},
		{name: "broken: lost or doubled", unit: "calls", fn: count(&mixed, func(c *swapCount) int64 { return c.wrong })},
		{name: "broken: versions refused before a call", unit: "versions", fn: count(&mixed, func(c *swapCount) int64 { return c.refused })},
		{name: "broken: versions rolled back", unit: "versions", fn: count(&mixed, func(c *swapCount) int64 { return c.rolledBack })},
		{name: "broken: versions that stayed", unit: "versions", fn: count(&mixed, func(c *swapCount) int64 { return c.stayed })},
	}
	return measures, func() error { return errors.Join(slot.Close(ctx), engine.Close(ctx)) }, nil
}

// flaw is what is wrong with a version.
type flaw int

const (
	good     flaw = iota
	traps         // every call ends in a trap
	dear          // three times the fuel
	foreign       // speaks another ABI
	untested      // fails its self-test
	flaws
)

// versionGuest is smallGuest with a number that makes its bytes different, and a
// flaw.
func versionGuest(n int, f flaw) []byte {
	m := wasmtest.New()
	input, emit := m.Core(v1.FuncInput), m.Service(v1.FuncEmit)
	request := v1.AppendMessage(nil, "blocked", fmt.Appendf(nil, `{"ip":"203.0.113.77","v":%d}`, n))
	m.Data(100, string(request))
	body := []wasmtest.Code{wasmtest.I32(4096), wasmtest.Get(0), wasmtest.Call(input), wasmtest.Drop()}
	calls := 1
	if f == dear {
		calls = 4
	}
	for i := range calls {
		if i == calls-1 {
			body = append(body, wasmtest.I32(100), wasmtest.I32(int32(len(request))), wasmtest.I32(0), wasmtest.I32(0), wasmtest.Call(emit), wasmtest.Drop())
		} else { // asks for its input again and again
			for range 3 {
				body = append(body, wasmtest.I32(4096), wasmtest.Get(0), wasmtest.Call(input), wasmtest.Drop())
			}
		}
	}
	if f == traps || f == untested {
		body = append(body, wasmtest.Unreachable())
	}
	m.Invoke(nil, append(body, wasmtest.I32(0))...)
	b := m.Bytes()
	if f == foreign {
		b = append(b[:4:4], append([]byte{0x0d, 0, 1, 0}, b[8:]...)...) // a component
	}
	return b
}

// swapCount is what became of the calls and of the versions.
type swapCount struct{ failed, wrong, refused, rolledBack, stayed int64 }

// swapUnderLoad brings a hundred versions into force, each as an operator would:
// compiled, self-tested where it has a sample call, rolled out and watched.
func swapUnderLoad(ctx context.Context, engine sandbox.Engine, slot *sandbox.Slot, flawOf func(n int) flaw) (c swapCount, rate float64, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var begun, failed, wrong atomic.Int64
	var workers sync.WaitGroup
	start := time.Now()
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			call := sampleCall()
			for ctx.Err() == nil {
				call.Match.ID = fmt.Sprint("m-", begun.Add(1))
				session := sandbox.NewSession(sandbox.Services{}, abi.Capabilities(), sandbox.Limits{Deadline: 10 * time.Second})
				reply, _, err := slot.Call(context.WithoutCancel(ctx), call, session)
				switch {
				case err != nil:
					failed.Add(1)
				case len(reply.Effects) != 1:
					wrong.Add(1)
				}
			}
		})
	}
	err = c.roll(ctx, engine, slot, flawOf)
	stop()
	workers.Wait()
	c.failed, c.wrong = failed.Load(), wrong.Load()
	return c, float64(begun.Load()) / time.Since(start).Seconds(), err
}

// roll brings the versions into force one after another; each has proved itself, or
// is gone, before the next comes.
func (c *swapCount) roll(ctx context.Context, engine sandbox.Engine, slot *sandbox.Slot, flawOf func(n int) flaw) error {
	for n := range swaps {
		f := flawOf(n)
		module, err := engine.Compile(ctx, sandbox.Source{Name: fmt.Sprint("v", n), Bytes: versionGuest(int(serial.Add(1)), f)})
		if _, ok := errors.AsType[*sandbox.Refusal](err); ok {
			c.refused++
			continue
		}
		if err != nil {
			return err
		}
		if f == untested || f == good {
			session := sandbox.NewSession(sandbox.Services{}, abi.Capabilities(), sandbox.Limits{})
			if _, err := sandbox.SelfTest(ctx, module, sampleCall(), session); err != nil {
				c.refused++
				if err := module.Close(ctx); err != nil {
					return err
				}
				continue
			}
		}
		ended := make(chan sandbox.Verdict, 1)
		err = slot.Roll(ctx, module, sandbox.Plan{
			Spares: runtime.GOMAXPROCS(0), Back: sandbox.RollbackIf{For: 25 * time.Millisecond, P99: -1, MinCalls: 50},
			Done: func(v sandbox.Verdict) { ended <- v },
		})
		if err != nil {
			return err
		}
		v := <-ended
		switch {
		case v.Err != nil:
			return v.Err
		case !v.Promoted && f == good:
			return fmt.Errorf("good version %d was rolled back: %s", n, v.Reason)
		case !v.Promoted:
			c.rolledBack++
		case f != good:
			c.stayed++
		}
	}
	return nil
}

// serial makes each version's bytes different from all before.
var serial atomic.Int64 //nolint:gochecknoglobals // of the process
