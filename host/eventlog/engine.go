package eventlog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// EngineConfig says where an Engine keeps what it stores: in a server in this
// process, which is alone or one of a cluster, or in servers elsewhere. Fields
// left zero have their defaults.
type EngineConfig struct {
	// Dir is the folder of the server in this process. It is created with mode
	// 0700 when missing; its parent must exist. Empty when Servers is set.
	Dir string
	// Cluster makes the server in this process one of several. Nil: it is alone.
	Cluster *Cluster
	// Servers are those elsewhere. Nil: a server in this process.
	Servers *Servers
	// Replicas is how many servers keep a copy of each stream, an odd number up to
	// 5. 0 means 3 in a cluster of three or more, and 1 otherwise.
	Replicas int
	// Owner describes this process to others that find the folder locked.
	Owner string
	// Logger receives what the engine has to say: warnings and errors, and more
	// at debug level. Nil: nothing.
	Logger *slog.Logger
}

func (c EngineConfig) withDefaults() EngineConfig {
	setDefault(&c.Owner, "another process")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Replicas == 0 {
		c.Replicas = 1
		if c.Cluster != nil && len(c.Cluster.Peers) >= 3 {
			c.Replicas = 3
		}
	}
	return c
}

// Validate reports everything wrong with c, not only the first thing.
func (c EngineConfig) Validate() error {
	var errs []error
	switch {
	case c.Servers == nil && c.Dir == "":
		errs = append(errs, errors.New("dir: must name a folder"))
	case c.Servers != nil && (c.Dir != "" || c.Cluster != nil):
		errs = append(errs, errors.New("servers: they are elsewhere; leave out dir and cluster"))
	}
	if c.Replicas < 0 || c.Replicas > 5 || c.Replicas != 0 && c.Replicas%2 == 0 {
		errs = append(errs, fmt.Errorf("replicas: %d is not 1, 3 or 5", c.Replicas))
	}
	if c.Replicas > 1 && c.Servers == nil && (c.Cluster == nil || len(c.Cluster.Peers) < c.Replicas) {
		errs = append(errs, fmt.Errorf("replicas: %d copies need as many servers; name them in cluster.peers", c.Replicas))
	}
	if c.Cluster != nil {
		errs = append(errs, c.Cluster.validate()...)
	}
	if c.Servers != nil {
		errs = append(errs, c.Servers.validate()...)
	}
	return errors.Join(errs...)
}

// CheckFiles looks at the files that c names, as StartEngine does: keys, credentials,
// and certificates, which must be valid now. ends is when the certificate that this
// side shows expires; zero when it shows none. The error is an *AccessError.
func (c EngineConfig) CheckFiles(now time.Time) (ends time.Time, err error) {
	var pair *tls.Certificate
	switch {
	case c.Servers != nil:
		if err = c.Servers.check(now); err == nil {
			pair, err = c.Servers.TLS.pair(now)
		}
	case c.Cluster != nil:
		if pair, err = c.Cluster.check(now); err == nil {
			_, _, err = c.Cluster.identity(pair)
		}
	}
	if pair != nil {
		ends = pair.Leaf.NotAfter
	}
	return ends, err
}

// Engine is where the streams, notes and blobs of groups live. Its methods may
// be called together.
type Engine struct {
	cfg    EngineConfig
	folder *folder        // nil when the files are not ours to look at
	srv    *server.Server // nil when the servers are elsewhere
	log    *engineLog
	blobs  natsBlobs

	options []nats.Option // of every connection
	token   string        // of connections to a server of a cluster

	mu      sync.Mutex // guards the rest
	conns   map[*nats.Conn]bool
	stopped bool
	stopErr error
}

// StartEngine starts the server in this process and checks, after an unclean
// stop, what it finds in its folder; or it connects to the servers elsewhere, of
// which one must answer. A server of a cluster is started when it is up; see Ready.
// Close the engine when done, after what was opened on it.
//
// The errors name the folder and the cause, as those of Open do.
func StartEngine(ctx context.Context, c EngineConfig) (*Engine, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("start engine: %w", err)
	}
	e, err := startEngine(ctx, c)
	if err != nil {
		return nil, c.name("start engine", err)
	}
	return e, nil
}

// name says what was being done where.
func (c EngineConfig) name(doing string, err error) error {
	if c.Servers != nil {
		return fmt.Errorf("%s on %s: %w", doing, c.Servers, err)
	}
	return nameFolder(doing+" in", c.Dir, err)
}

