package sandbox

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPause has a guest keep the only processor busy, while somebody else has something
// to do.
func TestPause(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer pace.procs.Store(pace.procs.Swap(1))
	begin()
	defer end()
	pace.procs.Store(1) // begin may have looked it up before
	var others atomic.Int32
	for n := range int32(100) {
		go others.Add(1)
		for range 4 { // the collector may want the processor first
			Pause()
		}
		if !assert.Equal(t, n+1, others.Load()) {
			break
		}
	}
}
