package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/api"
)

// SocketName is the local socket in the data folder, by which the CLI finds a
// running host. Its mode, 0600, is its guard.
const SocketName = "rhost.sock"

// servers are the listeners of the API. They are opened before anything runs,
// so that a port in use is an error of the start.
type servers struct {
	local *net.UnixListener
	tcp   net.Listener    // nil when listen is off
	mux   [2]http.Handler // of the two
}

// listen opens the listeners; ctx bounds the look-up of a name in addr.
func listen(ctx context.Context, data, addr string, mux [2]http.Handler) (*servers, error) {
	s := &servers{mux: mux}
	name := filepath.Join(data, SocketName)
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open local socket: %w", err) // the log's lock says that no other host uses it
	}
	local, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("open local socket: %w; a path of more than about 100 bytes is too long for a socket: choose another data folder with --data", err)
	}
	s.local = local
	if err := os.Chmod(name, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("open local socket: %w", err), s.close())
	}
	if addr == "off" {
		return s, nil
	}
	s.tcp, err = new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w; choose another address with --listen, or --listen off", addr, err), s.close())
	}
	return s, nil
}

// addr is the address of the API as a URL, or "".
func (s *servers) addr() string {
	if s.tcp == nil {
		return ""
	}
	return "http://" + s.tcp.Addr().String()
}

// handlers are what the two listeners serve of a backend.
func handlers(b api.Backend, version string, guarded bool) [2]http.Handler {
	return [2]http.Handler{
		api.New(b, api.Options{Version: version, Local: true}),
		api.New(b, api.Options{Version: version, Guarded: guarded}),
	}
}

// run serves until ctx ends, then waits for the requests in progress.
func (s *servers) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serveHTTP(ctx, s.local, s.mux[0]) })
	if s.tcp != nil {
		g.Go(func() error { return serveHTTP(ctx, s.tcp, s.mux[1]) })
	}
	return g.Wait()
}

// bodyTimeout bounds how long a request may take to arrive.
const bodyTimeout = 30 * time.Second

// boundBody gives up on a body that does not come. The server's own ReadTimeout
// would end streams of answers too.
func boundBody(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           boundBody(h),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // streams end with the server
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { //nolint:contextcheck // ctx has ended by then
		grace, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		err := srv.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close()
		}
		stopped <- err
	})
	err := srv.Serve(l)
	if !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return <-stopped
}

// close closes the listeners that run did not.
func (s *servers) close() error {
	var errs []error
	for _, l := range []net.Listener{s.tcp, s.local} {
		if l == nil || l == net.Listener((*net.UnixListener)(nil)) {
			continue
		}
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
