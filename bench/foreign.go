package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"
)

// Other programs on the machine disturb single calls more than anything that is compared.
// So the suite that looks at them takes again what was disturbed, and leaves the time out
// for which the kernel ran another program in the caller's place.
const (
	// disturbed is the share of the machine's time that others may have had.
	disturbed = 0.10
	// patience is how long turns of a run are taken again, in all. Of those that were
	// taken several times, the least disturbed counts.
	patience = 2 * time.Second
)

// busy is how the processors' time was spent since the machine started.
type busy struct{ all, used, own time.Duration }

// busyNow reads the counters; ok is false where there are none.
func busyNow() (b busy, ok bool) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return busy{}, false
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	const tick = 10 * time.Millisecond // of the figures that Linux shows
	for n, f := range strings.Fields(line)[1:] {
		v, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return busy{}, false
		}
		const idle, iowait, guest = 3, 4, 8 // guests are counted among the used
		if n >= guest {
			break
		}
		b.all += time.Duration(v) * tick
		if n != idle && n != iowait {
			b.used += time.Duration(v) * tick
		}
	}
	b.own = ownTime()
	return b, true
}

// others is the share of the machine's time since b that other programs had.
func (b busy) others() float64 {
	now, ok := busyNow()
	if !ok || now.all <= b.all {
		return 0
	}
	return max(0, float64(now.used-b.used-(now.own-b.own))/float64(now.all-b.all))
}

// undisturbed takes something several times, if it must and until then, and gives the one that
// others disturbed least, with the share of the machine that they had.
func undisturbed[T any](ctx context.Context, until time.Time, take func() (T, error)) (best T, share float64, err error) {
	const pause = 100 * time.Millisecond
	share = 2
	for {
		from, _ := busyNow()
		v, err := take()
		if err != nil {
			return best, 0, err
		}
		if s := from.others(); s < share {
			best, share = v, s
		}
		if share <= disturbed || time.Now().After(until) || ctx.Err() != nil {
			return best, share, ctx.Err()
		}
		for time.Now().Before(until) { // for a quiet moment
			from, _ := busyNow()
			time.Sleep(pause)
			if from.others() <= disturbed {
				break
			}
		}
	}
}
