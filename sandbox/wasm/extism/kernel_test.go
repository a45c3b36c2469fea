package extism_test

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/sandbox/wasm/extism"
)

// lots gives whatever is asked for.
func lots(uint64) bool { return true }

func newKernel(tb testing.TB, input string) *extism.Kernel {
	tb.Helper()
	k := extism.New(make([]byte, 64<<10), lots)
	require.NoError(tb, k.Reset([]byte(input)))
	return k
}

func put(tb testing.TB, k *extism.Kernel, text string) uint64 {
	tb.Helper()
	h, err := k.Put([]byte(text))
	require.NoError(tb, err)
	return h
}

func TestInput(t *testing.T) {
	k := newKernel(t, "hello world")
	assert.EqualValues(t, 11, k.InputLength())
	assert.EqualValues(t, 11, k.Length(k.InputOffset()), "the input is a block like any other")
	assert.EqualValues(t, 'h', k.LoadInput8(0))
	assert.EqualValues(t, 'd', k.LoadInput8(10))
	assert.Zero(t, k.LoadInput8(11))
	assert.Zero(t, k.LoadInput8(math.MaxUint64))
	assert.Equal(t, uint64(0x6f77206f6c6c6568), k.LoadInput64(0))
	assert.NotZero(t, k.LoadInput64(3))
	for _, at := range []uint64{4, 11, math.MaxUint64, math.MaxUint64 - 7, 1 << 63} {
		assert.Zero(t, k.LoadInput64(at), "at %d", at)
	}

	h := put(t, k, "another")
	require.NoError(t, k.SetInput(h+1, 3))
	assert.EqualValues(t, 'n', k.LoadInput8(0))
	assert.Zero(t, k.LoadInput8(3))
	require.NoError(t, k.SetInput(0, 0))
	assert.Zero(t, k.InputLength())

	k = newKernel(t, "gone")
	k.Free(k.InputOffset())
	assert.Zero(t, k.InputLength(), "the input went with its block")
	assert.Zero(t, k.LoadInput8(0))

	k = newKernel(t, "")
	assert.Zero(t, k.InputOffset())
	assert.Zero(t, k.InputLength())
}

func TestOutputAndError(t *testing.T) {
	k := newKernel(t, "")
	assert.Empty(t, k.Output())
	_, failed := k.Error()
	assert.False(t, failed)

	h := put(t, k, "an output")
	require.NoError(t, k.SetOutput(h+3, 6))
	assert.Equal(t, "output", string(k.Output()))
	assert.Equal(t, h+3, k.OutputOffset())
	assert.EqualValues(t, 6, k.OutputLength())
	require.NoError(t, k.SetOutput(12345, 0), "nothing lies anywhere")
	assert.Empty(t, k.Output())

	why := put(t, k, "no such user")
	require.NoError(t, k.SetError(why))
	msg, failed := k.Error()
	assert.True(t, failed)
	assert.Equal(t, "no such user", string(msg))
	assert.Equal(t, why, k.ErrorHandle())
	require.NoError(t, k.SetError(0))
	_, failed = k.Error()
	assert.False(t, failed)
}

func TestBlocks(t *testing.T) {
	k := newKernel(t, "")
	none, err := k.Alloc(0)
	require.NoError(t, err)
	assert.Zero(t, none, "no bytes, no block")

	a, b := put(t, k, "first"), put(t, k, "second")
	assert.NotZero(t, a)
	assert.EqualValues(t, 5, k.Length(a))
	assert.Zero(t, k.Length(a+1), "the middle of a block is no handle")
	assert.Zero(t, k.Length(0))
	text, err := k.Bytes(b)
	require.NoError(t, err)
	assert.Equal(t, "second", string(text))

	k.Free(a)
	k.Free(a)
	k.Free(12345)
	k.Free(0)
	assert.Zero(t, k.Length(a))
	_, err = k.Bytes(a)
	require.ErrorIs(t, err, extism.ErrHandle)
	assert.Equal(t, a, put(t, k, "third"), "memory is used again")
	assert.EqualValues(t, 5, k.Length(a))
	assert.NotEqual(t, a, put(t, k, "fourth"), "once")
}

func TestLoadAndStore(t *testing.T) {
	k := newKernel(t, "")
	h, err := k.Alloc(16)
	require.NoError(t, err)
	require.NoError(t, k.Store64(h+1, 0x1122334455667788))
	require.NoError(t, k.Store8(h+8, 0xff))
	v, err := k.Load64(h + 1)
	require.NoError(t, err)
	assert.Equal(t, uint64(0xff22334455667788), v)
	c, err := k.Load8(h + 1)
	require.NoError(t, err)
	assert.EqualValues(t, 0x88, c)
}

