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
	for _, w := range []string{"loops/sieve", "loops/sum", "loops/matrix", "loops/fib", "go/sha", "go/json", "go/sort", "go/regexp"} {
		plain := w + " plain"
		for _, v := range []struct{ name, label, base string }{{"plain", plain, ""}, {"fuel", w + " with fuel", plain}, {"close", w + " with CloseOnContextDone", plain}} {
			measures = append(measures, measure{v.label, "ms", v.base, func(ctx context.Context, d time.Duration) (float64, error) {
				return overhead(ctx, bin, w+"/"+v.name, d)
			}})
		}
	}
	return measures, done, nil
}

// overhead runs one workload of the benchmark for about d, and returns the time
// of one operation.
func overhead(ctx context.Context, bin, name string, d time.Duration) (float64, error) {
	cmd := exec.CommandContext(ctx, bin, "-test.run=^$", "-test.bench=^BenchmarkOverhead$/^"+filepath.ToSlash(regexp.MustCompile("/").ReplaceAllString(name, "$$/^"))+"$", "-test.benchtime="+d.String())
	cmd.Dir = filepath.Join("sandbox", "wasm", "fuel") // where its guests are
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	m := regexp.MustCompile(`\s([0-9.]+) ns/op`).FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("%s: no figure in:\n%s", name, out)
	}
	ns, err := strconv.ParseFloat(string(m[1]), 64)
	return ns / 1e6, err
}
