package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/dispatch"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/tenants"
)

// pace is how often the quiet tenant calls.
const pace = 200 * time.Microsecond

// turns is how often, in one run, the quiet tenant is alone, beside honest calls and
// beside an attack, in turn, so that what else the machine does falls on all three.
const turns = 8

// neighbourSuite calls a small guest now and then, while another tenant floods the
// process: with honest calls, or with attacks. It looks at three things, each beside
// the attack, beside honest calls of the same engine, and alone:
//
//   - The quiet tenant has a processor of its own, and the other the rest. It calls its
//     slot. What reaches it is garbage collection and the kernel's work for the process.
//   - Both go through the host's queues, and the other always has calls waiting: more
//     than there are processors. The time runs from the moment the call is submitted.
//   - How much later than it asked for the quiet tenant is woken in that case. It stands
//     for all that a host does beside guests: timers, connections, the lanes.
//
// And at the garbage that the other makes, which does not depend on the machine. The
// control has honest calls in the place of an attack.
func neighbourSuite(ctx context.Context) ([]measure, func() error, error) {
	list, err := crowds()
	if err != nil {
		return nil, nil, err
	}
	restore := host.KeepHeap(host.HeapFloor) // as rhost run does
	b := &block{slots: make(map[string]*sandbox.Slot)}
	if err := b.load(ctx, list[0].engine, "quiet", smallGuest()); err != nil {
		return nil, nil, err
	}
	b.quiet = b.slots["quiet"]
	var measures []measure
	for _, c := range list {
		if err := b.load(ctx, c.engine, c.name, c.honest); err != nil {
			return nil, nil, err
		}
		// How far the ratios of two that are the same lie from 1.
		measures = append(measures, b.measures(c.name+", control", b.slots[c.name], b.slots[c.name])...)
		for _, a := range c.attacks {
			name := c.name + ", " + a.Name
			if err := b.load(ctx, c.engine, name, a.Wasm); err != nil {
				return nil, nil, err
			}
			measures = append(measures, b.measures(name, b.slots[c.name], b.slots[name])...)
		}
	}
	return measures, func() error {
		var errs []error
		for _, s := range b.slots {
			errs = append(errs, s.Close(ctx))
		}
		for _, c := range list {
			errs = append(errs, c.engine.Close(ctx))
		}
		restore()
		return errors.Join(errs...)
	}, nil
}

// block is where the tenants live: the slots of their guests.
type block struct {
	quiet *sandbox.Slot
	slots map[string]*sandbox.Slot
}

func (b *block) load(ctx context.Context, engine sandbox.Engine, name string, src []byte) error {
	module, err := engine.Compile(ctx, sandbox.Source{Name: name, Bytes: src})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.slots[name] = sandbox.NewSlot()
	return b.slots[name].Swap(ctx, module, 2)
}

// waits are what the quiet tenant waited for, each a list of one place in turn.
type waits struct{ call, queued, late []time.Duration }

// measures are those of one attack. The first of them takes all. The last says how much
// of the machine other programs had while it was disturbed most.
func (b *block) measures(name string, honest, attack *sandbox.Slot) []measure {
	const alone, busy, attacked = 0, 1, 2
	var now [3]waits
	var others float64
	take := func(ctx context.Context, d time.Duration) error {
		now, others = [3]waits{}, 0
		until := time.Now().Add(patience)
		for range turns {
			turn, share, err := undisturbed(ctx, until, func() (turn [3]waits, err error) {
				for n, other := range []*sandbox.Slot{nil, honest, attack} {
					err = errors.Join(err, turn[n].beside(ctx, b.quiet, other, d/turns))
				}
				return turn, err
			})
			if err != nil {
				return err
			}
			others = max(others, share)
			for n := range turn {
				now[n].add(turn[n])
			}
		}
		return nil
	}
	p99 := func(n int, of func(*waits) []time.Duration) float64 { return percentiles(of(&now[n])).p99 * 1000 }
	list := make([]measure, 0, 5)
	for _, m := range []struct {
		name string
		of   func(*waits) []time.Duration
	}{
		{name + ": call, p99", func(w *waits) []time.Duration { return w.call }},
		{name + ": queued, p99", func(w *waits) []time.Duration { return w.queued }},
		{name + ": woken late, p99", func(w *waits) []time.Duration { return w.late }},
	} {
		first := len(list) == 0
		list = append(list, measure{
			name: m.name, unit: "µs",
			fn: func(ctx context.Context, d time.Duration) (float64, error) {
				if first {
					if err := take(ctx, d); err != nil {
						return 0, err
					}
				}
				return p99(attacked, m.of), nil
			},
			against: []against{
				{"beside honest calls", func() float64 { return p99(attacked, m.of) / p99(busy, m.of) }},
				{"alone", func() float64 { return p99(attacked, m.of) / p99(alone, m.of) }},
			},
		})
	}
	var made, usual float64
	return append(
		list,
		measure{
			name: name + ": garbage", unit: "MB/s",
			fn: func(ctx context.Context, d time.Duration) (float64, error) {
				usual = garbage(ctx, honest, d/4)
				made = garbage(ctx, attack, d/4)
				return made, ctx.Err()
			},
			against: []against{{"of honest calls", func() float64 { return made / usual }}},
		},
		measure{name: name + ": other programs", unit: "%", fn: func(context.Context, time.Duration) (float64, error) { return 100 * others, nil }},
	)
}

