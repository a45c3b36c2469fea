package extism

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSizes(t *testing.T) {
	for _, tt := range []struct{ n, want uint64 }{
		{1, 16},
		{16, 16},
		{17, 32},
		{64, 64},
		{65, 80},
		{80, 80},
		{81, 96},
		{128, 128},
		{129, 160},
		{1000, 1024},
		{maxClass, maxClass},
		{maxClass + 1, maxClass + 16},
		{1<<64 - 1, 1<<64 - 1},
		{1<<64 - 15, 1<<64 - 1},
		{1<<64 - 16, 1<<64 - 16},
	} {
		assert.Equal(t, tt.want, sizeOf(tt.n), "%d bytes", tt.n)
	}
	last := 0
	for n := uint64(1); n <= maxClass; n += 1 + n/100 {
		c, ok := classOf(n)
		require.True(t, ok)
		require.Less(t, c, classes)
		require.GreaterOrEqual(t, c, last)
		last = c
		size := classSize(c)
		require.GreaterOrEqual(t, size, n)
		require.Zero(t, size%16)
		require.LessOrEqual(t, size-n, max(15, size/5), "what is not used of %d", size)
		same, _ := classOf(size)
		require.Equal(t, c, same, "a freed block goes to where it came from")
	}
}
