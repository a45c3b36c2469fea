package host

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPercentOf(t *testing.T) {
	for _, tt := range []struct {
		floor, live uint64
		want        int
	}{
		{64 << 20, 0, mostPercent},
		{64 << 20, 1 << 20, mostPercent},
		{64 << 20, 4 << 20, 1600},
		{64 << 20, 32 << 20, 200},
		{64 << 20, 64 << 20, 100},
		{64 << 20, 1 << 40, 100},
	} {
		assert.Equal(t, tt.want, percentOf(tt.floor, tt.live, 100), "percentOf(%d, %d)", tt.floor, tt.live)
	}
}

// TestKeepHeap lets the heap grow and shrink, and looks whether the collector's pace
// follows.
func TestKeepHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	percent := func() int {
		p := debug.SetGCPercent(usualPercent)
		debug.SetGCPercent(p)
		return p
	}
	stop := KeepHeap(1 << 40)
	require.Equal(t, mostPercent, percent())
	stop()
	require.Equal(t, usualPercent, percent())

	stop = KeepHeap(256 << 20)
	held := make([]byte, 300<<20)
	reached := func(want func(int) bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			runtime.GC()
			return want(percent())
		}, 10*time.Second, time.Millisecond)
	}
	reached(func(p int) bool { return p == usualPercent })
	runtime.KeepAlive(held) // and no longer
	reached(func(p int) bool { return p > usualPercent })
	stop()
	stop()
	runtime.GC()
	assert.Equal(t, usualPercent, percent())

	debug.SetGCPercent(150)
	stop = KeepHeap(1)
	assert.Equal(t, 150, percent(), "no less than what was set")
	stop()
	debug.SetGCPercent(usualPercent)

	t.Setenv("GOGC", "50")
	KeepHeap(1 << 40)()
	assert.Equal(t, usualPercent, percent(), "an operator's setting stays")
}
