// Command extism calls an Extism plugin through Extism's own Go SDK for a while and
// prints how long that took, as JSON: {"calls_per_second": …, "p50_us": …}.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	extism "github.com/extism/go-sdk"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "extism:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	file := flag.String("wasm", "", "the plugin")
	export := flag.String("export", "", "the function to call")
	input := flag.String("input", "", "its input")
	length := flag.Duration("time", time.Second, "how long to go on")
	timeout := flag.Duration("timeout", 0, "time that a call may take, which makes it one that can be stopped")
	fresh := flag.Bool("fresh", false, "make an instance for each call")
	flag.Parse()

	plugin, err := extism.NewCompiledPlugin(ctx, extism.Manifest{
		Wasm: []extism.Wasm{extism.WasmFile{Path: *file}}, Timeout: uint64(timeout.Milliseconds()),
	}, extism.PluginConfig{EnableWasi: true}, nil)
	if err != nil {
		return err
	}
	defer plugin.Close(ctx) //nolint:errcheck // the process ends
	c := caller{plugin: plugin, export: *export, input: []byte(*input)}
	call := c.kept
	if *fresh {
		call = c.fresh
	}
	if err := call(ctx); err != nil { // the first makes what is kept
		return err
	}
	var took []time.Duration
	start := time.Now()
	for time.Since(start) < *length {
		began := time.Now()
		if err := call(ctx); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	rate := float64(len(took)) / time.Since(start).Seconds()
	slices.Sort(took)
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"calls_per_second": rate, "p50_us": float64(took[len(took)/2].Nanoseconds()) / 1000,
	})
}

// caller calls one function of a plugin.
type caller struct {
	plugin   *extism.CompiledPlugin
	instance *extism.Plugin // of kept
	export   string
	input    []byte
}

// kept calls the same instance every time: what one call leaves is there in the next.
func (c *caller) kept(ctx context.Context) (err error) {
	if c.instance == nil {
		if c.instance, err = c.plugin.Instance(ctx, extism.PluginInstanceConfig{}); err != nil {
			return err
		}
	}
	return c.call(ctx, c.instance)
}

// fresh calls an instance of its own every time.
func (c *caller) fresh(ctx context.Context) error {
	instance, err := c.plugin.Instance(ctx, extism.PluginInstanceConfig{})
	if err != nil {
		return err
	}
	if err := c.call(ctx, instance); err != nil {
		return err
	}
	return instance.Close(ctx)
}

func (c *caller) call(ctx context.Context, instance *extism.Plugin) error {
	code, _, err := instance.CallWithContext(ctx, c.export, c.input)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("%s returns %d", c.export, code)
	}
	return nil
}
