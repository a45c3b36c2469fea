package eventlog

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKeepName: a folder is that of one node; one whose name was not noted, or not
// wholly, is taken.
func TestKeepName(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, keepName(dir, "a"))
	require.NoError(t, keepName(dir, "a"))
	err := keepName(dir, "b")
	var access *AccessError
	require.ErrorAs(t, err, &access)
	require.Equal(t, AccessNode, access.Key)
	require.ErrorContains(t, err, "the folder is that of node a, and this one is called b")

	require.NoError(t, os.WriteFile(filepath.Join(dir, nodeFile), nil, 0o600))
	require.NoError(t, keepName(dir, "b"))
}
