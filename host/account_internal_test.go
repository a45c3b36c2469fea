package host

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
)

// BenchmarkAdmission accepts batches of 500 events of 300 bytes from 8 producers, on
// disk before each is answered, without an account and with one that has quotas.
func BenchmarkAdmission(b *testing.B) {
	for _, counted := range []bool{false, true} {
		b.Run(fmt.Sprintf("account=%v", counted), func(b *testing.B) {
			c := eventlog.Config{Dir: filepath.Join(b.TempDir(), "log")}
			admit := &admission{tenant: "default", now: time.Now}
			if counted {
				admit.account = newAccount(time.Now)
				admit.account.allow("default", QuotaConfig{Events: EventQuota{Rate: 1 << 50, Held: 1 << 50}})
				c.Meter = admit.account
			}
			log, err := eventlog.Open(b.Context(), c)
			require.NoError(b, err)
			admit.log = log
			if counted {
				require.NoError(b, admit.account.catchUp(b.Context(), log))
			}
			ctx, stop := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- log.Committer().Run(ctx) }()
			const producers, batch = 8, 500
			payload := make([]byte, 200)
			b.ResetTimer()
			var g errgroup.Group
			for p := range producers {
				g.Go(func() error {
					for i := p; i < b.N; i += producers {
						events := make([]event.Event, batch)
						for k := range events {
							events[k] = event.Event{ID: fmt.Sprint(i, k), Source: "/bench/hosts/web-17", Type: "auth.failure", Time: testDay, Data: payload}
						}
						if err := admit.accept(ctx, events); err != nil {
							return err
						}
					}
					return nil
				})
			}
			require.NoError(b, g.Wait())
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "events/s")
			stop()
			require.NoError(b, <-ended)
			require.NoError(b, log.Close())
		})
	}
}

// BenchmarkAccount is what the account itself does for a frame of 3,000 events that
// came in six commits.
func BenchmarkAccount(b *testing.B) {
	a := newAccount(time.Now)
	a.allow("default", QuotaConfig{Events: EventQuota{Rate: 1 << 50, Held: 1 << 60}})
	require.NoError(b, a.pace("default", 1))
	a.complete = true
	frame := uint64(0)
	for b.Loop() {
		for range 6 {
			if a.pace("default", 150_000) != nil || a.Take("default", 150_000, false) != nil {
				b.Fatal("refused")
			}
		}
		frame++
		a.Stored(frame, []eventlog.Charge{{Tenant: "default", Bytes: 900_000}})
	}
}
