package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// describeCluster adds what a node of a cluster serves beside this package, which
// knows of none.
func describeCluster(doc *huma.OpenAPI) {
	const local = " Only on the node's local socket."
	object := map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}}}
	problem := map[string]*huma.MediaType{"application/problem+json": {Schema: &huma.Schema{Type: huma.TypeObject}}}
	add := func(op huma.Operation, reply string) {
		op.Description = "Of a node of a cluster; 404 elsewhere." + op.Description
		op.Responses = map[string]*huma.Response{
			"200": {Description: reply, Content: object},
			"503": {Description: "Not now, and why", Content: problem},
		}
		doc.AddOperation(&op)
	}
	const state = "The cluster: name, node (that was asked), nodes, those that are gone, and groups with owner, epoch and streams"
	add(huma.Operation{
		OperationID: "cluster", Method: http.MethodGet, Path: "/v1/cluster", Summary: "The nodes, who owns the log, and where its copies are",
	}, state)
	for _, change := range []struct{ name, summary string }{
		{"drain", "Have this node hand over what it owns and take no more"},
		{"undrain", "Have this node take part again"},
		{"rebalance", "Have all nodes look now who is to own what"},
	} {
		add(huma.Operation{
			OperationID: change.name + "-cluster", Method: http.MethodPost, Path: "/v1/cluster/" + change.name, Summary: change.summary, Description: local,
		}, state)
	}
	add(huma.Operation{
		OperationID: "forget-in-cluster", Method: http.MethodPost, Path: "/v1/cluster/forget",
		Summary:     "Have the cluster not count a server any more that has gone for good, and place its copies on others",
		Description: local + " 400 when no such server has joined, or the servers are elsewhere; 409 when it answers, or too few would be left.",
		Parameters: []*huma.Param{{
			Name: "node", In: "query", Required: true, Description: "The name of the node, or what servers call it where that is all that is known", Schema: &huma.Schema{Type: huma.TypeString},
		}},
	}, state)
	add(huma.Operation{
		OperationID: "backup-cluster", Method: http.MethodPost, Path: "/v1/cluster/backup",
		Summary:     "Back up the log of the cluster, and the app and data folder of this node, into a folder of this node",
		Description: local + " The reply comes when the backup has been read back.",
		Parameters: []*huma.Param{{
			Name: "out", In: "query", Required: true, Description: "The folder, by an absolute path", Schema: &huma.Schema{Type: huma.TypeString},
		}},
	}, "The manifest of the backup, and how much of it is new")
}
