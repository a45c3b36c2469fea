package wasm

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestPace: what slows a guest down without using fuel makes its slices shorter, and
// they grow back when it is over.
func TestPace(t *testing.T) {
	m := meter{slice: mostSlice}
	m.pace(20 * time.Microsecond)
	assert.EqualValues(t, mostSlice, m.slice, "usual")
	m.pace(500 * time.Microsecond)
	assert.EqualValues(t, mostSlice/10, m.slice, "ten times as long as it should be")
	m.pace(40 * time.Microsecond)
	assert.EqualValues(t, mostSlice/10, m.slice, "as long as it should be")
	m.pace(time.Hour)
	assert.EqualValues(t, leastSlice, m.slice, "stopped for long")
	for range 6 {
		m.pace(time.Microsecond)
	}
	assert.EqualValues(t, mostSlice, m.slice, "usual again")
}
