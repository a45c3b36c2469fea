package automaton

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/event"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// desk feeds letters to a State, as a matcher does.
type desk struct {
	s     engine.State
	model model
	es    []letter
	cur   letter
	turn  engine.Turn
	order uint64
	lines []string
	crowd bool // all letters have one key, not one for each value
}

func (k *desk) Holds(c Cond, b engine.Bindings) bool {
	return k.model.conds[c-1].holds(k.cur, func(elem int) []letter {
		var all []letter
		for _, seen := range b.Events(elem) {
			all = append(all, k.es[len(seen.Ev.ID)])
		}
		return all
	})
}

// feed shows event i, whose id is i characters long.
func (k *desk) feed(i int) {
	now := time.Unix(0, 0).UTC().Add(k.es[i].at)
	k.expire(now)
	k.cur = k.es[i]
	k.order++
	t := &k.turn
	t.Truth = Truth{Known: ^k.model.traits().Correlated}
	for j, c := range k.model.conds {
		if strings.IndexByte(c.names, k.cur.name) < 0 {
			t.Truth.Known |= Cond(j + 1).Bit()
		} else if !c.last {
			t.Truth.True |= Cond(j + 1).Bit()
		}
	}
	ev := k.cur.event()
	ev.ID, ev.Source, ev.Type = strings.Repeat("i", i), "s", "t"
	t.Values = []event.Value{event.NumberValue(float64(k.cur.value))}
	t.In, t.Conds = &Input{Ev: ev, Pos: Position{Seq: uint64(i)}, Order: k.order, At: now}, k
	key := []byte{'k', byte('0' + k.cur.value)}
	if k.crowd {
		key = key[:1]
	}
	k.s.Feed(t, key)
	k.collect()
}

func (k *desk) expire(now time.Time) {
	for {
		at, ok := k.s.Deadline()
		if !ok || at.After(now) {
			return
		}
		k.s.Expire(&k.turn, now)
		k.collect()
	}
}

func (k *desk) collect() {
	for _, d := range k.turn.Out {
		k.lines = append(k.lines, show(fmt.Sprint(d.Key, d.Outcome, d.At, d.Deadline), d.Pairs))
	}
	k.turn.Out = k.turn.Out[:0]
}

func newDesk(t require.TestingT, m model, pol Policy, es []letter) *desk {
	p := newPlayer(t, m, pol, es)
	return &desk{s: p.m.New(), model: m, es: es}
}

// copied is the state written and read again.
func copied(t require.TestingT, s engine.State) (engine.State, []byte) {
	var e engine.Encoder
	s.AppendTo(&e)
	b := e.AppendEvents(nil)
	d, err := engine.NewDecoder(b)
	require.NoError(t, err)
	again := s.(*State).m.New()
	require.NoError(t, again.Restore(d))
	require.Zero(t, d.Rest())
	return again, b
}

// A state that is written and read between any two events goes on as if nothing
// had happened.
func TestSnapshotChangesNothing(t *testing.T) {
	often(t, func(t *rapid.T) {
		m := drawModel(t, rapid.Bool().Draw(t, "correlated"), true)
		es := drawCrowd(t, 24)
		crowd, few := rapid.Bool().Draw(t, "crowd"), rapid.SampledFrom([]int{2, fewRuns}).Draw(t, "few")
		pol := Policy{
			Limit: rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "limit"), DropOld: rapid.Bool().Draw(t, "drop oldest"),
			Skip: Skip{Kind: SkipKind(rapid.IntRange(0, 2).Draw(t, "skip"))}, OnTimeout: rapid.Bool().Draw(t, "on timeout"),
			Emit: Emit(rapid.IntRange(0, 1).Draw(t, "emit")),
		}
		kept, moved := newDesk(t, m, pol, es), newDesk(t, m, pol, es)
		for _, k := range []*desk{kept, moved} {
			k.crowd, k.s.(*State).m.few = crowd, few
		}
		for i := range es {
			kept.feed(i)
			moved.feed(i)
			if rapid.Bool().Draw(t, "snapshot") {
				var first, second []byte
				moved.s, first = copied(t, moved.s)
				_, second = copied(t, moved.s)
				require.Equal(t, first, second, "what was read is written the same again")
			}
		}
		end := time.Unix(0, 0).Add(time.Hour)
		kept.expire(end)
		moved.expire(end)
		require.Equal(t, kept.lines, moved.lines, "%s over %v", m, es)
		require.Equal(t, kept.turn.Rejected, moved.turn.Rejected)
		require.Equal(t, kept.turn.Dropped, moved.turn.Dropped)
		require.Equal(t, kept.s.Size().Runs, moved.s.Size().Runs)
	})
}

func FuzzRestore(f *testing.F) {
	m := failThenOK(0, true)
	d := newDesk(f, m, Policy{}, spell("fffffffo"))
	for i := range 7 {
		d.feed(i)
		_, b := copied(f, d.s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		dec, err := engine.NewDecoder(b)
		if err != nil {
			return
		}
		s := d.s.(*State).m.New()
		if s.Restore(dec) != nil {
			return
		}
		k := &desk{s: s, model: m, es: slices.Repeat(spell("fo"), 4)}
		for i := range k.es {
			k.es[i].at = time.Duration(i) * time.Second
			k.feed(i)
		}
		k.expire(time.Unix(0, 0).Add(time.Hour))
	})
}
