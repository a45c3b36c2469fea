package eventlogtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

// The baseline stores what it says it does.
func TestBatches(t *testing.T) {
	b, err := eventlogtest.StartBatches(t.Context(), t.TempDir())
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, b.Commit(t.Context(), [][]byte{[]byte("a"), []byte("b"), []byte("c")}))
	}
	require.NoError(t, b.Commit(t.Context(), [][]byte{[]byte("alone")}))
	require.NoError(t, b.Close())
}
