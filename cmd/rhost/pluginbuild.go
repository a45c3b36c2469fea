package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/rhost/rhost/host/deploy"
	"github.com/spf13/cobra"
)

func pluginBuild() *cobra.Command {
	return &cobra.Command{
		Use:   "build PLUGIN...",
		Short: "Build plugins from their source",
		Long: `Build plugins from their source in Go, Rust, C or AssemblyScript, into
NAME/NAME.wasm beside it, with the manifest.yaml (or plugin.yaml) of the folder put
into the module. A running host that watches the folder puts the new version in
force. Scripts run as they are; building one checks it.`,
		Example: "  rhost plugin build plugins/decide",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := newStyle(cmd.OutOrStdout())
			for _, arg := range args {
				f, err := findPlugin(arg)
				if err != nil {
					return err
				}
				took, done := time.Duration(0), "checked"
				if f.Source != "" {
					done = "built"
					if took, err = buildPatiently(cmd, f); err != nil {
						return err
					}
				}
				info, err := inspect(cmd.Context(), f)
				if err != nil {
					return err
				}
				if err := out.line("%s %s  %s bytes  %s  %.1f s", out.green(done), relative(f.File), thousands(info.Size), clip(info.Digest, 19), took.Seconds()); err != nil {
					return err
				}
				for _, line := range discord(info) {
					if err := out.line("%s %s", out.yellow("note"), line); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
}

// buildPatiently is deploy.Build for a person, who is told when it takes long.
func buildPatiently(cmd *cobra.Command, f deploy.Found) (took time.Duration, err error) {
	text := "still building " + f.Name
	if f.Lang == deploy.Go {
		text += "; the first build of all compiles Go's library for Wasm"
	}
	said := make(chan error, 1)
	timer := time.AfterFunc(quietBuild, func() { said <- newStyle(cmd.ErrOrStderr()).line("%s", text) })
	took, err = deploy.Build(cmd.Context(), f)
	if !timer.Stop() {
		err = errors.Join(err, <-said)
	}
	return took, err
}

// quietBuild is how long a build may say nothing.
const quietBuild = 5 * time.Second

func notBuiltYet(f deploy.Found) error {
	return usage(fmt.Errorf("%s is not built yet; run `rhost plugin build %s`", f.Name, relative(f.Source)))
}
