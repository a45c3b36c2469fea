package host

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/workflow"
)

// drawVars draws a match: events in one or more elements, the last of them the trigger,
// one that is not bound, or none.
func drawVars(t *rapid.T) *matchVars {
	text := rapid.StringN(1, 8, 40)
	at := testDay.Add(time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "at")))
	v := &matchVars{
		match: abi.Match{Tenant: "t", Rule: text.Draw(t, "rule"), Version: "v", ID: "m-1", At: at, Trigger: "e", Bind: map[string][]string{}},
		bind:  map[string][]*event.Event{}, depth: rapid.IntRange(0, 16).Draw(t, "depth"),
	}
	draw := func() *event.Event {
		ev := &event.Event{ID: text.Draw(t, "id"), Source: "/s", Type: "t", Time: at, Data: fmt.Appendf(nil, `{"n":%d}`, rapid.Int().Draw(t, "n"))}
		v.event = ev
		return ev
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "elements") {
		name := fmt.Sprint("e", i)
		v.bind[name], v.match.Bind[name] = []*event.Event{}, []string{}
		for range rapid.IntRange(0, 3).Draw(t, "events") {
			ev := draw()
			v.bind[name], v.match.Bind[name] = append(v.bind[name], ev), append(v.match.Bind[name], ev.ID)
		}
	}
	switch rapid.SampledFrom([]string{"bound", "own", "none"}).Draw(t, "trigger") {
	case "own":
		draw()
	case "none":
		v.event = nil
	}
	if rapid.Bool().Draw(t, "values") {
		v.values = map[string]any{"key": []any{"k", 1.5}, "n": 2.0}
	}
	return v
}

// TestPayload: what an execution keeps of its match is what it was, in the history and
// as a blob.
func TestPayload(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawVars(t)
		raw, err := v.encode(t.Context(), noBlobs{}, maxPayload)
		require.NoError(t, err)
		again, err := decodePayload(t.Context(), raw, noBlobs{})
		require.NoError(t, err)
		assert.Equal(t, v, again)
		assert.Equal(t, v.depth, payloadDepth(raw))
		same, err := again.encode(t.Context(), noBlobs{}, maxPayload)
		require.NoError(t, err)
		assert.Equal(t, raw, same)
		for n := range raw {
			_, _, err := parsePayload(raw[:n])
			assert.Error(t, err, "cut to %d of %d", n, len(raw))
		}
		_, _, err = parsePayload(append(raw, 0))
		assert.ErrorContains(t, err, "1 bytes too many")
	})
}

// oneBlob keeps what was put last.
type oneBlob struct{ b []byte }

func (o *oneBlob) PutBlob(_ context.Context, _ string, b []byte) error {
	o.b = b
	return nil
}

func (o *oneBlob) GetBlob(context.Context, string) ([]byte, error) { return o.b, nil }

func TestLargePayload(t *testing.T) {
	ev := &event.Event{ID: "1", Source: "/s", Type: "t", Data: fmt.Appendf(nil, "%q", make([]byte, maxPayload))}
	v := &matchVars{match: abi.Match{ID: "m-1", At: testDay, Bind: map[string][]string{}}, event: ev, bind: map[string][]*event.Event{}, depth: 3}
	var blobs oneBlob
	raw, err := v.encode(t.Context(), &blobs, maxPayload)
	require.NoError(t, err)
	assert.Less(t, len(raw), 200)
	assert.Equal(t, 3, payloadDepth(raw))
	again, err := decodePayload(t.Context(), raw, &blobs)
	require.NoError(t, err)
	assert.Equal(t, v, again)
	blobs.b = raw
	_, err = decodePayload(t.Context(), raw, &blobs)
	assert.ErrorContains(t, err, "names another")
}

// TestPayloadsOfEveryVersion reads what each version wrote. The files are never
// written anew.
func TestPayloadsOfEveryVersion(t *testing.T) {
	ev := event.Event{ID: "1", Source: "/s", Type: "t", Time: testDay, Data: json.RawMessage(`{"n":1}`)}
	want := &matchVars{
		match: abi.Match{Tenant: "t", Rule: "r", Version: "v1", ID: "m-1", At: testDay, Trigger: "1", Bind: map[string][]string{"e": {"1"}}},
		event: &ev, bind: map[string][]*event.Event{"e": {&ev}}, values: map[string]any{"key": []any{"k"}}, depth: 2,
	}
	now, err := want.encode(t.Context(), noBlobs{}, maxPayload)
	require.NoError(t, err)
	latest := filepath.Join("testdata", fmt.Sprintf("payload-v%d", payloadVersion))
	if _, err := os.Stat(latest); *update && os.IsNotExist(err) {
		require.NoError(t, os.WriteFile(latest, now, 0o600))
	}
	for version := 1; version <= payloadVersion; version++ {
		raw, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("payload-v%d", version)))
		require.NoError(t, err)
		v, err := decodePayload(t.Context(), raw, noBlobs{})
		require.NoError(t, err)
		assert.Equal(t, want, v, "version %d", version)
		assert.Equal(t, 2, payloadDepth(raw))
		shown, err := payloadJSON(raw)
		require.NoError(t, err)
		first, err := os.ReadFile(filepath.Join("testdata", "payload-v1"))
		require.NoError(t, err)
		assert.JSONEq(t, string(first), string(shown), "people are shown what version 1 was")
	}
	kept, err := os.ReadFile(latest)
	require.NoError(t, err)
	assert.Equal(t, kept, []byte(now), "what this version writes")
	_, _, err = parsePayload(workflow.Payload{payloadVersion + 1, 0, 0})
	assert.ErrorContains(t, err, "its version is 3; this host reads up to 2")
}

// TestMatchRecordIsJSON: a record of a match is what encoding/json makes of it.
func TestMatchRecordIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		m := MatchRecord{
			Line: json.RawMessage(`{"rule":"r","id":"m-1"}`), Key: text.Draw(t, "key"), Lane: rapid.Uint32().Draw(t, "lane"),
			Version: text.Draw(t, "version"), Mode: "live", Acts: rapid.Bool().Draw(t, "acts"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "reasons") {
			r := cep.Reason{Element: text.Draw(t, "element"), Event: text.Draw(t, "event"), Condition: text.Draw(t, "condition")}
			for range rapid.IntRange(0, 2).Draw(t, "atoms") {
				a := cep.Atom{Text: text.Draw(t, "atom"), Result: "true"}
				for range rapid.IntRange(0, 2).Draw(t, "values") {
					a.Values = append(a.Values, cep.Seen{Path: text.Draw(t, "path"), Value: rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`"x"`)}).Draw(t, "value")})
				}
				r.Atoms = append(r.Atoms, a)
			}
			m.Why = append(m.Why, r)
		}
		var again MatchRecord
		require.NoError(t, json.Unmarshal(m.append(nil), &again))
		assert.Equal(t, m, again)
		want, err := json.Marshal(m)
		require.NoError(t, err)
		assert.JSONEq(t, string(want), string(m.append(nil)))
	})
}
