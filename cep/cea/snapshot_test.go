package cea_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/cea"
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/event"
)

var update = flag.Bool("update", false, "rewrite the snapshot in testdata")

const goldenSnapshot = "testdata/state-v1.bin"

// spell makes one event per character, a second apart.
func spell(s string) []letter {
	es := make([]letter, len(s))
	for i := range s {
		es[i] = letter{name: s[i], key: 'k', at: time.Duration(i) * time.Second}
	}
	return es
}

// loops is a{2,} then any b? then any c, with any contiguity.
func loops(t require.TestingT, pol engine.Policy) *desk {
	m := &model{conds: []string{"a", "b", "c"}, steps: []engine.Step{
		{Elem: 0, Cond: 1, Min: 2, Max: -1, Repeat: engine.Any},
		{Elem: 1, Cond: 2, Link: engine.Any, Optional: true},
		{Elem: 2, Cond: 3, Link: engine.Any},
	}}
	e, err := cea.Compile(m.steps, engine.Traits{}, pol)
	require.NoError(t, err)
	return newDesk(e, m)
}

func (k *desk) feedAll(es []letter) {
	for _, e := range es {
		k.feed(e, false)
	}
}

// A state that an earlier build wrote is read as it was.
func TestGoldenSnapshot(t *testing.T) {
	pol := engine.Policy{Within: time.Minute, Skip: engine.Skip{Kind: engine.NoSkip}}
	d := loops(t, pol)
	d.feedAll(spell("aaba"))
	d.feed(letter{name: 'a', key: 'l', at: 4 * time.Second}, false)
	_, got := copied(t, d.e, d.s)
	if *update {
		require.NoError(t, os.WriteFile(goldenSnapshot, got, 0o644))
	}
	want, err := os.ReadFile(goldenSnapshot)
	require.NoError(t, err)
	require.Equal(t, want, got, "if the form was changed, give it a new version and a reader for this one")

	dec, err := engine.NewDecoder(want)
	require.NoError(t, err)
	again := loops(t, pol)
	require.NoError(t, again.s.Restore(dec))
	again.order = d.order
	c := letter{name: 'c', key: 'k', at: 5 * time.Second}
	again.feed(c, false)
	d.feed(c, false)
	require.NotEmpty(t, d.lines)
	assert.Equal(t, d.lines, again.lines)
	again.expire(zero.Add(time.Hour))
	assert.True(t, again.s.Empty())
}

// The size of a snapshot is in proportion to what is left, not to what there was.
func TestSnapshotIsLinearInWhatIsLeft(t *testing.T) {
	size := func(events int) int {
		d := loops(t, engine.Policy{Within: 50 * time.Second, Limit: 1 << 20, Skip: engine.Skip{Kind: engine.NoSkip}})
		d.feedAll(spell(strings.Repeat("ab", events/2)))
		_, b := copied(t, d.e, d.s)
		return len(b)
	}
	assert.InEpsilon(t, size(200), size(20_000), 0.2)
}

func TestRestoreRefuses(t *testing.T) {
	d := loops(t, engine.Policy{Skip: engine.Skip{Kind: engine.NoSkip}})
	d.feedAll(spell("aab"))
	_, whole := copied(t, d.e, d.s)
	for i := range whole {
		short := whole[:i]
		if dec, err := engine.NewDecoder(short); err == nil {
			require.Error(t, d.e.New().Restore(dec), "the first %d bytes", i)
		}
	}
	h := (&engine.Input{Ev: &event.Event{ID: "i", Source: "s", Type: "t"}, Order: 1, At: zero}).Hold()
	for _, c := range []struct {
		name  string
		write func(e *engine.Encoder)
		want  string
	}{
		{"another version", func(e *engine.Encoder) { uints(e, 9, 0) }, "version 9"},
		{"no starts", func(e *engine.Encoder) { head(e, nil); uints(e, 0, 0, 0, 0, 0) }, "no starts"},
		{"nothing open", func(e *engine.Encoder) { head(e, h); uints(e, 0, 0, 0, 0, 0, 0) }, "nothing open"},
		{"a union of itself", func(e *engine.Encoder) { head(e, h); uints(e, 0, 0, 1, 0, 0, 0, 0, 0, 0) }, "too little"},
		{"an element that is none", func(e *engine.Encoder) { head(e, h); uints(e, 0, 0, 1, 9, 0, 0, 0, 0, 0) }, "less than 4"},
		{"a start that is none", func(e *engine.Encoder) { head(e, h); uints(e, 0, 0, 1, 1, 0, 7, 0, 0, 0) }, "less than 1"},
		{"no event", func(e *engine.Encoder) { head(e, h); uints(e, 0, 0, 2, 1, 0, 0, 1, 1, 0, 0, 0) }, "event is missing"},
		{"a state twice", func(e *engine.Encoder) { head(e, h); uints(e, 0, 0, 1, 1, 0, 0, 2, 1, 1, 1, 1) }, "in state 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var enc engine.Encoder
			c.write(&enc)
			uints(&enc, 0, 0, 0, 0) // so that it is not too short
			dec, err := engine.NewDecoder(enc.AppendEvents(nil))
			require.NoError(t, err)
			require.ErrorContains(t, d.e.New().Restore(dec), c.want)
		})
	}
}

func uints(e *engine.Encoder, ns ...uint64) {
	for _, n := range ns {
		e.Uint(n)
	}
}

// head writes a state of one key up to the event of its only start; with none, up
// to the number of its starts.
func head(e *engine.Encoder, h *engine.Held) {
	uints(e, 1, 1)
	e.Text("k")
	if h != nil {
		e.Uint(1)
		e.Held(h)
	}
}

// FuzzRestore reads any bytes as a state and goes on with what is accepted.
func FuzzRestore(f *testing.F) {
	pol := engine.Policy{Within: 5 * time.Second, Skip: engine.Skip{Kind: engine.NoSkip}, Limit: 3}
	d := loops(f, pol)
	for _, e := range spell("aabaab") {
		d.feed(e, false)
		_, b := copied(f, d.e, d.s)
		f.Add(b, e.name)
	}
	f.Fuzz(func(t *testing.T, b []byte, skip byte) {
		dec, err := engine.NewDecoder(b)
		if err != nil {
			return
		}
		pol := pol
		pol.Skip.Kind = engine.SkipKind(skip % 5)
		k := loops(t, pol)
		if k.s.Restore(dec) != nil {
			return
		}
		for _, e := range slices.Concat(spell("cab"), spell("xxxxabac")[3:]) {
			k.feed(e, false)
			k.s.Size()
			_, _, _, _, _ = k.s.(engine.Inspector).Furthest([]byte{e.key}, zero)
		}
		k.expire(zero.Add(time.Hour))
		var again engine.Encoder
		k.s.AppendTo(&again)
	})
}

// A key of which all is over, and which no deadline has freed yet, is not written.
func TestSnapshotLeavesOutWhatIsOver(t *testing.T) {
	d := loops(t, engine.Policy{Within: time.Minute})
	d.feedAll(spell("aa"))
	cea.LetPass(d.s, zero.Add(time.Hour))
	require.False(t, d.s.Empty())
	again, _ := copied(t, d.e, d.s)
	assert.True(t, again.Empty())
}
