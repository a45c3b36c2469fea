package cea_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever the pattern, the events, the keys, the times and the limits: the
// answer is that of the automaton, match by match in order, and so are the
// counts of what the limits refused. A state that is written and read between
// events goes on as if nothing had happened.
func TestSameAsAutomaton(t *testing.T) {
	steps, matches := 0, 0
	often(t, func(t *rapid.T) {
		m, pol := drawModel(t), drawPolicy(t)
		nfa, ours := both(t, m, pol)
		es := drawLetters(t, 14)
		ours.all = rapid.Bool().Draw(t, "all")
		closes := len(es)
		if rapid.Bool().Draw(t, "closes") {
			closes = rapid.IntRange(0, len(es)).Draw(t, "closed from")
		}
		moves := rapid.Bool().Draw(t, "moves")
		for i, e := range es {
			nfa.feed(e, i >= closes)
			if nfa.turn.Overflow > 0 {
				t.Skip("too much for the automaton")
			}
			ours.feed(e, i >= closes)
			require.Equal(t, nfa.lines, ours.lines, "event %d of %v\n%s\n%+v", i+1, es, m, pol)
			require.Equal(t, nfa.turn.Err, ours.turn.Err)
			require.Equal(t, []uint64{nfa.turn.Rejected, nfa.turn.Dropped}, []uint64{ours.turn.Rejected, ours.turn.Dropped}, "event %d of %v\n%s\n%+v", i+1, es, m, pol)
			if moves && rapid.Bool().Draw(t, "snapshot") {
				var first, second []byte
				ours.s, first = copied(t, ours.e, ours.s)
				_, second = copied(t, ours.e, ours.s)
				require.Equal(t, first, second, "what was read is written the same again")
			}
			steps++
		}
		matches += len(ours.lines)
		require.Zero(t, ours.turn.Overflow)
		if pol.Within > 0 {
			ours.expire(zero.Add(time.Hour))
			require.True(t, ours.s.Empty(), "a quiet key is freed")
		}
	})
	t.Logf("%d steps, %d matches", steps, matches)
}
