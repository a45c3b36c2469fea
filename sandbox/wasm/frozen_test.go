//go:build linux

package wasm

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever an instance writes, it is put back, and another over the same file sees
// nothing of it.
func TestFrozen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pages := rapid.IntRange(1, 8).Draw(t, "pages")
		want := make([]byte, pages*pageSize)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		for i := range want {
			want[i] = byte(r.Uint32())
		}
		f, err := freeze(want)
		require.NoError(t, err)
		defer f.close()
		var spaces [2][]byte
		var room [2][]byte
		for i := range spaces {
			spaces[i], err = reserve(len(want) + pageSize)
			require.NoError(t, err)
			defer func() { require.NoError(t, release(spaces[i])) }()
			require.NoError(t, f.lay(spaces[i][:len(want)]))
		}
		for range rapid.IntRange(1, 6).Draw(t, "calls") {
			n := rapid.IntRange(0, 1).Draw(t, "instance")
			memory := spaces[n][:len(want)]
			for range rapid.IntRange(0, 40).Draw(t, "writes") {
				at := rapid.IntRange(0, len(memory)-1).Draw(t, "at")
				clear(memory[at:min(at+rapid.IntRange(1, 9000).Draw(t, "length"), len(memory))])
			}
			spaces[n][len(want)] = 7 // beyond, where the file does not lie
			room[n] = f.again(memory, room[n])
			require.True(t, bytes.Equal(want, memory))
			require.True(t, bytes.Equal(want, spaces[1-n][:len(want)]))
			require.EqualValues(t, 7, spaces[n][len(want)])
		}
	})
}

// Pages that nobody wrote to stay those of the file.
func TestFrozenPagesAreShared(t *testing.T) {
	if pagemap() == nil {
		t.Skip("/proc/self/pagemap cannot be read here")
	}
	memory := slices.Repeat([]byte{1}, 4*pageSize)
	f, err := freeze(memory)
	require.NoError(t, err)
	defer f.close()
	space, err := reserve(len(memory))
	require.NoError(t, err)
	defer func() { require.NoError(t, release(space)) }()
	require.NoError(t, f.lay(space))
	assert.True(t, bytes.Equal(memory, space)) // has read all of it
	space[5] = 2
	space[3*pageSize] = 2
	entries := make([]byte, len(space)/os.Getpagesize()*entry)
	require.True(t, ownPages(space, entries))
	own := 0
	for e := range slices.Chunk(entries, entry) {
		if isOwn(binary.NativeEndian.Uint64(e)) {
			own++
		}
	}
	assert.Equal(t, 2, own)
}

// Files and mappings of a module go with it.
func TestFrozenIsClosed(t *testing.T) {
	before := openFiles(t)
	for range 20 {
		f, err := freeze(make([]byte, pageSize))
		require.NoError(t, err)
		f.close()
	}
	assert.Equal(t, before, openFiles(t))
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

// The data section is taken out only where that makes no difference.
func TestTakeData(t *testing.T) {
	header := []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	data := func(body ...byte) []byte { return append([]byte{sectionData, byte(len(body))}, body...) }
	tests := map[string]struct {
		sections []byte
		want     []segment
		taken    bool
	}{
		"none":            {nil, nil, true},
		"two":             {data(2, 0, 0x41, 4, 0x0b, 1, 'x', 0, 0x41, 0x80, 0x80, 4, 0x0b, 2, 'y', 'z'), []segment{{4, []byte("x")}, {65536, []byte("yz")}}, true},
		"negative offset": {data(1, 0, 0x41, 0x7f, 0x0b, 1, 'x'), []segment{{0xffffffff, []byte("x")}}, true},
		"passive":         {data(1, 1, 1, 'x'), nil, false},
		"by a global":     {data(1, 0, 0x23, 0, 0x0b, 1, 'x'), nil, false},
		"by a sum":        {data(1, 0, 0x41, 4, 0x41, 4, 0x6a, 0x0b, 1, 'x'), nil, false},
		"cut off":         {data(1, 0, 0x41, 4, 0x0b, 9, 'x'), nil, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			wasm := append(slices.Clone(header), tc.sections...)
			wasm = append(wasm, 0, 2, 1, 'n') // a custom section behind
			rest, got := takeData(wasm)
			assert.Equal(t, tc.want, got)
			if tc.taken {
				assert.Equal(t, append(slices.Clone(header), 0, 2, 1, 'n'), rest)
			} else {
				assert.Equal(t, wasm, rest)
			}
		})
	}
}
