package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/eventlog"
)

// tenantGroup is the group of the app's tenant. An app has one tenant, and a tenant
// one group, which one node at a time owns.
const tenantGroup = 0

// Node is a host's part in a cluster. Its API is up as long as the node is; the
// Host, which matches and acts, runs on it while it owns the tenant's group.
type Node struct {
	opts    Options
	config  Config
	data    string
	logger  *slog.Logger
	report  func(Notice)
	engine  *eventlog.Engine
	unlock  func() error // of the data folder; nil when the engine keeps it
	servers *servers
	ready   func(*Host) func(Summary)
	adopt   atomic.Bool // the next host here puts the app folder in force, see Options.Adopt
	eyes    *eventlog.Onlooker
	look    time.Duration // in place of joinLook, and
	settle  time.Duration // in place of cluster.DefaultSettle: for tests
	standby readiness     // of the data folder, while another node owns the log

	mu     sync.Mutex
	member *cluster.Member // guarded by mu; nil until the servers can be reached
	table  cluster.Table   // guarded by mu; the leases, as last read
	seen   time.Time       // guarded by mu; when that was
	tenure tenure          // guarded by mu; of who owns the tenant's group by the table
	front  *front          // guarded by mu; of the host that runs here; nil: none

	forward *forwarder     // guarded by mu; nil until the servers can be reached
	shared  cluster.Leases // guarded by mu; as forward
}

// Clustered reports whether rhost.yaml, with what o sets of it, makes the host a
// node of a cluster, which NewNode makes.
func Clustered(o Options) (bool, error) {
	c, err := ReadConfig(o.App, o.Set)
	return c.Cluster != nil, err
}

// NewNode reads the app folder, starts or reaches the servers that keep the log,
// and opens the API's listeners. It owns nothing until Run. The errors name file,
// key and fix.
func NewNode(ctx context.Context, o Options) (*Node, error) {
	if o.Once {
		return nil, errors.New("--once ends a host by itself, which a node of a cluster does not; leave out cluster in rhost.yaml, or --once")
	}
	n := &Node{opts: o, logger: o.Logger, report: reporter(o.Report)}
	n.adopt.Store(o.Adopt)
	if n.logger == nil {
		n.logger = slog.New(slog.DiscardHandler)
	}
	// The rules are read to report what is wrong with them before anything starts.
	h := &Host{opts: o, app: o.App, logger: n.logger, report: n.report}
	if err := h.load(false); err != nil {
		return nil, err
	}
	if h.config.Cluster == nil {
		return nil, errors.New("rhost.yaml: cluster: there is none; without it a host is alone")
	}
	n.config, n.data = h.config, h.data
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// start takes the data folder, and starts what is there as long as the node is.
func (n *Node) start(ctx context.Context) error {
	dir := filepath.Join(n.data, "log")
	if err := os.MkdirAll(n.data, 0o700); err != nil {
		return fmt.Errorf("open data folder: %w; choose another with --data", err)
	}
	var err error
	if !n.embedded() {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("open data folder: %w", err)
		}
		if n.unlock, err = eventlog.LockFolder(dir, "rhost run"); err != nil {
			return err
		}
	}
	if n.engine, err = n.config.Cluster.start(ctx, n.opts.App, dir, n.logger); err != nil {
		return err
	}
	n.eyes = n.engine.Onlooker(tenantGroup)
	n.servers, err = listen(ctx, n.data, n.config.Listen, n.handlers())
	return err
}

// name is the node's in the cluster.
func (n *Node) name() string { return n.config.Cluster.Node }

// embedded reports whether a server in this process keeps a part of the log.
func (n *Node) embedded() bool { return len(n.config.Cluster.Servers) == 0 }

// API is the address of the API as a URL, or "".
func (n *Node) API() string { return n.servers.addr() }

// Name is the name of the node.
func (n *Node) Name() string { return n.name() }

