package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// EngineConfig says where an Engine keeps what it stores. Fields left zero have
// their defaults.
type EngineConfig struct {
	// Dir is the folder of the server in this process. It is created with mode
	// 0700 when missing; its parent must exist.
	Dir string
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
	return c
}

// Validate reports everything wrong with c, not only the first thing.
func (c EngineConfig) Validate() error {
	if c.Dir == "" {
		return errors.New("dir: must name a folder")
	}
	return nil
}

// Engine is where the streams, notes and blobs of groups live. Its methods may
// be called together.
type Engine struct {
	cfg    EngineConfig
	folder *folder        // nil when the files are not ours to look at
	srv    *server.Server // nil when the servers are elsewhere
	log    *engineLog
	blobs  natsBlobs

	mu      sync.Mutex // guards the rest
	conns   map[*nats.Conn]bool
	stopped bool
	stopErr error
}

// StartEngine starts the engine and checks, after an unclean stop, what it finds
// in its folder. Close it when done, after what was opened on it.
//
// The errors name the folder and the cause, as those of Open do.
func StartEngine(ctx context.Context, c EngineConfig) (*Engine, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("start engine: %w", err)
	}
	e, err := startEngine(ctx, c)
	if err != nil {
		return nil, nameFolder("start engine in", c.Dir, err)
	}
	return e, nil
}

func startEngine(ctx context.Context, c EngineConfig) (*Engine, error) {
	c = c.withDefaults()
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, err
	}
	c.Dir = dir
	e := &Engine{cfg: c, log: &engineLog{log: c.Logger}, conns: make(map[*nats.Conn]bool)}
	e.blobs.engine = e
	if e.folder, err = openFolder(dir, c.Owner, c.Logger); err != nil {
		return nil, err
	}
	if e.srv, err = startServer(ctx, dir, e.log); err != nil {
		e.folder.doubt()
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
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
	nc, err := nats.Connect("", nats.InProcessServer(e.srv), nats.Name(name),
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectBufSize(-1),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			e.cfg.Logger.Warn("storage connection", "connection", name, "error", err)
		}))
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
func (e *Engine) free() (int64, bool) { return diskFree(e.cfg.Dir) }

// Close ends the connections of everything opened on the engine, and waits until
// the server has gone. A second Close does nothing and returns what the first did.
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
	e.stopErr = e.folder.close()
	return e.stopErr
}
