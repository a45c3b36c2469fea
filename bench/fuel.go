package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// fuelSuite runs the workloads of sandbox/wasm/fuel, from its own benchmark:
// plain in wazero, with the fuel pass, and with wazero's way of stopping a guest.
func fuelSuite(ctx context.Context) ([]measure, func() error, error) {
	dir, err := os.MkdirTemp("", "rhost-bench-")
	if err != nil {
		return nil, nil, err
	}
	done := func() error { return os.RemoveAll(dir) }
	bin := filepath.Join(dir, "fuel.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", bin, "./sandbox/wasm/fuel")
	if text, err := build.CombinedOutput(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("build the benchmark (run this from the repository): %w\n%s", err, text), done())
	}
	var measures []measure
	for _, w := range []string{"loops/sieve", "loops/sum", "loops/matrix", "loops/fib", "go/sha", "go/json"} {
		o := &overhead{bin: bin, workload: w}
		plain := w + " plain"
		measures = append(measures,
			measure{name: plain, unit: "ms", fn: o.run},
			measure{name: w + " with fuel", unit: "ms", base: plain, fn: o.variant("fuel")},
			measure{name: w + " with CloseOnContextDone", unit: "ms", base: plain, fn: o.variant("close")},
		)
	}
	return measures, done, nil
}

// overhead runs one workload of the benchmark in its variants.
type overhead struct {
	bin, workload string
	took          map[string]float64 // of one operation, in milliseconds, by variant
}

// run takes all variants, for about d each, and returns the plain one.
func (o *overhead) run(ctx context.Context, d time.Duration) (float64, error) {
	pattern := "^BenchmarkOverhead$/^" + strings.ReplaceAll(o.workload, "/", "$/^") + "$"
	cmd := exec.CommandContext(ctx, o.bin, "-test.run=^$", "-test.bench="+pattern, "-test.benchtime="+d.String())
	cmd.Dir = filepath.Join("sandbox", "wasm", "fuel") // where its guests are
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", o.workload, err, out)
	}
	o.took = make(map[string]float64)
	for _, m := range regexp.MustCompile(`/(plain|fuel|close)\S*\s+\d+\s+([0-9.]+) ns/op`).FindAllSubmatch(out, -1) {
		ns, err := strconv.ParseFloat(string(m[2]), 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", o.workload, err)
		}
		o.took[string(m[1])] = ns / 1e6
	}
	if len(o.took) != 3 {
		return 0, fmt.Errorf("%s: no figures in:\n%s", o.workload, out)
	}
	return o.took["plain"], nil
}

// variant returns what the last run took for one of them.
func (o *overhead) variant(name string) func(context.Context, time.Duration) (float64, error) {
	return func(context.Context, time.Duration) (float64, error) { return o.took[name], nil }
}
