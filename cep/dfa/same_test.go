package dfa_test

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/rhost/rhost/cep/dfa"
	"github.com/rhost/rhost/cep/engine"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// often checks a property some thousand times; what goes wrong takes a rare
// pattern to show.
func often(t *testing.T, property func(t *rapid.T)) {
	t.Helper()
	rounds := 20
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		rapid.Check(t, property)
	}
}

// together feeds both engines the same events and compares what they give out.
func together(t require.TestingT, from source, m *model, events int) {
	ours, theirs := newDesk(m, compile(t, m)), newDesk(m, nfa(t, m))
	if from("tight", 4) == 0 {
		dfa.Tighten(ours.eng)
	}
	ours.hidden = from("hidden", 2) == 1
	names := pick(from, "letters", "abc", "abcx", "abcxxx", "aab")
	drain := -1
	if from("drain", 4) == 0 {
		drain = from("drain at", events)
	}
	var fed []letter
	for i := range events {
		ours.turn.Closed, theirs.turn.Closed = i == drain || ours.turn.Closed, i == drain || theirs.turn.Closed
		l := drawLetter(from, names)
		fed = append(fed, l)
		ours.feed(l)
		theirs.feed(l)
		require.Equal(t, theirs.take(), ours.take(), "%s after %+v", m, fed)
		require.Equal(t, theirs.counts(), ours.counts(), "%s after %+v", m, fed)
	}
	end := ours.now.Add(time.Hour)
	ours.advance(end)
	theirs.advance(end)
	require.Equal(t, theirs.take(), ours.take(), "%s at the end", m)
	if m.pol.Within > 0 && ours.turn.Err == nil {
		require.True(t, theirs.s.Empty())
		require.True(t, ours.s.Empty(), "%s: everything is over", m)
		require.Equal(t, engine.Size{Bytes: ours.s.Size().Bytes}, ours.s.Size())
	}
}

func TestSameAsNFA(t *testing.T) {
	often(t, func(t *rapid.T) {
		from := drawing(t)
		together(t, from, drawModel(from, false), 1+from("events", 24))
	})
}

// Patterns that leave no choice may have any policy.
func TestSameAsNFAUnderAnyPolicy(t *testing.T) {
	often(t, func(t *rapid.T) {
		from := drawing(t)
		together(t, from, drawModel(from, true), 1+from("events", 24))
	})
}

// The long form: a million events, by default some ten thousand.
func TestSameAsNFAForLong(t *testing.T) {
	total := 20_000
	if os.Getenv("RHOST_SOAK") != "" {
		total = 1_000_000
	}
	r := rand.New(rand.NewPCG(1, uint64(total)))
	for from := dice(r); total > 0; {
		n := 50 + r.IntN(350)
		together(t, from, drawModel(from, r.IntN(2) == 0), n)
		total -= n
	}
}
