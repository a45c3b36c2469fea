package host

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// HeapFloor is how much garbage a host lets come together, however small its heap is.
const HeapFloor = 64 << 20

// KeepHeap has the collector wait until floor bytes of garbage have come together, where
// it would come earlier: by itself it comes whenever the heap has doubled, which of a
// small heap is a hundred times a second when guests make garbage, and each time it takes
// processors from everybody's calls. A heap that is larger than floor is collected as
// always, and so is one that comes near GOMEMLIMIT. An operator who has set GOGC knows
// better, and nothing changes.
//
// It concerns the process, and is for the program that has it for itself. stop puts
// things back.
func KeepHeap(floor uint64) (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	base := debug.SetGCPercent(usualPercent)
	debug.SetGCPercent(base)
	k := &pacer{floor: floor, base: base, percent: base}
	k.collected()
	return k.stop
}

const (
	usualPercent = 100  // Go's own, and only asked with
	mostPercent  = 3200 // so that a heap of nothing does not wait for ever
)

// pacer sets the collector's pace after each collection, which it learns of because the
// collector finds an object that nobody holds.
type pacer struct {
	floor uint64
	base  int // what was set before; less is never set

	mu      sync.Mutex
	percent int  // guarded by mu; as set
	stopped bool // guarded by mu
}

func (k *pacer) collected() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if want := percentOf(k.floor, sample[0].Value.Uint64(), k.base); apart(want, k.percent, k.base) {
		debug.SetGCPercent(want)
		k.percent = want
	}
	runtime.AddCleanup(new(sentinel), func(k *pacer) { k.collected() }, k)
}

// sentinel has a size, so that it is an object of its own.
type sentinel struct{ _ [64]byte }

func (k *pacer) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.stopped {
		k.stopped = true
		debug.SetGCPercent(k.base)
	}
}

// percentOf is by how much a heap of live bytes may grow to have floor bytes of garbage,
// and no less than base.
func percentOf(floor, live uint64, base int) int {
	return max(int(min(floor*100/max(live, 1), mostPercent)), base)
}

// apart reports whether a setting is worth changing, for which the program stops.
func apart(want, have, base int) bool {
	return want*4 < have*3 || want*3 > have*4 || want == base && have != base
}
