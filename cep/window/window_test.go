package window_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/window"
	"github.com/rhost/rhost/event"
)

// drawSpec draws windows of some seconds, which align and which do not.
func drawSpec(t *rapid.T) window.Spec {
	seconds := func(label string, most int) time.Duration {
		return time.Duration(rapid.IntRange(1, most).Draw(t, label)) * time.Second
	}
	s := window.Spec{Kind: window.Kind(rapid.IntRange(0, 3).Draw(t, "kind"))}
	switch s.Kind {
	case window.Count:
		s.Count = rapid.IntRange(1, 20).Draw(t, "count")
	case window.Sliding:
		s.Size = seconds("size", 30)
		s.Slide = min(s.Size, seconds("slide", 12))
	default:
		s.Size = seconds("size", 20)
	}
	return s
}

func drawValue(label string) *rapid.Generator[event.Value] {
	return rapid.Custom(func(t *rapid.T) event.Value {
		switch rapid.IntRange(0, 11).Draw(t, label) {
		case 0:
			return event.Value{}
		case 1:
			return event.NullValue()
		case 2:
			return event.BoolValue(rapid.Bool().Draw(t, "bool"))
		case 3:
			return event.StringValue(rapid.StringN(0, 3, 8).Draw(t, "text"))
		case 4:
			return event.TimeValue(time.Unix(rapid.Int64Range(-5, 5).Draw(t, "time"), 7))
		case 5:
			return event.RawValue([]byte(rapid.SampledFrom([]string{`[1, "a"]`, `{"a":1}`}).Draw(t, "json")))
		case 6:
			return event.NumberValue(float64(rapid.IntRange(-3, 3).Draw(t, "small")))
		default:
			// Eighths: the reference subtracts means, which leaves nothing of numbers
			// that differ in their last digits.
			return event.NumberValue(float64(rapid.IntRange(-100_000, 100_000).Draw(t, "eighths")) / 8)
		}
	})
}

// drawEvents draws up to 60 events around 1970, some at the same time, some with
// long pauses between them.
func drawEvents(t *rapid.T) []occurrence {
	at := time.Unix(rapid.Int64Range(-100, 100).Draw(t, "start"), 0).UTC()
	steps := rapid.SliceOfN(rapid.SampledFrom([]time.Duration{
		0, 0, 1, time.Millisecond, 300 * time.Millisecond, time.Second, time.Second, 3 * time.Second, 7 * time.Second, 40 * time.Second, time.Hour,
	}), 0, 60).Draw(t, "steps")
	var events []occurrence
	for i, step := range steps {
		at = at.Add(step)
		events = append(events, occurrence{at: at, x: drawValue("x").Draw(t, "x"), y: drawValue("y").Draw(t, "y"), order: uint64(i + 1)})
	}
	return events
}

func end(events []occurrence, t *rapid.T) time.Time {
	at := time.Unix(0, 0)
	if len(events) > 0 {
		at = events[len(events)-1].at
	}
	return at.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "rest")) * time.Second)
}

// values puts what a plan asks for in the plan's order; rules name x and y only.
func values(p *window.Plan, ev occurrence) []event.Value {
	var vs []event.Value
	for _, path := range p.Paths() {
		if path.String() == "data.y" {
			vs = append(vs, ev.y)
		} else {
			vs = append(vs, ev.x)
		}
	}
	return vs
}

func play(p *window.Plan, events []occurrence, until time.Time) []window.Result {
	s := p.New()
	var results []window.Result
	for _, ev := range events {
		results = p.Add(s, ev.at, values(p, ev), ev.order, results)
	}
	return p.Advance(s, until, results)
}

