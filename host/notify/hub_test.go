package notify_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rhost/rhost/host/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func subscribe(t *testing.T, h *notify.Hub, size int, topics ...string) *notify.Subscription {
	t.Helper()
	s, err := h.Subscribe(size, topics...)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func TestMessagesReachTheirTopicInOrder(t *testing.T) {
	h := notify.NewHub()
	ops, both := subscribe(t, h, 8, "ops"), subscribe(t, h, 8, "ops", "dev")
	for i := range 3 {
		h.Publish(notify.Message{Topic: "ops", Match: fmt.Sprint(i)})
	}
	h.Publish(notify.Message{Topic: "dev", Match: "d"})
	h.Publish(notify.Message{Topic: "nobody", Match: "n"})

	for i := range 3 {
		m, lost, err := ops.Next(t.Context())
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprint(i), m.Match)
		assert.Zero(t, lost)
	}
	var got []string
	for range 4 {
		m, _, err := both.Next(t.Context())
		require.NoError(t, err)
		got = append(got, m.Match)
	}
	assert.Equal(t, []string{"0", "1", "2", "d"}, got)
}

func TestASlowSubscriberLosesTheOldestAndIsTold(t *testing.T) {
	h := notify.NewHub()
	slow := subscribe(t, h, 2, "ops")
	for i := range 5 {
		h.Publish(notify.Message{Topic: "ops", Match: fmt.Sprint(i)})
	}
	m, lost, err := slow.Next(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "3", m.Match)
	assert.Equal(t, 3, lost)
	m, lost, err = slow.Next(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "4", m.Match)
	assert.Zero(t, lost)
}

func TestNextEndsWithItsContextAndWithTheHub(t *testing.T) {
	h := notify.NewHub()
	s := subscribe(t, h, 2, "ops")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, _, err := s.Next(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	h.Publish(notify.Message{Topic: "ops"})
	h.Close()
	h.Close()
	_, _, err = s.Next(t.Context())
	require.NoError(t, err, "what was published before the end is still read")
	_, _, err = s.Next(t.Context())
	require.ErrorIs(t, err, notify.ErrClosed)
	_, err = h.Subscribe(1, "ops")
	require.ErrorIs(t, err, notify.ErrClosed)
}

func TestWantedFollowsSubscriptions(t *testing.T) {
	h := notify.NewHub()
	assert.False(t, h.Wanted("ops"))
	s := subscribe(t, h, 1, "ops")
	assert.True(t, h.Wanted("ops"))
	s.Close()
	assert.False(t, h.Wanted("ops"))
}

func TestHubUnderHammer(t *testing.T) {
	h := notify.NewHub()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 500 {
				h.Publish(notify.Message{Topic: "ops", Match: fmt.Sprint(i)})
			}
		})
		wg.Go(func() {
			s, err := h.Subscribe(16, "ops")
			if err != nil {
				return // the hub was closed first
			}
			defer s.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			for {
				if _, _, err := s.Next(ctx); err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	h.Close()
}