func startEngine(ctx context.Context, c EngineConfig) (*Engine, error) {
	c = c.withDefaults()
	e := &Engine{cfg: c, log: &engineLog{log: c.Logger, peers: c.Cluster != nil}, conns: make(map[*nats.Conn]bool)}
	e.blobs.engine = e
	var err error
	if c.Servers != nil {
		err = e.reach()
	} else {
		err = e.embed(ctx)
	}
	if err != nil {
		if e.folder != nil {
			e.folder.doubt()
		}
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// embed starts the server in this process.
func (e *Engine) embed(ctx context.Context) error {
	dir, err := filepath.Abs(e.cfg.Dir)
	if err != nil {
		return err
	}
	e.cfg.Dir = dir
	if err := checkKind(dir, e.cfg.Cluster != nil); err != nil {
		return err
	}
	// What a server of a cluster lacks it gets from the others; its files are not
	// what this process alone has acknowledged.
	if e.folder, err = openFolder(dir, e.cfg.Owner, e.cfg.Logger, e.cfg.Cluster == nil); err != nil {
		return err
	}
	opts := serverOptions(dir)
	if e.cfg.Cluster != nil {
		if err := keepName(dir, e.cfg.Cluster.Node); err != nil {
			return err
		}
		if e.token, err = e.cfg.Cluster.join(opts); err != nil {
			return err
		}
	}
	if e.srv, err = startServer(ctx, opts, e.log); err != nil {
		return err
	}
	e.options = []nats.Option{nats.InProcessServer(e.srv), nats.ReconnectWait(10 * time.Millisecond)}
	if e.token != "" {
		e.options = append(e.options, nats.Token(e.token))
	}
	return nil
}

// reach finds out how to connect to the servers elsewhere, and that they can be
// reached.
func (e *Engine) reach() (err error) {
	if err = e.cfg.Servers.check(time.Now()); err != nil {
		return err
	}
	if e.options, err = e.cfg.Servers.options(); err != nil {
		return err
	}
	nc, err := e.connect("rhost")
	if err != nil {
		return e.cfg.Servers.refused(err)
	}
	defer e.disconnect(nc)
	if limit := nc.MaxPayload(); limit < maxPayload {
		return fmt.Errorf("the servers take messages of at most %d bytes; set their max_payload to %d", limit, maxPayload)
	}
	return nil
}

// shared says that others than this process alone store what it writes, so that
// some trouble passes by itself: an election, a server that lags behind.
func (e *Engine) shared() bool { return e.cfg.Cluster != nil || e.cfg.Servers != nil }

// Ready waits until the servers can store something: for a cluster, until most of
// its servers have found each other. It returns the last reason when ctx ends.
func (e *Engine) Ready(ctx context.Context) error {
	nc, err := e.connect("ready")
	if err != nil {
		return err
	}
	defer e.disconnect(nc)
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	for {
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := js.AccountInfo(try)
		cancel()
		if err == nil {
			return nil
		}
		if !pause(ctx, 100*time.Millisecond) {
			return errors.Join(fmt.Errorf("%w: %w", ErrUnavailable, err), e.log.last())
		}
	}
}

// pause waits for d and reports whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// connect opens one more connection.
func (e *Engine) connect(name string) (*nats.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return nil, ErrClosed
	}
	// A process that was stopped for a while may find its connections cut. They
	// come back by themselves; what was under way fails and is never sent twice.
	url := ""
	if e.cfg.Servers != nil {
		url = e.cfg.Servers.list()
	}
	nc, err := nats.Connect(url, append([]nats.Option{
		nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			e.cfg.Logger.Warn("storage connection", "connection", name, "error", err)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				e.cfg.Logger.Warn("storage connection is cut; trying to connect again", "connection", name, "error", err)
			}
		}),
	}, e.options...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to storage engine: %w", err)
	}
	e.conns[nc] = true
	return nc, nil
}

func (e *Engine) disconnect(nc *nats.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, nc)
	nc.Close()
}

// free is the room on the disk of the folder.
func (e *Engine) free() (int64, bool) {
	if e.folder == nil {
		return 0, false
	}
	return diskFree(e.cfg.Dir)
}

// Close ends the connections of everything opened on the engine, and waits until
// the server has gone. One of a cluster hands over before what it leads. A second Close does nothing and returns what the first did.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return e.stopErr
	}
	e.stopped = true
	for nc := range e.conns {
		nc.Close()
	}
	clear(e.conns)
	if e.srv != nil {
		stopServer(e.srv)
	}
	if e.folder != nil {
		e.stopErr = e.folder.close()
	}
	return e.stopErr
}
