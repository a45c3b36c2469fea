package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

const (
	pacedRate  = 100_000 // events a second for the latency measures
	pacedBatch = 50      // events a commit, at that rate
)

// ingestSuite commits events of 300 bytes to the durable log.
func ingestSuite(ctx context.Context) ([]measure, func() error, error) {
	dir, err := os.MkdirTemp("", "rhost-bench-")
	if err != nil {
		return nil, nil, err
	}
	log, err := eventlog.Open(ctx, eventlog.Config{Dir: filepath.Join(dir, "log")})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	run, stop := context.WithCancel(ctx)
	committed := make(chan error, 1)
	go func() { committed <- log.Committer().Run(run) }()
	done := func() error {
		stop()
		return errors.Join(<-committed, log.Close(), os.RemoveAll(dir))
	}
	record := eventlog.Record{Kind: eventlog.Event, Tenant: "default", Body: sampleEvent().AppendBinary(nil)}
	c := log.Committer()
	ingest := func(producers, batch int) func(context.Context, time.Duration) (float64, error) {
		return func(ctx context.Context, d time.Duration) (float64, error) {
			return ingestRate(ctx, c, record, producers, batch, d)
		}
	}
	var lat latency
	return []measure{
		{name: "batches of 500 from 8 producers", unit: "events/s", base: "append + fsync of the same bytes to a file", fn: ingest(8, 500)},
		{name: "single events from 4,096 producers", unit: "events/s", base: "one event a message", fn: ingest(4096, 1)},
		{name: "batches of 500 as atomic batches, a message an event", unit: "events/s", fn: func(ctx context.Context, d time.Duration) (float64, error) {
			return batchRate(ctx, record.Body, d)
		}},
		{name: "one event a message", unit: "events/s", fn: ingest(1, 1)},
		{name: "append + fsync of the same bytes to a file", unit: "events/s", fn: func(_ context.Context, d time.Duration) (float64, error) {
			return fileAppend(dir, len(record.Body), d)
		}},
		{name: "ack p50 at 100,000 events/s", unit: "ms", fn: func(ctx context.Context, d time.Duration) (float64, error) {
			var err error
			lat, err = ackLatency(ctx, c, record, d)
			return lat.p50, err
		}},
		{name: "ack p99 at 100,000 events/s", unit: "ms", fn: func(context.Context, time.Duration) (float64, error) { return lat.p99, nil }},
	}, done, nil
}

// sampleEvent is about 300 bytes as JSON.
func sampleEvent() *event.Event {
	return &event.Event{
		ID: "0192f1c4-7a3e-7c11-b0a7-5f3d9c1e2a44", Source: "/bench/hosts/web-17", Type: "auth.failure",
		Time: time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC),
		Data: []byte(`{"user":"postgres","ip":"203.0.113.77","port":33031,"host":"web-17","method":"password","session":"c81f0a6e","geo":{"country":"NL","asn":64496},"tags":["ssh","external"]}`),
	}
}

func ingestRate(ctx context.Context, c *eventlog.Committer, r eventlog.Record, producers, batch int, d time.Duration) (float64, error) {
	recs := slices.Repeat([]eventlog.Record{r}, batch)
	counts := make([]int, producers)
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for p := range producers {
		g.Go(func() error {
			for time.Since(start) < d {
				if _, err := c.Commit(ctx, slices.Clone(recs)); err != nil {
					return err
				}
				counts[p] += batch
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(start).Seconds(), nil
}

// batchRate stores events as JetStream's atomic batches of 500 messages.
func batchRate(ctx context.Context, body []byte, d time.Duration) (perSecond float64, err error) {
	const size = 500
	dir, err := os.MkdirTemp("", "rhost-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := eventlogtest.StartBatches(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	records := slices.Repeat([][]byte{body}, size)
	perSecond, err = rate(d, func() error { return b.Commit(ctx, records) })
	return perSecond * size, err
}

// latency holds percentiles in milliseconds.
type latency struct{ p50, p99 float64 }

// ackLatency commits at a steady rate, whatever the answers take, and measures
// from when a batch was due.
func ackLatency(ctx context.Context, c *eventlog.Committer, r eventlog.Record, d time.Duration) (latency, error) {
	recs := slices.Repeat([]eventlog.Record{r}, pacedBatch)
	interval := time.Second * pacedBatch / pacedRate
	n := int(d / interval)
	took := make([]time.Duration, n)
	var mu sync.Mutex
	var failed error
	var wg sync.WaitGroup
	start := time.Now()
	for i := range n {
		due := start.Add(time.Duration(i) * interval)
		time.Sleep(time.Until(due))
		wg.Go(func() {
			if _, err := c.Commit(ctx, slices.Clone(recs)); err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
			took[i] = time.Since(due)
		})
	}
	wg.Wait()
	return percentiles(took), failed
}

func percentiles(took []time.Duration) latency {
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[int(q*float64(len(took)-1))]) / float64(time.Millisecond)
	}
	return latency{at(0.5), at(0.99)}
}

// fileAppend writes frames of a megabyte to a plain file, each followed by an
// fsync: what the disk can do when nothing else is in the way.
func fileAppend(dir string, size int, d time.Duration) (float64, error) {
	f, err := os.CreateTemp(dir, "append-")
	if err != nil {
		return 0, err
	}
	const frame = 1_000_000
	buf := make([]byte, frame)
	bytes := 0
	start := time.Now()
	for time.Since(start) < d {
		n, err := f.Write(buf)
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			return 0, errors.Join(fmt.Errorf("append: %w", err), f.Close())
		}
		bytes += n
	}
	rate := float64(bytes) / float64(size) / time.Since(start).Seconds()
	return rate, errors.Join(f.Close(), os.Remove(f.Name()))
}
