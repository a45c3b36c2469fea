package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/js"
	"github.com/rhost/rhost/sandbox/lua"
	"github.com/rhost/rhost/sandbox/wasm"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// guestGo is the Go plugin that is called; it stands for what authors write.
const guestGo = "./plugins/examples/sshguard/plugins/decide"

// actionSuite calls plugins through their slots, each call in an instance as
// good as new, with an event of 300 bytes and arguments.
func actionSuite(ctx context.Context) ([]measure, func() error, error) {
	w, err := wasm.New(wasm.Options{})
	if err != nil {
		return nil, nil, err
	}
	l, err := lua.New(lua.Options{})
	if err != nil {
		return nil, nil, err
	}
	goWasm, err := buildGo(ctx, guestGo)
	if err != nil {
		return nil, nil, err
	}
	guests := []struct {
		name   string
		engine sandbox.Engine
		src    []byte
	}{
		{"small Wasm guest", w, smallGuest()},
		{"Go guest", w, goWasm},
		{"Lua script", l, []byte(`function invoke(call) rhost.emit("blocked", {ip = call.with.ip}) return {ip = call.with.ip} end`)},
		{"JavaScript", js.New(js.Options{}), []byte(`export function invoke(call) { rhost.emit("blocked", {ip: call.with.ip}); return {ip: call.with.ip} }`)},
	}
	var measures []measure
	var slots []*sandbox.Slot
	for _, g := range guests {
		module, err := g.engine.Compile(ctx, sandbox.Source{Name: "bench", Bytes: g.src})
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", g.name, err)
		}
		slot := sandbox.NewSlot()
		if err := slot.Swap(ctx, module, runtime.GOMAXPROCS(0)); err != nil {
			return nil, nil, err
		}
		slots = append(slots, slot)
		var lat latency
		measures = append(measures,
			measure{name: g.name + ", all cores", unit: "calls/s", fn: func(ctx context.Context, d time.Duration) (float64, error) {
				return callRate(ctx, slot, d)
			}},
			measure{name: g.name + ", p50", unit: "ms", fn: func(ctx context.Context, d time.Duration) (float64, error) {
				var err error
				lat, err = callLatency(ctx, slot, d)
				return lat.p50, err
			}},
			measure{name: g.name + ", p99", unit: "ms", fn: func(context.Context, time.Duration) (float64, error) { return lat.p99, nil }},
		)
	}
	queued, slot, err := batchMeasures(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	measures, slots = append(measures, queued...), append(slots, slot)
	return measures, func() error {
		for _, s := range slots {
			if err := s.Swap(ctx, nil, 0); err != nil {
				return err
			}
		}
		return w.Close(ctx)
	}, nil
}

// smallGuest reads its input and emits an event: what a C or Rust guest does.
func smallGuest() []byte {
	m := wasmtest.New()
	input, emit := m.Core(v1.FuncInput), m.Service(v1.FuncEmit)
	request := v1.AppendMessage(nil, "blocked", []byte(`{"ip":"203.0.113.77"}`))
	m.Data(100, string(request))
	m.Invoke(nil,
		wasmtest.I32(4096), wasmtest.Get(0), wasmtest.Call(input), wasmtest.Drop(),
		wasmtest.I32(100), wasmtest.I32(int32(len(request))), wasmtest.I32(0), wasmtest.I32(0), wasmtest.Call(emit), wasmtest.Drop(),
		wasmtest.I32(0))
	return m.Bytes()
}

func buildGo(ctx context.Context, pkg string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "rhost-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system clears up behind it
	out := filepath.Join(dir, "guest.wasm")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-buildmode=c-shared", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s (run this from the repository): %w\n%s", pkg, err, text)
	}
	return os.ReadFile(out)
}

func sampleCall() *abi.Call {
	return &abi.Call{
		Match: abi.Match{
			Tenant: "default", Rule: "bench", Version: "0", ID: "m-bench", At: time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC), Trigger: "ev-1",
			Bind: map[string][]string{"fail": {"ev-1"}},
		},
		Event: *sampleEvent(), With: json.RawMessage(`{"ip":"203.0.113.77","user":"postgres","attempts":5}`),
		Config: json.RawMessage(`{}`), Attempt: 1, Key: "x-bench/1",
	}
}

func oneCall(ctx context.Context, slot *sandbox.Slot, call *abi.Call) error {
	limits := sandbox.Limits{Fuel: 1e9, Memory: 64 << 20, Deadline: 10 * time.Second}
	reply, _, err := slot.Call(ctx, call, sandbox.NewSession(sandbox.Services{}, abi.Capabilities(), limits))
	if err == nil && reply.Result != abi.ResultOK {
		err = fmt.Errorf("the guest answers %s: %s", reply.Result, reply.Message)
	}
	return err
}

func callRate(ctx context.Context, slot *sandbox.Slot, d time.Duration) (float64, error) {
	var mu sync.Mutex
	total := 0
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			call, n := sampleCall(), 0
			for time.Since(start) < d {
				if err := oneCall(ctx, slot, call); err != nil {
					return err
				}
				n++
			}
			mu.Lock()
			defer mu.Unlock()
			total += n
			return nil
		})
	}
	err := g.Wait()
	return float64(total) / time.Since(start).Seconds(), err
}

func callLatency(ctx context.Context, slot *sandbox.Slot, d time.Duration) (latency, error) {
	call := sampleCall()
	var took []time.Duration
	for start := time.Now(); time.Since(start) < d; {
		began := time.Now()
		if err := oneCall(ctx, slot, call); err != nil {
			return latency{}, err
		}
		took = append(took, time.Since(began))
	}
	return percentiles(took), nil
}
