package sigma_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/yamldoc"
)

// windowsSource is what the log sources of the published rules stand for.
func windowsSource(rule *yamldoc.Node, event map[string]any) bool {
	data, _ := event["data"].(map[string]any)
	id, _ := textOf(data["EventID"])
	channel, _ := data["Channel"].(string)
	sysmon := strings.EqualFold(channel, "Microsoft-Windows-Sysmon/Operational")
	source := rule.Get("logsource")
	if event["type"] != "windows.event" || source.Get("product").Text != "windows" {
		return false
	}
	if s := source.Get("service"); s != nil {
		return s.Text == "windefend" && strings.EqualFold(channel, "Microsoft-Windows-Windows Defender/Operational")
	}
	switch source.Get("category").Text {
	case "process_creation":
		return sysmon && id == "1" || strings.EqualFold(channel, "Security") && id == "4688"
	case "file_event":
		return sysmon && id == "11"
	case "registry_delete", "registry_add":
		return sysmon && id == "12"
	case "registry_set":
		return sysmon && id == "13"
	}
	panic("log source of the test's own table: " + source.Get("category").Text)
}

func windowsPaths(rule *yamldoc.Node, field string) [][]string {
	if c := rule.Get("logsource").Get("category"); c != nil && c.Text == "process_creation" {
		switch field {
		case "Image":
			return [][]string{{"Image"}, {"NewProcessName"}}
		case "ParentImage":
			return [][]string{{"ParentImage"}, {"ParentProcessName"}}
		}
	}
	switch field {
	case "ThreatName":
		return [][]string{{field}, {"Threat Name"}}
	case "SourceName":
		return [][]string{{field}, {"Source Name"}}
	case "ProcessName":
		return [][]string{{field}, {"Process Name"}}
	}
	return [][]string{{field}}
}

// variants makes more events of one: without a field each, and with a field
// made upper case, a number, null, a list.
func variants(t *testing.T, line []byte) [][]byte {
	t.Helper()
	var e map[string]any
	require.NoError(t, json.Unmarshal(line, &e))
	id, _ := e["id"].(string)
	data, _ := e["data"].(map[string]any)
	out := [][]byte{line}
	emit := func(kind string) {
		e["id"] = id + "/" + kind
		b, err := json.Marshal(e)
		require.NoError(t, err)
		out = append(out, b)
	}
	for _, field := range []string{"Image", "CommandLine", "TargetObject", "TargetFilename", "OriginalFileName", "ParentImage", "EventID", "Details", "Source Name", "Threat Name"} {
		old, ok := data[field]
		if !ok {
			continue
		}
		delete(data, field)
		emit("no " + field)
		for _, v := range []any{nil, 7.0, true, []any{old}, map[string]any{"": old}} {
			data[field] = v
			emit(field)
		}
		if s, ok := old.(string); ok {
			data[field] = strings.ToUpper(s)
			emit("upper " + field)
		} else {
			s, _ := textOf(old)
			data[field] = s
			emit("text " + field)
		}
		data[field] = old
	}
	return out
}

// Every published rule decides every event, and every variant of it, as the
// reference does.
func TestPublishedAgree(t *testing.T) {
	files := published(t)
	p, out := compile(t, nil, files)
	var events [][]byte
	turn := 0
	for _, line := range lines(t, filepath.Join(shared, "events.ndjson")) {
		for n, v := range variants(t, line) {
			if turn++; n > 0 && turn%11 != 0 && os.Getenv("RHOST_SOAK") == "" {
				continue // an eleventh of the variants
			}
			var e map[string]any
			require.NoError(t, json.Unmarshal(v, &e))
			e["id"] = strings.Join([]string{e["id"].(string), string(rune('a' + n%26)), string(rune('a' + n/26))}, "#")
			b, err := json.Marshal(e)
			require.NoError(t, err)
			events = append(events, b)
		}
	}
	fired := fires(t, p, events)
	require.Len(t, fired, len(events))
	pairs, hits := 0, 0
	for _, c := range out {
		doc := parseDoc(t, files[c.File])
		for _, line := range events {
			var e map[string]any
			require.NoError(t, json.Unmarshal(line, &e))
			want := reference{doc: doc, event: e, source: windowsSource, paths: windowsPaths}.decide()
			if !assert.Equal(t, want, fired[e["id"].(string)][c.Name], "%s on %s", c.File, line) {
				t.FailNow()
			}
			pairs++
			if want {
				hits++
			}
		}
	}
	assert.Greater(t, hits, 100)
	t.Logf("%d pairs, %d hits", pairs, hits)
}
