package api_test

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/api"
)

var update = flag.Bool("update", false, "rewrite docs/openapi.json")

// TestSpecIsCommitted keeps the description that people read the same as the
// one that a host serves.
func TestSpecIsCommitted(t *testing.T) {
	const name = "../../docs/openapi.json"
	got, err := api.Spec("0.1.0")
	require.NoError(t, err)
	got = append(got, '\n')
	if *update {
		require.NoError(t, os.WriteFile(name, got, 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err, "run `go test ./host/api -update`")
	assert.Equal(t, string(want), string(got), "run `go test ./host/api -update` and review the difference")
}
