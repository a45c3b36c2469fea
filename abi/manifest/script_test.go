package manifest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi/manifest"
)

func TestScript(t *testing.T) {
	for _, text := range []string{"function invoke() end", "function invoke() end\n", "", "a\r\nb\r\n"} {
		assert.Nil(t, manifest.FromScript([]byte(text), "--"))
		with, err := manifest.EmbedScript([]byte(text), "--", []byte(least))
		require.NoError(t, err)
		assert.Equal(t, text, string(with[:len(text)]), "the lines of the script keep their numbers")
		assert.Equal(t, least, string(manifest.FromScript(with, "--")))
		assert.Nil(t, manifest.FromScript(with, "//"), "a comment of another language")
		_, err = manifest.EmbedScript(with, "--", []byte(least))
		require.ErrorIs(t, err, manifest.ErrTwoInScript)
	}
	_, err := manifest.EmbedScript(nil, "//", []byte("{}\nprocess.exit()"))
	require.Error(t, err, "what ends the comment would be code")
	_, err = manifest.EmbedScript(nil, "//", []byte("{\"a\":\"\u2028\"}"))
	require.Error(t, err, "JavaScript ends lines there, too")
	assert.Nil(t, manifest.FromScript([]byte("--rhost.manifest {}\nreturn"), "--"), "not in the last line")
}
