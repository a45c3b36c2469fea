package tenants_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/tenants"
)

// Whatever comes, goes, and is kept and read back, a ledger says what a count of
// the frames that are left says.
func TestLedgerAgreesWithACount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &tenants.Ledger{}
		frames := make(map[uint64][]tenants.Charge)
		first, last := uint64(1), uint64(0)
		count := func(from, to uint64) (list []tenants.Charge) {
			sums := make(map[string]int64)
			for f := from; f <= to; f++ {
				for _, c := range frames[f] {
					sums[c.Tenant] += c.Bytes
				}
			}
			for tenant, n := range sums {
				list = append(list, tenants.Charge{Tenant: tenant, Bytes: n})
			}
			return list
		}
		grow := func() {
			last++
			for _, tenant := range []string{"a", "b"} {
				if n := rapid.Int64Range(-1<<20, 2<<20).Draw(t, "bytes"); n > 0 {
					frames[last] = append(frames[last], tenants.Charge{Tenant: tenant, Bytes: n})
				}
			}
			l.Add(last, frames[last])
			l.Add(last, frames[last]) // told twice, counted once
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1, 2:
				grow()
			case 3:
				first = rapid.Uint64Range(first, last+1).Draw(t, "first")
				for done := false; !done; {
					from, to, again := l.Trim(first)
					if !again {
						break
					}
					for range rapid.IntRange(0, 3).Draw(t, "meanwhile") {
						grow()
					}
					done = l.Recount(from, to, count(from, to))
				}
			case 4:
				l = tenants.NewLedger(l.Segments())
			}
		}
		held := make(map[string]int64)
		for _, c := range count(first, last) {
			held[c.Tenant] = c.Bytes
		}
		assert.Equal(t, held["a"], l.Held("a"))
		assert.Equal(t, held["b"], l.Held("b"))
		assert.Equal(t, last, l.Upto())
	})
}

// However large a log is, its ledger is small, and what is counted again with a cut
// is a small part of it.
func TestLedgerStaysSmall(t *testing.T) {
	l := &tenants.Ledger{}
	const frames = 100_000
	for f := uint64(1); f <= frames; f++ {
		l.Add(f, []tenants.Charge{{Tenant: "a", Bytes: 1 << 20}})
	}
	_, parts := l.Segments()
	assert.LessOrEqual(t, len(parts), 4096)
	from, to, again := l.Trim(frames/2 + 7)
	require.True(t, again)
	assert.Less(t, to-from, uint64(frames/1000))
	assert.True(t, l.Recount(from, to, []tenants.Charge{{Tenant: "a", Bytes: int64(to-from+1) << 20}}))
	assert.Equal(t, int64(frames/2-6)<<20, l.Held("a"))
}

// Segments that are joined while the first is counted again have it counted anew.
func TestLedgerJoinsWhileItIsCountedAgain(t *testing.T) {
	l := &tenants.Ledger{}
	add := func(frames int) {
		for range frames {
			l.Add(l.Upto()+1, []tenants.Charge{{Tenant: "a", Bytes: 1 << 20}})
		}
	}
	add(3)
	l = tenants.NewLedger(3, []tenants.Segment{{First: 1, Charges: []tenants.Charge{{Tenant: "a", Bytes: 3 << 20}}}})
	from, to, again := l.Trim(2)
	require.True(t, again)
	add(8000)
	assert.False(t, l.Recount(from, to, []tenants.Charge{{Tenant: "a", Bytes: 2 << 20}}))
	from, to, again = l.Trim(2)
	require.True(t, again)
	require.True(t, l.Recount(from, to, []tenants.Charge{{Tenant: "a", Bytes: int64(to-from+1) << 20}}))
	assert.Equal(t, int64(8002)<<20, l.Held("a"))
}

// What was captured does not change with the ledger, nor the ledger with what is
// made of the capture.
func TestLedgerSegmentsAreACopy(t *testing.T) {
	l := &tenants.Ledger{}
	one := []tenants.Charge{{Tenant: "a", Bytes: 1}}
	l.Add(1, one)
	upto, parts := l.Segments()
	l.Add(2, one)
	other := tenants.NewLedger(upto, parts)
	other.Add(2, []tenants.Charge{{Tenant: "a", Bytes: 10}})
	assert.Equal(t, int64(2), l.Held("a"))
	assert.Equal(t, int64(11), other.Held("a"))
	assert.Equal(t, int64(1), parts[0].Charges[0].Bytes)
}

func TestFull(t *testing.T) {
	f := tenants.Full{Tenant: "t", Quota: "events.held", Limit: 1 << 20, Used: 1 << 20, More: 12, Fix: "do this"}
	assert.EqualError(t, &f, "tenant t: quota events.held of 1 MiB is reached: 1 MiB are held, and 12 bytes more do not fit; do this")
	f = tenants.Full{Tenant: "t", Quota: "events.rate", Limit: 1 << 20, Rate: true, RetryAfter: 250 * time.Millisecond, Fix: "do this"}
	assert.EqualError(t, &f, "tenant t: quota events.rate of 1 MiB/s is reached; try again in 250ms; do this")
}

func TestBucketBurst(t *testing.T) {
	b := tenants.NewBurst(10, 50)
	wait, ok := b.Take(epoch, 50)
	assert.True(t, ok, "%v", wait)
	wait, ok = b.Take(epoch, 1)
	assert.False(t, ok)
	assert.Equal(t, 100*time.Millisecond, wait)
	b.Refund(20)
	_, ok = b.Take(epoch, 20)
	assert.True(t, ok)
	b = tenants.NewBurst(10, 0)
	_, ok = b.Take(epoch, 10)
	assert.True(t, ok, "a second's worth where nothing else is said")
	_, ok = b.Take(epoch, 1)
	assert.False(t, ok)
	unlimited := tenants.NewBurst(0, 5)
	_, ok = unlimited.Take(epoch, 1<<40)
	assert.True(t, ok)
}
