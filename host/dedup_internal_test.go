package host

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
	"github.com/rhost/rhost/host/connect/files"
	"github.com/rhost/rhost/host/connect/schedule"
	"github.com/rhost/rhost/host/connect/stdin"
	"github.com/rhost/rhost/host/connect/webhook"
)

// What any source brings a second time is accepted once, also when the host was
// killed in between and nothing was left to say how far the source had come.
func TestEverySourceIsAcceptedOnceAcrossRestarts(t *testing.T) {
	app := newApp(t, map[string]string{
		"rules/r.yaml": "rule: all\nwhen: type != \"said\"\n---\nrule: say\nwhen: type == \"api\"\ndo: [{emit: {type: said}}]\n",
	})
	require.NoError(t, os.WriteFile(filepath.Join(app.dir, "in.ndjson"), []byte(`{"specversion":"1.0","id":"f1","source":"/f","type":"file"}`+"\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(app.dir, "in.json"), []byte(`{"n":1}`+"\n"+`{"n":2}`+"\n"), 0o600))
	due := time.Now().Truncate(time.Hour)

	// each brings what it has, from the beginning.
	run := func(l *liveHost, name string, src connect.Source, cursor []byte, until int) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		health := &connect.Health{}
		ended := make(chan error, 1)
		go func() { ended <- src.Run(ctx, cursor, connect.Counted(intake{l.admit, name}, health)) }()
		require.Eventually(t, func() bool { return int(health.Status().Events) >= until }, patience, time.Millisecond, name)
		cancel()
		require.NoError(t, <-ended)
	}
	bring := func(l *liveHost) {
		l.send(event.Event{ID: "a1", Source: "/a", Type: "api"})
		lines, err := files.New("lines", &files.Config{Path: "in.ndjson", From: "start", Format: "ndjson"}, files.Options{Base: app.dir})
		require.NoError(t, err)
		run(l, "lines", lines, nil, 1)
		data, err := files.New("data", &files.Config{Path: "in.json", From: "start", Format: "json", Type: "data"}, files.Options{Base: app.dir})
		require.NoError(t, err)
		run(l, "data", data, nil, 2)
		ticks, err := schedule.New("ticks", &schedule.Config{Every: time.Hour, Type: "tick"})
		require.NoError(t, err)
		cursor, err := due.Add(-time.Hour).MarshalText()
		require.NoError(t, err)
		run(l, "ticks", ticks, cursor, 1)
		run(l, "in", stdin.New("in", strings.NewReader(`{"specversion":"1.0","id":"s1","source":"/s","type":"stdin"}`+"\n")), nil, 1)
		hook, err := webhook.New("hook", &webhook.Config{Type: "hook"}, caller{intake{l.admit, "hook"}})
		require.NoError(t, err)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/hook", strings.NewReader(`{}`))
		r.Header.Set("Webhook-Id", "h1")
		w := httptest.NewRecorder()
		hook.ServeHTTP(w, r)
		require.Equal(t, http.StatusAccepted, w.Code, w.Body)
		l.settle()
	}
	var want map[string]int
	for i := range 3 {
		l := app.open()
		l.runCore()
		bring(l)
		got := l.eventIDs()
		if want == nil {
			want = got
			assert.Len(t, want, 8, "seven that were brought, and one that was emitted")
		}
		assert.Equal(t, want, got, "restart %d", i)
		for id, n := range got {
			assert.Equal(t, 1, n, id)
		}
		assert.Len(t, l.matches(), 8, fmt.Sprint(got))
		l.end()
		l.stop()
	}
}
