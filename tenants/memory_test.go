package tenants_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/tenants"
)

const mib = 1 << 20

func name(t require.TestingT, s string) tenants.Name {
	n, err := tenants.ParseName(s)
	require.NoError(t, err)
	return n
}

func TestMemory(t *testing.T) {
	a, b := name(t, "a"), name(t, "b")
	m := tenants.NewMemory(200*mib, 150*mib)
	need := tenants.Need{Instances: 4, Memory: 16 * mib, Stack: 4 * mib, Image: 2 * mib, Code: 8 * mib}
	first, err := m.Reserve(a, "p", need)
	require.NoError(t, err)
	assert.EqualValues(t, 90*mib, m.Reserved(a, "p"))

	next := need
	next.Code = 18 * mib
	second, err := m.Reserve(a, "p", next)
	require.NoError(t, err)
	assert.EqualValues(t, 110*mib, m.Of(a), "the second version shares the instances of the first")
	assert.Equal(t, []tenants.Need{need, next}, m.Needs(a, "p"))

	_, err = m.Reserve(a, "q", need)
	require.EqualError(t, err, "plugin q needs 4 × (16 MiB + 4 MiB) + 2 MiB + 8 MiB = 90 MiB; 40 MiB of 150 MiB are left")
	var short *tenants.Shortage
	require.ErrorAs(t, err, &short)
	assert.Equal(t, tenants.LimitTenant, short.Limit)

	_, err = m.Reserve(b, "p", tenants.Need{Instances: 2, Memory: 46 * mib})
	require.EqualError(t, err, "plugin p needs 2 × 46 MiB = 92 MiB; 90 MiB of 200 MiB are left", "of the other tenant nothing is said")
	require.ErrorAs(t, err, &short)
	assert.Equal(t, tenants.LimitHost, short.Limit)

	next.Memory = 32 * mib
	_, err = m.Reserve(a, "p", next)
	require.EqualError(t, err, "plugin p needs 4 × (32 MiB + 4 MiB) + 2 MiB + 18 MiB = 164 MiB, 84 MiB of them beside the version that is there; 40 MiB of 150 MiB are left")

	m.Release(a, "p", first)
	assert.EqualValues(t, 100*mib, m.Total())
	m.Release(a, "p", first)
	assert.EqualValues(t, 100*mib, m.Total(), "a second release gives nothing back")
	m.Release(a, "p", second)
	assert.Zero(t, m.Total())
	assert.Zero(t, m.Of(a))
	assert.Nil(t, m.Needs(a, "p"))
}

// TestMemoryAddsUp: whatever is reserved and released, no limit is exceeded, the sums
// are those of the parts, and in the end nothing is left.
func TestMemoryAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := tenants.NewMemory(1000, 600)
		names := []tenants.Name{name(t, "a"), name(t, "b"), name(t, "c")}
		type held struct {
			tenant tenants.Name
			plugin string
			hold   tenants.Hold
		}
		var all []held
		size := rapid.Int64Range(0, 60)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(all) > 0 && rapid.IntRange(0, 2).Draw(t, "release") == 0 {
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				m.Release(all[i].tenant, all[i].plugin, all[i].hold)
				all = append(all[:i], all[i+1:]...)
				continue
			}
			h := held{rapid.SampledFrom(names).Draw(t, "tenant"), rapid.SampledFrom([]string{"p", "q"}).Draw(t, "plugin"), 0}
			n := tenants.Need{
				Instances: rapid.IntRange(1, 8).Draw(t, "instances"), Memory: size.Draw(t, "memory"), Stack: size.Draw(t, "stack"),
				Image: size.Draw(t, "image"), Code: size.Draw(t, "code"),
			}
			before, reserved := m.Total(), m.Reserved(h.tenant, h.plugin)
			var err error
			if h.hold, err = m.Reserve(h.tenant, h.plugin, n); err != nil {
				require.Equal(t, before, m.Total(), "a refusal reserves nothing")
				continue
			}
			require.LessOrEqual(t, m.Reserved(h.tenant, h.plugin), reserved+n.Total(), "a version never takes more than it needs by itself")
			all = append(all, h)
		}
		var sum int64
		for _, n := range names {
			require.LessOrEqual(t, m.Of(n), int64(600))
			require.Equal(t, m.Of(n), m.Reserved(n, "p")+m.Reserved(n, "q"))
			sum += m.Of(n)
		}
		require.Equal(t, sum, m.Total())
		require.LessOrEqual(t, sum, int64(1000))
		for _, h := range all {
			m.Release(h.tenant, h.plugin, h.hold)
		}
		require.Zero(t, m.Total())
	})
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1023: "1023 bytes", 1024: "1 KiB", 1536: "1.5 KiB", 6_400_000: "6.1 MiB", 120 * mib: "120 MiB",
		1023 * mib: "1023 MiB", 2 << 30: "2 GiB", 100_000 << 30: "97.7 TiB",
	} {
		assert.Equal(t, want, tenants.Size(n), "%d", n)
	}
}
