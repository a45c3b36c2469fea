package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/eventlog"
)

// doorHeader says, between nodes, by which door a request came in: what the local
// socket may ask for, the owner answers as it would on its own.
const doorHeader = "Rhost-Door"

// doors are the values of doorHeader, in the order of handlers.
func doors() [2]string { return [2]string{"local", "listen"} }

const (
	dialTimeout = 3 * time.Second
	peerIdle    = 30 * time.Second // a connection to another node that nobody uses
)

// tenure is the time for which the leases name one owner, "" being nobody.
type tenure struct {
	owner string
	epoch uint64
	ctx   context.Context //nolint:containedctx // ends soon after it
	end   context.CancelFunc
}

// lastAnswers is how long an owner that has handed over may still answer.
const lastAnswers = 500 * time.Millisecond

// errReplaced is why a request that waits for an owner ends.
var errReplaced = errors.New("the log has another owner, or is about to have one")

// next is the tenure of who is the owner now. What waits for the one before ends: it
// was stopped or cut off, or has answered all it will.
func (t tenure) next(o cluster.Owned) tenure {
	if t.ctx != nil && t.owner == o.Node && t.epoch == o.Epoch {
		return t
	}
	if t.end != nil {
		time.AfterFunc(lastAnswers, t.end)
	}
	ctx, end := context.WithCancelCause(context.Background())
	return tenure{owner: o.Node, epoch: o.Epoch, ctx: ctx, end: func() { end(errReplaced) }}
}

// forwarder sends requests to the node that owns the log, over the connection to
// the servers. Nothing is sent again by itself: a client that gets no answer does,
// and events with the id of before are accepted once.
type forwarder struct {
	transport *http.Transport
	proxies   [2]*httputil.ReverseProxy
}

// newForwarder forwards to the node whose name is the host of a request.
func newForwarder(dial func(ctx context.Context, node string) (net.Conn, error), logger *slog.Logger) *forwarder {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			node, _, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return dial(ctx, node)
		},
		IdleConnTimeout: peerIdle, MaxIdleConnsPerHost: 16, DisableCompression: true,
	}
	f := &forwarder{transport: transport}
	for i, door := range doors() {
		f.proxies[i] = &httputil.ReverseProxy{
			Transport:     transport,
			FlushInterval: -1, // streams are followed as they come
			ErrorLog:      slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
			Rewrite: func(r *httputil.ProxyRequest) {
				r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.URL.Host
				r.Out.Header.Set(doorHeader, door)
			},
			ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
				if cause := context.Cause(r.Context()); cause != nil {
					err = cause
				}
				w.Header().Set("Retry-After", "1")
				api.WriteProblem(w, http.StatusServiceUnavailable, "node "+r.URL.Host+" owns the log and does not answer ("+err.Error()+"); try again")
			},
		}
	}
	return f
}

// forward sends a request to the owner. It ends with the tenure, and so does the
// stream of a follower, which would hear nothing more.
func (f *forwarder) forward(w http.ResponseWriter, r *http.Request, t tenure, door int) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(t.ctx, func() { cancel(context.Cause(t.ctx)) })() //nolint:contextcheck // the tenure may end before the request
	out := r.Clone(ctx)
	out.URL.Host = t.owner
	f.proxies[door].ServeHTTP(w, out)
}

// ready asks the node that owns the log whether it can go on.
func (f *forwarder) ready(ctx context.Context, owner string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+owner+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := f.transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("node %s owns the log and does not answer: %w", owner, err)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err = errors.Join(err, res.Body.Close()); err != nil || res.StatusCode == http.StatusOK {
		return err
	}
	return fmt.Errorf("node %s, which owns the log, says: %s", owner, bytes.TrimSpace(text))
}

// servePeers answers what other nodes forward, until ctx ends.
func (n *Node) servePeers(ctx context.Context, p *eventlog.Peers) error {
	return serveHTTP(ctx, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m, _, err := n.joined(); r.URL.Path == lookPath && err == nil {
			m.Look()
			return
		}
		door := 1
		if r.Header.Get(doorHeader) == doors()[0] {
			door = 0
		}
		if !n.answer(w, r, door) {
			w.Header().Set("Retry-After", "1")
			api.WriteProblem(w, http.StatusServiceUnavailable, "the log is about to have another owner; try again")
		}
	}))
}
