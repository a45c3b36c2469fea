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
	noted := func(want NodeNote) {
		t.Helper()
		got, err := ReadNodeNote(dir)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	noted(NodeNote{})
	require.NoError(t, keepName(dir, NodeNote{"a", "10.0.0.1:7400"}))
	require.NoError(t, keepName(dir, NodeNote{"a", "10.0.0.2:7400"}))
	noted(NodeNote{"a", "10.0.0.2:7400"})
	err := keepName(dir, NodeNote{"b", "10.0.0.2:7400"})
	var access *AccessError
	require.ErrorAs(t, err, &access)
	require.Equal(t, AccessNode, access.Key)
	require.ErrorContains(t, err, "the folder is that of node a, and this one is called b")

	for text, want := range map[string]NodeNote{"": {}, "b": {Name: "b"}, "b\n": {Name: "b"}, "b\n10.0.0.2:": {"b", "10.0.0.2:"}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, nodeFile), []byte(text), 0o600))
		noted(want)
		require.NoError(t, keepName(dir, NodeNote{"b", "10.0.0.2:7400"}))
		noted(NodeNote{"b", "10.0.0.2:7400"})
	}
}
