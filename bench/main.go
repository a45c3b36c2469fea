package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	o := options{sizes: []int{1000, 100_000}, events: []int{1_000_000, 10_000_000}}
	flag.IntVar(&o.runs, "runs", 3, "how often each measure is taken")
	flag.DurationVar(&o.time, "time", 500*time.Millisecond, "how long one taking lasts")
	flag.BoolVar(&o.json, "json", false, "print JSON, one figure a line")
	flag.Func("sizes", "numbers of rules for match and rules, separated by commas (default 1000,100000; 1000000 takes minutes and 6 GB)", o.setSizes)
	flag.Func("events", "numbers of events for recovery, separated by commas (default 1000000,10000000; 50000000 takes minutes and 8 GB of disk)", o.setEvents)
	flag.StringVar(&o.only, "only", "", "take only measures whose names contain this")
	profile := flag.String("cpuprofile", "", "write a CPU profile to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := profiled(*profile, func() error { return command(ctx, flag.Args(), o) }); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags, and what a suite is set up for.
type options struct {
	runs   int
	time   time.Duration
	json   bool
	only   string
	sizes  []int
	events []int
	rules  int // of the sizes, the one at hand
}

func (o *options) setSizes(text string) (err error) {
	o.sizes, err = numbers(text)
	return err
}

func (o *options) setEvents(text string) (err error) {
	o.events, err = numbers(text)
	return err
}

func numbers(text string) (list []int, err error) {
	for s := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.ReplaceAll(s, "_", ""))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no number above 0", s)
		}
		list = append(list, n)
	}
	return list, nil
}

// command runs suites, or one of the processes that the suite rules starts.
func command(ctx context.Context, args []string, o options) error {
	if len(args) > 0 && args[0] == childName {
		return child(args[1:])
	}
	return bench(ctx, args, o)
}

func profiled(file string, run func() error) error {
	if file == "" {
		return run()
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = run()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

func bench(ctx context.Context, names []string, o options) error {
	var chosen []suite
	var known []string
	for _, s := range suites() {
		known = append(known, s.name)
		if len(names) == 0 || slices.Contains(names, s.name) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 || len(names) > 0 && len(chosen) < len(names) {
		return fmt.Errorf("unknown suite in %s; there are %s", strings.Join(names, " "), strings.Join(known, ", "))
	}
	if !o.json {
		fmt.Printf("%s, %d cores, %d runs of %v each\n", runtime.Version(), runtime.NumCPU(), o.runs, o.time)
	}
	for _, s := range chosen {
		if err := s.all(ctx, o); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// all runs a suite, in every size if it has sizes.
func (s suite) all(ctx context.Context, o options) error {
	sizes := []int{0}
	if s.sized {
		sizes = o.sizes
	}
	if s.oneCore {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	}
	for _, n := range sizes {
		o.rules = n
		figures, err := s.run(ctx, o)
		if err != nil {
			return err
		}
		if err := show(s, figures, o); err != nil {
			return err
		}
		runtime.GC() // what one size leaves is not for the next to clear away
	}
	return nil
}
