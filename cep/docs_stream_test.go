package cep_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// feeding is a stream that an example feeds, and what came of it.
type feeding struct {
	example
	program *cep.Program
	s       *cep.Stream
	line    int
	got     []cep.Match // of the last block of events
	changes []string    // of the last change of rules
	goesOn  bool        // rules were changed: the next events are for this stream
}

func (f *feeding) feed(t *testing.T, events block) {
	t.Helper()
	f.got, f.goesOn = nil, false
	for i, text := range strings.Split(strings.TrimSpace(events.text), "\n") {
		f.line++
		var err error
		f.got, err = f.s.Line(f.line, []byte(text), f.got)
		require.NoError(t, err, "line %d", events.line+1+i)
	}
}

// check makes a check after the events.
func (f *feeding) check(t *testing.T, c block, r *cep.Rule) {
	t.Helper()
	switch c.kind {
	case "ndjson matches":
		assertMatches(t, c, f.got)
	case "json counts":
		stats := f.s.Matcher().Stats()
		require.Len(t, stats.Rules, 1)
		assertHas(t, c, stats.Rules[0])
	case "json why-not":
		why, ok := f.s.Matcher().WhyNot(r.Name)
		require.True(t, ok)
		assertHas(t, c, why)
	case "text stopped":
		var stopped []string
		for _, err := range f.s.Matcher().Stopped() {
			stopped = append(stopped, err.Error())
		}
		assert.Equal(t, strings.TrimSpace(c.text), strings.Join(stopped, "\n"))
	case "text steps":
		f.steps(t, c, r)
	case "yaml change":
		f.change(t, c)
	case "text changes":
		assert.Equal(t, strings.TrimSpace(c.text), strings.Join(f.changes, "\n"))
	default:
		require.Fail(t, "unexpected block", "line %d: %q", c.line, c.kind)
	}
}

// change puts other rules in place.
func (f *feeding) change(t *testing.T, c block) {
	t.Helper()
	rules, err := cep.ParseRules("rule.yaml", []byte(c.text))
	require.NoError(t, err)
	next, err := f.program.Update(rules)
	require.NoError(t, err)
	f.program, f.goesOn, f.changes = next, true, nil
	for _, ch := range f.s.Matcher().Swap(next) {
		f.changes = append(f.changes, fmt.Sprintf("%s %s %d", ch.Rule, ch.Action, ch.Open))
	}
}

// steps fills in the texts of steps for the last match.
func (f *feeding) steps(t *testing.T, c block, r *cep.Rule) {
	t.Helper()
	require.NotEmpty(t, f.got)
	m := f.got[len(f.got)-1]
	vars := cep.Vars{Event: m.TriggerEvent, Bind: make(map[string][]*event.Event), Values: m.Values()}
	for _, b := range m.Bind {
		vars.Bind[b.Element] = b.Events
	}
	for line := range strings.SplitSeq(strings.TrimSpace(c.text), "\n") {
		text, want, ok := strings.Cut(line, " = ")
		require.True(t, ok, line)
		tmpl, err := cep.NewTemplate(r, &yamldoc.Node{Kind: yamldoc.String, Text: text})
		require.NoError(t, err, line)
		got, err := tmpl.Eval(vars)
		require.NoError(t, err, line)
		assert.Equal(t, want, fmt.Sprint(got), "line %d: %s", c.line, text)
	}
}

// assertMatches compares matches with lines that may leave out keys.
func assertMatches(t *testing.T, want block, got []cep.Match) {
	t.Helper()
	var wanted []map[string]any
	for line := range strings.SplitSeq(strings.TrimSpace(want.text), "\n") {
		if line == "" {
			continue
		}
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m), line)
		require.True(t, m["bind"] != nil || m["window"] != nil, "neither bind nor window: %s", line)
		wanted = append(wanted, m)
	}
	var lines, wantLines []string
	for i := range got {
		var m map[string]any
		require.NoError(t, json.Unmarshal(got[i].AppendJSON(nil), &m))
		if i < len(wanted) {
			for key := range m {
				if w, ok := wanted[i][key]; !ok {
					delete(m, key)
				} else if key == "id" && w == "m-…" {
					m[key] = w
				}
			}
		}
		lines = append(lines, marshal(t, m))
	}
	for _, m := range wanted {
		wantLines = append(wantLines, marshal(t, m))
	}
	assert.Equal(t, strings.Join(wantLines, "\n"), strings.Join(lines, "\n"), "matches of line %d", want.line)
}

// assertHas checks that a value, as JSON, has what a block names of it. Keys are
// compared without regard to case.
func assertHas(t *testing.T, want block, got any) {
	t.Helper()
	var wanted, have map[string]any
	require.NoError(t, json.Unmarshal([]byte(want.text), &wanted), want.text)
	require.NoError(t, json.Unmarshal([]byte(marshal(t, got)), &have))
	for key, w := range wanted {
		found := false
		for name, v := range have {
			if strings.EqualFold(name, key) {
				found = true
				assert.True(t, reflect.DeepEqual(w, v), "line %d: %s: want %v, got %v", want.line, key, w, v)
			}
		}
		assert.True(t, found, "line %d: there is no %s", want.line, key)
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	require.NoError(t, e.Encode(v))
	return strings.TrimSpace(b.String())
}
