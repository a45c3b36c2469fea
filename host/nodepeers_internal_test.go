package host

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/cluster"
)

// tableWith is a table in which node owns the tenant's group.
func tableWith(node string, epoch uint64) cluster.Table {
	return cluster.Table{Groups: map[int]cluster.Owned{tenantGroup: {Node: node, Epoch: epoch}}}
}

// What a standby has passed to an owner that does not answer ends once the leases
// name another owner: a request with 503, a stream with the connection. Renewals of
// the same lease change nothing.
func TestForwardedEndsWithItsOwner(t *testing.T) {
	owner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			w.Write([]byte("first")) //nolint:errcheck // the client says so
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done() // stopped
	}))
	defer owner.Close()
	n := &Node{config: Config{Cluster: &ClusterConfig{Node: "b"}}, logger: slog.New(slog.DiscardHandler)}
	n.forward = newForwarder(func(ctx context.Context, node string) (net.Conn, error) {
		assert.Equal(t, "a", node)
		return new(net.Dialer).DialContext(ctx, "tcp", owner.Listener.Addr().String())
	}, slog.New(slog.DiscardHandler))
	standby := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.pass(w, r, 0) }))
	defer standby.Close()

	n.changed(tableWith("a", 7))
	stream, err := http.Get(standby.URL + "/stream")
	require.NoError(t, err)
	defer stream.Body.Close() //nolint:errcheck // the server ends with the test
	first := make([]byte, 5)
	_, err = io.ReadFull(stream.Body, first)
	require.NoError(t, err)
	assert.Equal(t, "first", string(first))
	answers := make(chan *http.Response, 1)
	go func() {
		res, err := http.Get(standby.URL + "/waits") //nolint:bodyclose // whoever takes it closes it
		assert.NoError(t, err)
		answers <- res
	}()
	n.changed(tableWith("a", 7))
	select {
	case res := <-answers:
		require.Fail(t, "the owner is the same", res.Status)
	case <-time.After(2 * lastAnswers):
	}

	n.changed(tableWith("c", 9))
	_, err = io.ReadAll(stream.Body)
	require.Error(t, err)
	res := <-answers
	defer res.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	assert.Equal(t, "1", res.Header.Get("Retry-After"))
	assert.Contains(t, string(text), "another owner")
}

// A standby says once who has the log, and again when that changes.
func TestStandbySaysWhoOwns(t *testing.T) {
	var said bytes.Buffer
	n := &Node{config: Config{Cluster: &ClusterConfig{Node: "b"}}, logger: slog.New(slog.NewTextHandler(&said, nil))}
	for _, o := range []struct {
		node  string
		epoch uint64
		want  string // in a line of its own
	}{
		{"a", 7, "owner=a epoch=7"},
		{"a", 7, ""},
		{"", 0, ""},
		{"c", 9, "owner=c epoch=9"},
		{"c", 12, "owner=c epoch=12"},
		{"b", 14, ""}, // which says so itself
		{"a", 15, "owner=a epoch=15"},
	} {
		said.Reset()
		n.changed(tableWith(o.node, o.epoch))
		if o.want == "" {
			assert.Empty(t, said.String())
			continue
		}
		assert.Contains(t, said.String(), o.want)
		assert.Contains(t, said.String(), "level=INFO")
		assert.Equal(t, 1, strings.Count(said.String(), "\n"))
	}
}
