package tenants_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/tenants"
)

func refusal(t *testing.T, err error) tenants.Refusal {
	t.Helper()
	var r *tenants.Refusal
	require.ErrorAs(t, err, &r)
	return *r
}

func TestQuotaValidate(t *testing.T) {
	require.NoError(t, tenants.Quota{}.Validate())
	assert.EqualError(t, tenants.Quota{EventsPerSecond: -1, RunningActions: -2}.Validate(),
		"events_per_second: -1 is below 0; leave it out for no limit\nrunning_actions: -2 is below 0; leave it out for no limit")
}

func TestAdmit(t *testing.T) {
	b := tenants.NewBudget(tenants.Quota{EventsPerSecond: 100, BytesPerSecond: 1000})
	require.NoError(t, b.Admit(epoch, 50, 900))
	err := b.Admit(epoch, 10, 200)
	assert.Equal(t, tenants.Refusal{Limit: "bytes_per_second", Quota: 1000, RetryAfter: 100 * time.Millisecond}, refusal(t, err))
	assert.EqualError(t, err, "limit bytes_per_second of 1000 is reached; try again in 100ms")
	require.NoError(t, b.Admit(epoch, 50, 100), "a refused batch used none of the events")
	assert.Equal(t, tenants.Refusal{Limit: "events_per_second", Quota: 100, RetryAfter: 10 * time.Millisecond}, refusal(t, b.Admit(epoch, 1, 0)))
	assert.Equal(t, tenants.Usage{Events: 100, Bytes: 1000, Refused: 2}, b.Usage())
}

func TestActions(t *testing.T) {
	b := tenants.NewBudget(tenants.Quota{QueuedActions: 2, RunningActions: 1, FuelPerSecond: 1000})
	require.NoError(t, b.Queue())
	require.NoError(t, b.Queue())
	assert.Equal(t, tenants.Refusal{Limit: "queued_actions", Quota: 2}, refusal(t, b.Queue()))
	assert.EqualError(t, b.Queue(), "limit queued_actions of 2 is reached")

	require.NoError(t, b.Start(epoch))
	assert.Equal(t, tenants.Refusal{Limit: "running_actions", Quota: 1}, refusal(t, b.Start(epoch)))
	b.Finish(epoch, 3000)
	assert.Equal(t, tenants.Refusal{Limit: "fuel_per_second", Quota: 1000, RetryAfter: 2001 * time.Millisecond}, refusal(t, b.Start(epoch)),
		"the debt of the last call comes first")
	assert.Equal(t, tenants.Usage{Fuel: 3000, Actions: 1, Refused: 4, Queued: 1}, b.Usage())
	require.NoError(t, b.Start(epoch.Add(2001*time.Millisecond)))
	b.Finish(epoch, 0)

	require.NoError(t, b.Queue())
	b.Forget()
	assert.Equal(t, 0, b.Usage().Queued)
	assert.Panics(t, b.Forget)
	assert.Panics(t, func() { b.Finish(epoch, 0) })
	assert.Panics(t, func() { _ = b.Start(epoch) })
}

func TestSetQuota(t *testing.T) {
	b := tenants.NewBudget(tenants.Quota{})
	for range 3 {
		require.NoError(t, b.Queue())
	}
	b.SetQuota(tenants.Quota{QueuedActions: 1})
	assert.Equal(t, 3, b.Usage().Queued, "what waits is let be")
	require.Error(t, b.Queue())
	assert.Equal(t, tenants.Quota{QueuedActions: 1}, b.Quota())
}

// Counts never leave their limits, whatever is called.
func TestCountsStayWithinLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := tenants.Quota{QueuedActions: rapid.IntRange(1, 4).Draw(t, "queued"), RunningActions: rapid.IntRange(1, 4).Draw(t, "running")}
		b := tenants.NewBudget(q)
		queued, running := 0, 0
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				if b.Queue() == nil {
					queued++
				}
			case 1:
				if queued > 0 && b.Start(epoch) == nil {
					queued--
					running++
				}
			case 2:
				if running > 0 {
					b.Finish(epoch, 1)
					running--
				}
			case 3:
				if queued > 0 {
					b.Forget()
					queued--
				}
			}
			u := b.Usage()
			assert.Equal(t, [2]int{queued, running}, [2]int{u.Queued, u.Running})
			assert.LessOrEqual(t, u.Queued, q.QueuedActions)
			assert.LessOrEqual(t, u.Running, q.RunningActions)
		}
	})
}
