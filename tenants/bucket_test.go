package tenants_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/tenants"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestBucket(t *testing.T) {
	type take struct {
		at   time.Duration
		n    int64
		wait time.Duration // 0: given
	}
	for _, c := range []struct {
		name  string
		rate  int64
		takes []take
	}{
		{"no limit", 0, []take{{0, math.MaxInt64, 0}, {0, math.MaxInt64, 0}}},
		{"a second's worth at once", 10, []take{{0, 10, 0}, {0, 1, 100 * time.Millisecond}, {99 * time.Millisecond, 1, time.Millisecond}, {100 * time.Millisecond, 1, 0}}},
		{"nothing is free", 10, []take{{0, 10, 0}, {0, 0, 0}, {0, -5, 0}, {0, 1, 100 * time.Millisecond}}},
		{"no more than full", 10, []take{{time.Hour, 10, 0}, {time.Hour, 1, 100 * time.Millisecond}}},
		{"a refusal takes nothing", 10, []take{{0, 6, 0}, {0, 5, 100 * time.Millisecond}, {0, 4, 0}}},
		{"more than a full one holds", 10, []take{{0, 30, 0}, {0, 1, 2100 * time.Millisecond}, {2 * time.Second, 1, 100 * time.Millisecond}, {3 * time.Second, 10, 0}}},
		{"more waits until it is full", 10, []take{{0, 1, 0}, {0, 30, 100 * time.Millisecond}, {100 * time.Millisecond, 30, 0}}},
		{"time goes back", 10, []take{{time.Second, 10, 0}, {0, 1, 1100 * time.Millisecond}, {time.Second, 1, 100 * time.Millisecond}}},
		{"slow", 1, []take{{0, 1, 0}, {0, 1, time.Second}, {time.Second - 1, 1, 1}, {time.Second, 1, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := tenants.NewBucket(c.rate)
			for i, tk := range c.takes {
				wait, ok := b.Take(epoch.Add(tk.at), tk.n)
				assert.Equal(t, tk.wait, wait, "take %d", i)
				assert.Equal(t, tk.wait == 0, ok, "take %d", i)
			}
		})
	}
}

func TestBucketCharge(t *testing.T) {
	b := tenants.NewBucket(100)
	b.Charge(epoch, 350)
	assert.Equal(t, 2510*time.Millisecond, b.Wait(epoch, 1), "the debt comes first")
	assert.Equal(t, 3500*time.Millisecond, b.Wait(epoch, 1000), "a large item waits until all is there")
	assert.Zero(t, b.Wait(epoch.Add(2510*time.Millisecond), 1))
}

func TestBucketSetRate(t *testing.T) {
	b := tenants.NewBucket(10)
	b.Take(epoch, 10)
	b.SetRate(1000)
	assert.Equal(t, time.Millisecond, b.Wait(epoch, 1))
	b.SetRate(0)
	assert.Zero(t, b.Wait(epoch, math.MaxInt64))
}

// Whatever is taken when, no span of time sees more than its rate and one full
// bucket; and whoever waits as long as told is served.
func TestBucketKeepsTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]int64{1, 3, 7, 1000, 999_983, 5_000_000_000}).Draw(t, "rate")
		b := tenants.NewBucket(rate)
		now := epoch
		type taken struct {
			at time.Time
			n  int64
		}
		var all []taken
		for range rapid.IntRange(1, 60).Draw(t, "takes") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "pause")))
			n := rapid.Int64Range(1, rate).Draw(t, "n")
			wait, ok := b.Take(now, n)
			if !ok {
				assert.Positive(t, wait)
				now = now.Add(wait)
				_, ok = b.Take(now, n)
				assert.True(t, ok, "after the wait that was asked for")
			}
			all = append(all, taken{now, n})
		}
		for i := range all {
			sum := int64(0)
			for _, tk := range all[i:] {
				sum += tk.n
				span := tk.at.Sub(all[i].at).Seconds()
				assert.LessOrEqual(t, float64(sum), float64(rate)*(1+span)+1e-6*float64(rate), "%v from %v", span, i)
			}
		}
	})
}
