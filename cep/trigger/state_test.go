package trigger_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/trigger"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

var update = flag.Bool("update", false, "rewrite testdata/state.hex")

func watch(t require.TestingT, c trigger.Config) *trigger.Watch {
	w, err := trigger.Compile(c)
	require.NoError(t, err)
	return w
}

func TestWatch(t *testing.T) {
	for name, tt := range map[string]struct {
		c      trigger.Config
		values string // JSON, one a second; - is a second without
		want   string // seconds at which it fires, each with the value
	}{
		"above":                     {trigger.Config{Test: trigger.Above, Limit: 0.8}, `0.8 0.9 0.95 0.8 0.81`, "1:0.9 4:0.81"},
		"above, with a tolerance":   {trigger.Config{Test: trigger.Above, Limit: 0.8, Tolerance: 0.05}, `0.9 0.76 0.9 0.75 0.8 0.9`, "0:0.9 5:0.9"},
		"below":                     {trigger.Config{Test: trigger.Below, Limit: 10, Tolerance: 2}, `10 9 11 9 12 9`, "1:9 5:9"},
		"between":                   {trigger.Config{Test: trigger.Between, Low: 1, High: 3, Tolerance: 1}, `0 1 0 3 4.5 2`, "1:1 5:2"},
		"equals":                    {trigger.Config{Test: trigger.Equals, Value: event.StringValue("down")}, `"up" "down" "down" "up" "down"`, `1:"down" 4:"down"`},
		"equals a number":           {trigger.Config{Test: trigger.Equals, Value: event.NumberValue(5), Tolerance: 1}, `7 6 4 "5" 5`, "1:6 4:5"},
		"differs":                   {trigger.Config{Test: trigger.Differs, Value: event.StringValue("up")}, `"up" "down" "lost" "up" 1`, `1:"down" 4:1`},
		"changes":                   {trigger.Config{Test: trigger.Changes}, `1 1 2 2 "2" 1`, `2:2 4:"2" 5:1`},
		"changes by more than":      {trigger.Config{Test: trigger.Changes, Tolerance: 2}, `1 2 3 4 5 6 7`, "3:4 6:7"},
		"changes of a map":          {trigger.Config{Test: trigger.Changes}, `{"a":1,"b":2} {"b":2,"a":1} {"a":1}`, `2:{"a":1}`},
		"matches":                   {trigger.Config{Test: trigger.Matches, Pattern: "^err"}, `"ok" "error" 7 "err" "ok" "err"`, `1:"error" 5:"err"`},
		"for":                       {trigger.Config{Test: trigger.Above, Limit: 1, For: 3 * time.Second}, `2 2 1 2 - - - - -`, "6:2"},
		"for, silence":              {trigger.Config{Test: trigger.Above, Limit: 1, For: 3 * time.Second}, `2 - - - -`, "3:2"},
		"for, over at the deadline": {trigger.Config{Test: trigger.Above, Limit: 1, For: 3 * time.Second}, `2 - - 0 -`, "3:2"},
		"for, over just before":     {trigger.Config{Test: trigger.Above, Limit: 1, For: 3 * time.Second}, `2 - 0 -`, ""},
		"for, within the tolerance": {trigger.Config{Test: trigger.Above, Limit: 1, Tolerance: 0.5, For: 3 * time.Second}, `2 0.6 0.6 0.6 0.6`, "3:2"},
		"for, a change":             {trigger.Config{Test: trigger.Changes, For: 2 * time.Second}, `"a" "b" "a" "b" - - "b" "c" "d" - -`, `5:"b" 10:"d"`},
		"what says nothing":         {trigger.Config{Test: trigger.Above, Limit: 1, For: 3 * time.Second}, `2 null "0" [0] false`, "3:2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, tt.c)
			s := &trigger.State{}
			var firings []trigger.Firing
			texts := strings.Fields(tt.values)
			for i, text := range texts {
				at := time.Unix(int64(i), 0)
				if text == "-" {
					firings = w.Advance(s, at, firings)
				} else {
					firings = w.Feed(s, at, event.RawValue([]byte(text)), uint64(i), firings)
				}
			}
			var got []string
			for _, f := range firings {
				got = append(got, fmt.Sprintf("%d:%s", f.At.Unix(), f.Value.AppendJSON(nil)))
				assert.Equal(t, f.At.Add(-tt.c.For), f.Since)
				assert.Equal(t, f.Value.Any(), event.RawValue([]byte(texts[f.Order])).Any(), "the order is that of the value")
			}
			assert.Equal(t, tt.want, strings.Join(got, " "))
		})
	}
}

