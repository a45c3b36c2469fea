package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/eventlog"
)

// recoverySuite starts a host of 100 rules, and one of one, again after it has processed
// so many events: from the whole log, and from its snapshot. Beside it runs the plain
// reading of the log's frames. Then it starts one again that has 100,000 executions
// parked.
func recoverySuite(_ context.Context, o options) ([]measure, func() error, error) {
	dir, err := os.MkdirTemp("", "rhost-bench-")
	if err != nil {
		return nil, nil, err
	}
	var list []measure
	for _, n := range o.events {
		list = append(list, recoveryMeasures(&recovery{dir: filepath.Join(dir, fmt.Sprint(n)), n: n, count: 100}, "")...)
	}
	n := o.events[len(o.events)-1]
	list = append(list, recoveryMeasures(&recovery{dir: filepath.Join(dir, "one"), n: n, count: 1}, ", one rule")...)
	list = append(list, parkedMeasures(filepath.Join(dir, "parked"), 100_000)...)
	restore := host.KeepHeap(host.HeapFloor) // as rhost run does
	return list, func() error {
		restore()
		return os.RemoveAll(dir)
	}, nil
}

// recovery is a data folder, and what was measured of it.
type recovery struct {
	dir   string
	n     int // events
	count int // rules
	made  bool

	rate, peak float64
}

func recoveryMeasures(r *recovery, with string) []measure {
	name := func(what string) string { return fmt.Sprintf("%s events%s: %s", number(float64(r.n)), with, what) }
	return []measure{
		{name: name("lived through"), unit: "events/s", fn: r.live, once: true},
		{name: name("frames read"), unit: "events/s", fn: r.read},
		{name: name("whole log replayed"), unit: "events/s", base: name("frames read"), fn: r.replay},
		{name: name("peak heap of that"), unit: "MB", fn: func(context.Context, time.Duration) (float64, error) { return r.peak / 1e6, nil }},
		{name: name("start from the snapshot"), unit: "ms", fn: r.fromSnapshot},
	}
}

// recoveryRules are simple rules: sequences, counts and windows by key, and conditions,
// few of which match. The first is a sequence.
func recoveryRules(count int) string {
	var b strings.Builder
	for i := range count {
		fmt.Fprintf(&b, "---\nrule: r%d\n", i)
		switch kind := fmt.Sprintf("kind%d", i); i % 10 {
		case 0, 1, 2:
			fmt.Fprintf(&b, "when: {pattern: 'a then b', define: {a: type == %q && data.ok == false, b: type == \"never\"}, by: data.ip, within: 10s}\n", kind)
		case 3:
			fmt.Fprintf(&b, "when: {pattern: 'a{5}', define: {a: type == %q && data.ok == false}, by: data.ip, within: 1s, skip: past-last}\n", kind)
		case 4:
			fmt.Fprintf(&b, "when: {window: tumbling 10s, where: 'type == %q', by: data.user, let: {n: count()}, having: n > 1000000}\n", kind)
		default:
			fmt.Fprintf(&b, "when: type == %q && data.port == %d\n", kind, 100_000+i)
		}
	}
	return b.String()
}

func (r *recovery) app() string { return filepath.Join(r.dir, "app") }

// open makes the host, and tells how long that took.
func (r *recovery) open(ctx context.Context, whole bool) (*host.Host, time.Duration, error) {
	began := time.Now()
	h, err := host.New(ctx, host.Options{App: r.app(), Data: filepath.Join(r.dir, "data"), Listen: "off", WholeLog: whole})
	return h, time.Since(began), err
}

// run lets a host run until it is ready, and stops it.
func run(ctx context.Context, h *host.Host, until func(*host.Host) bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready := make(chan struct{})
	var g errgroup.Group
	g.Go(func() error { return h.Run(ctx, func(host.Summary) { close(ready) }) })
	g.Go(func() error {
		defer stop()
		select {
		case <-ready:
		case <-ctx.Done():
			return nil
		}
		for until != nil && ctx.Err() == nil && !until(h) {
			time.Sleep(time.Millisecond)
		}
		return nil
	})
	return errors.Join(g.Wait(), h.Close())
}

// live writes the app and the log, and lets a host live through it.
func (r *recovery) live(ctx context.Context, _ time.Duration) (float64, error) {
	if err := writeApp(r.app(), map[string]string{"rules/r.yaml": recoveryRules(r.count)}); err != nil {
		return 0, err
	}
	h, _, err := r.open(ctx, false)
	if err != nil {
		return 0, err
	}
	if err := run(ctx, h, nil); err != nil { // puts the rules in force
		return 0, err
	}
	if err := r.fill(ctx); err != nil {
		return 0, err
	}
	began := time.Now()
	if h, _, err = r.open(ctx, false); err != nil {
		return 0, err
	}
	err = run(ctx, h, nil) // ready when all is dealt with
	r.made = err == nil
	return float64(r.n) / time.Since(began).Seconds(), err
}

// fill appends the events to the log, a thousand a second by their own time.
func (r *recovery) fill(ctx context.Context) (err error) {
	log, err := eventlog.Open(ctx, eventlog.Config{Dir: filepath.Join(r.dir, "data", "log"), DedupWindow: -1})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var g errgroup.Group
	g.Go(func() error { return log.Committer().Run(ctx) })
	const batch = 5000
	began := time.Now().Add(-time.Duration(r.n) * time.Millisecond)
	for from := 0; from < r.n && err == nil; from += batch {
		recs := make([]eventlog.Record, min(batch, r.n-from))
		for i := range recs {
			n := from + i
			ev := event.Event{
				ID: fmt.Sprint(n), Source: "/bench", Type: fmt.Sprintf("kind%d", n*7919%100), Time: began.Add(time.Duration(n) * time.Millisecond),
				Data: fmt.Appendf(nil, `{"ip":"10.0.%d.%d","user":"u%d","port":%d,"ok":%t}`, n/251%16, n%251, n%1000, n%60_000, n%10 != 0),
			}
			recs[i] = eventlog.Record{Kind: eventlog.Event, Tenant: "default", Body: ev.AppendBinary(nil)}
		}
		_, err = log.Committer().Commit(ctx, recs)
	}
	stop()
	return errors.Join(err, g.Wait(), log.Close())
}