// Every window there is, and nothing else, in order, with the values that all of
// its events give when they are looked at together.
func TestAgainstReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec, events := drawSpec(t), drawEvents(t)
		until := end(events, t)
		p, err := window.Compile(spec, allLets())
		require.NoError(t, err)
		got, want := play(p, events, until), reference(spec, events, until)
		require.Len(t, got, len(want), "%v", spec)
		for i := range want {
			w, g := want[i], got[i]
			require.Equal(t, []any{w.From, w.To, w.N, w.First, w.Last}, []any{g.From, g.To, g.N, g.First, g.Last}, "%v", spec)
			for j, let := range allLets() {
				require.True(t, alike(w.Values[j], g.Values[j]), "%v, window from %v, %s: want %v, got %v", spec, w.From, let.Text, w.Values[j], g.Values[j])
			}
		}
	})
}

// Time that passes in small steps, and a move to another machine at any moment,
// change not one bit.
func TestSameAnswerTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec, events := drawSpec(t), drawEvents(t)
		until := end(events, t)
		p, err := window.Compile(spec, allLets())
		require.NoError(t, err)
		want := play(p, events, until)

		s := p.New()
		var got []window.Result
		advance := func(to time.Time) {
			for {
				due, ok := p.Deadline(s)
				if !ok || due.After(to) || rapid.Bool().Draw(t, "at once") {
					break
				}
				before := len(got)
				got = p.Advance(s, due.Add(-1), got)
				require.Len(t, got, before, "nothing is due before the deadline")
				got = p.Advance(s, due, got)
				require.Len(t, got, before+1, "one window is due at the deadline")
			}
			if rapid.Bool().Draw(t, "advance") {
				got = p.Advance(s, to, got)
			}
		}
		for _, ev := range events {
			advance(ev.at)
			got = p.Add(s, ev.at, values(p, ev), ev.order, got)
			if rapid.IntRange(0, 3).Draw(t, "move") == 0 {
				s = moved(t, p, s)
			}
		}
		advance(until)
		got = p.Advance(s, until, got)
		require.Equal(t, want, got)
		if _, due := p.Deadline(s); spec.Kind != window.Count {
			require.Equal(t, !s.Empty(), due)
		}
	})
}

// moved writes a state and reads it again.
func moved(t require.TestingT, p *window.Plan, s *window.State) *window.State {
	b := p.AppendState([]byte("before"), s)
	back, rest, err := p.RestoreState(append(b, "after"...)[len("before"):])
	require.NoError(t, err)
	require.Equal(t, "after", string(rest))
	require.Equal(t, string(b), string(p.AppendState([]byte("before"), back)), "the same state has the same bytes")
	return back
}

