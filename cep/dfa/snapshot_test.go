package dfa_test

import (
	"encoding/hex"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/rhost/rhost/cep/engine"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite golden files")

func save(s engine.State) []byte {
	var e engine.Encoder
	s.AppendTo(&e)
	return e.AppendEvents(nil)
}

// A state that was saved and restored goes on as if nothing had been, and is
// saved as before.
func TestSnapshotChangesNothing(t *testing.T) {
	often(t, func(t *rapid.T) {
		from := drawing(t)
		m := drawModel(from, rapid.Bool().Draw(t, "fixed"))
		stays, moves := newDesk(m, compile(t, m)), newDesk(m, compile(t, m))
		n := 1 + from("events", 24)
		for range n {
			if from("save", 3) == 0 {
				raw := save(moves.s)
				d, err := engine.NewDecoder(raw)
				require.NoError(t, err)
				moves.s = compile(t, m).New()
				require.NoError(t, moves.s.Restore(d))
				require.Zero(t, d.Rest())
				require.Equal(t, raw, save(moves.s))
			}
			l := drawLetter(from, "abcx")
			stays.feed(l)
			moves.feed(l)
			require.Equal(t, stays.take(), moves.take(), "%s", m)
			require.Equal(t, stays.counts(), moves.counts())
			a, b := stays.s.Size(), moves.s.Size()
			require.Equal(t, []int{a.Keys, a.Runs}, []int{b.Keys, b.Runs})
		}
		stays.advance(stays.now.Add(time.Hour))
		moves.advance(moves.now.Add(time.Hour))
		require.Equal(t, stays.take(), moves.take(), "%s", m)
	})
}

// fixed is a pattern and what has come of it, the same every time.
func fixed(t require.TestingT) *desk {
	m := &model{pol: engine.Policy{Within: time.Minute}}
	a := engine.Step{Cond: m.cond("a"), Min: 2, Max: -1, Repeat: engine.Then}
	b := engine.Step{Elem: 1, Cond: m.cond("b"), Link: engine.Then, Optional: true}
	c := engine.Step{Elem: 2, Cond: m.cond("c"), Link: engine.Then, Max: 2, Min: 2, Repeat: engine.Next}
	m.steps = []engine.Step{a, b, c}
	k := newDesk(m, compile(t, m))
	for i, name := range []byte("aabaaxcabab") {
		k.feed(letter{name: name, key: '0' + byte(i%11/10), after: time.Second})
	}
	return k
}

func TestSnapshotForm(t *testing.T) {
	const path = "testdata/snapshot-1.hex"
	got := hex.EncodeToString(save(fixed(t).s)) + "\n"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "released snapshots must stay readable: a new form needs a new version")
}

// Whatever the bytes, Restore gives an error or a state that can be used.
func FuzzRestore(f *testing.F) {
	f.Add(save(fixed(f).s))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := engine.NewDecoder(raw)
		if err != nil {
			return
		}
		k := fixed(t)
		k.s.Clear()
		if k.s.Restore(d) != nil {
			return
		}
		k.order = 1 << 40
		for _, name := range []byte("abcaxaccbcc") {
			k.feed(letter{name: name, key: '0', after: time.Second})
		}
		k.s.Size()
		save(k.s)
		in, ok := k.s.(engine.Inspector)
		require.True(t, ok)
		in.EachKey(func(key []byte) { in.Furthest(key, k.now) })
		k.advance(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
	})
}
