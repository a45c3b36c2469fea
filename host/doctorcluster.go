package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/host/eventlog"
)

const (
	// renewWithin is how long before its end a certificate should be renewed.
	renewWithin = 14 * 24 * time.Hour

	fixMember = "the other nodes have it: stop this node, move DATA/log away, and start it; they fill it again, if most of them are well. Where they are not, " + fixRestore
	fixAccess = "see what it says; `rhost validate DIR` looks at the rest of rhost.yaml"
)

// cluster looks at what a node needs to reach the others, or the servers.
func (d *doctor) cluster(ctx context.Context) {
	c := d.config.Cluster
	if c == nil {
		if d.member {
			d.add("cluster", Damage, "the folder holds a part of a cluster's log, and rhost.yaml has no cluster", "the host does not start", "write cluster into rhost.yaml as it was, or restore a backup into an empty data folder")
		}
		return
	}
	known := d.asNode(c)
	ec, err := c.engine(d.App, d.logDir)
	var ends time.Time
	if err == nil {
		ends, err = ec.CheckFiles(d.Now())
	}
	switch left := ends.Sub(d.Now()); {
	case err != nil:
		d.add("keys and certificates", Damage, firstLine(c.explain(d.App, err)), "the node does not start", fixAccess)
		return
	case !ends.IsZero() && left < renewWithin:
		d.add("keys and certificates", Warning, fmt.Sprintf("the certificate expires at %s", ends.UTC().Format(time.RFC3339)), "after that no connection is made, and nodes that restart stay outside",
			"have it renewed, and restart the nodes one after the other")
	default:
		d.well("keys and certificates", "can be read and are valid")
	}
	switch {
	case ec.Cluster != nil && known:
		d.peers(ctx, ec.Cluster)
	case ec.Cluster != nil:
		d.well("not checked", "the other nodes, for the address of this one is not known: give `rhost doctor` what `rhost run` is given, such as --set cluster.listen=HOST:PORT")
	}
}

// asNode has the node be the one whose folder it is, where rhost.yaml, which nodes share,
// names another and nothing was set. It reports whether the address is the node's, too.
func (d *doctor) asNode(c *ClusterConfig) (known bool) {
	if len(c.Servers) > 0 {
		return true
	}
	note, err := eventlog.ReadNodeNote(d.logDir)
	switch {
	case err != nil:
		d.add("node", Damage, err.Error(), "the node does not start", "let the user that rhost runs as read it")
		return true
	case note.Name == "" || note.Name == c.Node:
		return true
	case d.sets("cluster.node"):
		d.add("node", Damage, fmt.Sprintf("the folder is that of node %s, and this one is called %s", note.Name, c.Node), "the node does not start", "correct --set cluster.node, or name the data folder of "+c.Node)
		return true
	}
	d.well("node", "checked as %s, whose folder it is; rhost.yaml names %s", note.Name, c.Node)
	c.Node = note.Name
	if d.sets("cluster.listen") {
		return true
	}
	if note.Listen == "" {
		return false
	}
	c.Listen = note.Listen
	return true
}

// sets reports whether a key of rhost.yaml was set by hand.
func (d *doctor) sets(key string) bool {
	return slices.ContainsFunc(d.Set, func(s string) bool { return strings.HasPrefix(s, key+"=") })
}

// peers asks the other nodes whether they let this one in.
func (d *doctor) peers(ctx context.Context, c *eventlog.Cluster) {
	list := c.Knock(ctx)
	let := 1 // this one
	for _, p := range list {
		name := "node at " + p.Addr
		switch access := (*eventlog.AccessError)(nil); {
		case p.Err == nil:
			let++
			d.well(name, "lets this node in")
		case errors.As(p.Err, &access):
			d.add(name, Damage, firstLine(d.config.Cluster.explain(d.App, p.Err)), "the two do not store together", fixAccess)
		default:
			d.add(name, Warning, p.Err.Error(), "it is not there, or cannot be reached", "start it, or correct cluster.peers")
		}
	}
	if n := len(list) + 1; let <= n/2 {
		d.add("cluster", Warning, fmt.Sprintf("%d of %d nodes are there", let, n), "nothing is accepted until most are", "start the others")
	}
}

// elsewhere reads the log through the servers that keep it.
func (d *doctor) elsewhere(ctx context.Context) {
	e, err := d.config.Cluster.start(ctx, d.App, "", nil)
	if err != nil {
		d.add("servers", Damage, firstLine(err), "the host does not start, and the log cannot be checked", fixAccess)
		return
	}
	defer e.Close() //nolint:errcheck // nothing was written
	cut, err := e.TakeCut(ctx, tenantGroup)
	if err != nil {
		d.add("servers", Warning, firstLine(err), "the log cannot be checked", "look at the servers (`nats stream report`); where nothing has run yet there is no log")
		return
	}
	defer cut.Close() //nolint:errcheck // nothing was written
	d.well("servers", "answer")
	for _, name := range cut.Streams() {
		d.total += cut.Size(name)
	}
	for _, name := range cut.Streams() {
		d.scan(ctx, cut, name)
	}
	blobs, err := cut.Blobs(ctx)
	if err != nil {
		d.add("blobs", Damage, err.Error(), "a start, or the executions that need them, will fail", fixRestore)
		return
	}
	d.blobs = blobs
	d.readBlobs(ctx, blobs, &troubles{})
	d.snapshots(ctx, cut)
	d.progress()
	d.well("not checked", "the files of the servers, and whether they sync before they acknowledge (sync_interval: always): see their configuration, `nats stream report` and `nats server report jetstream`")
}

// partial tells what the folder of one node cannot tell.
func (d *doctor) partial(bad *troubles) {
	text := "whether this copy has all that the cluster has acknowledged: only the other nodes know; `rhost cluster status` on one that runs says how far copies are behind"
	if len(bad.list) > 0 {
		text += ". This copy lags: " + bad.String()
	}
	d.well("not checked", "%s", text)
}

// isMember finds out whether the data folder is that of a node that keeps a part of a
// cluster's log.
func (d *doctor) isMember() (err error) {
	d.member, err = eventlog.Member(filepath.Join(d.Data, "log"))
	return err
}
