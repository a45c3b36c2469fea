package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
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
	once bool // taken in the first run only, because it takes long or does not vary

	// against are ratios to what was measured beside it in the same run.
	against []against

	// recorded is a figure from elsewhere, of what cannot be built here; fn is nil.
	recorded float64
}

// against is a ratio of a measure to something that was taken in turn with it; ratio
// gives that of the latest run.
type against struct {
	base  string
	ratio func() float64
}

// suite is a group of measures that run interleaved. setup prepares them and
// returns what undoes it.
type suite struct {
	name    string
	what    string
	setup   func(ctx context.Context, o options) ([]measure, func() error, error)
	sized   bool // runs once for each of options.sizes
	oneCore bool // the process has one core meanwhile, the garbage collector included
}

func suites() []suite {
	return []suite{
		{name: "match", what: "JSON event in → match out, 1 % match, one core", setup: matchSuite, sized: true, oneCore: true},
		{name: "rules", what: "rules of two fields: rate, memory, loading and edits, one core", setup: rulesSuite, sized: true},
		{name: "stateful", what: "patterns and windows, one core", setup: statefulSuite, oneCore: true},
		{name: "keys", what: "partial matches of many keys: rate, and memory of a key", setup: keysSuite, oneCore: true},
		{name: "shared", what: "many rules that begin alike, one core", setup: sharedSuite, oneCore: true},
		{name: "lanes", what: "one log on several lanes, all cores", setup: lanesSuite},
		{name: "latency", what: "from an event handed to the matcher to its match", setup: latencySuite},
		{name: "alloc", what: "allocations an event", setup: allocSuite, oneCore: true},
		{name: "sigma", what: "40 published Sigma rules and their events, one core", setup: sigmaSuite, oneCore: true},
		{name: "ingest", what: "durable ingest, 300 B events, fsync before ack", setup: plain(ingestSuite)},
		{name: "durable", what: "from an event to its Wasm action, through the durable log, at 10,000 events/s", setup: plain(durableSuite)},
		{name: "action", what: "match → plugin call finished, in memory", setup: plain(actionSuite)},
		{name: "swap", what: "versions of a plugin swapped at full load", setup: plain(swapSuite)},
		{name: "extism", what: "calls of an Extism plugin, one goroutine, beside Extism's own SDK", setup: plain(extismSuite)},
		{name: "neighbour", what: "a quiet tenant beside another that misbehaves; ratios are medians of those in each run", setup: plain(neighbourSuite)},
		{name: "fuel", what: "cost of metering a Wasm guest", setup: plain(fuelSuite)},
		{name: "recovery", what: "starting again: replay, snapshots, parked executions", setup: recoverySuite},
		{name: "cluster", what: "three nodes on this machine beside one, 300 B events over the API in batches of 200 from 4 clients", setup: plain(clusterSuite)},
		{name: "start", what: "from the command to the first match", setup: plain(startSuite)},
	}
}

// plain is a suite without options.
func plain(setup func(context.Context) ([]measure, func() error, error)) func(context.Context, options) ([]measure, func() error, error) {
	return func(ctx context.Context, _ options) ([]measure, func() error, error) { return setup(ctx) }
}

// nothing is for suites that leave nothing behind.
func nothing() error { return nil }

// figure is a measure's result over all runs.
type figure struct {
	Suite    string    `json:"suite"`
	Rules    int       `json:"rules,omitempty"`
	Name     string    `json:"name"`
	Unit     string    `json:"unit"`
	Runs     []float64 `json:"runs,omitempty"`
	Median   float64   `json:"median"`
	Recorded bool      `json:"recorded,omitempty"` // not measured here
	Base     string    `json:"base,omitempty"`
	Ratio    float64   `json:"ratio,omitempty"` // to the median of Base
	Against  []ratios  `json:"against,omitempty"`
}

// ratios are those to one base; the median of the runs is what counts.
type ratios struct {
	Base   string    `json:"base"`
	Runs   []float64 `json:"runs"`
	Median float64   `json:"median"`
}

// run takes every measure in turn, runs times over, so that a slow moment of the
// machine falls on all of them.
func (s suite) run(ctx context.Context, o options) ([]figure, error) {
	measures, done, err := s.setup(ctx, o)
	if err != nil {
		return nil, err
	}
	measures = slices.DeleteFunc(measures, func(m measure) bool { return !strings.Contains(m.name, o.only) })
	figures := make([]figure, len(measures))
	for run := range o.runs {
		for i, m := range measures {
			if m.fn == nil || m.once && run > 0 {
				continue
			}
			v, err := m.fn(ctx, o.time)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			figures[i].Runs = append(figures[i].Runs, v)
			figures[i].compare(m.against)
		}
	}
	for i, m := range measures {
		f := &figures[i]
		f.Suite, f.Rules, f.Name, f.Unit, f.Base = s.name, o.rules, m.name, m.unit, m.base
		f.Median, f.Recorded = m.recorded, m.fn == nil
		if m.fn != nil {
			f.Median = median(f.Runs)
		}
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

// compare takes down the ratios of a run.
func (f *figure) compare(list []against) {
	if f.Against == nil {
		f.Against = make([]ratios, len(list))
	}
	for n, a := range list {
		r := &f.Against[n]
		r.Base, r.Runs = a.base, append(r.Runs, a.ratio())
		r.Median = median(r.Runs)
	}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

func show(s suite, figures []figure, o options) error {
	if o.json {
		enc := json.NewEncoder(os.Stdout)
		for _, f := range figures {
			if err := enc.Encode(f); err != nil {
				return err
			}
		}
		return nil
	}
	what := s.what
	if s.sized {
		what += ", rules: " + number(float64(o.rules))
	}
	fmt.Printf("\n%s: %s\n", s.name, what)
	width := 0
	for _, f := range figures {
		width = max(width, len([]rune(f.Name)))
	}
	for _, f := range figures {
		fmt.Println(f.line(width))
	}
	return nil
}

func (f *figure) line(width int) string {
	name := f.Name + strings.Repeat(" ", width-len([]rune(f.Name)))
	var line strings.Builder
	fmt.Fprintf(&line, "  %s  %12s %-9s", name, number(f.Median), f.Unit)
	switch {
	case f.Recorded:
		line.WriteString(" recorded")
	case len(f.Runs) > 1:
		fmt.Fprintf(&line, " [%s … %s]", number(slices.Min(f.Runs)), number(slices.Max(f.Runs)))
	}
	if f.Ratio > 0 {
		fmt.Fprintf(&line, "  %.3g× %s", f.Ratio, f.Base)
	}
	for _, r := range f.Against {
		fmt.Fprintf(&line, "  %.3g× %s", r.Median, r.Base)
	}
	return line.String()
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
