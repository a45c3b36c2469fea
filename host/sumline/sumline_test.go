package sumline_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/sumline"
)

func TestCheck(t *testing.T) {
	const text = "{\n \"a\": 1\n}\n"
	sealed := sumline.Add([]byte(text))
	assert.Equal(t, text+"#crc32c f17b4a5f\n", string(sealed), "the format stays")
	got, err := sumline.Check(sealed)
	require.NoError(t, err)
	assert.Equal(t, text, string(got))
	got, err = sumline.Check([]byte(text))
	require.NoError(t, err)
	assert.Equal(t, text, string(got), "what has no checksum is taken as it is")
}

// Any bit that flips is found, unless it hides the whole line from sight, and then
// the text is left with a line that no reader of JSON takes.
func TestAnyFlip(t *testing.T) {
	const text = "{\n \"a\": 1\n}\n"
	for at := range sumline.Add([]byte(text)) {
		for bit := range 8 {
			b := sumline.Add([]byte(text))
			b[at] ^= 1 << bit
			got, err := sumline.Check(b)
			if err == nil {
				assert.NotEqual(t, text, string(got), "bit %d of byte %d", bit, at)
				assert.Contains(t, string(got), "crc32c")
			}
		}
	}
}
