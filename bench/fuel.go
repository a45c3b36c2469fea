package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// fuelSuite runs the workloads of sandbox/wasm/fuel, from its own benchmark:
// plain in wazero, with the fuel pass, and with wazero's way of stopping a
// guest, which take turns call by call. Workloads whose compiler is not there
// are named and left out.
func fuelSuite(ctx context.Context) ([]measure, func() error, error) {
	dir, err := os.MkdirTemp("", "rhost-bench-")
	if err != nil {
		return nil, nil, err
	}
	done := func() error { return os.RemoveAll(dir) }
	o := &overheads{bin: filepath.Join(dir, "fuel.test")}
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", o.bin, "./sandbox/wasm/fuel")
	if text, err := build.CombinedOutput(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("build the benchmark (run this from the repository): %w\n%s", err, text), done())
	}
	first, err := o.take(ctx, "1x") // finds out what there is
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	var measures []measure
	for _, w := range first {
		plain := w.name + " plain"
		measures = append(measures,
			measure{name: plain, unit: "ms", fn: o.figure(func(t overhead) float64 { return t.plain }, w.name)},
			measure{name: w.name + " with fuel", unit: "ms", base: plain, fn: o.figure(func(t overhead) float64 { return t.plain * t.fuel }, w.name)},
			measure{name: w.name + " with CloseOnContextDone", unit: "ms", base: plain, fn: o.figure(func(t overhead) float64 { return t.plain * t.closing }, w.name)},
		)
	}
	fuel := func(t overhead) float64 { return t.fuel }
	closing := func(t overhead) float64 { return t.closing }
	return append(measures,
		measure{name: "with fuel, geometric mean", unit: "× plain", fn: o.overall(fuel, geometricMean)},
		measure{name: "with fuel, worst", unit: "× plain", fn: o.overall(fuel, worst)},
		measure{name: "with CloseOnContextDone, geometric mean", unit: "× plain", fn: o.overall(closing, geometricMean)},
		measure{name: "with CloseOnContextDone, worst", unit: "× plain", fn: o.overall(closing, worst)},
	), done, nil
}

// overheads are the runs of the benchmark, each of all workloads.
type overheads struct {
	bin  string
	runs [][]overhead
}

// overhead is what one workload took: the shortest call plain, in milliseconds,
// and the shortest of the other ways compared with it.
type overhead struct {
	name                 string
	plain, fuel, closing float64
}

// take runs the benchmark.
func (o *overheads) take(ctx context.Context, benchtime string) ([]overhead, error) {
	cmd := exec.CommandContext(ctx, o.bin, "-test.run=^$", "-test.bench=^BenchmarkOverhead$", "-test.benchtime="+benchtime)
	cmd.Dir = filepath.Join("sandbox", "wasm", "fuel") // where its guests are
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("run the benchmark: %w\n%s", err, out)
	}
	if len(o.runs) == 0 {
		for _, m := range regexp.MustCompile(`(?m)^.*SKIP: BenchmarkOverhead/(\S+)\n\s*(.*)$`).FindAllSubmatch(out, -1) {
			fmt.Fprintf(os.Stderr, "fuel: %s is left out: %s\n", m[1], m[2])
		}
	}
	var list []overhead
	for line := range bytes.Lines(out) {
		m := regexp.MustCompile(`^BenchmarkOverhead/(\S+?)(?:-\d+)?\s+\d+\s`).FindSubmatch(line)
		if m == nil {
			continue
		}
		t := overhead{name: string(m[1])}
		for unit, to := range map[string]*float64{"plain-ns": &t.plain, "fuel/plain": &t.fuel, "close/plain": &t.closing} {
			v := regexp.MustCompile(`([0-9.e+]+) ` + unit).FindSubmatch(line)
			if v == nil {
				return nil, fmt.Errorf("no %s in %s", unit, line)
			}
			if *to, err = strconv.ParseFloat(string(v[1]), 64); err != nil {
				return nil, err
			}
		}
		t.plain /= 1e6
		list = append(list, t)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no figures in:\n%s", out)
	}
	return list, nil
}

// next returns a function that yields one run after the other, shared by all
// measures.
func (o *overheads) next() func(context.Context, time.Duration) ([]overhead, error) {
	taken := 0
	return func(ctx context.Context, d time.Duration) ([]overhead, error) {
		if taken == len(o.runs) {
			list, err := o.take(ctx, d.String())
			if err != nil {
				return nil, err
			}
			o.runs = append(o.runs, list)
		}
		taken++
		return o.runs[taken-1], nil
	}
}

// figure is one figure of a workload.
func (o *overheads) figure(of func(overhead) float64, name string) func(context.Context, time.Duration) (float64, error) {
	next := o.next()
	return func(ctx context.Context, d time.Duration) (float64, error) {
		list, err := next(ctx, d)
		if err != nil {
			return 0, err
		}
		for _, t := range list {
			if t.name == name {
				return of(t), nil
			}
		}
		return 0, fmt.Errorf("the benchmark has no figure of %s any more", name)
	}
}

// overall is a figure of all workloads.
func (o *overheads) overall(of func(overhead) float64, sum func([]float64) float64) func(context.Context, time.Duration) (float64, error) {
	next := o.next()
	return func(ctx context.Context, d time.Duration) (float64, error) {
		list, err := next(ctx, d)
		if err != nil {
			return 0, err
		}
		var figures []float64
		for _, t := range list {
			figures = append(figures, of(t))
		}
		return sum(figures), nil
	}
}

func geometricMean(list []float64) float64 {
	sum := 0.0
	for _, v := range list {
		sum += math.Log(v)
	}
	return math.Exp(sum / float64(len(list)))
}

func worst(list []float64) float64 {
	most := list[0]
	for _, v := range list {
		most = max(most, v)
	}
	return most
}
