package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	serverName = "rhost"
	// maxPayload is the server's limit of one message. It is the default, so
	// that a frame fits an external server as well.
	maxPayload   = 1 << 20
	startTimeout = 10 * time.Second
	// criticalWrite is in what the server logs of a write that failed. It refuses
	// all others of the stream from then on, without an answer.
	criticalWrite = "ritical write error"
)

// serverOptions are those of a server without a listener, reached through pipes,
// that stores in dir and syncs every write before it acknowledges it.
func serverOptions(dir string) *server.Options {
	return &server.Options{
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
	}
}

func startServer(ctx context.Context, opts *server.Options, log *engineLog) (*server.Server, error) {
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("set up storage engine: %w", err)
	}
	srv.SetLoggerV2(log, log.log.Enabled(ctx, slog.LevelDebug), false, false)
	srv.Start()
	wait := startTimeout
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	if !srv.ReadyForConnections(wait) || !srv.JetStreamEnabled() {
		stopServer(srv)
		return nil, errors.Join(errors.New("start storage engine: it did not become ready"), log.last())
	}
	return srv, nil
}

// stopServer returns when the server has gone. One that listens, as those of a
// cluster do, first hands over what it leads.
func stopServer(srv *server.Server) {
	srv.LameDuckShutdown()
	srv.Shutdown()
	srv.WaitForShutdown()
}

// engineLog passes the server's log on, one level lower than the server thinks:
// what matters to an operator, the log itself says.
type engineLog struct {
	log   *slog.Logger
	peers bool // errors may be another server's trouble, which passes
	ready atomic.Bool
	worst atomic.Pointer[string] // last error
	stuck atomic.Pointer[string] // a write that failed, after which the engine writes no more
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
	if strings.Contains(text, criticalWrite) {
		l.stuck.CompareAndSwap(nil, &text)
	}
	level := slog.LevelError
	if l.peers {
		level = slog.LevelWarn
	}
	l.put(level, "%s", text)
}

func (l *engineLog) Fatalf(format string, v ...any) { l.Errorf(format, v...) }

// last is the last error the server logged, or nil.
func (l *engineLog) last() error {
	if text := l.worst.Load(); text != nil {
		return errors.New(*text)
	}
	return nil
}
