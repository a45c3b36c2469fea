package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// pace is how often the quiet tenant calls.
const pace = 200 * time.Microsecond

// neighbourSuite calls a small guest now and then, while another tenant keeps one
// worker busy: with honest calls, or with attacks. Each has a slot of its own, as in
// a host, and the process two workers.
func neighbourSuite(ctx context.Context) ([]measure, func() error, error) {
	engine, err := wasm.New(wasm.Options{})
	if err != nil {
		return nil, nil, err
	}
	slots := make(map[string]*sandbox.Slot)
	load := func(name string, src []byte) error {
		module, err := engine.Compile(ctx, sandbox.Source{Name: name, Bytes: src})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		slots[name] = sandbox.NewSlot()
		return slots[name].Swap(ctx, module, 1)
	}
	if err := errors.Join(load("quiet", smallGuest()), load("honest", smallGuest())); err != nil {
		return nil, nil, err
	}
	quiet := slots["quiet"]
	const base = "beside honest calls, p99"
	measures := []measure{
		{name: "alone, p99", unit: "µs", fn: func(ctx context.Context, d time.Duration) (float64, error) { return neighbourP99(ctx, quiet, nil, d) }},
		{name: base, unit: "µs", fn: func(ctx context.Context, d time.Duration) (float64, error) {
			return neighbourP99(ctx, quiet, slots["honest"], d)
		}},
	}
	for _, a := range wasmtest.Attacks() {
		if err := load(a.Name, a.Wasm); err != nil {
			return nil, nil, err
		}
		measures = append(measures, measure{
			name: "beside " + a.Name + ", p99", unit: "µs", base: base,
			fn: func(ctx context.Context, d time.Duration) (float64, error) {
				return neighbourP99(ctx, quiet, slots[a.Name], d)
			},
		})
	}
	return measures, func() error {
		var errs []error
		for _, s := range slots {
			errs = append(errs, s.Close(ctx))
		}
		return errors.Join(append(errs, engine.Close(ctx))...)
	}, nil
}

// neighbourP99 is the 99th percentile of a quiet tenant's calls, in microseconds, while
// the guest of another slot, if there is one, is called without a pause.
func neighbourP99(ctx context.Context, quiet, other *sandbox.Slot, d time.Duration) (float64, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for call := sampleCall(); other != nil && ctx.Err() == nil; {
			session := sandbox.NewSession(sandbox.Services{}, abi.Capabilities(), sandbox.Limits{})
			if _, _, err := other.Call(ctx, call, session); err != nil {
				continue // an attack ends as a fault; the next one follows
			}
		}
	}()
	var took []time.Duration
	call := sampleCall()
	for start := time.Now(); time.Since(start) < d; {
		for due := time.Now().Add(pace); time.Now().Before(due); { // a timer would measure how late it wakes
		}
		began := time.Now()
		if err := oneCall(ctx, quiet, call); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	stop()
	<-ended
	return percentiles(took).p99 * 1000, nil
}
