package dfa_test

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Matchers in different goroutines share an engine, whose tables they fill.
func TestEngineIsShared(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		m := drawModel(dice(r), false)
		e := compile(t, m)
		var fed []letter
		for range 200 {
			fed = append(fed, drawLetter(dice(r), "abcx"))
		}
		lines := make([][]string, 4)
		var all sync.WaitGroup
		for i := range lines {
			all.Go(func() {
				k := newDesk(m, e)
				for _, l := range fed {
					k.feed(l)
				}
				lines[i] = k.take()
			})
		}
		all.Wait()
		want := newDesk(m, compile(t, m))
		for _, l := range fed {
			want.feed(l)
		}
		for i := range lines {
			require.Equal(t, want.lines, lines[i], "%s", m)
		}
	}
}

// However few partial matches a key may have, it never has more.
func TestMaxRunsAlwaysHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	over := uint64(0)
	for range 300 {
		m := drawModel(dice(r), r.IntN(2) == 0)
		m.pol.MaxRuns, m.pol.Limit = 1+r.IntN(4), 0
		k := newDesk(m, compile(t, m))
		for range 60 {
			l := drawLetter(dice(r), "abcx")
			l.key = '0'
			k.feed(l)
			require.LessOrEqual(t, k.s.Size().Runs, m.pol.MaxRuns, "%s", m)
		}
		over += k.turn.Overflow
	}
	assert.Positive(t, over)
}
