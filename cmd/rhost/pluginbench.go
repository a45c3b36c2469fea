package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
)

func pluginBench() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench PLUGIN [-e EVENT.json]",
		Short: "Measure what a call of a plugin costs",
		Long: `Call a plugin again and again with one event, each call in an instance as new, and
print what a call uses and how long it takes. Without -e it is the event.json of the
plugin's folder, if there is one. Fuel is the same on every machine and in every run; the times are this machine's. State is empty, effects are dropped.

--profile says which functions of a Wasm plugin use the fuel; they have names if it
was built with them (for Go, without -ldflags=-s). --compare puts another version
beside it. --max-fuel fails when a call uses more: a limit for CI that no busy machine
can break.

Exit codes: 0 measured · 1 the call faults, or uses more than --max-fuel · 2 bad input`,
		Example: `  rhost plugin bench plugins/decide -e event.json
  rhost plugin bench plugins/decide -e event.json --max-fuel 400000 --json
  rhost plugin bench plugins/decide -e event.json --profile out.pb.gz && go tool pprof -top out.pb.gz
  rhost plugin bench build/decide.wasm -e event.json --compare plugins/decide/decide.wasm`,
		Args: exactArgs(1, "PLUGIN", "a file, a folder of source, or a name under plugins/"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	o.call.flags(cmd)
	fl := cmd.Flags()
	fl.Int64Var(&o.maxFuel, "max-fuel", 0, "fail when a call uses more fuel than this")
	fl.DurationVar(&o.time, "time", time.Second, "how long to call")
	fl.StringVar(&o.profile, "profile", "", "write where a call uses its fuel to this file, for `go tool pprof`")
	fl.StringVar(&o.compare, "compare", "", "another version, to print beside this one")
	return cmd
}

type benchOptions struct {
	call    pluginRunOptions
	maxFuel int64
	time    time.Duration
	compare string
	profile string
}

// benched is what was measured of one version.
type benched struct {
	Name     string        `json:"name"`
	Digest   string        `json:"digest"`
	Engine   string        `json:"engine"`
	Result   string        `json:"result"`
	Message  string        `json:"message,omitempty"`
	Size     int           `json:"size_bytes"`
	Fuel     int64         `json:"fuel"`
	Memory   int64         `json:"peak_memory_bytes"`
	Calls    int           `json:"calls"`
	CPU      time.Duration `json:"cpu_ns"` // of a call, host and guest
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	Cold     time.Duration `json:"compile_cold_ns"`
	Warm     time.Duration `json:"compile_warm_ns"` // from the cache; scripts have none
	Instance time.Duration `json:"instance_ns"`     // to make one, once the module is compiled
}

func (o *benchOptions) run(cmd *cobra.Command, arg string) error {
	var all []benched
	var call *abi.Call
	for _, name := range []string{arg, o.compare} {
		if name == "" {
			continue
		}
		f, err := findPlugin(name)
		if err != nil {
			return err
		}
		if err := sayStale(cmd, f); err != nil {
			return err
		}
		if call == nil { // both get the event of the first
			if call, err = o.call.call(cmd, f); err != nil {
				return err
			}
		}
		b, err := o.measure(cmd.Context(), f, call)
		if err != nil {
			return err
		}
		all = append(all, b)
		if o.profile != "" && len(all) == 1 {
			if err := o.writeProfile(cmd.Context(), f, call); err != nil {
				return err
			}
		}
	}
	if err := o.print(cmd, all); err != nil {
		return err
	}
	if fuel := all[0].Fuel; o.maxFuel > 0 && fuel > o.maxFuel {
		return fmt.Errorf("a call uses %s fuel; --max-fuel allows %s", thousands(fuel), thousands(o.maxFuel))
	}
	return nil
}

// measure compiles a version without a cache and with one, and calls it.
func (o *benchOptions) measure(ctx context.Context, f deploy.Found, call *abi.Call) (b benched, err error) {
	src, err := os.ReadFile(f.File)
	if err != nil {
		return b, usage(err)
	}
	cache, err := os.MkdirTemp("", "rhost-bench-")
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(cache)) }()
	engine := ofAuthor(wasm.Options{CacheDir: cache})
	if b.Cold, err = compiled(ctx, engine, f, src, func(sandbox.Module) error { return nil }); err != nil {
		return b, err
	}
	b.Warm, err = compiled(ctx, engine, f, src, func(m sandbox.Module) error {
		info := m.Info()
		b.Name, b.Digest, b.Engine, b.Size = f.Name, info.Digest, info.Engine, info.Size
		return o.callOften(ctx, m, call, &b)
	})
	return b, err
}

// compiled compiles a version with engines of its own and calls fn with it. It gives
// how long the compiler took.
func compiled(ctx context.Context, o wasm.Options, f deploy.Found, src []byte, fn func(sandbox.Module) error) (took time.Duration, err error) {
	engines, err := host.NewEngines(o)
	if err != nil {
		return 0, err
	}
	defer func() {
		for _, e := range engines {
			err = errors.Join(err, e.Close(ctx))
		}
	}()
	start := time.Now()
	m, err := engines[f.Kind].Compile(ctx, sandbox.Source{Name: f.Name, File: f.File, Bytes: src})
	took = time.Since(start)
	if err != nil {
		return took, usage(err)
	}
	return took, errors.Join(fn(m), m.Close(ctx))
}

