package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
)

// langs are the SDKs, with the folders of their guests.
func langs() map[deploy.Lang]string {
	return map[deploy.Lang]string{
		deploy.Go:             "../../sandbox/wasm/testdata/conformance",
		deploy.C:              "../c/conformance",
		deploy.Rust:           "../rust/conformance",
		deploy.AssemblyScript: "../assemblyscript/conformance",
	}
}

// each runs a test with the guest of every language that can be built here.
func each(t *testing.T, test func(t *testing.T, m sandbox.Module)) {
	t.Helper()
	for lang := range langs() {
		t.Run(string(lang), func(t *testing.T) {
			t.Parallel()
			test(t, module(t, lang))
		})
	}
}

// built remembers what was built, by language, for the length of the test program.
var built sync.Map

// build builds the guest of a language, once.
func build(lang deploy.Lang) ([]byte, error) {
	once, _ := built.LoadOrStore(lang, sync.OnceValues(func() ([]byte, error) {
		dir, err := os.MkdirTemp("", "rhost-guest-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // the system clears up behind it
		source, err := filepath.Abs(langs()[lang])
		if err != nil {
			return nil, err
		}
		f := deploy.Found{Name: "conformance", Kind: deploy.Wasm, File: filepath.Join(dir, "conformance.wasm"), Source: source, Lang: lang}
		if _, err := deploy.Build(context.Background(), f); err != nil {
			return nil, err
		}
		return os.ReadFile(f.File)
	}))
	return once.(func() ([]byte, error))() //nolint:forcetypeassert // nothing else is stored
}

// module compiles the guest of a language.
func module(t *testing.T, lang deploy.Lang) sandbox.Module {
	t.Helper()
	return compiled(t, lang, "")
}

// compiled compiles the guest of a language, with a manifest where there is one.
func compiled(t *testing.T, lang deploy.Lang, about string) sandbox.Module {
	t.Helper()
	src, err := build(lang)
	if errors.Is(err, deploy.ErrNoTool) {
		t.Skip(err)
	}
	require.NoError(t, err)
	if about != "" {
		src, err = manifest.Embed(src, []byte(about))
		require.NoError(t, err)
	}

	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	ctx := context.WithoutCancel(t.Context())
	engine, err := wasm.New(wasm.Options{CacheDir: filepath.Join(cache, "rhost-test", "wasm")})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, engine.Close(ctx)) })
	m, err := engine.Compile(ctx, sandbox.Source{Name: "conformance", Bytes: src})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close(ctx)) })
	return m
}

// world is what a call finds around it.
type world struct {
	grant  abi.Grant
	limits sandbox.Limits
	state  map[string]json.RawMessage // all at version 7
	kv     map[string][]byte
	lines  []string
}

func newWorld() *world {
	return &world{grant: abi.Capabilities(), limits: sandbox.Limits{Deadline: time.Minute}}
}

func (w *world) session() *sandbox.Session {
	return sandbox.NewSession(sandbox.Services{
		State: func(key string) (json.RawMessage, uint64, bool) {
			v, ok := w.state[key]
			return v, 7, ok
		},
		KV: func(key string) ([]byte, bool) {
			v, ok := w.kv[key]
			return v, ok
		},
		HTTP: reply,
		Secret: func(name string) ([]byte, abi.Status) {
			if name == "token" {
				return []byte("s3cret é"), abi.StatusOK
			}
			return nil, abi.StatusNotFound
		},
		Now:    func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC) },
		Random: func(p []byte) { copy(p, "random bytes of the host, not very random") },
		Log:    func(level sandbox.LogLevel, msg string) { w.lines = append(w.lines, level.String()+" "+msg) },
	}, w.grant, w.limits)
}

// reply is an outside world that says what it was asked.
func reply(_ context.Context, q *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
	if strings.HasPrefix(q.URL, "https://slow.") {
		return abi.HTTPResponse{}, abi.StatusTimeout
	}
	body := q.Method + " " + q.URL + " " + q.Timeout.String() + " " + string(q.Body)
	for _, h := range q.Header {
		body += " " + h.Name + "=" + h.Value
	}
	return abi.HTTPResponse{
		Status: 404, Body: []byte(body),
		Header: []abi.HTTPHeader{{Name: "content-type", Value: "text/plain"}, {Name: "x-long", Value: strings.Repeat("x", 600)}},
	}, abi.StatusOK
}

func call(with string) *abi.Call {
	at := time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC)
	c := &abi.Call{
		Match: abi.Match{
			Tenant: "default", Rule: "burst", Version: "v1", ID: "m1", At: at, Trigger: "e1",
			Bind: map[string][]string{"fail": {"e0", "e1"}},
		},
		Event:   event.Event{ID: "e1", Source: "/sshd", Type: "ssh.failed", Subject: "sub", Time: at.Add(7), Data: []byte(`{"user":"bob"}`)},
		Config:  json.RawMessage(`{"limit":5}`),
		Attempt: 2, Key: "k1",
	}
	c.Event.SetExt("host", event.StringValue("web \"1\" é"))
	if with != "" {
		c.With = json.RawMessage(with)
	}
	return c
}

// once runs a call in an instance of its own.
func once(t *testing.T, m sandbox.Module, w *world, c *abi.Call) (abi.Reply, sandbox.Usage, error) {
	t.Helper()
	return onceWith(t, m, w.limits, c, w.session())
}

func onceWith(t *testing.T, m sandbox.Module, limits sandbox.Limits, c *abi.Call, s *sandbox.Session) (abi.Reply, sandbox.Usage, error) {
	t.Helper()
	inst, err := m.New(t.Context(), limits)
	require.NoError(t, err)
	defer func() { assert.NoError(t, inst.Close(context.WithoutCancel(t.Context()))) }()
	return inst.Invoke(t.Context(), c, s)
}

func do(action string) string { return `{"do":` + strconv.Quote(action) + `}` }
