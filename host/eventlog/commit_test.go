package eventlog_test

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

// TestLostAnswers has a log whose answers mostly come too late. Whatever is
// answered holds; what is not is stored once or not at all; and the log goes on.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{time.Microsecond, 100 * time.Microsecond, 300 * time.Microsecond} {
		t.Run(timeout.String(), func(t *testing.T) { lostAnswers(t, timeout) })
	}
}

func lostAnswers(t *testing.T, timeout time.Duration) {
	t.Helper()
	c := eventlog.Config{Dir: t.TempDir(), AckTimeout: timeout}
	l, stop := open(t, c)
	var mu sync.Mutex
	acked := map[uint64]bool{}
	var g errgroup.Group
	for w := range uint64(4) {
		g.Go(func() error {
			for i := range uint64(40) {
				n := w<<32 | i
				_, err := l.Committer().Commit(context.Background(), numbered(n))
				if err != nil && !errors.Is(err, eventlog.ErrUncertain) {
					return err
				}
				mu.Lock()
				acked[n] = err == nil
				mu.Unlock()
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
	stop()
	c.AckTimeout = 0
	l, _ = open(t, c)
	commit(t, l, numbered(1<<40)...)
	stored := map[uint64]int{}
	for i, r := range all(t, l) {
		require.Equal(t, uint64(i+1), r.LaneSeq)
		stored[binary.BigEndian.Uint64(r.Body)]++
	}
	for n, times := range stored {
		assert.Equal(t, 1, times, "%x", n)
	}
	unsure, late := 0, 0
	for n, ok := range acked {
		if ok {
			assert.Equal(t, 1, stored[n], "%x", n)
			continue
		}
		unsure++
		late += stored[n]
	}
	t.Logf("%d acknowledged; %d not, of which %d are stored", len(acked)-unsure, unsure, late)
}

func numbered(n uint64) []eventlog.Record {
	return []eventlog.Record{record("acme", 0, string(binary.BigEndian.AppendUint64(nil, n)))}
}
