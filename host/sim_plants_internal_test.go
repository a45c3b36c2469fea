package host

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSimFindsPlantedBugs plants bugs, one at a time, and lets the simulation find
// them. One that does not find these would not find others.
func TestSimFindsPlantedBugs(t *testing.T) {
	for _, tt := range []struct {
		plant  simPlant
		within int      // so many schedules
		as     []string // what it is found as: one of these
	}{
		{plantNoFence, 50, []string{"says it is frame", "does not follow", "had claimed"}},
		{plantEarlyAck, 50, []string{"had been stored", "was acked and is lost", "is missing"}},
		{plantSnapshotAhead, 50, []string{"started twice", "not in RUN", "has the match", "never started"}},
		{plantLostTimer, 50, []string{"never ends"}},
		{plantEarlyStart, 50, []string{"before its intent was on disk"}},
		{plantNoDedup, 50, []string{"is in EV twice"}},
		{plantLanesBehind, 100, []string{"the next in EV is", "not in RUN", "a match too many"}},
		{plantSweepNamed, 50, []string{"is gone", "not found"}},
		{plantPurgeAhead, 50, []string{"no snapshot of what came before", "outside the log", "finds no owner", "is gone", "missing"}},
		{plantDeleteUnfenced, 50, []string{"is gone", "not found"}},
		{plantForgottenEmits, 100, []string{"is in EV 0 times"}},
	} {
		t.Run(tt.plant.String(), func(t *testing.T) {
			for seed := uint64(1); seed <= uint64(tt.within); seed++ {
				w := simRun(seed, tt.plant, false)
				if !slices.ContainsFunc(tt.as, func(text string) bool { return strings.Contains(strings.Join(w.problems, "\n"), text) }) {
					continue
				}
				again := simRun(seed, tt.plant, true)
				require.Equal(t, w.problems, again.problems, "the same seed is the same run")
				t.Logf("found in schedule %d: %s\n%s", seed, w.problems[0], simStory(again, 25))
				return
			}
			t.Fatalf("not found in %d schedules", tt.within)
		})
	}
}

// TestSimSeesEverything: what the schedules never come to is not tested by them.
func TestSimSeesEverything(t *testing.T) {
	missing := []string{
		"a lane was recovered from a snapshot", "a lane was recovered from a log whose start is gone", "an owner was fenced",
		"emitted events were sent after a take-over", "a batch waited for room", "rules were edited",
		"the start of a log was released", "a message arrived late", "a dead letter was looked at", "calls took turns over a key",
		"an event came again after the window", "an action ran again with its key", "what was done was undone",
		"lanes were recovered from a snapshot", "lanes were made anew", "a process ended in the middle of a step", "blobs were swept", "a blob was removed", "a delete arrived late", "a lease decided who owns a group", "a lease was lost", "a group was handed over",
		"two nodes owned a group at a time", "a lane was recovered from an older snapshot",
	}
	for seed := uint64(1); len(missing) > 0; seed++ {
		require.LessOrEqual(t, seed, uint64(200), "schedules in which this never happened: %v", missing)
		w := simRun(seed, plantNothing, false)
		require.Empty(t, w.problems, "seed %d", seed)
		missing = slices.DeleteFunc(missing, func(what string) bool { return w.did[what] > 0 })
	}
}

// TestSimIsTheSameEachTime: a seed that is worth nothing the second time is worth
// nothing.
func TestSimIsTheSameEachTime(t *testing.T) {
	for seed := range uint64(12) {
		a, b := simRun(seed, plantNothing, true), simRun(seed, plantNothing, true)
		if a.fingerprint() != b.fingerprint() {
			x, y := strings.Split(a.trace.String(), "\n"), strings.Split(b.trace.String(), "\n")
			for i := range min(len(x), len(y)) {
				require.Equal(t, x[i], y[i], "step %d of seed %d", i, seed)
			}
			require.Fail(t, "the streams are different", "seed %d", seed)
		}
		require.Equal(t, a.fingerprint(), simRun(seed, plantNothing, true).fingerprint())
		require.Equal(t, len(a.groups[0].ev.frames), len(simRun(seed, plantNothing, false).groups[0].ev.frames), "to watch changes nothing")
	}
}
