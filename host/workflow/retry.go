package workflow

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"time"
)

// Retry says how often and when a failed attempt is followed by another. The
// zero Retry allows none.
type Retry struct {
	Max    int           // attempts after the first
	Min    time.Duration // wait before the second attempt
	Cap    time.Duration // longest wait
	Factor float64       // by which the wait grows
	Jitter Jitter
	On     []FailureKind // kinds that are tried again; nil: the transient ones
	Within time.Duration // none is planned later than this after the first; 0: no limit
}

// Jitter says how waits are spread, so that many executions that failed together
// do not come back together.
type Jitter string

// The jitters.
const (
	JitterFull Jitter = "full" // anywhere between zero and the wait
	JitterNone Jitter = "none" // the wait itself
)

// allows reports whether attempt, numbered from 1 within its set, may be
// followed by another after a failure of this kind.
func (r Retry) allows(kind FailureKind, attempt int) bool {
	if attempt > r.Max {
		return false
	}
	if r.On != nil {
		return slices.Contains(r.On, kind)
	}
	return kind.transient()
}

// wait is the time between the end of an attempt, numbered from 1 within its
// set, and the start of the next. seed decides the jitter.
func (r Retry) wait(attempt int, seed uint64) time.Duration {
	w := float64(r.Min) * math.Pow(max(r.Factor, 1), float64(attempt-1))
	w = min(w, float64(r.Cap)) // also where the power overflowed
	if r.Jitter == JitterFull {
		w *= float64(seed>>11) / (1 << 53)
	}
	return time.Duration(w)
}

// seed draws a number from an attempt's name: the same on every replay, and as
// good as random between executions.
func seed(execution, step string, undo bool, attempt int) uint64 {
	h := sha256.New()
	for _, part := range []string{execution, step, strconv.FormatBool(undo), strconv.Itoa(attempt)} {
		h.Write([]byte(strconv.Itoa(len(part)))) // a hash never fails to write
		h.Write([]byte{':'})
		h.Write([]byte(part))
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}
