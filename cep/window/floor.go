package window

import (
	"math/bits"
	"time"
)

// Floor gives the latest multiple of d since 1970-01-01T00:00:00Z that is not
// after t; d must be above zero. It is exact for every time there is, before 1970
// too, where counting nanoseconds in 64 bits would end in the year 2262. (Go's
// Time.Truncate counts from the year 1, which is no multiple of seven days, say.)
func Floor(t time.Time, d time.Duration) time.Time {
	return t.UTC().Add(-since(t, d))
}

// since is the time from the last multiple of d to t.
func since(t time.Time, d time.Duration) time.Duration {
	sec, nanos := t.Unix(), uint64(t.Nanosecond())
	size := uint64(d)
	if sec >= 0 {
		return time.Duration(mod(uint64(sec), nanos, size))
	}
	// Rounding is downwards, so the remainder of -x is size less that of x.
	back := mod(uint64(-sec), 0, size) // of the whole seconds
	ahead := nanos % size
	if back > ahead {
		return time.Duration(size - (back - ahead))
	}
	return time.Duration(ahead - back)
}

// mod is (sec·10⁹ + nanos) mod size.
func mod(sec, nanos, size uint64) uint64 {
	hi, lo := bits.Mul64(sec, uint64(time.Second))
	lo, carry := bits.Add64(lo, nanos, 0)
	return bits.Rem64(hi+carry, lo, size)
}
