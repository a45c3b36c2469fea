package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/eventlog"
)

// start starts what keeps the log: a server in this process, in the folder dir, or a
// connection. The errors name the key of rhost.yaml, the file and the fix.
func (c *ClusterConfig) start(ctx context.Context, app, dir string, logger *slog.Logger) (*eventlog.Engine, error) {
	ec, err := c.engine(app, dir)
	if err != nil {
		return nil, err
	}
	ec.Logger = logger
	if ec.Cluster != nil {
		if err := namesake(ctx, ec.Cluster); err != nil {
			return nil, c.explain(app, err)
		}
	}
	e, err := eventlog.StartEngine(ctx, ec)
	return e, c.explain(app, err)
}

// namesakeTimeout bounds the look for another node of the same name. The others are
// there at once, or it is they who look.
const namesakeTimeout = time.Second

// namesake reports another node of this one's name. It has to be looked for before
// the server starts: the others would break their connections to the one they know.
func namesake(ctx context.Context, c *eventlog.Cluster) error {
	ctx, cancel := context.WithTimeout(ctx, namesakeTimeout)
	defer cancel()
	for _, p := range c.Knock(ctx) {
		var access *eventlog.AccessError
		if errors.As(p.Err, &access) && access.Key == eventlog.AccessNode {
			return fmt.Errorf("%w (node at %s)", p.Err, p.Addr)
		}
	}
	return nil
}

// explain names the key of rhost.yaml that an error is about, if it is about one.
func (c *ClusterConfig) explain(app string, err error) error {
	var access *eventlog.AccessError
	if !errors.As(err, &access) {
		return err
	}
	file := map[string]string{
		eventlog.AccessCredentials: c.Credentials, eventlog.AccessNKey: c.NKeyFile, eventlog.AccessToken: c.TokenFile, eventlog.AccessSecret: c.SecretFile,
		eventlog.AccessCA: c.TLS.CA, eventlog.AccessCert: c.TLS.Cert, eventlog.AccessKey: c.TLS.Key,
	}[access.Key]
	if file != "" && access.File == "" {
		return fmt.Errorf("%s: cluster.%s: %s: %w", c.Pos, access.Key, within(app, file), err)
	}
	return fmt.Errorf("%s: cluster.%s: %w", c.Pos, access.Key, err)
}

const (
	// joinLook is how long a node waits for the others before it looks for what keeps
	// it from them.
	joinLook = 4 * time.Second
	// joinRefusals is how often in a row it must find that it cannot join.
	joinRefusals = 2
)

// waitReady waits until the servers can store something, and says what keeps them from
// it. It gives up when so many other nodes do not take this one, or the other way
// round, that the rest cannot store anything: waiting does not help then.
func (n *Node) waitReady(ctx context.Context) error {
	told, refused := "", 0
	for {
		try, cancel := context.WithTimeout(ctx, cmp.Or(n.look, joinLook))
		err := n.engine.Ready(try)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if errors.Is(err, eventlog.ErrClosed) {
			return err
		}
		if !n.embedded() {
			n.logger.Warn("the servers cannot store anything yet", "error", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		text, hopeless := n.knock(ctx)
		if text != told && ctx.Err() == nil {
			n.report(Notice{Kind: "warning", Text: "node " + n.name() + " waits for most of the others: " + text})
			told = text
		}
		if hopeless == nil {
			refused = 0
		} else if refused++; refused >= joinRefusals {
			return hopeless
		}
	}
}

// knock asks the other nodes whether they let this one in. hopeless is why this node
// cannot join, whoever else comes.
func (n *Node) knock(ctx context.Context) (text string, hopeless error) {
	c := n.config.Cluster
	ec, err := c.engine(n.opts.App, n.data)
	if err != nil {
		return err.Error(), nil //nolint:nilerr // the file that is wrong may be mended: the text tells
	}
	var parts []string
	var refusals []error
	for _, p := range ec.Cluster.Knock(ctx) {
		switch access := (*eventlog.AccessError)(nil); {
		case p.Err == nil:
			parts = append(parts, p.Addr+" answers")
		case errors.As(p.Err, &access):
			parts = append(parts, p.Addr+": "+p.Err.Error())
			refusals = append(refusals, fmt.Errorf("%w (node at %s)", c.explain(n.opts.App, p.Err), p.Addr))
		default:
			parts = append(parts, p.Addr+" does not answer")
		}
	}
	if size := n.engine.Size(); size > len(c.Peers) {
		parts = append(parts, fmt.Sprintf("%d servers have joined this cluster, more than peers names, and %d of them have to be up", size, size/2+1))
	}
	if most := len(c.Peers)/2 + 1; len(c.Peers)-len(refusals) < most {
		hopeless = fmt.Errorf("join the cluster: %w", errors.Join(refusals...))
	}
	return strings.Join(parts, "; "), hopeless
}

// leases waits until the servers can store something.
func (n *Node) leases(ctx context.Context) (cluster.Leases, error) {
	for {
		if err := n.waitReady(ctx); err != nil {
			return nil, err
		}
		l, err := n.engine.Leases(ctx)
		if err == nil {
			err = n.startAbove(ctx, l)
		}
		if err == nil {
			return engineLeases{l}, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		n.logger.Warn("the cluster cannot store anything yet", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// startAbove has the epochs of a log that was restored into a new cluster, which are
// revisions of its leases, begin above those that the log knows of.
func (n *Node) startAbove(ctx context.Context, l *eventlog.Leases) error {
	newest, ok, err := n.eyes.Newest(ctx)
	if err != nil || !ok {
		return err
	}
	note, err := decodeEditionNote(newest.Body)
	if newest.Err != nil || err != nil {
		return nil //nolint:nilerr // who takes the log says so, or is told that it does not count
	}
	return l.StartAbove(ctx, note.Epoch)
}

// NewNodeKey draws the key of a node: the seed, which is secret, for nkey_file, and the
// public part for nkeys.
func NewNodeKey() (seed []byte, public string, err error) { return eventlog.NewNodeKey() }
