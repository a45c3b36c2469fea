package form

import (
	"encoding/binary"
	"time"
)

// LatestSecond is beyond any time that a log can have, in Unix time, and -LatestSecond
// before it: the year 9999 ends there.
const LatestSecond = 253_402_300_800

// AppendText appends a text.
func AppendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendRaw appends bytes, or that there are none: nil is not the same as empty.
func AppendRaw(b, raw []byte) []byte {
	if raw == nil {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(raw))+1), raw...)
}

// AppendTime appends a time, to the nanosecond and without its zone. The zero time
// takes one byte.
func AppendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(t.Nanosecond())+1)
	return binary.AppendVarint(b, t.Unix())
}

// timeOf is the time of which was written ns, not 0, and sec; ok is false when that is
// none.
func timeOf(ns uint64, sec int64) (t time.Time, ok bool) {
	if ns > uint64(time.Second) || sec > LatestSecond || sec < -LatestSecond {
		return t, false
	}
	return time.Unix(sec, int64(ns-1)).UTC(), true
}
