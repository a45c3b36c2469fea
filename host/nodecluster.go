package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/eventlog"
)

// clusterTimeout bounds what is asked of the cluster itself.
const clusterTimeout = 10 * time.Second

// ClusterSummary describes a cluster as the node Node sees it.
type ClusterSummary struct {
	Name  string         `json:"name,omitempty"`
	Node  string         `json:"node"`
	Nodes []cluster.Node `json:"nodes"`
	// Missing are the nodes that are to keep copies and do not answer.
	Missing []string       `json:"missing,omitempty"`
	Groups  []GroupSummary `json:"groups"`
	// Servers is how many servers the cluster counts, of which most have to be up, and
	// Peers how many are named; of a cluster of embedded servers.
	Servers int `json:"servers,omitempty"`
	Peers   int `json:"peers,omitempty"`
	// Edition is what is in force; nil when nothing was recorded yet.
	Edition *EditionSummary `json:"edition,omitempty"`
}

// GroupSummary describes a group, its owner, and where its log is kept.
type GroupSummary struct {
	Group   int             `json:"group"`
	Owner   string          `json:"owner,omitempty"` // empty: nobody at the moment
	Epoch   uint64          `json:"epoch,omitempty"`
	Since   time.Time       `json:"since,omitzero"`
	Streams []StreamSummary `json:"streams"`
}

// StreamSummary describes a part of a group's log and its copies.
type StreamSummary struct {
	Name   string        `json:"name"`
	Leader string        `json:"leader,omitempty"` // server that writes go through; empty: none now
	Last   uint64        `json:"last"`             // sequence
	Bytes  uint64        `json:"bytes"`
	Copies []CopySummary `json:"copies,omitempty"` // beside the leader's
}

// CopySummary is what the leader knows of another server's copy.
type CopySummary struct {
	Node    string `json:"node"`
	Current bool   `json:"current"`
	Offline bool   `json:"offline,omitempty"`
	Lag     uint64 `json:"lag,omitempty"` // operations it is behind
}

// joined gives the member, and the leases it reads.
func (n *Node) joined() (*cluster.Member, cluster.Leases, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.member == nil {
		return nil, nil, api.Kind(api.ErrUnavailable, errors.New("the node has not joined the cluster yet; most nodes must be up"))
	}
	return n.member, n.shared, nil
}

// Cluster describes the cluster as it is now.
func (n *Node) Cluster(ctx context.Context) (ClusterSummary, error) {
	s := ClusterSummary{Name: n.config.Cluster.Name, Node: n.name(), Nodes: []cluster.Node{}}
	_, leases, err := n.joined()
	if err != nil {
		return s, err
	}
	t, err := n.readTable(ctx, leases)
	if err != nil {
		return s, err
	}
	for _, node := range t.Nodes {
		s.Nodes = append(s.Nodes, node)
	}
	slices.SortFunc(s.Nodes, func(a, b cluster.Node) int { return strings.Compare(a.Name, b.Name) })
	o := t.Groups[tenantGroup]
	g := GroupSummary{Group: tenantGroup, Owner: o.Node, Epoch: o.Epoch, Since: o.Since}
	list, err := n.engine.Streams(ctx, tenantGroup)
	for _, st := range list {
		g.Streams = append(g.Streams, streamSummary(st))
	}
	s.Groups = []GroupSummary{g}
	if n.embedded() {
		s.Missing = missing(&s)
		s.Servers, s.Peers = n.engine.Size(), len(n.config.Cluster.Peers)
	}
	if err != nil {
		return s, err
	}
	note, err := newestEdition(ctx, n.eyes)
	if err == nil && note != nil {
		s.Edition = note.summary()
	}
	return s, err
}

// tableTimeout bounds the reading of the leases for people. An election is over by
// then; without one, there are too few nodes.
const tableTimeout = 6 * time.Second

// readTable reads the leases, and says which nodes do not answer when it cannot.
func (n *Node) readTable(ctx context.Context, leases cluster.Leases) (cluster.Table, error) {
	try, cancel := context.WithTimeout(ctx, tableTimeout)
	defer cancel()
	t, err := cluster.ReadTable(try, leases)
	if err == nil || !n.embedded() || ctx.Err() != nil {
		return t, err
	}
	text, _ := n.knock(ctx)
	return t, api.Kind(api.ErrUnavailable, fmt.Errorf("the cluster cannot be asked at the moment, for most of its nodes must be up: %s (%w)", text, err))
}