// writeProfile calls a version that says where it uses its fuel, and writes that to a
// file.
func (o *benchOptions) writeProfile(ctx context.Context, f deploy.Found, call *abi.Call) error {
	if f.Kind != deploy.Wasm {
		return usage(fmt.Errorf("--profile: %s is a script; there is a profile of Wasm alone", f.Name))
	}
	src, err := os.ReadFile(f.File)
	if err != nil {
		return usage(err)
	}
	p := wasm.NewProfile()
	_, err = compiled(ctx, ofAuthor(wasm.Options{Profile: p}), f, src, func(m sandbox.Module) error {
		inst, err := m.New(ctx, o.call.limits)
		if err != nil {
			return err
		}
		p.Reset() // what start-up used is not the call's
		_, _, err = inst.Invoke(ctx, call, sandbox.NewSession(sandbox.Services{}, m.Info().Needs, o.call.limits))
		return errors.Join(err, inst.Close(ctx))
	})
	if err != nil {
		return err
	}
	out, err := os.Create(o.profile)
	if err != nil {
		return usage(err)
	}
	_, err = p.WriteTo(out)
	return errors.Join(err, out.Close())
}

// callOften calls for as long as asked, a hundred times at least.
func (o *benchOptions) callOften(ctx context.Context, m sandbox.Module, call *abi.Call, b *benched) error {
	const least, most = 100, 1_000_000
	slot := sandbox.NewSlot()
	if err := slot.Swap(ctx, keptOpen{m}, 1); err != nil {
		return err
	}
	one := func() (sandbox.Usage, error) {
		session := sandbox.NewSession(sandbox.Services{}, m.Info().Needs, o.call.limits)
		reply, usage, err := slot.Call(ctx, call, session)
		b.Result, b.Message = reply.Result.String(), reply.Message
		return usage, err
	}
	first, err := one()
	if err != nil {
		return fmt.Errorf("the call ends with a fault: %w", err)
	}
	b.Fuel, b.Memory = first.Fuel, first.PeakMemory
	var took []time.Duration
	cpu := processTime()
	for start := time.Now(); (time.Since(start) < o.time || len(took) < least) && len(took) < most; {
		began := time.Now()
		u, err := one()
		if err != nil {
			return fmt.Errorf("the call ends with a fault: %w", err)
		}
		took = append(took, time.Since(began))
		if u.Fuel != b.Fuel {
			return fmt.Errorf("a call used %d fuel and another %d: the same call must use the same; this is a bug of rhost", b.Fuel, u.Fuel)
		}
	}
	b.CPU = (processTime() - cpu) / time.Duration(len(took))
	slices.Sort(took)
	b.Calls, b.P50, b.P99 = len(took), took[len(took)/2], took[len(took)*99/100]
	start := time.Now()
	inst, err := m.New(ctx, o.call.limits)
	if err != nil {
		return err
	}
	b.Instance = time.Since(start)
	return errors.Join(inst.Close(ctx), slot.Close(ctx))
}

// keptOpen is a module that its slot does not close.
type keptOpen struct{ sandbox.Module }

func (keptOpen) Close(context.Context) error { return nil }

func (o *benchOptions) print(cmd *cobra.Command, all []benched) error {
	if o.call.json {
		raw, err := json.Marshal(all[0])
		if len(all) > 1 {
			raw, err = json.Marshal(map[string]benched{"plugin": all[0], "compare": all[1]})
		}
		if err != nil {
			return err
		}
		return printIndented(cmd.OutOrStdout(), raw)
	}
	times := func(d time.Duration) string { return round(d).String() }
	lines := []struct {
		name  string
		value func(b benched) (text string, n float64)
	}{
		{"version", func(b benched) (string, float64) { return clip(b.Digest, 19), 0 }},
		{"result", func(b benched) (string, float64) {
			return strings.TrimSuffix(b.Result+": "+clip(b.Message, 60), ": "), 0
		}},
		{"fuel", func(b benched) (string, float64) { return thousands(b.Fuel), float64(b.Fuel) }},
		{"p50", func(b benched) (string, float64) { return times(b.P50), float64(b.P50) }},
		{"p99", func(b benched) (string, float64) { return times(b.P99), float64(b.P99) }},
		{"cpu a call", func(b benched) (string, float64) { return times(b.CPU), float64(b.CPU) }},
		{"calls", func(b benched) (string, float64) { return thousands(b.Calls), 0 }},
		{"peak memory", func(b benched) (string, float64) { return thousands(b.Memory) + " bytes", float64(b.Memory) }},
		{"size", func(b benched) (string, float64) { return thousands(b.Size) + " bytes", float64(b.Size) }},
		{"compile, cold", func(b benched) (string, float64) { return times(b.Cold), float64(b.Cold) }},
		{"compile, warm", func(b benched) (string, float64) { return times(b.Warm), float64(b.Warm) }},
		{"instance", func(b benched) (string, float64) { return times(b.Instance), float64(b.Instance) }},
	}
	var rows [][]string
	for _, l := range lines {
		text, n := l.value(all[0])
		row := []string{l.name, text}
		if len(all) > 1 {
			other, m := l.value(all[1])
			row = append(row, other)
			if m > 0 {
				row = append(row, fmt.Sprintf("%.2f×", n/m))
			}
		}
		rows = append(rows, row)
	}
	var head []string
	if len(all) > 1 {
		head = []string{"", strings.ToUpper(all[0].Name), "COMPARED WITH", "RATIO"}
	}
	return newStyle(cmd.OutOrStdout()).table(head, rows)
}

// round leaves three digits of a time.
func round(d time.Duration) time.Duration {
	unit := time.Nanosecond
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}
