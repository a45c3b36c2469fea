package host

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/eventlog"
)

// front is where requests reach the Host that runs on a node.
type front struct {
	backend  backend
	handlers [2]http.Handler // for the local socket, and for others
	ctx      context.Context //nolint:containedctx // ends with the host
	inside   sync.WaitGroup  // requests; added to under the node's mu
}

// leaveTimeout bounds how long a host that stops waits for requests that still come
// in. They find the log closed.
const leaveTimeout = 2 * time.Second

// serve lets requests in until ctx ends, and waits until they have left.
func (n *Node) serve(ctx context.Context, h *Host) error {
	b := backend{h}
	f := &front{backend: b, handlers: handlers(b, n.opts.Version, true), ctx: ctx}
	n.mu.Lock()
	n.front = f
	n.mu.Unlock()
	<-ctx.Done()
	n.mu.Lock()
	n.front = nil
	n.mu.Unlock()
	left := make(chan struct{})
	go func() { // ends with the last request, which has a deadline for its body
		f.inside.Wait()
		close(left)
	}()
	select {
	case <-left: // their context has ended
	case <-time.After(leaveTimeout):
	}
	return nil
}

// enter gives the front of the host that runs here; leave its inside afterwards.
func (n *Node) enter() (*front, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.front == nil {
		return nil, false
	}
	n.front.inside.Add(1)
	return n.front, true
}

// handlers serve the node's own paths, and hand all others to the host.
func (n *Node) handlers() (list [2]http.Handler) {
	for i := range list {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writePlain(w, http.StatusOK, "ok") })
		mux.HandleFunc("GET /readyz", n.readyz)
		n.handleCluster(mux, i == 0)
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { n.pass(w, r, i) })
		list[i] = mux
	}
	list[1] = api.Guard(list[1])
	return list
}

// pass hands a request to the host, here or on the node that owns the log.
func (n *Node) pass(w http.ResponseWriter, r *http.Request, door int) {
	if n.answer(w, r, door) {
		return
	}
	t, fwd := n.owner()
	if t.owner == "" || fwd == nil {
		w.Header().Set("Retry-After", "1")
		api.WriteProblem(w, http.StatusServiceUnavailable, "no node owns the log at the moment; try again")
		return
	}
	fwd.forward(w, r, t, door)
}

// answer hands a request to the host, and reports whether it runs here.
func (n *Node) answer(w http.ResponseWriter, r *http.Request, door int) bool {
	f, ok := n.enter()
	if !ok {
		return false
	}
	defer f.inside.Done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(f.ctx, cancel)() //nolint:contextcheck // the host may end before the request
	f.handlers[door].ServeHTTP(w, r.WithContext(ctx))
	return true
}

// owner is the node that owns the tenant's group, by the leases, and the way there.
// It is none when the leases say that it is this one: it is just beginning, or has
// just ended.
func (n *Node) owner() (tenure, *forwarder) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.tenure
	if t.owner == n.name() {
		t.owner = ""
	}
	return t, n.forward
}

// readyz says whether the API can be used through this node: the host answers that
// runs here, or the one of the node that owns the log.
func (n *Node) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := n.check(ctx); err != nil {
		writePlain(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
		return
	}
	writePlain(w, http.StatusOK, "ready")
}

func (n *Node) check(ctx context.Context) error {
	n.mu.Lock()
	seen := n.seen
	n.mu.Unlock()
	if seen.IsZero() {
		return errors.New("the node has not joined the cluster yet; most nodes must be up")
	}
	if age := time.Since(seen); age > cluster.DefaultTTL {
		return fmt.Errorf("the cluster's leases were last read %v ago; most nodes must be up and reach each other", age.Round(time.Second))
	}
	if f, ok := n.enter(); ok {
		defer f.inside.Done()
		return f.backend.Ready(ctx)
	}
	if err := n.standby.ask(ctx, func(context.Context) error { return probeDisk(n.data) }); err != nil {
		return fmt.Errorf("write to %s: %w", n.data, err)
	}
	t, fwd := n.owner()
	if t.owner == "" || fwd == nil {
		return errors.New("no node owns the log at the moment")
	}
	return fwd.ready(ctx, t.owner)
}

// probeName is what a node that does not own the log writes to see whether it could.
const probeName = "ready.probe"

func probeDisk(data string) error {
	if free, ok := eventlog.DiskFree(data); ok && free < eventlog.DefaultMinFree {
		return fmt.Errorf("the disk has %d bytes left, and a log keeps %d free; make room", free, eventlog.DefaultMinFree)
	}
	f, err := os.Create(filepath.Join(data, probeName))
	if err != nil {
		return err
	}
	_, writeErr := f.WriteString("ready\n")
	return errors.Join(writeErr, f.Sync(), f.Close())
}

func writePlain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text) //nolint:errcheck // the caller is gone
}
