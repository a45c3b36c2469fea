package wasm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == childArg {
		os.Exit(wasm.CompileChild(context.Background(), os.Args[2], os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if conformance.module != nil {
			if err := closeGoGuest(); err != nil && code == 0 {
				fmt.Println(err)
				code = 1
			}
		}
		os.Exit(code)
	}))
}

// conformance is the Go guest that does what its arguments say, compiled once
// for all tests: under the race detector that takes seconds.
var conformance struct {
	once   sync.Once
	engine *wasm.Engine
	module sandbox.Module
}

// goGuest returns the module of the Go guest.
func goGuest(tb testing.TB) sandbox.Module {
	tb.Helper()
	src := wasmtest.BuildGo(tb, "testdata/conformance")
	conformance.once.Do(func() {
		var err error
		conformance.engine, err = wasm.New(wasm.Options{CacheDir: sharedCache(tb), Seed: []byte("a secret")})
		require.NoError(tb, err)
		conformance.module, err = conformance.engine.Compile(tb.Context(), sandbox.Source{Name: "conformance", Bytes: src})
		require.NoError(tb, err)
	})
	require.NotNil(tb, conformance.module, "the guest was not compiled")
	return conformance.module
}

func closeGoGuest() error {
	ctx := context.Background()
	return errors.Join(conformance.module.Close(ctx), conformance.engine.Close(ctx))
}

// sharedCache is a folder in which compiled modules last from one test run to the
// next: a Go guest takes seconds, under the race detector a minute.
func sharedCache(tb testing.TB) string {
	tb.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "rhost-test", "wasm")
}

func newEngine(tb testing.TB) *wasm.Engine {
	tb.Helper()
	e, err := wasm.New(wasm.Options{CacheDir: sharedCache(tb)})
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, e.Close(context.WithoutCancel(tb.Context()))) })
	return e
}

// newColdEngine makes an engine without a cache. Its user closes it.
func newColdEngine(tb testing.TB) *wasm.Engine {
	tb.Helper()
	e, err := wasm.New(wasm.Options{})
	require.NoError(tb, err)
	return e
}

// compile admits a module, which is closed with the test.
func compile(tb testing.TB, e *wasm.Engine, name string, src []byte) sandbox.Module {
	tb.Helper()
	m, err := e.Compile(tb.Context(), sandbox.Source{Name: name, Bytes: src})
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, m.Close(context.WithoutCancel(tb.Context()))) })
	return m
}

// instance makes an instance, which is closed with the test.
func instance(tb testing.TB, m sandbox.Module, lim sandbox.Limits) sandbox.Instance {
	tb.Helper()
	i, err := m.New(tb.Context(), lim)
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, i.Close(context.WithoutCancel(tb.Context()))) })
	return i
}

// patient are limits whose deadline a loaded machine does not meet.
func patient() sandbox.Limits { return sandbox.Limits{Deadline: time.Minute} }

// world is what a call finds around it.
type world struct {
	limits sandbox.Limits
	grant  abi.Grant
	state  map[string]json.RawMessage // all at version 7
	lines  []string
	more   func(*sandbox.Services) // adds to what lies behind a call; may be nil
}

func newWorld() *world { return &world{limits: patient(), grant: abi.Capabilities()} }

func (w *world) session() *sandbox.Session {
	sv := sandbox.Services{
		State: func(key string) (json.RawMessage, uint64, bool) {
			v, ok := w.state[key]
			return v, 7, ok
		},
		Now:    func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC) },
		Random: func(p []byte) { copy(p, "random bytes of the host, not very random") },
		Log:    func(level sandbox.LogLevel, msg string) { w.lines = append(w.lines, level.String()+" "+msg) },
	}
	if w.more != nil {
		w.more(&sv)
	}
	return sandbox.NewSession(sv, w.grant, w.limits)
}

// callWith is a call with those arguments.
func callWith(with string) *abi.Call {
	c := &abi.Call{
		Match:   abi.Match{Tenant: "default", Rule: "burst", Version: "v1", ID: "m1", At: time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC), Trigger: "e1"},
		Event:   event.Event{ID: "e1", Source: "/sshd", Type: "ssh.failed", Data: []byte(`{"user":"bob"}`)},
		Config:  json.RawMessage(`{"limit":5}`),
		Attempt: 1,
		Key:     "k1",
	}
	if with != "" {
		c.With = json.RawMessage(with)
	}
	return c
}

// once runs one call in an instance of its own.
func once(tb testing.TB, m sandbox.Module, w *world, call *abi.Call) (abi.Reply, sandbox.Usage, error) {
	tb.Helper()
	i, err := m.New(tb.Context(), w.limits)
	if err != nil {
		return abi.Reply{}, sandbox.Usage{}, err
	}
	defer func() { assert.NoError(tb, i.Close(context.WithoutCancel(tb.Context()))) }()
	return i.Invoke(tb.Context(), call, w.session())
}
