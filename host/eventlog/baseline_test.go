package eventlog

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// BenchmarkOneEventPerMessage is what the log would do without frames: 64
// producers, each storing one event as one message, which the engine syncs one
// by one.
func BenchmarkOneEventPerMessage(b *testing.B) {
	const producers = 64
	e, err := StartEngine(b.Context(), EngineConfig{Dir: b.TempDir()})
	require.NoError(b, err)
	defer func() { require.NoError(b, e.Close()) }()
	nc, err := e.connect("bench")
	require.NoError(b, err)
	name, subject := EventStream.NamesOf(0)
	s := &natsStream{name: name, subject: subject, replicas: 1, write: nc, read: nc}
	require.NoError(b, s.Ensure(b.Context()))
	began := time.Now()
	b.ResetTimer()
	var g errgroup.Group
	rounds := b.N/producers + 1
	for range producers {
		g.Go(func() error {
			body := make([]byte, 300)
			for range rounds {
				if _, err := send(b.Context(), nc, &nats.Msg{Subject: subject, Data: body}, false); err != nil {
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
