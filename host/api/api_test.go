package api_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rhost/rhost/host/api"
)

func TestLists(t *testing.T) {
	b := &backend{page: api.Page{Items: []json.RawMessage{json.RawMessage(`{"id":"m-1"}`)}, Cursor: 7}}
	for _, tc := range []struct {
		path string
		want api.Query
	}{
		{"/v1/matches", api.Query{Limit: 100}},
		{"/v1/matches?rule=r&since=2026-01-02T15:04:05Z&cursor=3&limit=1000", api.Query{
			Rule: "r", Since: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), Cursor: 3, Limit: 1000,
		}},
		{"/v1/actions?status=failed&limit=1", api.Query{Status: "failed", Limit: 1}},
	} {
		a := b.do(t, request{path: tc.path})
		assert.Equal(t, http.StatusOK, a.status, a.body)
		assert.JSONEq(t, `{"items":[{"id":"m-1"}],"cursor":7}`, a.body)
		assert.True(t, tc.want.Since.Equal(b.query.Since))
		tc.want.Since, b.query.Since = time.Time{}, time.Time{}
		assert.Equal(t, tc.want, b.query, tc.path)
	}
	for _, path := range []string{"/v1/matches?limit=1001", "/v1/matches?limit=0", "/v1/actions?since=yesterday", "/v1/actions?cursor=-1"} {
		assert.NotEmpty(t, b.do(t, request{path: path}).problem(t, http.StatusUnprocessableEntity), path)
	}
}

func TestDeadLetters(t *testing.T) {
	b := &backend{}
	assert.JSONEq(t, `{"items":[]}`, b.do(t, request{path: "/v1/deadletters"}).body, "a list, never null")
	b.letters = []json.RawMessage{json.RawMessage(`{"id":"x-1"}`)}
	assert.JSONEq(t, `{"items":[{"id":"x-1"}]}`, b.do(t, request{path: "/v1/deadletters"}).body)

	redrive := request{method: http.MethodPost, path: "/v1/deadletters/bad%2Fin%2Fline/redrive"}
	drop := request{method: http.MethodDelete, path: "/v1/deadletters/x-1"}
	for _, r := range []request{redrive, drop} {
		a := b.do(t, r)
		assert.Equal(t, http.StatusNoContent, a.status, a.body)
		assert.Empty(t, a.body)
	}
	assert.Equal(t, []string{"redrive bad/in/line", "drop x-1"}, b.acted)
	b.err = api.ErrNotFound
	assert.Equal(t, "not found", b.do(t, redrive).problem(t, http.StatusNotFound))
	assert.Equal(t, "not found", b.do(t, drop).problem(t, http.StatusNotFound))
}

func TestRepliesOfTheBackend(t *testing.T) {
	b := &backend{reply: json.RawMessage(`{"a":1}`)}
	for path, want := range map[string]string{
		"/v1/matches/m-1": "match m-1", "/v1/rules/ssh%2Fburst/plan": "plan ssh/burst",
		"/v1/rules/r/why-not": "why-not r", "/v1/status": "status ",
	} {
		b.acted, b.err = nil, nil
		a := b.do(t, request{path: path})
		assert.Equal(t, http.StatusOK, a.status, path)
		assert.Equal(t, "application/json", a.header.Get("Content-Type"))
		assert.JSONEq(t, `{"a":1}`, a.body)
		assert.Equal(t, []string{want}, b.acted)
		b.err = api.ErrNotFound
		b.do(t, request{path: path}).problem(t, http.StatusNotFound)
	}
}

func TestTail(t *testing.T) {
	b := &backend{tail: []json.RawMessage{json.RawMessage(`{"n":1}`), json.RawMessage(`{"n":2}`)}, err: io.EOF}
	a := b.do(t, request{path: "/v1/tail?topic=rhost:matches&topic=ops"})
	assert.Equal(t, http.StatusOK, a.status)
	assert.Equal(t, "application/x-ndjson", a.header.Get("Content-Type"))
	assert.Equal(t, "{\"n\":1}\n{\"n\":2}\n", a.body)
	assert.Equal(t, []string{"tail rhost:matches ops"}, b.acted)
	assert.JSONEq(t, `{"n":1}`, string(b.tail[0]), "messages are not written to")
	assert.Contains(t, b.do(t, request{path: "/v1/tail"}).problem(t, http.StatusBadRequest), "name at least one topic")
}

func TestHooks(t *testing.T) {
	b := &backend{hooks: map[string]http.Handler{"github": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, "{}", string(body))
		w.WriteHeader(http.StatusAccepted)
	})}}
	assert.Equal(t, http.StatusAccepted, b.do(t, request{method: http.MethodPost, path: "/hooks/github", body: "{}"}).status)
	assert.Contains(t, b.do(t, request{method: http.MethodPost, path: "/hooks/gitlab"}).problem(t, http.StatusNotFound), `called "gitlab"`)
	assert.Equal(t, http.StatusMethodNotAllowed, b.do(t, request{path: "/hooks/github"}).status)
}