// sample is a value at a time.
type sample struct {
	at time.Time
	v  float64
}

// excursion is a stretch of time during which a condition holds.
type excursion struct {
	from, to time.Time
	order    int
}

// excursions finds them by looking back, from each value, at all before it.
func excursions(c trigger.Config, samples []sample, until time.Time) []excursion {
	enters := func(v float64) bool { return v > c.Limit }
	leaves := func(v float64) bool { return v <= c.Limit-c.Tolerance }
	if c.Test == trigger.Below {
		enters = func(v float64) bool { return v < c.Limit }
		leaves = func(v float64) bool { return v >= c.Limit+c.Tolerance }
	}
	inside := func(i int) bool { // the last value that says anything decides
		for ; i >= 0; i-- {
			if enters(samples[i].v) || leaves(samples[i].v) {
				return enters(samples[i].v)
			}
		}
		return false
	}
	var found []excursion
	for i := range samples {
		if !inside(i) || inside(i-1) {
			continue
		}
		e := excursion{from: samples[i].at, to: until.Add(1), order: i}
		for j := i; j < len(samples); j++ {
			if !inside(j) {
				e.to = samples[j].at
				break
			}
		}
		found = append(found, e)
	}
	return found
}

// Every excursion that lasts long enough fires once, when it has; time that passes
// in any steps and moves to another machine change nothing.
func TestWatchAgainstReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := trigger.Config{
			Test: trigger.Test(rapid.IntRange(0, 1).Draw(t, "test")), Limit: 5, Tolerance: float64(rapid.IntRange(0, 3).Draw(t, "tolerance")),
			For: time.Duration(rapid.IntRange(0, 5).Draw(t, "for")) * time.Second,
		}
		var samples []sample
		at := time.Unix(-20, 0).UTC()
		for range rapid.IntRange(0, 40).Draw(t, "samples") {
			at = at.Add(time.Duration(rapid.IntRange(0, 8).Draw(t, "step")) * time.Second / 2)
			samples = append(samples, sample{at, float64(rapid.IntRange(0, 10).Draw(t, "v"))})
		}
		until := at.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "rest")) * time.Second)
		var want []trigger.Firing
		for _, e := range excursions(c, samples, until) {
			if due := e.from.Add(c.For); !due.After(e.to) && !due.After(until) {
				want = append(want, trigger.Firing{At: due, Since: e.from, Order: uint64(e.order), Value: event.NumberValue(samples[e.order].v)})
			}
		}

		w := watch(t, c)
		s := &trigger.State{}
		var got []trigger.Firing
		advance := func(to time.Time) {
			if due, ok := w.Deadline(s); ok && !due.After(to) && rapid.Bool().Draw(t, "deadline") {
				before := len(got)
				got = w.Advance(s, due.Add(-1), got)
				require.Len(t, got, before, "nothing is due before the deadline")
				got = w.Advance(s, due, got)
				require.Len(t, got, before+1, "it fires at the deadline")
			}
			if rapid.Bool().Draw(t, "move") {
				s = moved(t, w, s)
			}
		}
		for i, x := range samples {
			advance(x.at)
			got = w.Feed(s, x.at, event.NumberValue(x.v), uint64(i), got)
		}
		advance(until)
		got = w.Advance(s, until, got)
		require.Equal(t, want, got)
	})
}

// moved writes a state and reads it again.
func moved(t require.TestingT, w *trigger.Watch, s *trigger.State) *trigger.State {
	b := w.AppendState([]byte("before"), s)
	back, rest, err := w.RestoreState(append(b, "after"...)[len("before"):])
	require.NoError(t, err)
	require.Equal(t, "after", string(rest))
	require.Equal(t, s, back)
	return back
}

