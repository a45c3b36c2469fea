package main

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/sdk/client"
)

func clusterForgetCmd() *cobra.Command {
	var a clusterAsked
	cmd := &cobra.Command{
		Use:   "forget NAME",
		Short: "Take a node that has gone for good out of the cluster",
		Long: `Have the cluster not count node NAME any more: one that had joined under a mistaken
name, or whose machine will not come back. It counts among those of which most have to
be up until then. The copies that it kept are made anew on the nodes that are left, where
there is one that does not have them; "rhost cluster status" shows how far they are.

Ask any node of the cluster, on its machine. A node that is there is not forgotten: stop
it first, and do not start it again on its data folder, for it would join again. The
cluster must be able to do without it: most of the nodes that count have to be up, most of
those that are left too, and there are at least as many left as are most of peers. To
replace a node, give the new one its name, or start the new one and forget the old.

Where the log is on servers elsewhere a node keeps none of it, and there is nothing to
forget; for one of the servers it is "nats server cluster peer-remove".

Exit codes: 0 it is forgotten · 1 that cannot be done now · 2 refused, and why ·
3 no node runs here`,
		Example: `  rhost cluster forget old-node
  rhost cluster forget old-node --data /var/lib/rhost`,
		Args: exactArgs(1, "NAME", "the node that has gone, as `rhost cluster status` calls it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.show(cmd, func(ctx context.Context, c *client.Client) (json.RawMessage, error) {
				return c.ForgetInCluster(ctx, args[0])
			})
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.goneNodes(cmd.Context(), prefix), cobra.ShellCompDirectiveNoFileComp
	}
	a.flags(cmd)
	return cmd
}

// goneNodes gives the names of nodes that can be forgotten, for a shell.
func (a *clusterAsked) goneNodes(ctx context.Context, prefix string) (names []string) {
	c, err := a.reach.host()
	if err != nil {
		return nil
	}
	defer c.Close()
	raw, err := c.Cluster(ctx)
	var s host.ClusterSummary
	if err != nil || json.Unmarshal(raw, &s) != nil {
		return nil
	}
	for _, name := range s.Gone {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}
