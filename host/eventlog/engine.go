package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	serverName = "rhost"
	// maxPayload is the server's limit of one message. It is the default, so
	// that a frame fits an external server as well.
	maxPayload   = 1 << 20
	startTimeout = 10 * time.Second
)

// An engine is the storage engine in this process: a nats-server without a
// listener, reached through pipes.
type engine struct {
	srv *server.Server
	log *engineLog

	mu      sync.Mutex // guards the rest
	conns   []*nats.Conn
	stopped bool
}

// startEngine starts a server that stores in dir and syncs every write before
// it acknowledges it.
func startEngine(ctx context.Context, dir string, logger *slog.Logger) (*engine, error) {
	srv, err := server.NewServer(&server.Options{
		ServerName:             serverName,
		DontListen:             true,
		NoSigs:                 true,
		NoSystemAccount:        true,
		MaxPayload:             maxPayload,
		JetStream:              true,
		StoreDir:               dir,
		SyncAlways:             true,
		DisableJetStreamBanner: true,
		// The log has its own rule for a disk that fills up. The server's would
		// count free space once, at the start.
		JetStreamMaxStore:  1 << 50,
		JetStreamMaxMemory: 64 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("set up storage engine: %w", err)
	}
	e := &engine{srv: srv, log: &engineLog{log: logger}}
	debug := logger.Enabled(ctx, slog.LevelDebug)
	srv.SetLoggerV2(e.log, debug, false, false)
	srv.Start()
	wait := startTimeout
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	if !srv.ReadyForConnections(wait) || !srv.JetStreamEnabled() {
		e.stop()
		return nil, errors.Join(errors.New("start storage engine: it did not become ready"), e.log.last())
	}
	return e, nil
}

// connect opens one more connection. Streams have their own, so that a large
// frame on its way to one holds up no other.
func (e *engine) connect(name string) (*nats.Conn, error) {
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
			e.log.log.Warn("storage connection", "connection", name, "error", err)
		}))
	if err != nil {
		return nil, fmt.Errorf("connect to storage engine: %w", err)
	}
	e.conns = append(e.conns, nc)
	return nc, nil
}

// ready says that from here on the server's warnings are news. Before, it
// reports what an unclean stop left behind, which the log checks by itself.
func (e *engine) ready() { e.log.ready.Store(true) }

// stop closes the connections and waits until the server has gone.
func (e *engine) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
	for _, nc := range e.conns {
		nc.Close()
	}
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
}

// engineLog passes the server's log on, one level lower than the server thinks:
// what matters to an operator, the log itself says.
type engineLog struct {
	log   *slog.Logger
	ready atomic.Bool
	worst atomic.Pointer[string] // last error
}

func (l *engineLog) put(level slog.Level, format string, v ...any) {
	if ctx := context.Background(); l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "storage engine: "+fmt.Sprintf(format, v...))
	}
}

func (l *engineLog) Noticef(format string, v ...any) { l.put(slog.LevelDebug, format, v...) }
func (l *engineLog) Debugf(format string, v ...any)  { l.put(slog.LevelDebug, format, v...) }
func (l *engineLog) Tracef(format string, v ...any)  { l.put(slog.LevelDebug, format, v...) }

func (l *engineLog) Warnf(format string, v ...any) {
	if !l.ready.Load() {
		l.put(slog.LevelDebug, format, v...)
		return
	}
	l.put(slog.LevelWarn, format, v...)
}

func (l *engineLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.worst.Store(&text)
	l.put(slog.LevelError, "%s", text)
}

func (l *engineLog) Fatalf(format string, v ...any) { l.Errorf(format, v...) }

// last is the last error the server logged, or nil.
func (l *engineLog) last() error {
	if text := l.worst.Load(); text != nil {
		return errors.New(*text)
	}
	return nil
}
