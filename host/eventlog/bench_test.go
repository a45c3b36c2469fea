package eventlog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

const eventSize = 300

// BenchmarkIngest is the durable ingest rate: producers that each wait for
// their commit to be on disk before they bring the next.
func BenchmarkIngest(b *testing.B) {
	for _, tt := range []struct {
		producers, batch int
		keyed            bool // with DedupKeys, all different
	}{{1, 1, false}, {64, 1, false}, {4096, 1, false}, {64, 100, false}, {64, 100, true}, {4, 1000, false}} {
		b.Run(fmt.Sprintf("producers=%d/batch=%d/keyed=%v", tt.producers, tt.batch, tt.keyed), func(b *testing.B) {
			l, _ := open(b, eventlog.Config{Dir: b.TempDir()})
			b.SetBytes(eventSize)
			began := time.Now()
			b.ResetTimer()
			var g errgroup.Group
			rounds := b.N/tt.batch/tt.producers + 1
			for p := range tt.producers {
				recs := batch(tt.batch)
				g.Go(func() error {
					for n := range rounds {
						if tt.keyed {
							setKeys(recs, p, n)
						}
						if _, err := l.Committer().Commit(context.Background(), recs); err != nil {
							return err
						}
					}
					return nil
				})
			}
			require.NoError(b, g.Wait())
			b.StopTimer()
			report(b, l, float64(rounds*tt.batch*tt.producers)/time.Since(began).Seconds())
		})
	}
}

func batch(n int) []eventlog.Record {
	body := make([]byte, eventSize)
	for i := range body {
		body[i] = byte('a' + i%26)
	}
	recs := make([]eventlog.Record, n)
	for i := range recs {
		recs[i] = record("acme", 0, string(body))
	}
	return recs
}

func setKeys(recs []eventlog.Record, producer, round int) {
	for i := range recs {
		recs[i].Dedup = eventlog.DedupKeyOf("acme", "bench", fmt.Sprintf("%d-%d-%d", producer, round, i))
	}
}

func report(b *testing.B, l *eventlog.Log, rate float64) {
	b.Helper()
	s := l.Stats()
	b.ReportMetric(rate, "events/s")
	b.ReportMetric(float64(s.Records)/float64(max(s.Frames, 1)), "events/frame")
	b.ReportMetric(float64(s.Commit.P50.Microseconds()), "ack-p50-µs")
	b.ReportMetric(float64(s.Commit.P99.Microseconds()), "ack-p99-µs")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAckAt100k is the time from Commit to its answer at 100,000 events a
// second, brought in ticks of 2 ms by two hundred commits of one event each.
func BenchmarkAckAt100k(b *testing.B) {
	const rate, tick = 100_000, 2 * time.Millisecond
	l, _ := open(b, eventlog.Config{Dir: b.TempDir()})
	recs := batch(1)
	per := int(rate * tick / time.Second)
	work := make(chan time.Time, per*8)
	var mu sync.Mutex
	var lat []time.Duration
	var g errgroup.Group
	for range 1024 {
		g.Go(func() error {
			var mine []time.Duration
			for at := range work {
				if _, err := l.Committer().Commit(context.Background(), recs); err != nil {
					return err
				}
				mine = append(mine, time.Since(at))
			}
			mu.Lock()
			defer mu.Unlock()
			lat = append(lat, mine...)
			return nil
		})
	}
	n := max(b.N, rate/2)
	began := time.Now()
	b.ResetTimer()
	for sent := 0; sent < n; {
		for due := int(time.Since(began).Seconds() * rate); sent < min(due, n); sent++ {
			work <- time.Now()
		}
		time.Sleep(50 * time.Microsecond)
	}
	close(work)
	require.NoError(b, g.Wait())
	b.StopTimer()
	took := time.Since(began)
	slices.Sort(lat)
	report(b, l, float64(n)/took.Seconds())
	b.ReportMetric(float64(lat[len(lat)/2].Microseconds()), "ack-p50-µs")
	b.ReportMetric(float64(lat[len(lat)*99/100].Microseconds()), "ack-p99-µs")
}

// BenchmarkFileAppend is the physical limit: plain appends of one frame's size
// to a file, each synced.
func BenchmarkFileAppend(b *testing.B) {
	for _, size := range []int{eventSize, 300_000, 1_000_000} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "file"))
			require.NoError(b, err)
			defer func() { require.NoError(b, f.Close()) }()
			buf := make([]byte, size)
			n := max(b.N/(size/eventSize), 1)
			b.SetBytes(eventSize)
			began := time.Now()
			b.ResetTimer()
			for range n {
				_, err := f.Write(buf)
				require.NoError(b, err)
				require.NoError(b, f.Sync())
			}
			b.ReportMetric(float64(n*(size/eventSize))/time.Since(began).Seconds(), "events/s")
			b.ReportMetric(float64(time.Since(began).Microseconds())/float64(n), "µs/write")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkReplay reads a stored log from the start, frames of 512 events.
func BenchmarkReplay(b *testing.B) {
	const events = 1_000_000
	c := eventlog.Config{Dir: b.TempDir()}
	l, stop := open(b, c)
	recs := batch(512)
	for range events/len(recs) + 1 {
		commit(b, l, recs...)
	}
	stop()
	began := time.Now()
	l, _ = open(b, c)
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "open-ms")
	n := 0
	began = time.Now()
	b.ResetTimer()
	for n < b.N {
		require.NoError(b, l.Read(b.Context(), eventlog.Position{}, func(f *eventlog.Frame) error {
			n += len(f.Records)
			return nil
		}))
	}
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "events/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRunAppend is a progress commit of a hundred records of 150 bytes.
func BenchmarkRunAppend(b *testing.B) {
	l, _ := open(b, eventlog.Config{Dir: b.TempDir()})
	recs := make([]eventlog.RunRecord, 100)
	for i := range recs {
		recs[i] = eventlog.RunRecord{Kind: 1, Key: "k", Body: make([]byte, 150)}
	}
	b.ResetTimer()
	for range b.N {
		_, err := l.RunLog().Append(b.Context(), recs)
		require.NoError(b, err)
	}
	s := l.Stats().RunSync
	b.ReportMetric(float64(s.P50.Microseconds()), "p50-µs")
	b.ReportMetric(float64(s.P99.Microseconds()), "p99-µs")
}
