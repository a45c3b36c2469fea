package cea_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/cea"
	"github.com/rhost/rhost/cep/engine"
)

// duel shows events to both engines and compares.
type duel struct {
	t         *rapid.T
	nfa, ours *desk
	pol       engine.Policy
	about     string
}

// feed shows an event, and compares what has come out so far. It reports whether
// the automaton could do it within its bounds.
func (d *duel) feed(e letter, closed bool) bool {
	d.nfa.feed(e, closed)
	if d.nfa.turn.Overflow > 0 {
		return false
	}
	d.ours.feed(e, closed)
	require.Equal(d.t, d.nfa.lines, d.ours.lines, "%s\n%s\n%+v", d.about, d.ours.m, d.pol)
	require.Equal(d.t, d.nfa.turn.Err, d.ours.turn.Err)
	refused := func(k *desk) []uint64 { return []uint64{k.turn.Rejected, k.turn.Dropped} }
	require.Equal(d.t, refused(d.nfa), refused(d.ours), "%s\n%s\n%+v", d.about, d.ours.m, d.pol)
	require.Zero(d.t, d.ours.turn.Overflow)
	return true
}

// move does to our state what must not make a difference.
func (d *duel) move() {
	switch rapid.IntRange(0, 5).Draw(d.t, "between") {
	case 0:
		var first, second []byte
		d.ours.s, first = copied(d.t, d.ours.e, d.ours.s)
		_, second = copied(d.t, d.ours.e, d.ours.s)
		require.Equal(d.t, first, second, "what was read is written the same again")
	case 1:
		cea.Age(d.ours.s)
	case 2:
		cea.Starve(d.ours.s)
	}
}

// Whatever the pattern, the events, the keys, the times and the limits: the
// answer is that of the automaton, match by match in order, and so are the
// counts of what the limits refused. A state that is written and read between
// events goes on as if nothing had happened.
func TestSameAsAutomaton(t *testing.T) {
	steps, matches := 0, 0
	often(t, func(t *rapid.T) {
		m, pol := drawModel(t, 2), drawPolicy(t)
		nfa, ours := both(t, m, pol)
		d := &duel{t, nfa, ours, pol, ""}
		es := drawLetters(t, 14)
		ours.all = rapid.Bool().Draw(t, "all")
		closes := len(es)
		if rapid.Bool().Draw(t, "closes") {
			closes = rapid.IntRange(0, len(es)).Draw(t, "closed from")
		}
		moves := rapid.Bool().Draw(t, "moves")
		for i, e := range es {
			if !d.feed(e, i >= closes) {
				t.Skip("too much for the automaton")
			}
			if moves {
				d.move()
			}
			steps++
		}
		matches += len(ours.lines)
		if pol.Within > 0 {
			ours.expire(zero.Add(time.Hour))
			require.True(t, ours.s.Empty(), "a quiet key is freed")
		}
	})
	t.Logf("%d steps, %d matches", steps, matches)
}

// Over many events nodes expire, are freed and compacted, and numbers start
// again; the answer stays the same.
func TestSameAsAutomatonForLong(t *testing.T) {
	steps, matches := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m, pol := drawModel(t, 0), drawPolicy(t)
		pol.Limit = rapid.SampledFrom([]int{2, 5, 20}).Draw(t, "limit")
		if pol.Within == 0 && pol.Skip.Kind == engine.NoSkip {
			pol.Within = 10 * time.Second
		}
		nfa, ours := both(t, m, pol)
		d := &duel{t, nfa, ours, pol, "long"}
		es := drawLetters(t, 30)
		seed := rapid.Uint64().Draw(t, "seed")
		now := time.Duration(0)
		for i := range 1000 {
			e := es[(seed+uint64(i*i))%uint64(len(es))]
			now += time.Duration(seed>>(i%32)%4) * time.Second
			e.at = now
			if !d.feed(e, false) || len(nfa.lines) > 1000 {
				return
			}
			if i%100 == 99 {
				d.move()
			}
			steps++
		}
		matches += len(ours.lines)
	})
	t.Logf("%d steps, %d matches", steps, matches)
}

// What came furthest is as far with both engines. Where only the first match of
// several counts, the automaton forgets what cannot become it.
func TestFurthestAsAutomaton(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, pol := drawModel(t, 1), drawPolicy(t)
		nfa, ours := both(t, m, pol)
		for _, e := range drawLetters(t, 10) {
			nfa.feed(e, false)
			if nfa.turn.Overflow > 0 {
				t.Skip("too much for the automaton")
			}
			ours.feed(e, false)
			now := zero.Add(e.at)
			want, wantNext, wantNots, wantEnd, _ := nfa.s.(engine.Inspector).Furthest([]byte{e.key}, now)
			got, next, nots, end, ok := ours.s.(engine.Inspector).Furthest([]byte{e.key}, now)
			require.True(t, ok)
			if pol.Skip.Kind == engine.PastLast {
				w, g := far(want), far(got)
				require.GreaterOrEqual(t, slices.Compare(g[:], w[:]), 0, "%s\n%+v", m, pol)
			} else {
				require.Equal(t, far(want), far(got), "%s\n%+v", m, pol)
			}
			if same(want, got) {
				require.Equal(t, wantEnd, end)
				require.Subset(t, next, wantNext, "%s\n%+v", m, pol)
				require.Equal(t, wantNots, nots&wantNots, "%s\n%+v", m, pol)
			}
		}
	})
}

func far(pairs []engine.Pair) (at [2]int) {
	for _, p := range pairs {
		at[0] = max(at[0], p.Elem)
	}
	at[1] = len(pairs)
	return at
}

func same(a, b []engine.Pair) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Elem != b[i].Elem || a[i].Held.Order != b[i].Held.Order {
			return false
		}
	}
	return true
}
