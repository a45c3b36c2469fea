package cep

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Lanes find, item by item, what one matcher finds, in whatever batches the log is
// read, and give it out in an order that batches do not change.
func TestLanesFindTheSame(t *testing.T) {
	matches := 0
	for seed := uint64(1); seed <= 30; seed++ {
		r := rand.New(rand.NewPCG(seed, 1))
		p, text := drawnProgram(t, r)
		other, _ := drawnProgram(t, r)
		log := randomEvents(r, 40+r.IntN(40))
		items := make([]Item, len(log))
		whole := NewMatcher(p, Options{Tenant: "t"})
		var want [][]Match
		change := r.IntN(2 * len(log))
		cut := func(i int) int { // nothing is fed together across a change
			if i < change {
				return min(change, len(log))
			}
			return len(log)
		}
		for i, f := range log {
			items[i] = Item{f.ev, Position{Lane: 1, Seq: uint64(i)}, f.at}
			switch r.IntN(6) {
			case 0:
				items[i].Event = nil
			case 1:
				items[i].At = items[i].At.Add(-items[i].At.Sub(log[0].at) / 2) // late
			}
			if i == change {
				whole.Swap(other)
			}
			want = append(want, whole.item(&items[i], items[i].At, nil))
			matches += len(want[i])
			if whole.Stats().Runs > 500 {
				items, log = items[:i+1], log[:i+1]
				break
			}
		}
		lanes := 1 + r.IntN(4)
		one, many := NewLanes(p, Options{Tenant: "t"}, lanes, mustPath("data.k")), NewLanes(p, Options{Tenant: "t"}, lanes, mustPath("data.k"))
		inBatches := feedLanes(one, items, other, change, func(i int) int { return min(i+1+r.IntN(10), cut(i)) })
		atOnce := feedLanes(many, items, other, change, cut)
		for i := range items {
			require.Equal(t, sortedLines(want[i]), sortedLines(inBatches[i]), "seed %d, %d lanes, item %d: %s", seed, lanes, i, text)
			require.True(t, slices.EqualFunc(inBatches[i], atOnce[i], func(a, b Match) bool { return a.ID == b.ID && a.Rule.Name == b.Rule.Name }),
				"seed %d, %d lanes, item %d: the order depends on the batch", seed, lanes, i)
			if lanes == 1 {
				require.True(t, slices.EqualFunc(want[i], atOnce[i], func(a, b Match) bool { return a.ID == b.ID }))
			}
		}
		require.Equal(t, whole.Now(), one.Now())
		if at, ok := whole.NextDeadline(); ok {
			next, has := many.NextDeadline()
			require.True(t, has)
			require.Equal(t, at, next)
		}
		require.Equal(t, whole.Stats().Matches, many.Stats().Matches)
		require.Equal(t, whole.Stats().Runs, many.Stats().Runs, "seed %d: %s", seed, text)
	}
	assert.Positive(t, matches)
}

// feedLanes feeds items in batches that end says, and gives the matches of each.
func feedLanes(l *Lanes, items []Item, other *Program, change int, end func(from int) int) [][]Match {
	var out [][]Match
	var found Found
	items = slices.Clone(items)
	for i := 0; i < len(items); {
		if i == change {
			l.Swap(other)
		}
		to := end(i)
		l.Feed(items[i:to], &found)
		for n := range to - i {
			out = append(out, slices.Clone(found.Of(n)))
		}
		i = to
	}
	return out
}
