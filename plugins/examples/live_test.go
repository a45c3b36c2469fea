package examples_test

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/deploy"
)

// running is an example app in a host of this process.
type running struct {
	*host.Host
	app  string
	acts chan host.Activity
}

// runApp copies an example and runs it until the test ends.
func runApp(t *testing.T, app string, set ...string) *running {
	t.Helper()
	dir := filepath.Join(t.TempDir(), app)
	require.NoError(t, os.CopyFS(dir, os.DirFS(app)))
	return runIn(t, dir, set...)
}

// runIn runs the app in dir until the test ends.
func runIn(t *testing.T, dir string, set ...string) *running {
	t.Helper()
	h, err := host.New(t.Context(), host.Options{App: dir, Listen: "127.0.0.1:0", Set: set, Version: "test"})
	require.NoError(t, err)
	acts, err := h.Activities()
	require.NoError(t, err)
	r := &running{Host: h, app: dir, acts: make(chan host.Activity, 1000)}

	ctx, stop := context.WithCancel(context.Background())
	ready, ended, read := make(chan struct{}), make(chan error, 1), make(chan struct{})
	go func() { ended <- h.Run(ctx, func(host.Summary) { close(ready) }) }()
	go func() {
		defer close(read)
		for {
			act, ok, err := acts.Next(context.Background())
			if err != nil || !ok {
				return
			}
			r.acts <- act
		}
	}()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
		assert.NoError(t, h.Close())
		<-read
	})
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal("the host ended:", err)
	}
	return r
}

// finished waits for the end of an execution of a rule and returns its actions.
func (r *running) finished(t *testing.T, rule string) []host.Action {
	t.Helper()
	var list []host.Action
	for {
		select {
		case act := <-r.acts:
			if act.Action == nil || act.Action.Rule != rule {
				continue
			}
			if len(list) > 0 && act.Action.Execution != list[0].Execution {
				continue
			}
			list = append(list, *act.Action)
			if act.Action.Step == "" {
				return list
			}
		case <-time.After(time.Minute):
			t.Fatalf("no execution finished; so far: %+v", list)
		}
	}
}

func status(list []host.Action, step string) string {
	for _, a := range list {
		if a.Step == step {
			return a.Status
		}
	}
	return "absent"
}

func TestFileguardQuarantinesWhatLooksEncrypted(t *testing.T) {
	r := runApp(t, "fileguard")
	time.Sleep(200 * time.Millisecond) // the source's watch is not told to anyone outside
	noise := make([]byte, 100_000)
	for _, name := range []string{"a.doc", "b.doc", "c.doc", "d.doc", "e.doc"} {
		rand.Read(noise)
		require.NoError(t, os.WriteFile(filepath.Join(r.app, "watched", name), noise, 0o600))
	}
	list := r.finished(t, "ransom-burst")
	assert.Equal(t, "done", status(list, ""), "%+v", list)
	assert.Equal(t, "ok", status(list, "quarantine"))
	moved, err := filepath.Glob(filepath.Join(r.app, "quarantine", "*.doc"))
	require.NoError(t, err)
	assert.Len(t, moved, 1)
}

func TestWebhookRelayPassesOn(t *testing.T) {
	got := make(chan string, 10)
	chat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		assert.NoError(t, err)
		assert.NotEmpty(t, req.Header.Get("Idempotency-Key"))
		got <- string(body)
	}))
	defer chat.Close()
	addr := strings.TrimPrefix(chat.URL, "http://")
	r := runApp(t, "webhook-relay", `plugins.reshape.config.url="`+chat.URL+`"`, `egress.hosts=["`+addr+`"]`)

	hook := r.Summary().API + "/hooks/github"
	for _, body := range []string{`{"action":"closed"}`, `{"action":"opened","issue":{"title":"it is broken"},"sender":{"login":"anna"}}`} {
		res, err := http.Post(hook, "application/json", strings.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, http.StatusAccepted, res.StatusCode)
	}
	list := r.finished(t, "relay-opened")
	assert.Equal(t, "done", status(list, ""), "%+v", list)
	assert.JSONEq(t, `{"text": "it is broken (by anna)", "link": null}`, <-got)
	assert.Empty(t, got, "only opened issues are passed on")
}

// buildDecide builds the Go plugin of sshguard where its source is.
func buildDecide(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "decide.wasm")
	_, err := deploy.Build(t.Context(), deploy.Found{
		Name: "decide", Kind: deploy.Wasm, File: out, Source: filepath.Join("sshguard", "plugins", "decide"), Lang: deploy.Go,
	})
	require.NoError(t, err)
	built, err := os.ReadFile(out)
	require.NoError(t, err)
	return built
}

// TestSSHGuardUndoesABlock has the second step fail for good: the block that the
// first step made is taken back.
func TestSSHGuardUndoesABlock(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a Go plugin")
	}
	broken := t.TempDir()
	require.NoError(t, os.CopyFS(broken, os.DirFS("sshguard")))
	require.NoError(t, os.WriteFile(filepath.Join(broken, "plugins", "render.lua"), []byte(`function invoke(call) rhost.fail("no words") end`), 0o600))
	// The plugin's source belongs to this module: it is built in place.
	require.NoError(t, os.RemoveAll(filepath.Join(broken, "plugins", "decide")))
	built := buildDecide(t)
	require.NoError(t, os.WriteFile(filepath.Join(broken, "plugins", "decide.wasm"), built, 0o600))

	r := runIn(t, broken)
	list := r.finished(t, "ssh-burst")
	assert.Equal(t, "ok", status(list, "decide"))
	assert.Equal(t, "failed", status(list, "render"))
	undone := false
	for _, a := range list {
		undone = undone || a.Undo && a.Step == "decide" && a.Status == "ok"
	}
	assert.True(t, undone, "%+v", list)
	assert.Equal(t, "compensated", status(list, ""))
}
