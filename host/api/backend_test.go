package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
)

// backend is a host that keeps what it is told and answers what it is given.
type backend struct {
	err     error // of every method
	events  []event.Event
	query   api.Query
	page    api.Page
	reply   json.RawMessage
	letters []json.RawMessage
	acted   []string
	tail    []json.RawMessage
	hooks   map[string]http.Handler
}

func (b *backend) Submit(_ context.Context, events []event.Event) error {
	if b.err == nil {
		b.events = append(b.events, events...)
	}
	return b.err
}

func (b *backend) Matches(_ context.Context, q api.Query) (api.Page, error) {
	b.query = q
	return b.page, b.err
}

func (b *backend) Actions(_ context.Context, q api.Query) (api.Page, error) {
	b.query = q
	return b.page, b.err
}

func (b *backend) Match(_ context.Context, id string) (json.RawMessage, error) {
	return b.act("match", id)
}

func (b *backend) Plan(_ context.Context, rule string) (json.RawMessage, error) {
	return b.act("plan", rule)
}

func (b *backend) WhyNot(_ context.Context, rule string) (json.RawMessage, error) {
	return b.act("why-not", rule)
}

func (b *backend) Plugins(context.Context) ([]json.RawMessage, error) { return b.letters, b.err }

func (b *backend) Plugin(_ context.Context, name string) (json.RawMessage, error) {
	return b.act("plugin", name)
}

func (b *backend) PutPlugin(_ context.Context, name string, u api.Upload) (json.RawMessage, error) {
	return b.act("put", strings.TrimRight(fmt.Sprintf("%s %s %s %s", name, u.Kind, u.Source, u.Signature), " "))
}

func (b *backend) ActivatePlugin(_ context.Context, name, digest string) (json.RawMessage, error) {
	return b.act("activate", name+" "+digest)
}

func (b *backend) RollbackPlugin(_ context.Context, name string) (json.RawMessage, error) {
	return b.act("rollback", name)
}

func (b *backend) Apply(_ context.Context, bundle []byte) (json.RawMessage, error) {
	return b.act("apply", string(bundle))
}

func (b *backend) Status(context.Context) (json.RawMessage, error) { return b.act("status", "") }

func (b *backend) Redrive(_ context.Context, id string) error {
	_, err := b.act("redrive", id)
	return err
}

func (b *backend) Drop(_ context.Context, id string) error {
	_, err := b.act("drop", id)
	return err
}

func (b *backend) act(what, id string) (json.RawMessage, error) {
	b.acted = append(b.acted, what+" "+id)
	return b.reply, b.err
}

func (b *backend) DeadLetters(context.Context) ([]json.RawMessage, error) { return b.letters, b.err }

// Tail says what it was asked for, then gives what there is.
// pieces is a topic that ends.
type pieces []api.TopicEvent

func (p *pieces) Next(context.Context) (e api.TopicEvent, err error) {
	if len(*p) == 0 {
		return e, io.EOF
	}
	e, *p = (*p)[0], (*p)[1:]
	return e, nil
}

func (p *pieces) Close() {}

func (b *backend) Topic(_ context.Context, topic, after string) (api.TopicReader, error) {
	switch {
	case topic != "orders":
		return nil, fmt.Errorf("topic %s: %w", topic, api.ErrNotFound)
	case after == "bad":
		return nil, fmt.Errorf("%s: %w", after, api.ErrInvalid)
	}
	return &pieces{{ID: "e:2", Gap: true, Data: json.RawMessage(`{"after":"` + after + `"}`)}, {ID: "e:3", Data: json.RawMessage(`{"n":3}`)}}, nil
}

func (b *backend) Tail(_ context.Context, topics []string, fn func(json.RawMessage) error) error {
	b.acted = append(b.acted, "tail "+strings.Join(topics, " "))
	for _, m := range b.tail {
		if err := fn(m); err != nil {
			return err
		}
	}
	return b.err
}

func (b *backend) Ready(context.Context) error { return b.err }

func (b *backend) Hook(name string) (http.Handler, bool) {
	h, ok := b.hooks[name]
	return h, ok
}

// request is one request to the TCP side of the API, as a client of this
// machine would make it.
type request struct {
	method, path, body string
	header             map[string]string
	host, remote       string // defaults: 127.0.0.1:4000, a loopback port
	local              bool   // by the socket
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (b *backend) do(t *testing.T, r request) answer {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodGet
	}
	req := httptest.NewRequestWithContext(t.Context(), r.method, r.path, strings.NewReader(r.body))
	req.Host, req.RemoteAddr = "127.0.0.1:4000", "127.0.0.1:50000"
	if r.host != "" {
		req.Host = r.host
	}
	if r.remote != "" {
		req.RemoteAddr = r.remote
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	api.New(b, api.Options{Version: "test", Local: r.local}).ServeHTTP(w, req)
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return answer{res.StatusCode, res.Header, string(body)}
}

// problem checks that an answer is a problem of that status, and returns what it
// says.
func (a answer) problem(t *testing.T, status int) string {
	t.Helper()
	assert.Equal(t, status, a.status, a.body)
	assert.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
	var p struct {
		Title  string
		Status int
		Detail string
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &p), a.body)
	assert.Equal(t, status, p.Status)
	assert.Equal(t, http.StatusText(status), p.Title)
	return p.Detail
}
