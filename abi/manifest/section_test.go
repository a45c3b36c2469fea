package manifest_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi/manifest"
)

const header = "\x00asm\x01\x00\x00\x00"

func TestSection(t *testing.T) {
	empty := []byte(header)
	named := []byte(header + "\x00\x07\x04nameab" + "\x01\x01\x00")
	for _, wasm := range [][]byte{empty, named} {
		got, err := manifest.Section(wasm)
		require.NoError(t, err)
		assert.Nil(t, got)

		one, err := manifest.Embed(wasm, []byte(least))
		require.NoError(t, err)
		assert.True(t, bytes.HasPrefix(one, wasm), "the rest stays as it is")
		got, err = manifest.Section(one)
		require.NoError(t, err)
		assert.Equal(t, least, string(got))

		other, err := manifest.Embed(one, []byte(full))
		require.NoError(t, err)
		got, err = manifest.Section(other)
		require.NoError(t, err)
		assert.Equal(t, full, string(got))
		back, err := manifest.Embed(other, []byte(least))
		require.NoError(t, err)
		assert.Equal(t, one, back, "replaced, not added")

		_, err = manifest.Section(append(bytes.Clone(one), one[len(wasm):]...))
		require.ErrorIs(t, err, manifest.ErrTwo)
	}
}

func TestSectionOfWhatIsNoModule(t *testing.T) {
	for _, b := range []string{"", "\x00asm", "\x00asm\x0d\x00\x01\x00", header + "\x00", header + "\x01\x05\x00", header + "\x00\x01\x05", header + "\x00\xff\xff\xff\xff\xff\x01"} {
		_, err := manifest.Section([]byte(b))
		require.ErrorIs(t, err, manifest.ErrNotModule, "%q", b)
		_, err = manifest.Embed([]byte(b), nil)
		require.ErrorIs(t, err, manifest.ErrNotModule, "%q", b)
	}
}

func FuzzSection(f *testing.F) {
	f.Add([]byte(header+"\x00\x07\x04nameab"), []byte(least))
	f.Fuzz(func(t *testing.T, wasm, text []byte) {
		one, err := manifest.Embed(wasm, text)
		if err != nil {
			return
		}
		got, err := manifest.Section(one)
		require.NoError(t, err)
		assert.Equal(t, string(text), string(got))
	})
}
