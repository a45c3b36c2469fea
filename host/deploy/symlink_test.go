package deploy_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/deploy"
)

// A plugin folder may be a link to where the plugin lives.
func TestFindFollowsLinksToFolders(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(elsewhere, "say.wasm"), nil, 0o600))
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, "say")))
	found, err := deploy.Find(dir)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, filepath.Join(dir, "say", "say.wasm"), found[0].File)

	require.NoError(t, os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "lost")))
	_, err = deploy.Find(dir)
	require.ErrorContains(t, err, "lost")
}
