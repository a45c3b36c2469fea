package conformance_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/js"
)

// TestJSRunnerAgreesWithTheEngine runs in the real engine the script that the test
// runner of sdk/js is tested with, against the same file of what is wanted.
func TestJSRunnerAgreesWithTheEngine(t *testing.T) {
	src, err := os.ReadFile("../js/test/services.js")
	require.NoError(t, err)
	text, err := os.ReadFile("../js/test/want.json")
	require.NoError(t, err)
	var want struct {
		Output  json.RawMessage
		Logs    []string
		Effects [][2]string
	}
	require.NoError(t, json.Unmarshal(text, &want))

	ctx := context.WithoutCancel(t.Context())
	engine := js.New(js.Options{})
	defer func() { assert.NoError(t, engine.Close(ctx)) }()
	m, err := engine.Compile(ctx, sandbox.Source{Name: "services", Bytes: src})
	require.NoError(t, err)
	defer func() { assert.NoError(t, m.Close(ctx)) }()

	var logs []string
	session := sandbox.NewSession(sandbox.Services{
		State: func(key string) (json.RawMessage, uint64, bool) { return json.RawMessage(`41`), 7, key == "n" },
		HTTP: func(_ context.Context, q *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
			if q.URL != "https://a.example/" {
				return abi.HTTPResponse{}, abi.StatusDenied
			}
			return abi.HTTPResponse{Status: 204}, abi.StatusOK
		},
		Secret: func(name string) ([]byte, abi.Status) {
			if name != "token" {
				return nil, abi.StatusNotFound
			}
			return []byte("abc"), abi.StatusOK
		},
		Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
		Log: func(level sandbox.LogLevel, msg string) { logs = append(logs, level.String()+": "+msg) },
	}, abi.Capabilities(), sandbox.Limits{Deadline: time.Minute})
	reply, _, err := onceWith(t, m, sandbox.Limits{Deadline: time.Minute}, &abi.Call{
		Event: event.Event{ID: "e", Source: "/s", Type: "t", Data: []byte(`{"user":"bob"}`)},
		With:  json.RawMessage(`{"a":[1]}`), Config: json.RawMessage(`{"limit":5}`),
	}, session)
	require.NoError(t, err)
	require.Equal(t, abi.ResultOK, reply.Result, reply.Message)
	assert.JSONEq(t, string(want.Output), string(reply.Output))
	assert.Equal(t, want.Logs, logs)
	var effects [][2]string
	for _, e := range reply.Effects {
		effects = append(effects, [2]string{string(e.Kind), e.Name})
	}
	assert.Equal(t, want.Effects, effects)
}

// TestJSRunner runs the runner's own tests and those of the examples.
func TestJSRunner(t *testing.T) {
	t.Parallel()
	said := inFolder(t, "../js", tool(t, "node"), "--test", "test/", "examples/")
	assert.Contains(t, said, "# fail 0")
	assert.NotContains(t, said, "# pass 0")
}