// What is kept has bytes of its own, of a bounded number.
func TestKeptValues(t *testing.T) {
	w := watch(t, trigger.Config{Test: trigger.Changes, For: time.Second})
	buf := []byte(`["first"]`)
	s := &trigger.State{}
	w.Feed(s, time.Unix(0, 0), event.RawValue([]byte(`[]`)), 1, nil)
	w.Feed(s, time.Unix(0, 0), event.RawValue(buf), 2, nil)
	copy(buf, `["other"]`)
	assert.False(t, s.Empty())
	f := w.Advance(s, time.Unix(9, 0), nil)
	require.Len(t, f, 1)
	assert.Equal(t, `["first"]`, f[0].Value.String())
	assert.False(t, s.Empty(), "the last value is remembered")
	assert.False(t, w.Takes(event.StringValue(strings.Repeat("x", trigger.MaxValue+1))))
	assert.True(t, w.Takes(event.StringValue(strings.Repeat("x", trigger.MaxValue))))

	w = watch(t, trigger.Config{Test: trigger.Above})
	s = &trigger.State{}
	assert.True(t, s.Empty())
	w.Feed(s, time.Unix(0, 0), event.NumberValue(1), 1, nil)
	assert.False(t, s.Empty())
	_, ok := w.Deadline(s)
	assert.False(t, ok, "it has fired")
	w.Feed(s, time.Unix(0, 0), event.NumberValue(math.NaN()), 1, nil)
	assert.False(t, s.Empty(), "what is no number says nothing")
	w.Feed(s, time.Unix(0, 0), event.NumberValue(0), 1, nil)
	assert.True(t, s.Empty())
}

func TestParsePath(t *testing.T) {
	for text, want := range map[string]string{
		"disk.usage": "data.disk.usage", "data.disk.usage": "data.disk.usage", " level ": "data.level", "ext.level": "ext.level",
		"type": "type", `disk["/var"].used`: `data.disk["/var"].used`, "disks[0]": "data.disks[0]", "datas": "data.datas",
	} {
		p, err := trigger.ParsePath(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, p.String())
	}
	for text, want := range map[string]string{
		"": `"" names no field; write a field, such as data.disk.usage`, ".x": "names no field", "disk usage": "write", "type.x": "type has no fields",
	} {
		_, err := trigger.ParsePath(text)
		require.ErrorContains(t, err, want, text)
		var e *yamldoc.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, trigger.CodePath, e.Code)
	}
}

func TestConfigErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		c    trigger.Config
		want string
	}{
		"limit":     {trigger.Config{Test: trigger.Above, Limit: math.Inf(1)}, "when.above: +Inf cannot be a limit; write a number"},
		"range":     {trigger.Config{Test: trigger.Between, Low: 2, High: 1}, "when.between: 2 to 1 is no range; write [least, greatest]"},
		"value":     {trigger.Config{Test: trigger.Equals}, "when.equals: there is nothing to compare with"},
		"tolerance": {trigger.Config{Tolerance: -1}, "when.tolerance: -1 cannot be a tolerance; write a number from 0 on"},
		"for":       {trigger.Config{For: -time.Second}, "when.for: -1s is negative"},
		"pattern":   {trigger.Config{Test: trigger.Matches, Pattern: "("}, "when.matches: error parsing regexp"},
		"long":      {trigger.Config{Test: trigger.Matches, Pattern: strings.Repeat("x", 1025)}, "longer than 1024 bytes"},
		"test":      {trigger.Config{Test: 99}, "99 is no test of a state"},
	} {
		_, err := trigger.Compile(tt.c)
		assert.ErrorContains(t, err, tt.want, name)
	}
	_, err := trigger.Compile(trigger.Config{Test: trigger.Between, Low: 2, For: -1, Tolerance: math.NaN()})
	var errs yamldoc.Errors
	require.ErrorAs(t, err, &errs)
	assert.Len(t, errs, 3)
	for _, e := range errs {
		assert.Contains(t, trigger.Codes(), e.Code)
	}
	test, err := trigger.ParseTest("differs")
	require.NoError(t, err)
	assert.Equal(t, trigger.Differs, test)
	_, err = trigger.ParseTest("abov")
	assert.EqualError(t, err, `"abov" is no test of a state; did you mean above?`)
}

