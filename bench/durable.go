package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// durableRate is how many events a second come while latency is measured.
const durableRate = 10_000

// durableSuite sends events through a whole host, at a steady rate: from when an
// event was due to be sent until the guest of its action begins to run, by when both
// the event and the intent of the action have been synced.
func durableSuite(ctx context.Context) ([]measure, func() error, error) {
	restore := host.KeepHeap(host.HeapFloor) // as rhost run does
	d, err := newDurable(ctx)
	if err != nil {
		restore()
		return nil, nil, err
	}
	var lat latency
	const base = "two syncs of 300 B, one after the other, p50"
	return []measure{
		{name: "event → action started, p50", unit: "ms", base: base, fn: func(ctx context.Context, took time.Duration) (float64, error) {
			var err error
			lat, err = d.run(ctx, max(took, time.Second))
			return lat.p50, err
		}},
		{name: "event → action started, p99", unit: "ms", fn: func(context.Context, time.Duration) (float64, error) { return lat.p99, nil }},
		{name: base, unit: "ms", fn: func(_ context.Context, took time.Duration) (float64, error) { return twoSyncs(d.dir, took) }},
	}, func() error { restore(); return d.close() }, nil
}

// durable is a host with a rule that every event matches.
type durable struct {
	dir   string
	in    *io.PipeWriter
	begun stamps
	sent  int
	stop  context.CancelFunc
	ended chan error
	host  *host.Host
}

// stamps notes when the guest logs the id of its event.
type stamps struct {
	slog.Handler
	mu   sync.Mutex
	at   map[int]time.Time
	left atomic.Int64
}

func (s *stamps) Enabled(context.Context, slog.Level) bool { return true }

func (s *stamps) Handle(ctx context.Context, r slog.Record) error {
	now := time.Now()
	_, rest, ok := strings.Cut(r.Message, "bench-")
	number, _, ends := strings.Cut(rest, "-")
	n, err := strconv.Atoi(number)
	if !ok || !ends || err != nil {
		if r.Level >= slog.LevelWarn {
			return s.Handler.Handle(ctx, r)
		}
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.at[n]; !again {
		s.at[n] = now
		s.left.Add(-1)
	}
	return nil
}

func newDurable(ctx context.Context) (*durable, error) {
	dir, err := os.MkdirTemp("", "rhost-bench-")
	if err != nil {
		return nil, err
	}
	d := &durable{dir: dir, ended: make(chan error, 1), stop: func() {}}
	d.begun.Handler, d.begun.at = slog.NewTextHandler(os.Stderr, nil), make(map[int]time.Time)
	if err := d.start(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return d, nil
}

func (d *durable) start(ctx context.Context) error {
	app := filepath.Join(d.dir, "app")
	for name, content := range map[string][]byte{
		"rhost.yaml":     []byte("listen: \"off\"\nsources: {in: {stdin: {}}}\n"),
		"rules/r.yaml":   []byte("rule: each\nwhen: type == \"auth.failure\"\ndo: [{run: p}]\n"),
		"plugins/p.wasm": loggingGuest(),
	} {
		name = filepath.Join(app, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, content, 0o600)); err != nil {
			return err
		}
	}
	in, out := io.Pipe()
	d.in = out
	var err error
	d.host, err = host.New(ctx, host.Options{App: app, Data: filepath.Join(d.dir, "data"), Version: "bench", Stdin: in, Logger: slog.New(&d.begun)})
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	ready := make(chan struct{})
	go func() { d.ended <- d.host.Run(run, func(host.Summary) { close(ready) }) }()
	select {
	case <-ready:
		return nil
	case err := <-d.ended:
		stop()
		return errors.Join(err, d.host.Close())
	}
}

// loggingGuest logs its input, in which the event is, and does nothing else.
func loggingGuest() []byte {
	m := wasmtest.New()
	input, log := m.Core(v1.FuncInput), m.Core(v1.FuncLog)
	m.Invoke(nil,
		wasmtest.I32(4096), wasmtest.Get(0), wasmtest.Call(input), wasmtest.Drop(),
		wasmtest.I32(1), wasmtest.I32(4096), wasmtest.Get(0), wasmtest.Call(log),
		wasmtest.I32(0))
	return m.Bytes()
}

// run sends events for a while, a few every millisecond, and waits for the actions
// of all of them.
func (d *durable) run(ctx context.Context, took time.Duration) (latency, error) {
	const every = durableRate / 1000
	n := int(took/time.Millisecond) * every
	first := d.sent
	due := make([]time.Time, n)
	d.begun.left.Store(int64(n))
	start := time.Now()
	var lines bytes.Buffer
	for i := 0; i < n; i += every {
		at := start.Add(time.Duration(i/every) * time.Millisecond)
		time.Sleep(time.Until(at))
		lines.Reset()
		for k := i; k < i+every; k++ {
			due[k] = at
			d.line(&lines, first+k)
		}
		if _, err := d.in.Write(lines.Bytes()); err != nil {
			return latency{}, err
		}
	}
	d.sent += n
	for limit := time.Now().Add(30 * time.Second); d.begun.left.Load() > 0; time.Sleep(time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(limit) {
			return latency{}, fmt.Errorf("%d of %d actions did not start", d.begun.left.Load(), n)
		}
	}
	d.begun.mu.Lock()
	defer d.begun.mu.Unlock()
	all := make([]time.Duration, n)
	for k := range all {
		all[k] = d.begun.at[first+k].Sub(due[k])
	}
	clear(d.begun.at)
	return percentiles(all), nil
}

func (d *durable) line(b *bytes.Buffer, n int) {
	ev := sampleEvent()
	ev.ID, ev.Time = fmt.Sprintf("bench-%d-", n), time.Now()
	b.Write((*event.Event).AppendJSON(ev, b.AvailableBuffer()))
	b.WriteByte('\n')
}

func (d *durable) close() error {
	err := d.in.Close()
	d.stop()
	return errors.Join(err, <-d.ended, d.host.Close(), os.RemoveAll(d.dir))
}

// twoSyncs appends to a file and syncs it, twice: no way from an event to its
// action has fewer.
func twoSyncs(dir string, took time.Duration) (float64, error) {
	f, err := os.CreateTemp(dir, "sync")
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // Sync tells of what was not written
	body := make([]byte, 300)
	var all []time.Duration
	for start := time.Now(); time.Since(start) < took; {
		began := time.Now()
		for range 2 {
			if _, err := f.Write(body); err != nil {
				return 0, err
			}
			if err := f.Sync(); err != nil {
				return 0, err
			}
		}
		all = append(all, time.Since(began))
	}
	return percentiles(all).p50, nil
}
