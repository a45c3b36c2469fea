package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
)

// peers is the module of what rhost is measured beside.
const peers = "bench/peers"

// extismSuite calls the plugin count_vowels of Extism's SDK for Go, on one goroutine:
// through a slot of ours, where every call is metered and finds the plugin as new, and
// through that SDK, in its own process.
func extismSuite(ctx context.Context) ([]measure, func() error, error) {
	dir, err := os.MkdirTemp("", "rhost-bench-")
	if err != nil {
		return nil, nil, err
	}
	x := &extismBench{bin: filepath.Join(dir, "extism"), input: "hello world, as other plugins know it"}
	if err := x.open(ctx); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	var measures []measure
	for _, way := range []struct {
		name string
		run  func(context.Context, time.Duration) (callFigures, error)
	}{
		{"rhost, limits, as new", x.ours},
		{"go-sdk, no limits, instance kept", x.peer()},
		{"go-sdk, timeout, instance kept", x.peer("-timeout", "10s")},
		{"go-sdk, timeout, instance per call", x.peer("-timeout", "10s", "-fresh")},
	} {
		var last callFigures
		var base, base50 string // ours, which comes first
		if len(measures) > 0 {
			base, base50 = measures[0].name, measures[1].name
		}
		measures = append(measures,
			measure{name: way.name, unit: "calls/s", base: base, fn: func(ctx context.Context, d time.Duration) (float64, error) {
				var err error
				last, err = way.run(ctx, d)
				return last.Rate, err
			}},
			measure{name: way.name + ", p50", unit: "µs", base: base50, fn: func(context.Context, time.Duration) (float64, error) {
				return last.P50, nil
			}},
		)
	}
	return measures, func() error { return errors.Join(x.close(ctx), os.RemoveAll(dir)) }, nil
}

// callFigures are what calling a plugin for a while gives.
type callFigures struct {
	Rate float64 `json:"calls_per_second"`
	P50  float64 `json:"p50_us"`
}

// extismBench has the plugin loaded here and the program that calls it there.
type extismBench struct {
	bin    string // the peer
	file   string // the plugin
	input  string
	engine *wasm.Engine
	slot   *sandbox.Slot
}

func (x *extismBench) open(ctx context.Context) error {
	build := exec.CommandContext(ctx, "go", "build", "-C", peers, "-o", x.bin, "./extism")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s (run this from the repository): %w\n%s", peers, err, text)
	}
	sdk, err := exec.CommandContext(ctx, "go", "list", "-C", peers, "-m", "-f", "{{.Dir}}", "github.com/extism/go-sdk").Output()
	if err != nil {
		return fmt.Errorf("find the plugins of Extism's SDK: %w", err)
	}
	x.file = filepath.Join(strings.TrimSpace(string(sdk)), "wasm", "count_vowels.wasm")
	src, err := os.ReadFile(x.file)
	if err != nil {
		return err
	}
	if x.engine, err = wasm.New(wasm.Options{}); err != nil {
		return err
	}
	module, err := x.engine.Compile(ctx, sandbox.Source{Name: "vowels", Bytes: src})
	if err != nil {
		return err
	}
	x.slot = sandbox.NewSlot()
	return x.slot.Swap(ctx, module, 1)
}

func (x *extismBench) close(ctx context.Context) error {
	return errors.Join(x.slot.Close(ctx), x.engine.Close(ctx))
}

func (x *extismBench) ours(ctx context.Context, d time.Duration) (callFigures, error) {
	with, err := json.Marshal(map[string]string{"input": x.input})
	if err != nil {
		return callFigures{}, err
	}
	call := sampleCall()
	call.With = with
	// Variables are the call's own: state is a store, and the SDK has none.
	grant := abi.Grant{abi.CapConfig}
	limits := sandbox.Limits{Deadline: 10 * time.Second}
	var h histogram
	start := time.Now()
	for time.Since(start) < d {
		began := time.Now()
		reply, _, err := x.slot.Call(ctx, call, sandbox.NewSession(sandbox.Services{}, grant, limits))
		if err == nil && reply.Result != abi.ResultOK {
			err = fmt.Errorf("the plugin answers %s: %s", reply.Result, reply.Message)
		}
		if err != nil {
			return callFigures{}, err
		}
		h.add(time.Since(began))
	}
	return callFigures{Rate: float64(h.n) / time.Since(start).Seconds(), P50: h.micros(0.5)}, nil
}

// peer runs the program that calls the plugin through Extism's SDK.
func (x *extismBench) peer(flags ...string) func(context.Context, time.Duration) (callFigures, error) {
	return func(ctx context.Context, d time.Duration) (f callFigures, err error) {
		args := append([]string{"-wasm", x.file, "-export", "count_vowels", "-input", x.input, "-time", d.String()}, flags...)
		cmd := exec.CommandContext(ctx, x.bin, args...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return f, fmt.Errorf("%s: %w", x.bin, err)
		}
		return f, json.Unmarshal(out, &f)
	}
}
