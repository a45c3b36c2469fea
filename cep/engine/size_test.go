package engine_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rhost/rhost/cep/engine"
)

// Alloc gives the sizes of Go's allocator, or next to them.
func TestAlloc(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 8, 8: 8, 9: 16, 24: 24, 33: 48, 64: 64, 65: 80, 128: 128, 129: 144, 200: 208, 257: 288, 480: 480, 513: 576, 1000: 1024, 1025: 1152, 4096: 4096} {
		assert.Equal(t, want, engine.Alloc(n), "%d bytes", n)
	}
}

// A table is as large as it was: a map does not give back its places.
func TestTableBytes(t *testing.T) {
	table := engine.NewTable[int]()
	assert.Zero(t, table.Bytes())
	var last int
	for i := range 10_000 {
		e := table.Add([]byte(strconv.Itoa(i)))
		table.Set(e, time.Unix(int64(i), 0))
		if i%100 == 0 {
			assert.Greater(t, table.Bytes(), last)
			last = table.Bytes()
		}
	}
	full := table.Bytes()
	assert.InEpsilon(t, 10_000*(80+8+41), full, 0.1)
	for i := range 9_999 {
		table.Remove(table.Get([]byte(strconv.Itoa(i))))
	}
	assert.InEpsilon(t, full-9_999*(80+8), table.Bytes(), 0.1)
}
