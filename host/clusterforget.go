package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
)

// Forget has the cluster not count the server of a node any more that has gone for good,
// and place what it kept on those that are left. The error is of kind api.ErrInvalid when
// there is no such node, and wraps eventlog.ErrAnswers or eventlog.ErrTooFew when it
// must not be forgotten.
func (n *Node) Forget(ctx context.Context, node string) error {
	if !n.embedded() {
		return api.Kind(api.ErrInvalid, errors.New("the log is on servers elsewhere, and a node keeps none of it; `nats server cluster peer-remove SERVER`, by a user of their system account, takes out one of the servers"))
	}
	if node == "" {
		return api.Kind(api.ErrInvalid, errors.New("node: name the one that is to be forgotten"))
	}
	_, leases, err := n.joined()
	if err != nil {
		return err
	}
	t, err := n.readTable(ctx, leases)
	if err != nil {
		return err
	}
	if _, ok := t.Nodes[node]; ok {
		return fmt.Errorf("%s: %w, or did so seconds ago; stop it first, for good", node, eventlog.ErrAnswers)
	}
	least := len(n.config.Cluster.Peers)/2 + 1
	if err := n.engine.Forget(ctx, node, least); err != nil {
		if errors.Is(err, eventlog.ErrNotJoined) {
			err = api.Kind(api.ErrInvalid, err)
		}
		return err
	}
	n.report(Notice{Kind: "cluster", Text: fmt.Sprintf("the cluster has forgotten node %s; %d servers count", node, n.engine.Size())})
	return nil
}

// forget answers who wants a node to be forgotten.
func (n *Node) forget(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*clusterTimeout)
	defer cancel()
	err := n.Forget(ctx, r.URL.Query().Get("node"))
	var s ClusterSummary
	if err == nil {
		s, err = n.Cluster(ctx)
	}
	var body []byte
	if err == nil {
		body, err = json.Marshal(s)
	}
	switch {
	case errors.Is(err, api.ErrInvalid):
		api.WriteProblem(w, http.StatusBadRequest, err.Error())
	case errors.Is(err, eventlog.ErrAnswers), errors.Is(err, eventlog.ErrTooFew):
		api.WriteProblem(w, http.StatusConflict, err.Error())
	case err != nil:
		w.Header().Set("Retry-After", "1")
		api.WriteProblem(w, http.StatusServiceUnavailable, err.Error())
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Write(body) //nolint:errcheck // the caller is gone
	}
}
