package sandboxtest

import (
	"context"
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/sandbox"
)

// Harness is an engine with the guests to try it with.
type Harness struct {
	// Engine makes an engine. The suite closes it.
	Engine func(t testing.TB) sandbox.Engine
	// Guests holds a guest for every Behaviour.
	Guests map[Behaviour]sandbox.Source
	// Kinds says where the engine ends a guest as another kind of fault than the
	// Behaviour is documented with.
	Kinds map[Behaviour][]sandbox.FaultKind
	// Limits are the limits of a call where a test does not set its own. The
	// deadline is not the suite's business in most tests: it is set to a minute
	// where it is zero.
	Limits sandbox.Limits
}

// Run holds the engine to every promise.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if h.Limits.Deadline == 0 {
		h.Limits.Deadline = time.Minute
	}
	s := &suite{Harness: h, engine: h.Engine(t), kinds: kinds(), modules: make(map[Behaviour]sandbox.Module)}
	maps.Copy(s.kinds, h.Kinds)
	t.Cleanup(func() { s.close(t) })

	t.Run("admission", s.admission)
	t.Run("results", s.results)
	t.Run("services", s.services)
	t.Run("faults", s.faults)
	t.Run("deadline", s.deadline)
	t.Run("fuel", s.fuel)
	t.Run("leaks", s.leaks)
	t.Run("replay", s.replay)
	t.Run("parallel", s.parallel)
	t.Run("swap", s.swap)
}

type suite struct {
	Harness
	engine  sandbox.Engine
	kinds   map[Behaviour][]sandbox.FaultKind
	modules map[Behaviour]sandbox.Module // compiled so far
}

func (s *suite) close(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	for b, m := range s.modules {
		assert.NoError(t, m.Close(ctx), "close the module %s", b)
	}
	assert.NoError(t, s.engine.Close(ctx), "close the engine")
}

// module compiles a guest, once.
func (s *suite) module(t *testing.T, b Behaviour) sandbox.Module {
	t.Helper()
	if m, ok := s.modules[b]; ok {
		return m
	}
	src, ok := s.Guests[b]
	require.True(t, ok, "the harness has no guest %s", b)
	m, err := s.engine.Compile(t.Context(), src)
	require.NoError(t, err, "compile the guest %s", b)
	s.modules[b] = m
	return m
}

// run makes an instance, runs one call in it and closes it.
func (s *suite) run(t *testing.T, b Behaviour, host *host) outcome {
	t.Helper()
	inst, err := s.module(t, b).New(t.Context(), host.limits)
	require.NoError(t, err, "make an instance of %s", b)
	defer func() { assert.NoError(t, inst.Close(context.WithoutCancel(t.Context()))) }()
	return invoke(t.Context(), inst, host)
}

type outcome struct {
	reply abi.Reply
	usage sandbox.Usage
	err   error
}

func invoke(ctx context.Context, inst sandbox.Instance, h *host) (o outcome) {
	o.reply, o.usage, o.err = inst.Invoke(ctx, call(), h.session())
	return o
}

// host is what lies behind the calls of a test.
type host struct {
	grant  abi.Grant
	limits sandbox.Limits
	state  map[string]json.RawMessage
	lines  []string
}

func (s *suite) host() *host {
	return &host{grant: abi.Capabilities(), limits: s.Limits}
}

// instant is the time that guests are told.
func instant() time.Time { return time.Date(2026, 3, 1, 12, 30, 0, 250_000_000, time.UTC) }

func (h *host) session() *sandbox.Session {
	return sandbox.NewSession(sandbox.Services{
		State: func(key string) (json.RawMessage, uint64, bool) {
			v, ok := h.state[key]
			return v, 7, ok
		},
		KV: func(key string) ([]byte, bool) {
			v, ok := map[string]string{"text": "héllo", "bytes": "\xff\x00"}[key]
			return []byte(v), ok
		},
		HTTP: respond,
		Secret: func(name string) ([]byte, abi.Status) {
			if name != "token" {
				return nil, abi.StatusNotFound
			}
			return []byte("s3cret"), abi.StatusOK
		},
		Now: instant,
		Random: func(p []byte) {
			for i := range p {
				p[i] = byte(i + 1)
			}
		},
		Log: func(level sandbox.LogLevel, msg string) { h.lines = append(h.lines, level.String()+" "+msg) },
	}, h.grant, h.limits)
}

// respond is an outside world that says what it was asked. A request for /slow is
// never answered, and none for elsewhere.example is allowed.
func respond(ctx context.Context, req *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
	switch {
	case strings.Contains(req.URL, "elsewhere.example"):
		return abi.HTTPResponse{}, abi.StatusDenied
	case strings.HasSuffix(req.URL, "/slow"):
		<-ctx.Done()
		return abi.HTTPResponse{}, abi.StatusTimeout
	}
	var body strings.Builder
	body.WriteString(req.Method + " " + req.URL + " " + string(req.Body))
	for _, h := range req.Header {
		body.WriteString(" " + h.Name + "=" + h.Value)
	}
	return abi.HTTPResponse{
		Status: 404,
		Header: []abi.HTTPHeader{{Name: "content-type", Value: "text/plain"}, {Name: "x-n", Value: strconv.Itoa(req.Ordinal)}, {Name: "x-n", Value: "b"}},
		Body:   []byte(body.String()),
	}, abi.StatusOK
}

func call() *abi.Call {
	return &abi.Call{
		Match: abi.Match{
			Tenant: "default", Rule: "ssh-burst", Version: "v1", ID: "m-1", At: instant(), Trigger: "e-5",
			Bind: map[string][]string{"fail": {"e-1", "e-2"}, "ok": {"e-5"}},
		},
		Event: event.Event{
			ID: "e-5", Source: "/sshd", Type: "ssh.failed", Subject: "10.0.0.1", Time: instant(),
			Ext:  []event.Attr{{Name: "region", Value: event.StringValue("eu")}},
			Data: []byte(`{"user":"root","port":22,"tags":["a",null,"b"],"none":[],"odd \"key\"":"é\n"}`),
		},
		With:    json.RawMessage(`{"text":"héllo \"x\"\n","n":12.5,"list":[1,[],{}],"deep":{"a":{"b":[true,false]}}}`),
		Config:  json.RawMessage(`{"limit":3}`),
		Attempt: 2,
		Key:     "key-1",
	}
}