// garbage is how much memory calls of a slot ask of the Go heap, in megabytes for each
// second of the process's processor time. It is what brings the collector, and does not
// depend on what else the machine does.
func garbage(ctx context.Context, slot *sandbox.Slot, d time.Duration) float64 {
	allocated := func() float64 {
		sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
		metrics.Read(sample)
		return float64(sample[0].Value.Uint64())
	}
	call := sampleCall()
	attackCall(ctx, slot, call) // which makes the instance
	runtime.GC()
	from, before := ownTime(), allocated()
	for start := time.Now(); time.Since(start) < d; {
		attackCall(ctx, slot, call)
	}
	return (allocated() - before) / 1e6 / (ownTime() - from).Seconds()
}

func (w *waits) add(more waits) {
	w.call, w.queued, w.late = append(w.call, more.call...), append(w.queued, more.queued...), append(w.late, more.late...)
}

// beside measures the quiet tenant's calls for a while, beside a flood of those of
// another, if there is one: directly, then through the queues of a host.
func (w *waits) beside(ctx context.Context, quiet, other *sandbox.Slot, d time.Duration) error {
	if err := w.direct(ctx, quiet, other, d/2); err != nil {
		return err
	}
	return w.throughQueues(ctx, quiet, other, d/2)
}

// attackCall calls a guest that may be an attack, which ends as a fault; another follows.
func attackCall(ctx context.Context, slot *sandbox.Slot, call *abi.Call) {
	_, _, _ = slot.Call(ctx, call, sandbox.NewSession(sandbox.Services{}, abi.Capabilities(), sandbox.Limits{}))
}

func (w *waits) direct(ctx context.Context, quiet, other *sandbox.Slot, d time.Duration) error {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for call := sampleCall(); other != nil && ctx.Err() == nil; {
			attackCall(ctx, other, call)
		}
	}()
	defer func() {
		stop()
		<-ended
	}()
	thread, done := lockThread()
	defer done()
	call := sampleCall()
	for start := time.Now(); time.Since(start) < d; {
		for due := time.Now().Add(pace); time.Now().Before(due); { // a timer would measure how late it wakes
		}
		before, began := thread.waited(), time.Now()
		if err := oneCall(ctx, quiet, call); err != nil {
			return err
		}
		took := time.Since(began)
		w.call = append(w.call, max(0, took-(thread.waited()-before)))
	}
	return nil
}

// queueLength is that of a host for each tenant.
const queueLength = 1024

func (w *waits) throughQueues(ctx context.Context, quiet, other *sandbox.Slot, d time.Duration) (err error) {
	ctx, stop := context.WithCancel(ctx)
	queues := dispatch.New(dispatch.ForGuests(queueLength, nil))
	ended := make(chan error, 2)
	go func() { ended <- queues.Run(ctx) }()
	go func() {
		call := sampleCall()
		for other != nil && ctx.Err() == nil {
			task := dispatch.Task{Tenant: tenants.Name{}, Key: "flood", Do: func(ctx context.Context) { attackCall(ctx, other, call) }}
			if queues.Submit(ctx, task) != nil {
				break
			}
		}
		ended <- nil
	}()
	defer func() {
		stop()
		err = errors.Join(err, <-ended, <-ended)
	}()
	return w.woken(ctx, queues, quiet, d)
}

// woken sleeps, calls through the queues, and sleeps again.
func (w *waits) woken(ctx context.Context, queues *dispatch.Dispatcher, quiet *sandbox.Slot, d time.Duration) error {
	name, err := tenants.ParseName("quiet")
	if err != nil {
		return err
	}
	call, done := sampleCall(), make(chan error, 1)
	task := dispatch.Task{Tenant: name, Key: "quiet", Do: func(ctx context.Context) { done <- oneCall(ctx, quiet, call) }}
	for start := time.Now(); time.Since(start) < d; {
		due := time.Now().Add(pace)
		time.Sleep(pace)
		began := time.Now()
		if err := queues.Submit(ctx, task); err != nil {
			return err
		}
		if err := <-done; err != nil {
			return err
		}
		w.queued, w.late = append(w.queued, time.Since(began)), append(w.late, began.Sub(due))
	}
	return nil
}