// missing are the names of those that keep copies, or are to, and have no entry.
func missing(s *ClusterSummary) []string {
	var list []string
	for _, g := range s.Groups {
		for _, st := range g.Streams {
			for _, name := range append([]string{st.Leader}, copyNames(st)...) {
				known := slices.ContainsFunc(s.Nodes, func(n cluster.Node) bool { return n.Name == name })
				if name != "" && !known && !slices.Contains(list, name) {
					list = append(list, name)
				}
			}
		}
	}
	slices.Sort(list)
	return list
}

func copyNames(st StreamSummary) []string {
	list := make([]string, len(st.Copies))
	for i, c := range st.Copies {
		list[i] = c.Node
	}
	return list
}

func streamSummary(st eventlog.StreamStatus) StreamSummary {
	s := StreamSummary{Name: st.Name, Leader: st.Leader, Last: st.Last, Bytes: st.Bytes}
	for _, c := range st.Copies {
		s.Copies = append(s.Copies, CopySummary{Node: c.Node, Current: c.Current, Offline: c.Offline, Lag: c.Lag})
	}
	return s
}

// Drain has the node hand over what it owns and take no more, and waits until it has
// nothing; without drain it takes part again.
func (n *Node) Drain(ctx context.Context, drain bool) error {
	m, leases, err := n.joined()
	if err != nil {
		return err
	}
	m.Drain(drain)
	for drain {
		t, err := cluster.ReadTable(ctx, leases)
		if err == nil && t.Groups[tenantGroup].Node != n.name() {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the node still owns the log, for no other has taken it; it hands it over when one can, unless undrain is asked for: %w", ctx.Err()), err)
		}
	}
	return nil
}

// Rebalance has all nodes look now who is to own what.
func (n *Node) Rebalance(ctx context.Context) error {
	m, leases, err := n.joined()
	if err != nil {
		return err
	}
	t, err := cluster.ReadTable(ctx, leases)
	if err != nil {
		return err
	}
	m.Look()
	return n.lookAll(ctx, t)
}

// lookAll has all other nodes look at the leases.
func (n *Node) lookAll(ctx context.Context, t cluster.Table) error {
	var g errgroup.Group
	for name := range t.Nodes {
		if name != n.name() {
			g.Go(func() error { return n.forward.look(ctx, name) })
		}
	}
	return g.Wait()
}

// freedTimeout bounds telling others that a group is to be had. They find out.
const freedTimeout = 500 * time.Millisecond

// freed tells the other nodes that this one has given up a group.
func (n *Node) freed() {
	ctx, cancel := context.WithTimeout(context.Background(), freedTimeout)
	defer cancel()
	n.mu.Lock()
	t := n.table
	n.mu.Unlock()
	if err := n.lookAll(ctx, t); err != nil {
		n.logger.Info("not all nodes were told of a group that is to be had", "error", err)
	}
}

// lookPath is where one node has another look.
const lookPath = "/node/look"

// look has another node look.
func (f *forwarder) look(ctx context.Context, node string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+node+lookPath, nil)
	if err != nil {
		return err
	}
	res, err := f.transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("ask node %s: %w", node, err)
	}
	return res.Body.Close()
}

// router is what of an http.ServeMux routes are added to.
type router interface {
	HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request))
}

// handleCluster adds what operators ask of the cluster. Only the local socket
// changes something.
func (n *Node) handleCluster(mux router, local bool) {
	do := func(pattern string, fn func(context.Context) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), clusterTimeout)
			defer cancel()
			v, err := fn(ctx)
			var body []byte
			if err == nil {
				body, err = json.Marshal(v)
			}
			if err != nil {
				w.Header().Set("Retry-After", "1")
				api.WriteProblem(w, http.StatusServiceUnavailable, err.Error())
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Write(body) //nolint:errcheck // the caller is gone
		})
	}
	status := func(ctx context.Context) (any, error) { return n.Cluster(ctx) }
	do("GET /v1/cluster", status)
	if !local {
		return
	}
	mux.HandleFunc("POST /v1/cluster/backup", n.backup)
	for path, change := range map[string]func(context.Context) error{
		"drain":     func(ctx context.Context) error { return n.Drain(ctx, true) },
		"undrain":   func(ctx context.Context) error { return n.Drain(ctx, false) },
		"rebalance": n.Rebalance,
	} {
		do("POST /v1/cluster/"+path, func(ctx context.Context) (any, error) {
			if err := change(ctx); err != nil {
				return nil, err
			}
			return n.Cluster(ctx)
		})
	}
}
