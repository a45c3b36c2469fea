package analysis_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/event"
)

func second(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

// quiet runs a rule over events; a payload of "" only moves time on.
func quiet(t *testing.T, rule string, feed ...struct {
	at   int
	data string
},
) analysis.QuietReport {
	t.Helper()
	p := program(t, rule)
	q, err := analysis.NewQuiet(p.Rules()[0], nil)
	require.NoError(t, err)
	for i, f := range feed {
		pos := cep.Position{Seq: uint64(i + 1)}
		if f.data == "" {
			q.Advance(second(f.at), pos)
			continue
		}
		q.Feed(&event.Event{ID: fmt.Sprint("e", i), Source: "s", Type: "t", Time: second(f.at), Data: []byte(f.data)}, pos, second(f.at))
	}
	assert.Equal(t, second(feed[len(feed)-1].at), q.Now())
	return q.Report()
}

type fed = struct {
	at   int
	data string
}

func TestQuietWindows(t *testing.T) {
	r := quiet(t, "rule: slow\nmode: \"off\"\nwhen: {window: tumbling 10s, by: data.host, where: data.ms > 0, let: {n: count(), p: max(data.ms), u: avg(data.up)}, having: n > 1 && p > 800}\n",
		fed{1, `{"host":"a","ms":900}`}, fed{2, `{"host":"a","ms":10}`}, fed{3, `{"host":"b","ms":900}`}, fed{4, `{"ms":7}`}, fed{4, `{"host":"b"}`},
		fed{12, `{"host":"a","ms":5}`}, fed{13, `{"host":"b","ms":1000}`}, fed{14, `{"host":"b","ms":1001}`})
	assert.Equal(t, "window", r.Kind)
	assert.Equal(t, "n > 1 && p > 800", r.Wants)
	assert.Equal(t, 1, r.Matches)
	assert.Equal(t, second(10), r.Latest)
	assert.Equal(t, []int{8, 7}, []int{r.Events, r.Counted})
	assert.EqualValues(t, 1, r.Keyless)
	assert.Empty(t, r.Missing)
	assert.Equal(t, 2, r.Windows)
	assert.Equal(t, 2, r.OpenKeys)
	assert.Equal(t, second(14), r.Now)
	assert.Equal(t, second(20), r.Next)
	window := func(from int, key string, events int, let string, matched bool) analysis.QuietWindow {
		return analysis.QuietWindow{From: second(from), To: second(from + 10), Key: key, Events: events, Let: json.RawMessage(let), Matched: matched}
	}
	assert.Equal(t, []analysis.QuietWindow{
		window(0, "a", 2, `{"n":2,"p":900,"u":null}`, true), window(0, "b", 1, `{"n":1,"p":900,"u":null}`, false),
	}, r.Last)
	assert.Equal(t, []analysis.QuietWindow{
		window(10, "a", 1, `{"n":1,"p":5,"u":null}`, false), window(10, "b", 2, `{"n":2,"p":1001,"u":null}`, true),
	}, r.Open)
}

// Of windows that end one after the other the next to end are told, one of each
// key, and no more than a few.
func TestQuietShowsFew(t *testing.T) {
	var feed []fed
	for i := range 30 {
		feed = append(feed, fed{i, fmt.Sprintf(`{"k":%d}`, i%8)})
	}
	for _, window := range []string{"session 10s", "sliding 10s every 2s"} {
		r := quiet(t, "rule: s\nwhen: {window: "+window+", by: data.k, let: {n: count()}}\n", feed...)
		require.Len(t, r.Open, 5, window)
		keys := make(map[string]bool)
		for i, w := range r.Open {
			keys[w.Key] = true
			assert.True(t, w.Matched, "a window without having matches when it ends")
			assert.False(t, i > 0 && w.To.Before(r.Open[i-1].To))
		}
		assert.Len(t, keys, 5)
		assert.Equal(t, 8, r.OpenKeys)
		assert.LessOrEqual(t, len(r.Last), 5)
		assert.Equal(t, r.Open[0].To, r.Next)
	}
}

func TestQuietCounts(t *testing.T) {
	r := quiet(t, "rule: batch\nwhen: {window: count 3, by: data.k, where: data.n > 0, let: {n: sum(data.n)}, having: n > 100}\n",
		fed{1, `{"k":"a","n":1}`}, fed{2, `{"k":"a","n":1}`}, fed{3, `{"k":"b","n":1}`}, fed{4, `{"k":"a","n":1}`},
		fed{5, `{"k":"a","n":1}`}, fed{6, `{"k":"b","n":1}`}, fed{7, `{"k":"b","n":0}`})
	assert.Equal(t, "3", r.Full)
	assert.Equal(t, []analysis.QuietCount{{Key: "b", Have: 2}, {Key: "a", Have: 1}}, r.Filling)
	assert.Equal(t, 1, r.Windows)
	assert.Equal(t, json.RawMessage(`{"n":3}`), r.Last[0].Let)
	assert.False(t, r.Last[0].Matched)
}

func TestQuietValues(t *testing.T) {
	rule := "rule: full\nwhen: {state: data.usage, above: 0.8, for: 1m, by: data.host}\n"
	r := quiet(t, rule, fed{1, `{"host":"a","usage":0.5}`}, fed{2, `{"host":"b","usage":0.9}`}, fed{3, `{"host":"b","other":1}`})
	assert.Equal(t, 1, r.OpenKeys, "of one value nothing comes")
	assert.Equal(t, []any{"state", "data.usage", "above: 0.8, for: 1m0s"}, []any{r.Kind, r.Path, r.Wants})
	assert.Equal(t, []string{"0.5", "0.9", "0.9"}, []string{string(r.Values.Least), string(r.Values.Most), string(r.Values.Last)})
	assert.Equal(t, []any{second(62), "b"}, []any{r.Next, r.NextKey}, "when it has lasted long enough")
	assert.Zero(t, r.Matches)

	r = quiet(t, rule, fed{1, `{"host":"a","usage":0.5}`}, fed{2, `{"host":"a","usage":"high"}`}, fed{300, ""})
	assert.Zero(t, r.Next)
	assert.Equal(t, []string{"0.5", "0.5", `"high"`}, []string{string(r.Values.Least), string(r.Values.Most), string(r.Values.Last)})
	assert.Equal(t, 2, r.Values.Number)
}

func TestQuietSchedule(t *testing.T) {
	r := quiet(t, "rule: nightly\nwhen: {schedule: \"0 3 * * *\"}\n", fed{1, `{}`}, fed{4 * 3600, `{}`})
	assert.Equal(t, "schedule", r.Kind)
	assert.Equal(t, 1, r.Matches)
	assert.Equal(t, second(3*3600), r.Latest)
	assert.Equal(t, second(27*3600), r.Next)
}

func TestQuietIsNotForPatterns(t *testing.T) {
	rule := program(t, "rule: r\nwhen: type == \"t\"\n").Rules()[0]
	assert.False(t, analysis.Waits(rule))
	_, err := analysis.NewQuiet(rule, nil)
	require.ErrorIs(t, err, analysis.ErrNotQuiet)
}
