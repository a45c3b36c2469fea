package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/sandbox/wasm"
)

// workerCmd is what processes run that a host starts; people have no use for it.
func workerCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "worker", Hidden: true, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(&cobra.Command{
		Use:     "compile CACHE",
		Short:   "Compile the Wasm module on stdin into a folder of compiled modules",
		Example: "  rhost worker compile .rhost/cache < module.wasm",
		Args:    exactArgs(1, "CACHE", "a folder that nobody else may write to"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if code := wasm.CompileChild(cmd.Context(), args[0], cmd.InOrStdin(), cmd.OutOrStdout()); code != exitOK {
				return &codedError{code, fmt.Errorf("not compiled")}
			}
			return nil
		},
	})
	return cmd
}

// compilerCommand is how a host starts this program to compile. On Linux it is
// named by the process, so that a binary that was replaced meanwhile is not started.
func compilerCommand() []string {
	self := "/proc/self/exe"
	if runtime.GOOS != "linux" {
		var err error
		if self, err = os.Executable(); err != nil {
			return nil // it is compiled here then
		}
	}
	return []string{self, "worker", "compile"}
}
