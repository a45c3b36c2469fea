package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/api"
)

// liveNode is a node of a cluster at work.
type liveNode struct {
	*Node
	t     *testing.T
	mux   [2]http.Handler
	end   context.CancelFunc
	ended chan error
	once  sync.Once
}

// node makes a node of the app and starts nothing.
func (a *testApp) node(data string, set ...string) *liveNode {
	a.t.Helper()
	n, err := NewNode(a.t.Context(), Options{App: a.dir, Data: data, Listen: "off", Version: "test", Set: set})
	require.NoError(a.t, err)
	n.settle = time.Millisecond
	return &liveNode{Node: n, t: a.t, mux: n.handlers(), ended: make(chan error, 1)}
}

// run has the node take part until it is stopped.
func (l *liveNode) run() *liveNode {
	ctx, cancel := context.WithCancel(context.Background())
	l.end = cancel
	go func() {
		l.ended <- l.Run(ctx, func() {}, func(*Host) func(Summary) { return func(Summary) {} })
	}()
	l.t.Cleanup(l.stop)
	return l
}

// stopAll ends nodes at the same time. The last have nobody to tell that they leave.
func stopAll(nodes []*liveNode) {
	for _, l := range nodes {
		l.once.Do(l.end)
	}
	for _, l := range nodes {
		if err := <-l.ended; err != nil {
			l.t.Log(err)
		}
		require.NoError(l.t, l.Close())
	}
}

func (l *liveNode) stop() {
	l.once.Do(func() {
		l.t.Helper()
		l.end()
		select {
		case err := <-l.ended:
			require.NoError(l.t, err)
		case <-time.After(patience):
			l.t.Fatal("the node does not stop")
		}
		require.NoError(l.t, l.Close())
	})
}

// ask makes a request of the node's local socket.
func (l *liveNode) ask(method, path, body string) (code int, answer string) {
	r := httptest.NewRequestWithContext(l.t.Context(), method, "http://rhost"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/cloudevents+json")
	}
	w := httptest.NewRecorder()
	l.mux[0].ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// ready waits until the node says that it is.
func (l *liveNode) untilReady() {
	l.t.Helper()
	last := ""
	require.Eventually(l.t, func() bool {
		code, text := l.ask(http.MethodGet, "/readyz", "")
		last = text
		return code == http.StatusOK
	}, patience, 20*time.Millisecond, "the node is not ready: %v", &last)
}

// send has the node accept an event, and waits until it is matched.
func (l *liveNode) send(id string) {
	l.t.Helper()
	code, text := l.ask(http.MethodPost, "/v1/events", fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"test","type":"t"}`, id))
	require.Equal(l.t, http.StatusAccepted, code, text)
	require.Eventually(l.t, func() bool { return strings.Contains(strings.Join(l.triggers(), " "), id) }, patience, 5*time.Millisecond)
}

// triggers are the ids of the events of recorded matches.
func (l *liveNode) triggers() (ids []string) {
	l.t.Helper()
	code, text := l.ask(http.MethodGet, "/v1/matches", "")
	require.Equal(l.t, http.StatusOK, code, text)
	var p api.Page
	require.NoError(l.t, json.Unmarshal([]byte(text), &p))
	for _, raw := range p.Items {
		var m struct{ Trigger string }
		require.NoError(l.t, json.Unmarshal(raw, &m))
		ids = append(ids, m.Trigger)
	}
	return ids
}