func compile(tb testing.TB, spec string, texts ...string) *window.Plan {
	tb.Helper()
	s, err := window.ParseSpec(spec)
	require.NoError(tb, err)
	var list []window.Let
	for i, text := range texts {
		list = append(list, window.Let{Name: string(rune('a' + i)), Text: text})
	}
	p, err := window.Compile(s, list)
	require.NoError(tb, err)
	return p
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

// An event at the end of a window comes after its result.
func TestBoundaries(t *testing.T) {
	for name, tt := range map[string]struct {
		spec  string
		times []string
		want  []string // from, to, events
	}{
		"tumbling":               {"tumbling 1m", []string{"2026-01-01T00:00:00Z", "2026-01-01T00:00:59.999999999Z", "2026-01-01T00:01:00Z"}, []string{"2026-01-01T00:00:00Z 2026-01-01T00:01:00Z 2", "2026-01-01T00:01:00Z 2026-01-01T00:02:00Z 1"}},
		"before 1970":            {"tumbling 7d", []string{"1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00Z"}, []string{"1969-12-25T00:00:00Z 1970-01-01T00:00:00Z 1", "1970-01-01T00:00:00Z 1970-01-08T00:00:00Z 1"}},
		"the ends of time":       {"sliding 1h every 1h", []string{"0000-01-01T00:30:00Z", "9999-12-31T23:59:59Z"}, []string{"0000-01-01T00:00:00Z 0000-01-01T01:00:00Z 1", "9999-12-31T23:00:00Z 10000-01-01T00:00:00Z 1"}},
		"sliding":                {"sliding 3s every 2s", []string{"1970-01-01T00:00:03Z", "1970-01-01T00:00:04Z"}, []string{"1970-01-01T00:00:02Z 1970-01-01T00:00:05Z 2", "1970-01-01T00:00:04Z 1970-01-01T00:00:07Z 1"}},
		"session":                {"session 10s", []string{"1970-01-01T00:00:00Z", "1970-01-01T00:00:09.999999999Z", "1970-01-01T00:00:19.999999999Z"}, []string{"1970-01-01T00:00:00Z 1970-01-01T00:00:19.999999999Z 2", "1970-01-01T00:00:19.999999999Z 1970-01-01T00:00:29.999999999Z 1"}},
		"count":                  {"count 2", []string{"1970-01-01T00:00:00Z", "1970-01-01T00:00:09Z", "1970-01-01T00:00:19Z"}, []string{"1970-01-01T00:00:00Z 1970-01-01T00:00:09Z 2"}},
		"a clock that goes back": {"tumbling 1m", []string{"1970-01-01T01:00:00Z", "1970-01-01T00:00:00Z"}, []string{"1970-01-01T01:00:00Z 1970-01-01T01:01:00Z 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := compile(t, tt.spec)
			s := p.New()
			var results []window.Result
			for i, text := range tt.times {
				results = p.Add(s, at(text), nil, uint64(i), results)
			}
			results = p.Advance(s, at("9999-12-31T23:59:59Z").AddDate(1, 0, 0), results)
			var got []string
			for _, r := range results {
				got = append(got, r.From.Format(time.RFC3339Nano)+" "+r.To.Format(time.RFC3339Nano)+" "+event.NumberValue(float64(r.N)).String())
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

// A clock that jumps to the year 9999 costs the windows that hold events, not
// those between.
func TestClockJump(t *testing.T) {
	p := compile(t, "sliding 10s every 10ms", "count()", "quantile(data.x, 0.5)")
	s := p.New()
	start := time.Now()
	for i := range 20 {
		at := time.Date(1900+i*400, 1, 1, 0, 0, 0, 0, time.UTC)
		results := p.Add(s, at, []event.Value{event.NumberValue(1)}, uint64(i), nil)
		if i > 0 {
			assert.Len(t, results, 1000, "as many windows as the event before lies in")
		}
	}
	assert.Less(t, time.Since(start), 5*time.Second)
}

// A key's first event may come at any time; nothing else starts the clock.
func TestUnused(t *testing.T) {
	p := compile(t, "tumbling 1m", "count()")
	s := p.New()
	assert.True(t, s.Empty())
	_, ok := p.Deadline(s)
	assert.False(t, ok)
	assert.Empty(t, p.Advance(s, time.Unix(1e9, 0), nil))
	assert.True(t, s.Empty())
	p.Add(s, time.Unix(1e9, 0), nil, 1, nil)
	due, ok := p.Deadline(s)
	assert.True(t, ok)
	assert.Equal(t, window.Floor(time.Unix(1e9, 0), time.Minute).Add(time.Minute), due)
	assert.False(t, s.Empty())
	require.Len(t, p.Advance(s, due, nil), 1)
	assert.True(t, s.Empty(), "nothing is held after the window")
}

func TestFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(1, 1<<62).Draw(t, "d"))
		x := time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "sec"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos"))
		f := window.Floor(x, d)
		require.False(t, f.After(x))
		require.True(t, f.Add(d).After(x))
		require.Equal(t, f, window.Floor(f, d), "a multiple is its own floor")
		require.Equal(t, f.Add(d), window.Floor(f.Add(d), d), "the next multiple is one too")
	})
	assert.Equal(t, at("1969-12-31T23:59:58Z"), window.Floor(at("1969-12-31T23:59:59.5Z"), 2*time.Second))
	assert.Equal(t, at("1970-01-01T00:00:00Z"), window.Floor(at("1970-01-01T00:00:00Z"), 7*24*time.Hour))
}
