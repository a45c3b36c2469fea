package window_test

import (
	"encoding/hex"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/window"
	"github.com/rhost/rhost/event"
)

var update = flag.Bool("update", false, "rewrite testdata/state.hex")

// filled gives states of every kind of window that hold a bit of everything; of
// the sliding one, the third has both stacks, its sketches and an open pane.
func filled(tb testing.TB) (plans []*window.Plan, states []*window.State) {
	tb.Helper()
	var texts []string
	for _, let := range allLets() {
		texts = append(texts, let.Text)
	}
	for _, spec := range []string{"tumbling 1m", "session 5s", "sliding 7s every 2s", "count 1000"} {
		p := compile(tb, spec, texts...)
		s := p.New()
		for i := range 180 {
			x := event.NumberValue(float64(i%40) - 7.5)
			switch i % 9 {
			case 7:
				x = event.StringValue("ann")
			case 8:
				x = event.RawValue([]byte(`{"b":[1]}`))
			}
			p.Add(s, time.Unix(0, int64(i)*50e6), values(p, occurrence{x: x, y: event.NumberValue(float64(i * i))}), uint64(i), nil)
		}
		plans, states = append(plans, p), append(states, s)
	}
	return plans, states
}

// A state of today can be read by every later release.
func TestGoldenState(t *testing.T) {
	const file = "testdata/state.hex"
	plans, states := filled(t)
	if *update {
		var lines []string
		for i, s := range states {
			lines = append(lines, plans[i].Spec().String()+": "+hex.EncodeToString(plans[i].AppendState(nil, s)))
		}
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	}
	golden, err := os.ReadFile(file)
	require.NoError(t, err)
	for i, line := range strings.Split(strings.TrimSpace(string(golden)), "\n") {
		_, text, _ := strings.Cut(line, ": ")
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		s, rest, err := plans[i].RestoreState(b)
		require.NoError(t, err)
		assert.Empty(t, rest)
		later := time.Unix(100, 0)
		assert.Equal(t, plans[i].Advance(states[i], later, nil), plans[i].Advance(s, later, nil), "%v goes on as it would have", plans[i].Spec())
	}
}

func TestEmptyStates(t *testing.T) {
	p := compile(t, "sliding 7s every 2s", "count()")
	s := moved(t, p, p.New())
	p.Add(s, time.Unix(-1e9, 0), nil, 1, nil)
	require.Len(t, p.Advance(s, time.Unix(0, 0), nil), 4)
	assert.True(t, s.Empty())
	s = moved(t, p, s)
	p.Add(s, time.Unix(-5e9, 0), nil, 1, nil)
	due, _ := p.Deadline(s)
	assert.Equal(t, time.Unix(1, 0).UTC(), due, "the time of an empty state is kept")
}

func TestRestoreErrors(t *testing.T) {
	plans, states := filled(t)
	b := plans[2].AppendState(nil, states[2])
	_, _, err := plans[0].RestoreState(b)
	assert.ErrorContains(t, err, "window state of another window or other aggregates than tumbling 1m0s")
	_, _, err = plans[2].RestoreState(append([]byte{9}, b[1:]...))
	assert.ErrorContains(t, err, "window state of version 9: this release reads version 1")
	for i := 0; i < len(b); i += 1 + i/100 {
		_, rest, err := plans[2].RestoreState(b[:i])
		require.Error(t, err, "cut at %d", i)
		require.Len(t, rest, i)
	}
}

// Whatever is read: no panic, no endless work, and a state that is taken can be
// used and written, and is then the same.
func FuzzRestoreState(f *testing.F) {
	plans, states := filled(f)
	for i, s := range states {
		f.Add(byte(i), plans[i].AppendState(nil, s)[9:])
		f.Add(byte(i), plans[i].AppendState(nil, plans[i].New())[9:])
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		p := plans[int(which)%len(plans)]
		b = append(p.AppendState(nil, p.New())[:9:9], b...)
		s, _, err := p.RestoreState(b)
		if err != nil {
			return
		}
		written := p.AppendState(nil, s)
		s, rest, err := p.RestoreState(written)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, written, p.AppendState(nil, s))
		start := time.Unix(0, 0)
		if due, ok := p.Deadline(s); ok {
			start = due.Add(-1)
		}
		for i := range 100 {
			p.Add(s, start.Add(time.Duration(i)*300*time.Millisecond), values(p, occurrence{x: event.NumberValue(float64(i))}), uint64(i), nil)
		}
		for range 2 * window.MaxPanes { // whatever is held is over some time
			due, ok := p.Deadline(s)
			if !ok {
				require.True(t, s.Empty() || p.Spec().Kind == window.Count)
				return
			}
			require.Len(t, p.Advance(s, due, nil), 1)
		}
		t.Fatal("windows without end")
	})
}
