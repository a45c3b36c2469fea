package sandbox

import (
	"runtime"
	"sync/atomic"
)

// pace knows how many guests run in the process.
var pace struct { //nolint:gochecknoglobals // of the process, as its processors are
	running atomic.Int64 // calls
	begun   atomic.Uint64
	procs   atomic.Int64 // processors, looked up now and then
}

// Pause lets others have the processor, if guests keep all of them busy. An engine
// calls it at least every some hundred microseconds while a guest runs.
//
// Go lets a goroutine run for 10 ms before it asks for the processor back, and cannot
// even ask machine code. Without Pause everything else in the process, the calls of
// other tenants included, would wait as long for each turn: timers, connections, the
// lanes. While a processor is idle nobody waits, and Pause costs a comparison. It
// reports whether others could have it.
func Pause() bool {
	if pace.running.Load() < pace.procs.Load() {
		return false
	}
	runtime.Gosched()
	return true
}

// lookEvery is how many calls begin between two looks at the number of processors,
// which takes a lock of the runtime.
const lookEvery = 1024

// begin counts a call of a guest until end.
func begin() {
	pace.running.Add(1)
	if pace.begun.Add(1)%lookEvery == 1 {
		pace.procs.Store(int64(runtime.GOMAXPROCS(0)))
	}
}

func end() { pace.running.Add(-1) }
