package host

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/eventlog"
)

// place is where a Host runs. The zero place is a machine of its own, whose log is
// in the data folder and whose API is the host's; any other is given by the Node.
type place struct {
	node    string // of a cluster
	data    string // the node's data folder
	epoch   uint64 // of the claim on the log
	adopt   bool   // put the node's own app folder in force, whatever is
	api     string // address of the node's API
	log     *eventlog.Log
	account *account                             // of the log's tenants
	clock   *clock                               // of the log
	size    func(context.Context) (int64, error) // of the log
	serve   func(context.Context, *Host) error   // has requests reach the host, until ctx ends
}

// shared reports whether the host's log may go on elsewhere.
func (p place) shared() bool { return p.node != "" }

func (h *Host) serveAPI(ctx context.Context) error {
	if h.place.shared() {
		return h.place.serve(ctx, h)
	}
	return h.servers.run(ctx)
}

func (h *Host) apiAddr() string {
	if h.place.shared() {
		return h.place.api
	}
	return h.servers.addr()
}

func (h *Host) logSize(ctx context.Context) (int64, error) {
	if h.place.shared() {
		return h.place.size(ctx)
	}
	return sizeOf(filepath.Join(h.data, "log"))
}

// haltWhenLost has the host stop at once, in the middle of what it does, when ctx
// ends because somebody else may own the log from now on: no action is started any
// more, and those under way are called off. What it returns ends that.
func (h *Host) haltWhenLost(ctx context.Context, stop func()) (end func() bool) {
	return context.AfterFunc(ctx, func() {
		if !errors.Is(context.Cause(ctx), cluster.ErrLost) {
			return
		}
		h.halted.Store(true)
		stop()
		// Nothing waits for servers that cannot be reached.
		if err := h.log.Close(); err != nil {
			h.logger.Warn("close the log that was lost", "error", err)
		}
	})
}
