package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
