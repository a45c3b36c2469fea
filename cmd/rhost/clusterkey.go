package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
)

func clusterKeyCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "key FILE",
		Short: "Make the key by which the other nodes know this one",
		Long: `Make the key of a node: FILE is what cluster.nkey_file of its rhost.yaml names, and
stays on that node. What is printed is its public part, which goes into cluster.nkeys,
a list of the keys of all nodes that is the same on each. A FILE that is there is left
as it is.`,
		Example: "  rhost cluster key node.nk",
		Args:    exactArgs(1, "FILE", "the file to make"),
		RunE: func(cmd *cobra.Command, args []string) error {
			seed, public, err := host.NewNodeKey()
			if err != nil {
				return err
			}
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return usage(err)
			}
			_, err = f.Write(append(seed, '\n'))
			if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
				return err
			}
			return newStyle(cmd.OutOrStdout()).line("%s", public)
		},
	}
}
