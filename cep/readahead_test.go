package cep

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReadAheadFindsTheSame feeds many items at once, whose fields another goroutine
// reads, and one by one, in which case none does.
func TestReadAheadFindsTheSame(t *testing.T) {
	matches, ahead := 0, 0
	for seed := uint64(1); seed <= 40; seed++ {
		r := rand.New(rand.NewPCG(seed, 2))
		p, text := drawnProgram(t, r)
		log := randomEvents(r, 40+r.IntN(40))
		items := make([]Item, 0, len(log))
		single := NewMatcher(p, Options{Tenant: "t"})
		var want [][]Match
		for i, f := range log {
			it := Item{f.ev, Position{Lane: 1, Seq: uint64(i)}, f.at}
			for range 2 + r.IntN(3) { // the event, and items without one
				items = append(items, it)
				want = append(want, single.item(&it, it.At, nil))
				matches += len(want[len(want)-1])
				it.Event = nil
			}
			if single.Stats().Runs > 100 || single.Stats().Matches > 2000 {
				break
			}
		}
		if len(items) >= aheadLeast {
			ahead++
		}
		l, found := NewLanes(p, Options{Tenant: "t"}, 1, mustPath("data.k")), Found{}
		for range 2 { // a second time with room that was used
			l.Feed(items, &found)
			for i := range items {
				require.Equal(t, sortedLines(want[i]), sortedLines(found.Of(i)), "seed %d, item %d: %s", seed, i, text)
			}
			l = NewLanes(p, Options{Tenant: "t"}, 1, mustPath("data.k"))
		}
	}
	assert.Positive(t, matches)
	assert.Positive(t, ahead)
}