func TestProbes(t *testing.T) {
	b := &backend{}
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		a := b.do(t, request{path: path})
		assert.Equal(t, http.StatusOK, a.status)
		assert.Equal(t, want, a.body)
	}
	b.err = errors.New("the disk is full")
	assert.Equal(t, http.StatusOK, b.do(t, request{path: "/healthz"}).status, "alive all the same")
	a := b.do(t, request{path: "/readyz"})
	assert.Equal(t, http.StatusServiceUnavailable, a.status)
	assert.Equal(t, "not ready: the disk is full\n", a.body)
}

func TestWhoMayCall(t *testing.T) {
	for _, tc := range []struct {
		name string
		req  request
		want int
	}{
		{"by address", request{host: "127.0.0.1:4000"}, 200},
		{"by address, no port", request{host: "127.0.0.1"}, 200},
		{"by name", request{host: "localhost:4000"}, 200},
		{"by IPv6", request{host: "[::1]:4000", remote: "[::1]:50000"}, 200},
		{"by IPv6, no port", request{host: "[::1]"}, 200},
		{"rebound name", request{host: "evil.example:4000"}, 403},
		{"name that looks right", request{host: "localhost.evil.example"}, 403},
		{"no host", request{host: " "}, 403},
		{"from elsewhere", request{remote: "192.0.2.7:50000"}, 403},
		{"from nowhere", request{remote: "@"}, 403},
		{"socket", request{host: "rhost", remote: "@", local: true}, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.req.path = "/v1/status"
			b := &backend{reply: json.RawMessage(`{}`)}
			a := b.do(t, tc.req)
			assert.Equal(t, tc.want, a.status, a.body)
			if tc.want == http.StatusForbidden {
				assert.Contains(t, a.problem(t, tc.want), "only loopback may call")
				assert.Empty(t, b.acted)
			}
		})
	}
}

// TestPagesOfOtherOrigins has a page in a browser of this machine send what a
// browser sends without asking.
func TestPagesOfOtherOrigins(t *testing.T) {
	for _, header := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"},
	} {
		b := &backend{}
		a := b.do(t, request{method: http.MethodPost, path: "/v1/events", body: one, header: header})
		assert.Equal(t, http.StatusForbidden, a.status, header)
		assert.Empty(t, b.events)
		assert.Equal(t, http.StatusForbidden, b.do(t, request{method: http.MethodPost, path: "/v1/deadletters/x/redrive", header: header}).status)
		assert.Empty(t, b.acted)
	}
	b := &backend{}
	a := b.do(t, request{method: http.MethodPost, path: "/v1/events", body: one, header: map[string]string{"Origin": "http://127.0.0.1:4000"}})
	assert.Equal(t, http.StatusAccepted, a.status, "a page of the host itself may")
}

func TestServedSpec(t *testing.T) {
	a := (&backend{}).do(t, request{path: "/openapi.json"})
	assert.Equal(t, http.StatusOK, a.status)
	var doc struct {
		OpenAPI string
		Paths   map[string]any
	}
	assert.NoError(t, json.Unmarshal([]byte(a.body), &doc))
	assert.Equal(t, "3.1.0", doc.OpenAPI)
	for _, path := range []string{"/v1/events", "/v1/tail", "/hooks/{name}", "/readyz"} {
		assert.Contains(t, doc.Paths, path)
	}
	for _, path := range []string{"/v1/nosuch", "/docs"} {
		assert.Equal(t, http.StatusNotFound, (&backend{}).do(t, request{path: path}).status)
	}
}

func TestTopicEvents(t *testing.T) {
	ask := func(target, last string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		w := httptest.NewRecorder()
		api.New(&backend{}, api.Options{Local: true}).ServeHTTP(w, r)
		return w
	}
	w := ask("/v1/topics/orders/events", "e:1")
	assert.Equal(t, "text/event-stream", w.Header().Get("Content-Type"))
	assert.Equal(t, "retry: 2000\n\nevent: gap\nid: e:2\ndata: {\"after\":\"e:1\"}\n\nid: e:3\ndata: {\"n\":3}\n\n", w.Body.String())
	assert.Contains(t, ask("/v1/topics/orders/events?last_event_id=e:9", "").Body.String(), `{"after":"e:9"}`)
	assert.Equal(t, http.StatusNotFound, ask("/v1/topics/none/events", "").Code)
	assert.Equal(t, http.StatusBadRequest, ask("/v1/topics/orders/events", "bad").Code)
	w = ask("/v1/tail?topic=orders&since=e:1", "")
	assert.Equal(t, "application/x-ndjson", w.Header().Get("Content-Type"))
	assert.Equal(t, "{\"after\":\"e:1\"}\n{\"n\":3}\n", w.Body.String())
	assert.Equal(t, http.StatusBadRequest, ask("/v1/tail?topic=orders&topic=b&since=e:1", "").Code)
}