// Run takes part in the cluster until ctx ends; then the node hands over what it
// owns and leaves. started is called when the node has joined, which takes most of
// the other nodes. ready is called with each Host that runs here before it does, and
// what it returns once that Host serves. The Host is closed before the next one is
// made.
func (n *Node) Run(ctx context.Context, started func(), ready func(*Host) func(Summary)) error {
	n.ready = ready
	core, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, core := errgroup.WithContext(core)
	g.Go(func() error { return n.servers.run(core) })
	g.Go(func() error {
		defer stop() // the API goes last: what is handed over is asked for until then
		ctx, end := context.WithCancel(ctx)
		defer end()
		defer context.AfterFunc(core, end)()
		return n.take(ctx, started)
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("run node %s: %w", n.name(), err)
	}
	return nil
}

// take joins the cluster and owns what falls to this node.
func (n *Node) take(ctx context.Context, started func()) error {
	l, err := n.leases(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped while it waited for the others
		}
		return err
	}
	peers, err := n.engine.Peers(n.name())
	if err != nil {
		return err
	}
	m, err := cluster.NewMember(cluster.Config{
		Node:   cluster.Node{Name: n.name(), Version: n.opts.Version, API: n.API()},
		Groups: 1, Leases: l, Logger: n.logger, Changed: n.changed, Freed: n.freed, Own: n.own, Settle: n.settle,
		// Two servers of one name cannot be in a cluster; clients of servers
		// elsewhere can have one name.
		Sole: n.embedded(),
	})
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.member, n.forward, n.shared = m, newForwarder(peers.Dial, n.logger), l
	n.mu.Unlock()
	started()
	// Other nodes are answered while the log is handed over.
	core, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, core := errgroup.WithContext(core)
	g.Go(func() error { return n.servePeers(core, peers) })
	g.Go(func() error { return newFolderWatch(n, n.eyes, m).run(core) })
	g.Go(func() error {
		defer stop()
		return m.Run(ctx)
	})
	return g.Wait()
}

// changed is told of the leases whenever they were read. It says who has the log when
// that is another node than before.
func (n *Node) changed(t cluster.Table) {
	o := t.Groups[tenantGroup]
	n.mu.Lock()
	was := n.tenure
	n.table, n.seen = t, time.Now()
	n.tenure = was.next(o)
	n.mu.Unlock()
	if o.Node != "" && o.Node != n.name() && (o.Node != was.owner || o.Epoch != was.epoch) {
		n.logger.Info("another node has the log; this one stands by", "owner", o.Node, "epoch", o.Epoch)
	}
}

// Close releases what NewNode took. Run must have returned.
func (n *Node) Close() error {
	var errs []error
	if n.servers != nil {
		errs = append(errs, n.servers.close())
	}
	if n.engine != nil {
		errs = append(errs, n.engine.Close())
	}
	if n.unlock != nil {
		errs = append(errs, n.unlock())
	}
	return errors.Join(errs...)
}

// engineLeases are the leases of an engine as those of a cluster.
type engineLeases struct{ *eventlog.Leases }

// Put implements cluster.Leases.
func (l engineLeases) Put(ctx context.Context, key string, value []byte, ttl time.Duration, rev uint64) (uint64, error) {
	rev, err := l.Leases.Put(ctx, key, value, ttl, rev)
	return rev, taken(err)
}

// Delete implements cluster.Leases.
func (l engineLeases) Delete(ctx context.Context, key string, rev uint64) error {
	return taken(l.Leases.Delete(ctx, key, rev))
}

// List implements cluster.Leases.
func (l engineLeases) List(ctx context.Context) (map[string]cluster.Entry, error) {
	list, err := l.Leases.List(ctx)
	if err != nil {
		return nil, err
	}
	entries := make(map[string]cluster.Entry, len(list))
	for _, e := range list {
		entries[e.Key] = cluster.Entry{Value: e.Value, Rev: e.Rev}
	}
	return entries, nil
}

// taken is how the cluster calls an entry that somebody else has written.
func taken(err error) error {
	if errors.Is(err, eventlog.ErrStale) {
		return fmt.Errorf("%w: %w", cluster.ErrTaken, err)
	}
	return err
}
