package host

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// simRun runs the schedule of a seed.
func simRun(seed uint64, plant simPlant, trace bool) *simWorld {
	w := newSimWorld(seed, plant)
	if trace {
		w.trace = &strings.Builder{}
	}
	w.run()
	return w
}

// simStory is the end of a schedule, for people.
func simStory(w *simWorld, lines int) string {
	all := strings.Split(strings.TrimSpace(w.trace.String()), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// TestSim lets the schedules of many seeds run. RHOST_SIM_SEED runs one of them
// again and tells all its steps; RHOST_SIM_FOR says for how long to try new ones.
func TestSim(t *testing.T) {
	if text := os.Getenv("RHOST_SIM_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		w := simRun(seed, plantNothing, true)
		fmt.Println(w.trace.String())
		require.Empty(t, w.problems)
		return
	}
	budget := 3 * time.Second
	if text := os.Getenv("RHOST_SIM_FOR"); text != "" {
		var err error
		budget, err = time.ParseDuration(text)
		require.NoError(t, err)
	} else if os.Getenv("RHOST_SOAK") != "" {
		budget = 5 * time.Minute
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // worlds are small, and many
	began := time.Now()
	first, n := uint64(began.UnixNano()), atomic.Uint64{}
	bad := make(chan uint64, 1)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for time.Since(began) < budget && len(bad) == 0 {
				if seed := first + n.Add(1); len(simRun(seed, plantNothing, false).problems) > 0 {
					select {
					case bad <- seed:
					default: // another has one
					}
				}
			}
		})
	}
	workers.Wait()
	select {
	case seed := <-bad:
		w := simRun(seed, plantNothing, true)
		t.Fatalf("seed %d: %s\nRHOST_SIM_SEED=%d go test ./host -run TestSim$ tells all of it; the end is\n%s",
			seed, strings.Join(w.problems[:min(5, len(w.problems))], "\n"), seed, simStory(w, 60))
	default:
	}
	took := time.Since(began)
	t.Logf("%d schedules from seed %d in %v: %.0f a minute", n.Load(), first+1, took.Round(time.Millisecond), float64(n.Load())/took.Minutes())
}