func (r *recovery) read(ctx context.Context, _ time.Duration) (rate float64, err error) {
	log, err := eventlog.Open(ctx, eventlog.Config{Dir: filepath.Join(r.dir, "data", "log")})
	if err != nil {
		return 0, err
	}
	began, n := time.Now(), 0
	err = log.Read(ctx, eventlog.Position{}, func(f *eventlog.Frame) error {
		n += len(f.Records)
		return nil
	})
	rate = float64(n) / time.Since(began).Seconds()
	return rate, errors.Join(err, log.Close())
}

// replay recovers from the whole log. What opening costs without a log to replay is
// that of starting from the snapshot.
func (r *recovery) replay(ctx context.Context, _ time.Duration) (float64, error) {
	runtime.GC()
	stop := watchHeap()
	h, took, err := r.open(ctx, true)
	r.peak = stop()
	if err != nil {
		return 0, err
	}
	return float64(r.n) / took.Seconds(), h.Close()
}

func (r *recovery) fromSnapshot(ctx context.Context, _ time.Duration) (float64, error) {
	h, took, err := r.open(ctx, false)
	if err != nil {
		return 0, err
	}
	return float64(took) / float64(time.Millisecond), h.Close()
}

// watchHeap looks at the heap until it is stopped, which gives the most it saw: what
// is in use and what the collector has not freed yet.
func watchHeap() (stop func() float64) {
	quit, done, peak := make(chan struct{}), make(chan struct{}), uint64(0)
	look := func() {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		peak = max(peak, s[0].Value.Uint64())
	}
	go func() {
		defer close(done)
		for {
			look()
			select {
			case <-quit:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func() float64 {
		close(quit)
		<-done
		look()
		return float64(peak)
	}
}

func writeApp(dir string, files map[string]string) error {
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// parked is a host whose executions all wait until tomorrow.
type parked struct {
	recovery
	heap float64 // of a host that has none
}

func parkedMeasures(dir string, n int) []measure {
	p := &parked{recovery: recovery{dir: dir, n: n}}
	name := func(what string) string { return fmt.Sprintf("%s executions parked: %s", number(float64(n)), what) }
	return []measure{
		{name: name("parked"), unit: "/s", fn: p.park, once: true},
		{name: name("start from the snapshot"), unit: "ms", fn: p.start(false)},
		{name: name("start from the whole log"), unit: "ms", fn: p.start(true)},
		{name: name("heap of each"), unit: "B", fn: func(context.Context, time.Duration) (float64, error) { return p.rate, nil }},
	}
}

// park starts executions whose first step asks to be tried again tomorrow.
func (p *parked) park(ctx context.Context, _ time.Duration) (float64, error) {
	err := writeApp(p.app(), map[string]string{
		"rules/r.yaml":     "rule: park\nwhen: type == \"park\"\ndo: [{run: wait, with: {user: '${event.data.user}'}, retry: {max: 3, backoff: 24h, jitter: none}}]\n",
		"plugins/wait.lua": "function invoke() rhost.retry(\"tomorrow\") end\n",
	})
	if err != nil {
		return 0, err
	}
	h, _, err := p.open(ctx, false)
	if err != nil {
		return 0, err
	}
	p.heap = heapInUse()
	if err := run(ctx, h, nil); err != nil {
		return 0, err
	}
	if err := p.fill(ctx); err != nil {
		return 0, err
	}
	began := time.Now()
	if h, _, err = p.open(ctx, false); err != nil {
		return 0, err
	}
	err = run(ctx, h, func(h *host.Host) bool { return h.Summary().Counts.Actions >= uint64(p.n) })
	return float64(p.n) / time.Since(began).Seconds(), err
}

func (p *parked) fill(ctx context.Context) error {
	log, err := eventlog.Open(ctx, eventlog.Config{Dir: filepath.Join(p.dir, "data", "log"), DedupWindow: -1})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var g errgroup.Group
	g.Go(func() error { return log.Committer().Run(ctx) })
	for from := 0; from < p.n && err == nil; from += 1000 {
		recs := make([]eventlog.Record, min(1000, p.n-from))
		for i := range recs {
			ev := event.Event{ID: fmt.Sprint(from + i), Source: "/bench", Type: "park", Time: time.Now(), Data: fmt.Appendf(nil, `{"user":"u%d","ip":"203.0.113.77","host":"web-17"}`, i)}
			recs[i] = eventlog.Record{Kind: eventlog.Event, Tenant: "default", Body: ev.AppendBinary(nil)}
		}
		_, err = log.Committer().Commit(ctx, recs)
	}
	stop()
	return errors.Join(err, g.Wait(), log.Close())
}

func heapInUse() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func (p *parked) start(whole bool) func(context.Context, time.Duration) (float64, error) {
	return func(ctx context.Context, _ time.Duration) (float64, error) {
		h, took, err := p.open(ctx, whole)
		if err != nil {
			return 0, err
		}
		p.rate = (heapInUse() - p.heap) / float64(p.n)
		return float64(took) / float64(time.Millisecond), h.Close()
	}
}
