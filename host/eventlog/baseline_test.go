package eventlog

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// BenchmarkOneEventPerMessage is what the log would do without frames: 64
// producers, each storing one event as one message, which the engine syncs one
// by one.
func BenchmarkOneEventPerMessage(b *testing.B) {
	const producers = 64
	e, err := startEngine(b.Context(), b.TempDir(), slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	defer e.stop()
	nc, err := e.connect("bench")
	require.NoError(b, err)
	s := &stream{name: eventStream, subject: eventSubject, write: nc, read: nc, timeout: time.Minute}
	require.NoError(b, s.ensure(b.Context()))
	began := time.Now()
	b.ResetTimer()
	var g errgroup.Group
	rounds := b.N/producers + 1
	for range producers {
		g.Go(func() error {
			body := make([]byte, 300)
			for range rounds {
				if _, err := s.send(s.subject, nil, body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(b, g.Wait())
	b.ReportMetric(float64(rounds*producers)/time.Since(began).Seconds(), "events/s")
	b.ReportMetric(0, "ns/op")
}
