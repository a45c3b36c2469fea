package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/sdk/client"
)

func clusterCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Look at a cluster of hosts, and take a node out of it",
		Long: `Look at a cluster of hosts through one of its nodes, and take that node out of it
for as long as it is worked on, or one that has gone out of it for good. "rhost backup"
backs a cluster up through a node.`,
		Example: `  rhost cluster status
  rhost cluster drain --data /var/lib/rhost
  rhost cluster forget old-node`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	change := func(what string) func(context.Context, *client.Client) (json.RawMessage, error) {
		return func(ctx context.Context, c *client.Client) (json.RawMessage, error) {
			return c.ChangeCluster(ctx, what)
		}
	}
	cmd.AddCommand(
		clusterAsk("status", "Show the nodes, who owns the log, and where its copies are", func(ctx context.Context, c *client.Client) (json.RawMessage, error) { return c.Cluster(ctx) }),
		clusterAsk("drain", "Have this node hand over what it owns and take no more", change("drain")),
		clusterAsk("undrain", "Have this node take part again", change("undrain")),
		clusterAsk("rebalance", "Have all nodes look now who is to own what", change("rebalance")),
		clusterForgetCmd(), clusterKeyCmd())
	return cmd
}

// slowAnswer is when somebody who waits for an answer is told why: while a log has no
// owner, or a cluster no majority, it takes that long.
const slowAnswer = 1500 * time.Millisecond

// clusterAsk is a command that asks a node and shows the cluster.
func clusterAsk(name, short string, ask func(context.Context, *client.Client) (json.RawMessage, error)) *cobra.Command {
	var a clusterAsked
	cmd := &cobra.Command{
		Use:     name,
		Short:   short,
		Example: "  rhost cluster " + name + " --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.show(cmd, ask) },
	}
	a.flags(cmd)
	return cmd
}

// clusterAsked is how a node is asked.
type clusterAsked struct {
	reach  reach
	asJSON bool
}

func (a *clusterAsked) flags(cmd *cobra.Command) {
	a.reach.flags(cmd)
	cmd.Flags().BoolVar(&a.asJSON, "json", false, "one JSON object, for machines")
}

// show asks a node and prints the cluster that it answers with.
func (a *clusterAsked) show(cmd *cobra.Command, ask func(context.Context, *client.Client) (json.RawMessage, error)) error {
	c, err := a.reach.host()
	if err != nil {
		return err
	}
	defer c.Close()
	slow := time.AfterFunc(slowAnswer, func() {
		cmd.PrintErrln("the node waits for the others; it answers within 10 seconds")
	})
	raw, err := ask(cmd.Context(), c)
	slow.Stop()
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return usage(errors.New("the host is no node of a cluster, or is asked from elsewhere for what only its local socket does; see cluster in rhost.yaml"))
	}
	if err != nil {
		return answered(err)
	}
	if a.asJSON {
		return printIndented(cmd.OutOrStdout(), raw)
	}
	var s host.ClusterSummary
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	return showCluster(newStyle(cmd.OutOrStdout()), &s, time.Now())
}

// showCluster prints a cluster for people.
func showCluster(out style, s *host.ClusterSummary, now time.Time) error {
	var rows [][]string
	for _, n := range s.Nodes {
		name := n.Name
		if name == s.Node {
			name += " (asked)"
		}
		rows = append(rows, []string{name, string(n.State), n.Version, now.Sub(n.Since).Round(time.Second).String(), n.API})
	}
	for _, name := range s.Missing {
		rows = append(rows, []string{name, "missing"})
	}
	if err := out.table([]string{"NODE", "STATE", "VERSION", "UP", "API"}, rows); err != nil {
		return err
	}
	if err := showJoined(out, s); err != nil {
		return err
	}
	if err := showFailed(out, s, now); err != nil {
		return err
	}
	if err := showEdition(out, s); err != nil {
		return err
	}
	rows = nil
	for _, g := range s.Groups {
		owner, held := "nobody", ""
		if g.Owner != "" {
			owner, held = g.Owner, now.Sub(g.Since).Round(time.Second).String()
		}
		for _, st := range g.Streams {
			rows = append(rows, []string{thousands(uint64(g.Group)), owner, thousands(g.Epoch), held, st.Name, st.Leader, copies(st), thousands(st.Last), host.Size(int64(st.Bytes))})
		}
		if len(g.Streams) == 0 {
			rows = append(rows, []string{thousands(uint64(g.Group)), owner, thousands(g.Epoch), held})
		}
	}
	return out.table([]string{"GROUP", "OWNER", "EPOCH", "FOR", "STREAM", "LEADER", "COPIES", "LAST", "SIZE"}, rows)
}

// showJoined warns when more servers count than are meant to, and says how that ends.
func showJoined(out style, s *host.ClusterSummary) error {
	if s.Servers <= s.Peers {
		return nil
	}
	err := out.line("%s %d servers have joined this cluster, and peers names %d: %d of them have to be up, those that are gone count too",
		out.yellow("warning"), s.Servers, s.Peers, s.Servers/2+1)
	for _, name := range s.Gone {
		if err == nil {
			err = out.line("        %[1]s is gone; if it is for good, `rhost cluster forget %[1]s` ends that", clean(name))
		}
	}
	return err
}

// showFailed prints what nodes could not run, and why; nothing when there is nothing.
func showFailed(out style, s *host.ClusterSummary, now time.Time) error {
	var rows [][]string
	for _, n := range s.Nodes {
		for _, f := range n.Failed {
			state := "when no other can"
			if f.Waiting {
				state = "waits"
			}
			rows = append(rows, []string{n.Name, thousands(uint64(f.Group)), strconv.Itoa(f.Tries), now.Sub(f.Since).Round(time.Second).String(), state, clean(f.Reason)})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return out.table([]string{"FAILED ON", "GROUP", "TRIES", "AGO", "NEXT TRY", "REASON"}, rows)
}

// showEdition says what is in force, and which folders have something else.
func showEdition(out style, s *host.ClusterSummary) error {
	if e := s.Edition; e != nil {
		if err := out.line("in force: edition %s, since %s (%s)", thousands(e.Number), e.At.Local().Format(time.DateTime), clean(e.Why)); err != nil {
			return err
		}
	}
	for _, n := range s.Nodes {
		if len(n.Differs) == 0 {
			continue
		}
		if err := out.line("%s differs: %s", out.yellow("folder of "+n.Name), clean(strings.Join(n.Differs, " "))); err != nil {
			return err
		}
	}
	return nil
}

// copies says how those who keep a stream beside its leader are.
func copies(st host.StreamSummary) string {
	list := make([]string, 0, len(st.Copies))
	for _, c := range st.Copies {
		text := c.Node
		switch {
		case c.Offline:
			text += " offline"
		case !c.Current:
			text += " " + thousands(c.Lag) + " behind"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}
