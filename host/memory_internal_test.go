package host

import (
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// returns is a module whose calls end with that result; its memory has so many pages,
// and may have no more.
func returns(result, pages int32) string {
	m := wasmtest.New()
	m.Memory(uint32(pages), uint32(pages))
	m.Invoke(nil, wasmtest.I32(result))
	return string(m.Bytes())
}

func (l *liveHost) described(name string) (s deploy.Status) {
	l.t.Helper()
	raw, err := l.api().Plugin(l.t.Context(), name)
	require.NoError(l.t, err)
	require.NoError(l.t, json.Unmarshal(raw, &s))
	return s
}

const small = `
limits: {guest_memory: 2MiB}
plugins:
  p: {instances: 2, limits: {memory: 4MiB, stack: 1000}, rollout: {rollback_if: {for: 10ms}}}
`

// TestGuestMemory loads plugins until there is no room. What is refused leaves the
// version before it in force.
func TestGuestMemory(t *testing.T) {
	a := newApp(t, map[string]string{
		"rules/r.yaml": callRule, "rhost.yaml": small, "plugins/p.wasm": returns(0, 2),
	})
	l := a.start()
	before := l.described("p")
	// 2 × (128 KiB + 64,000 bytes) + 128 KiB + code, which is 64 KiB at least.
	assert.InDelta(t, 2*(2<<16+64_000)+2<<16+68<<10, before.Reserved, 4<<10)
	assert.True(t, before.Memory.Warm)
	assert.Equal(t, 2, before.Memory.Most)
	s := l.Summary()
	assert.Equal(t, GuestMemory{Reserved: before.Reserved, Limit: 2 << 20}, s.Memory)
	assert.Equal(t, before.Reserved, s.Plugins[0].Reserved)
	assert.True(t, s.Plugins[0].Warm)

	a.write("plugins/p.wasm", returns(1, 20))
	n := l.noticed("kept", "plugin p needs 2 × (1.25 MiB + 62.5 KiB) + 1.25 MiB + ")
	assert.Regexp(t, `^rhost\.yaml:2:9: limits\.guest_memory: plugin p needs 2 × \(1\.25 MiB \+ 62\.5 KiB\) \+ 1\.25 MiB \+ 6\d\.\d KiB = 3\.9\d MiB, 3\.5\d MiB of them beside the version that is there; `+
		`1\.4\d MiB of 2 MiB are left; lower plugins\.p\.limits\.memory, plugins\.p\.limits\.stack or plugins\.p\.instances, or raise limits\.guest_memory$`, n.Err.Error())
	assert.Equal(t, before.Digest, l.described("p").Digest)

	// Versions share their instances: two of them fit although twice the need of one
	// does not.
	a.write("plugins/p.wasm", returns(2, 5))
	l.noticed("reloaded", "plugin p")
	require.Eventually(t, func() bool { return l.described("p").Rollout == nil }, patience, time.Millisecond)
	one := l.described("p").Reserved
	require.Greater(t, 2*one, int64(2<<20))
	a.write("plugins/p.wasm", returns(3, 5))
	require.Eventually(t, func() bool { return l.described("p").Digest != before.Digest }, patience, time.Millisecond)
	require.Eventually(t, func() bool { d := l.described("p"); return d.Rollout == nil && d.Reserved == one }, patience, time.Millisecond)

	_, err := l.api().PutPlugin(t.Context(), "q", api.Upload{Kind: "lua", Source: []byte("function invoke() end")})
	require.ErrorIs(t, err, api.ErrInvalid)
	require.ErrorContains(t, err, " × 16 MiB + 21 bytes = ")
	require.ErrorContains(t, err, "lower plugins.q.limits.memory or plugins.q.instances, or raise limits.guest_memory")

	_, err = l.apply(bundle(map[string]string{"plugins/r.wasm": returns(0, 1), "plugins/s.wasm": returns(0, 40)}))
	require.ErrorContains(t, err, "plugin s needs ")
	assert.Equal(t, one, l.memory.summary().Reserved, "a bundle that is refused holds nothing")
	l.stop()
	assert.Zero(t, l.memory.summary().Reserved)
}

// TestGuestMemoryAtTheStart: a host whose plugins do not fit does not start, and a check
// by another machine does not know how much the host will have.
func TestGuestMemoryAtTheStart(t *testing.T) {
	a := newApp(t, map[string]string{"rhost.yaml": "limits: {guest_memory: 100KiB}\n", "plugins/p.lua": "function invoke() end"})
	_, err := New(t.Context(), Options{App: a.dir, Data: a.data, Listen: "off"})
	require.ErrorContains(t, err, "rhost.yaml:1:9: limits.guest_memory: plugin p needs ")
	_, err = Check(t.Context(), Options{App: a.dir})
	require.ErrorContains(t, err, "limits.guest_memory: plugin p needs ")

	a.write("rhost.yaml", "plugins: {p: {limits: {memory: 1000TiB}}}\n")
	_, err = New(t.Context(), Options{App: a.dir, Data: a.data, Listen: "off"})
	require.ErrorContains(t, err, "rhost.yaml: limits.guest_memory: plugin p needs ")
	_, err = Check(t.Context(), Options{App: a.dir})
	require.NoError(t, err)

	a.write("rhost.yaml", "limits: {guest_memory_per_tenant: 1MiB}\n")
	_, err = Check(t.Context(), Options{App: a.dir})
	require.ErrorContains(t, err, "raise limits.guest_memory_per_tenant")
}

// TestStartUpKeepsPluginsOut: what cannot even be started is not loaded.
func TestStartUpKeepsPluginsOut(t *testing.T) {
	a := newApp(t, map[string]string{"rhost.yaml": "plugins: {p: {limits: {memory: 64KiB}}}\n", "plugins/p.wasm": returns(0, 2)})
	_, err := New(t.Context(), Options{App: a.dir, Data: a.data, Listen: "off"})
	require.ErrorContains(t, err, "start p: call p: memory fault: out of memory: the module starts with 131072 bytes and may have 65536")
}

// TestUnusedPluginsAreUnloaded: what is not called holds no code and no instances, and
// answers when it is.
func TestUnusedPluginsAreUnloaded(t *testing.T) {
	a := newApp(t, map[string]string{
		"rules/r.yaml": callRule, "plugins/p.wasm": returns(0, 2), "rhost.yaml": "limits: {unload_after: 1ms}\nplugins: {p: {limits: {deadline: 1m}}}\n",
	})
	l := a.start()
	require.Eventually(t, func() bool { return !l.described("p").Memory.Warm }, patience, time.Millisecond)
	assert.Zero(t, l.described("p").Memory.Instances)
	assert.Positive(t, l.described("p").Reserved, "its place is kept for it")
	assert.False(t, l.Summary().Plugins[0].Warm)
	for i := range 3 {
		l.send(ev("go", i, `{}`))
		l.settle()
		require.Eventually(t, func() bool { return !l.described("p").Memory.Warm }, patience, time.Millisecond)
	}
	assert.Zero(t, l.Summary().Counts.Failed)
	assert.EqualValues(t, 3, l.described("p").Stats.Calls)
	assert.Positive(t, l.described("p").Memory.Reloads)
}

func TestMachineMemory(t *testing.T) {
	if _, err := os.Stat("/proc/meminfo"); err == nil {
		assert.Positive(t, machineMemory())
	}
	assert.EqualValues(t, 24_600_000<<10, memTotal([]byte("MemFree: 12 kB\nMemTotal:       24600000 kB\nBuffers: 1 kB\n")))
	assert.EqualValues(t, math.MaxInt64, memTotal([]byte("MemTotal: lots\nMemTotal: -3 kB\n")))
	assert.EqualValues(t, 512<<20, memoryMax([]byte("536870912\n")))
	assert.EqualValues(t, math.MaxInt64, memoryMax([]byte("max\n")))
	assert.Equal(t, "/system.slice/rhost.service", cgroupOf([]byte("1:cpu:/old\n0::/system.slice/rhost.service\n")))
	assert.Equal(t, "/", cgroupOf(nil))
	assert.EqualValues(t, 3<<20, GuestLimits{GuestMemory: 3 << 20}.limit())
	assert.Positive(t, GuestLimits{}.limit())
}