// Everything that takes an address, with every address that is wrong.
func TestAddressesOutside(t *testing.T) {
	k := newKernel(t, "hello world")
	top := k.Used()
	for name, at := range map[string]uint64{
		"null": 0, "behind null": 1, "end": top, "across the end": top - 7, "far": 1 << 40, "negative": math.MaxUint64, "wrapping": math.MaxUint64 - 6,
	} {
		_, err := k.Load64(at)
		require.ErrorIs(t, err, extism.ErrBounds, name)
		require.ErrorIs(t, k.Store64(at, 1), extism.ErrBounds, name)
		require.ErrorIs(t, k.SetOutput(at, 8), extism.ErrBounds, name)
		require.ErrorIs(t, k.SetInput(at, 8), extism.ErrBounds, name)
		if name == "across the end" {
			continue // a byte is there
		}
		_, err = k.Load8(at)
		require.ErrorIs(t, err, extism.ErrBounds, name)
		require.ErrorIs(t, k.Store8(at, 1), extism.ErrBounds, name)
		if at != 0 {
			require.ErrorIs(t, k.SetError(at), extism.ErrHandle, name)
			_, err = k.Bytes(at)
			require.ErrorIs(t, err, extism.ErrHandle, name)
		}
	}
	for _, n := range []uint64{top, math.MaxUint64, math.MaxUint64 - k.InputOffset() + 1, 1 << 63} {
		err := k.SetOutput(k.InputOffset(), n)
		require.ErrorIs(t, err, extism.ErrBounds, "%d bytes", n)
	}
	assert.EqualError(t, k.Store8(5, 1), "0x5 with 1 bytes lies outside the kernel's memory of 32 bytes")
}

func TestMemoryIsBounded(t *testing.T) {
	for _, n := range []uint64{64 << 10, 1 << 40, 1 << 63, math.MaxUint64, math.MaxUint64 - 15, math.MaxInt64} {
		k := newKernel(t, "x")
		_, err := k.Alloc(n)
		require.ErrorIs(t, err, extism.ErrMemory, "%d bytes", n)
	}

	asked, allowed := uint64(0), uint64(1000)
	k := extism.New(make([]byte, 1<<20), func(n uint64) bool {
		asked += n
		return asked <= allowed
	})
	blocks := 0
	for err := error(nil); err == nil; blocks++ {
		_, err = k.Alloc(1)
	}
	assert.Equal(t, 16, blocks, "what the host keeps for a block is counted")
	assert.LessOrEqual(t, k.Taken(), allowed)
	allowed = math.MaxUint64
	require.NoError(t, k.Reset(nil))
	for range 10_000 { // the memory is for 64 Ki of them
		h, err := k.Alloc(100)
		require.NoError(t, err)
		k.Free(h)
	}
	assert.Less(t, k.Used(), uint64(1000), "what is freed is used again")
	_, err := k.Alloc(allowed)
	require.ErrorIs(t, err, extism.ErrMemory)

	small := extism.New(nil, lots)
	require.ErrorIs(t, small.Reset([]byte("too long")), extism.ErrMemory)
}

func TestResetLeavesNothing(t *testing.T) {
	mem := make([]byte, 4096)
	k := extism.New(mem, lots)
	require.NoError(t, k.Reset([]byte("secret input")))
	require.NoError(t, k.SetError(put(t, k, "secret error")))
	require.NoError(t, k.SetOutput(put(t, k, "secret output"), 6))
	k.Free(put(t, k, "freed secret"))
	require.NoError(t, k.Reset(nil))
	assert.Equal(t, make([]byte, len(mem)), mem)
	assert.Empty(t, k.Output())
	_, failed := k.Error()
	assert.False(t, failed)
	assert.Zero(t, k.InputLength())
}

// Blocks hold what was written to them, whatever is allocated and freed around them.
func TestBlocksDoNotOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := extism.New(make([]byte, 1<<20), lots)
		live := make(map[uint64][]byte)
		for i := range rapid.IntRange(1, 200).Draw(t, "steps") {
			if hs := slices.Sorted(maps.Keys(live)); len(hs) > 0 && rapid.IntRange(0, 2).Draw(t, "free") == 0 {
				h := hs[rapid.IntRange(0, len(hs)-1).Draw(t, "which")]
				k.Free(h)
				delete(live, h)
				continue
			}
			n := rapid.OneOf(rapid.IntRange(1, 100), rapid.IntRange(1, 5000)).Draw(t, "size")
			h, err := k.Alloc(uint64(n))
			require.NoError(t, err)
			require.NotContains(t, live, h)
			b, err := k.Bytes(h)
			require.NoError(t, err)
			require.Len(t, b, n)
			for j := range b {
				b[j] = byte(i)
			}
			live[h] = append([]byte(nil), b...)
		}
		for h, want := range live {
			got, err := k.Bytes(h)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})
}
