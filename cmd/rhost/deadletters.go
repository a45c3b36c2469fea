package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/sdk/client"
)

func deadlettersCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deadletters",
		Short: "List, show, redrive and drop what failed for good",
		Long: `What failed for good waits for a person: executions whose step failed after all
attempts, and records that a source could not read.`,
		Example: `  rhost deadletters list
  rhost deadletters redrive x-4f…
  rhost deadletters redrive --all`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(lettersList(), lettersShow(),
		lettersAct("redrive", "Set dead letters going again, where they stopped", "redriven", (*client.Client).Redrive),
		lettersAct("drop", "Forget dead letters", "dropped", (*client.Client).Drop))
	return cmd
}

func lettersList() *cobra.Command {
	var r reach
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List dead letters, oldest first",
		Example: "  rhost deadletters list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			letters, err := readLetters(cmd.Context(), &r)
			if err != nil {
				return err
			}
			out := newRecords(cmd, asJSON, "AT", "ID", "FROM", "STATUS", "REASON")
			for _, raw := range letters {
				if err := out.add(raw, letterRow); err != nil {
					return err
				}
			}
			return out.flush()
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func letterRow(raw json.RawMessage) ([]string, string, error) {
	var d host.DeadLetter
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, "", err
	}
	from := d.Rule
	if d.Kind == "record" {
		from = "source " + d.Source
	}
	return []string{stamp(d.At), d.ID, from, d.Status, clip(d.Reason, 100)}, "", nil
}

func readLetters(ctx context.Context, r *reach) ([]json.RawMessage, error) {
	src, err := r.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return src.DeadLetters(ctx)
}

func lettersShow() *cobra.Command {
	var r reach
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show one dead letter whole, as JSON",
		Example: "  rhost deadletters show x-4f… | jq .detail.steps",
		Args:    exactArgs(1, "ID", "as `rhost deadletters list` prints it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			letters, err := readLetters(cmd.Context(), &r)
			if err != nil {
				return err
			}
			for _, raw := range letters {
				var d host.DeadLetter
				if err := json.Unmarshal(raw, &d); err != nil {
					return fmt.Errorf("unreadable dead letter: %w", err)
				}
				if d.ID == args[0] {
					return printIndented(cmd.OutOrStdout(), raw)
				}
			}
			return usage(fmt.Errorf("no dead letter has the id %s; `rhost deadletters list` shows those there are", args[0]))
		},
	}
	r.flags(cmd)
	return cmd
}

// lettersAct makes a command that does one thing to the letters named, or all.
func lettersAct(name, short, done string, act func(*client.Client, context.Context, string) error) *cobra.Command {
	var r reach
	var all bool
	cmd := &cobra.Command{
		Use:     name + " ID...",
		Short:   short,
		Example: "  rhost deadletters " + name + " x-4f…\n  rhost deadletters " + name + " --all",
		RunE: func(cmd *cobra.Command, ids []string) error {
			if all == (len(ids) > 0) {
				return usage(fmt.Errorf("name dead letters by id, or all of them with --all"))
			}
			c, err := r.host()
			if err != nil {
				return err
			}
			defer c.Close()
			if all {
				if ids, err = letterIDs(cmd.Context(), c, name == "redrive"); err != nil {
					return err
				}
			}
			for i, id := range ids {
				if err := act(c, cmd.Context(), id); err != nil {
					return fmt.Errorf("%w; %d of %d %s before", err, i, len(ids), done)
				}
			}
			_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%s %s\n", plural(len(ids), "dead letter"), done)
			return err
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "every dead letter")
	return cmd
}

// letterIDs lists all ids; records of a source cannot be redriven.
func letterIDs(ctx context.Context, c *client.Client, executions bool) ([]string, error) {
	letters, err := c.DeadLetters(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, raw := range letters {
		var d host.DeadLetter
		if err := json.Unmarshal(raw, &d); err != nil {
			return nil, fmt.Errorf("unreadable dead letter: %w", err)
		}
		if !executions || d.Kind == "execution" {
			ids = append(ids, d.ID)
		}
	}
	return ids, nil
}
