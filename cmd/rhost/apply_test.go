package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestApplyNotConfirmed: without a terminal and without --yes nothing is confirmed, which
// is no mistake in the bundle: exit code 1, as the help says.
func TestApplyNotConfirmed(t *testing.T) {
	cmd := &cobra.Command{}
	cmd.SetIn(strings.NewReader("y\n"))
	ok, err := (&applyOptions{}).confirmed(cmd)
	assert.False(t, ok)
	require.ErrorContains(t, err, "--yes")
	var coded *codedError
	assert.False(t, errors.As(err, &coded))
}
