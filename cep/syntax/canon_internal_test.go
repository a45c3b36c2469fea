package syntax

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Versions were once made with encoding/json, and stay what they were.
func TestTextsAreWrittenAsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("ab\"\\<>& '\x7f\n\u2028é")))).Draw(t, "text")
		want, err := json.Marshal(s)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(appendText(nil, s)))
		assert.Equal(t, "x"+string(want), string(appendText([]byte("x"), s)))
	})
}

// Squeezing is skipped only where it would change nothing.
func TestSqueezed(t *testing.T) {
	for text, want := range map[string]string{
		"a == b": "a == b", "a  ==\n b ": "a == b", `a == "x  y"`: `a == "x  y"`, " a": " a", "a\tb": "a b", "a // b\nc": "a // b\nc", `a == "\n"  `: `a == "\n"  `,
	} {
		assert.Equal(t, want, squeeze(text), "%q", text)
	}
}
