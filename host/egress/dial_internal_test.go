package egress

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// An address with a zone ends the process if it reaches safeurl.
func TestZones(t *testing.T) {
	dial := resolved(guard([]int{80}, nil))
	_, err := dial(t.Context(), "tcp", "[fe80::1%lo]:80")
	assert.ErrorContains(t, err, "fe80::1 not found in allowlist")
}