// examples are watches of every kind with a state each that has something in it.
func examples(tb testing.TB) (watches []*trigger.Watch, states []*trigger.State) {
	tb.Helper()
	for i, c := range []trigger.Config{
		{Test: trigger.Above, Limit: 0.8, Tolerance: 0.05, For: time.Minute},
		{Test: trigger.Below, Limit: 10},
		{Test: trigger.Between, Low: 1, High: 2},
		{Test: trigger.Equals, Value: event.StringValue("down"), For: time.Hour},
		{Test: trigger.Differs, Value: event.NullValue()},
		{Test: trigger.Changes, Tolerance: 1, For: time.Minute},
		{Test: trigger.Matches, Pattern: "^err"},
	} {
		if c.Test == trigger.Differs {
			c.Value = event.BoolValue(true)
		}
		w := watch(tb, c)
		s := &trigger.State{}
		for j, text := range []string{"1.5", `"down"`, `[1,{"a":"b"}]`, "2024.5", `"error"`}[:i%2+4] {
			w.Feed(s, time.Unix(int64(1e9+j), 5), event.RawValue([]byte(text)), uint64(j), nil)
		}
		watches, states = append(watches, w), append(states, s)
	}
	return watches, states
}

// A state of today can be read by every later release.
func TestGoldenState(t *testing.T) {
	const file = "testdata/state.hex"
	watches, states := examples(t)
	if *update {
		var lines []string
		for i, s := range states {
			lines = append(lines, watches[i].String()+" = "+hex.EncodeToString(watches[i].AppendState(nil, s)))
		}
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	}
	golden, err := os.ReadFile(file)
	require.NoError(t, err)
	for i, line := range strings.Split(strings.TrimSpace(string(golden)), "\n") {
		_, text, _ := strings.Cut(line, " = ")
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		s, rest, err := watches[i].RestoreState(b)
		require.NoError(t, err, line)
		assert.Empty(t, rest)
		assert.Equal(t, states[i], s)
		for n := range b {
			_, _, err := watches[i].RestoreState(b[:n])
			require.Error(t, err, "cut at %d", n)
		}
	}
}

func TestRestoreErrors(t *testing.T) {
	watches, states := examples(t)
	b := watches[0].AppendState(nil, states[0])
	_, _, err := watches[1].RestoreState(b)
	assert.ErrorContains(t, err, "state of another condition than below: 10")
	_, _, err = watches[0].RestoreState(append([]byte{7}, b[1:]...))
	assert.ErrorContains(t, err, "state of version 7: this release reads version 1")
}

// Whatever is read: no panic, and a state that is taken can be written, and is
// then the same, and fires at most once before the next value.
func FuzzRestoreState(f *testing.F) {
	watches, states := examples(f)
	for i, s := range states {
		f.Add(byte(i), watches[i].AppendState(nil, s)[9:])
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		w := watches[int(which)%len(watches)]
		s, _, err := w.RestoreState(append(w.AppendState(nil, &trigger.State{})[:9:9], b...))
		if err != nil {
			return
		}
		moved(t, w, s)
		due, ok := w.Deadline(s)
		if ok {
			require.Len(t, w.Advance(s, due, nil), 1)
		}
		_, ok = w.Deadline(s)
		require.False(t, ok)
		for i, text := range []string{"1", `"down"`, "9", `"x"`} {
			require.LessOrEqual(t, len(w.Feed(s, due.Add(time.Hour), event.RawValue([]byte(text)), uint64(i), nil)), 1)
		}
	})
}

func BenchmarkFeed(b *testing.B) {
	w := watch(b, trigger.Config{Test: trigger.Above, Limit: 0.8, Tolerance: 0.05, For: time.Minute})
	s := &trigger.State{}
	var dst []trigger.Firing
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		dst = w.Feed(s, time.Unix(int64(i), 0), event.NumberValue(float64(i%100)/100), uint64(i), dst[:0])
		i++
	}
}
