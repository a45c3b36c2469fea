package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

// measure is one thing that is measured: fn runs it once and returns the figure.
type measure struct {
	name string
	unit string
	base string // name of the measure it is compared with; "" for none
	fn   func(ctx context.Context, d time.Duration) (float64, error)
}

// suite is a group of measures that run interleaved. setup prepares them and
// returns what undoes it.
type suite struct {
	name  string
	what  string
	setup func(ctx context.Context) ([]measure, func() error, error)
}

func suites() []suite {
	return []suite{
		{"match", "JSON event in → match out, 1,000 rules, 1 % match, one core", matchSuite},
		{"ingest", "durable ingest, 300 B events, fsync before ack", ingestSuite},
		{"action", "match → plugin call finished, in memory", actionSuite},
		{"fuel", "cost of metering a Wasm guest", fuelSuite},
		{"start", "from the command to the first match", startSuite},
	}
}

// figure is a measure's result over all runs.
type figure struct {
	Suite  string    `json:"suite"`
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Runs   []float64 `json:"runs"`
	Median float64   `json:"median"`
	Base   string    `json:"base,omitempty"`
	Ratio  float64   `json:"ratio,omitempty"` // to the median of Base
}

func main() {
	runs := flag.Int("runs", 3, "how often each measure is taken")
	d := flag.Duration("time", time.Second, "how long one taking lasts")
	asJSON := flag.Bool("json", false, "print JSON, one figure a line")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, flag.Args(), *runs, *d, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, names []string, runs int, d time.Duration, asJSON bool) error {
	var chosen []suite
	for _, s := range suites() {
		if len(names) == 0 || slices.Contains(names, s.name) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 || len(names) > 0 && len(chosen) < len(names) {
		return fmt.Errorf("unknown suite in %s; there are match, ingest, action, fuel and start", strings.Join(names, " "))
	}
	if !asJSON {
		fmt.Printf("%s, %d cores, %d runs of %v each\n", runtime.Version(), runtime.NumCPU(), runs, d)
	}
	for _, s := range chosen {
		figures, err := s.run(ctx, runs, d)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := show(s, figures, asJSON); err != nil {
			return err
		}
	}
	return nil
}

// run takes every measure in turn, runs times over, so that a slow moment of the
// machine falls on all of them.
func (s suite) run(ctx context.Context, runs int, d time.Duration) ([]figure, error) {
	measures, done, err := s.setup(ctx)
	if err != nil {
		return nil, err
	}
	figures := make([]figure, len(measures))
	for range runs {
		for i, m := range measures {
			v, err := m.fn(ctx, d)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			figures[i].Runs = append(figures[i].Runs, v)
		}
	}
	for i, m := range measures {
		f := &figures[i]
		f.Suite, f.Name, f.Unit, f.Base = s.name, m.name, m.unit, m.base
		f.Median = median(f.Runs)
	}
	for i := range figures {
		for _, base := range figures {
			if base.Name == figures[i].Base && base.Median > 0 {
				figures[i].Ratio = figures[i].Median / base.Median
			}
		}
	}
	return figures, done()
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

func show(s suite, figures []figure, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(os.Stdout)
		for _, f := range figures {
			if err := enc.Encode(f); err != nil {
				return err
			}
		}
		return nil
	}
	fmt.Printf("\n%s: %s\n", s.name, s.what)
	width := 0
	for _, f := range figures {
		width = max(width, len([]rune(f.Name)))
	}
	for _, f := range figures {
		name := f.Name + strings.Repeat(" ", width-len([]rune(f.Name)))
		line := fmt.Sprintf("  %s  %12s %-9s [%s … %s]", name, number(f.Median), f.Unit, number(slices.Min(f.Runs)), number(slices.Max(f.Runs)))
		if f.Ratio > 0 {
			line += fmt.Sprintf("  %.2f× %s", f.Ratio, f.Base)
		}
		fmt.Println(line)
	}
	return nil
}

// number writes a figure with three significant digits or with thousands.
func number(v float64) string {
	if v < 1000 {
		return fmt.Sprintf("%.3g", v)
	}
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
