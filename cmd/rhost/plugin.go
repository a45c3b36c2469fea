package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
)

func pluginCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Make, build, try and look at plugins",
		Example: `  rhost plugin new --lang go decide
  rhost plugin build decide
  rhost plugin test decide
  rhost plugin run decide -e decide/event.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(pluginNew(), pluginBuild(), pluginTest(), pluginRun(), pluginBench(), pluginInspect(),
		pluginLoad(), pluginList(), pluginStatus(), pluginActivate(), pluginRollback(),
		pluginKeygen(), pluginSign(), pluginVerify(), pluginPush(), pluginPull(), pluginDev())
	return cmd
}

// findPlugin finds a plugin by its path: a file, a folder of source, or a name
// under plugins/ of the current folder or of others.
func findPlugin(arg string, apps ...string) (deploy.Found, error) {
	paths := []string{arg, filepath.Join("plugins", arg)}
	for _, app := range apps {
		paths = append(paths, filepath.Join(app, "plugins", arg))
	}
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return deploy.Found{}, err
		}
		// What is wrong with a neighbour is not this command's business.
		found, findErr := deploy.Find(filepath.Dir(abs))
		for _, f := range found {
			if abs == f.File || abs == filepath.Dir(f.File) && filepath.Base(abs) == f.Name || abs == strings.TrimSuffix(f.File, filepath.Ext(f.File)) {
				return f, nil
			}
		}
		info, err := os.Stat(abs)
		switch {
		case err != nil:
			continue
		case !info.IsDir():
			return loose(abs)
		}
		if err := about(abs, findErr); err != nil {
			return deploy.Found{}, usage(err)
		}
	}
	return deploy.Found{}, usage(fmt.Errorf("no plugin %s: there is no file, no folder of source and no plugin of that name under plugins/", arg))
}

// about is the part of an error that speaks of a folder, nil when there is none.
func about(folder string, err error) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok { // it walks the tree itself
		for _, one := range many.Unwrap() {
			if one = about(folder, one); one != nil {
				return one
			}
		}
		return nil
	}
	if err == nil || !strings.HasPrefix(err.Error(), "plugin "+folder+":") {
		return nil
	}
	return err
}

// sayStale tells a person that a module was made from older source than there is.
func sayStale(cmd *cobra.Command, f deploy.Found) error {
	if stale, err := f.Stale(); err != nil || !stale {
		return err
	}
	if _, err := os.Stat(f.File); err != nil {
		return notBuiltYet(f)
	}
	out := newStyle(cmd.ErrOrStderr())
	return out.line("%s the source of %s is newer than %s; `rhost plugin build %s` builds it", out.yellow("note"), f.Name, filepath.Base(f.File), relative(f.Source))
}

// loose is a file that lies among others that are no plugins.
func loose(abs string) (deploy.Found, error) {
	kind := deploy.Kind(strings.TrimPrefix(filepath.Ext(abs), "."))
	switch kind {
	case deploy.Wasm, deploy.Lua, deploy.JS:
		f := deploy.Found{Name: strings.TrimSuffix(filepath.Base(abs), filepath.Ext(abs)), Kind: kind, File: abs}
		if _, err := os.Stat(f.Beside()); err == nil {
			if kind == deploy.Wasm {
				return f, usage(fmt.Errorf("%s lies beside a module, which carries its manifest itself; remove it", f.Beside()))
			}
			f.Manifest = f.Beside()
		}
		return f, nil
	}
	return deploy.Found{}, usage(fmt.Errorf("%s: plugins are .wasm, .lua or .js files, or folders of source", abs))
}

// commandSeed is no secret: calls of the command line are to be the same every
// time.
const commandSeed = "rhost plugin run"

// ofAuthor are the options of an engine that runs what its user is at work on: every
// proposal that a host may allow is admitted.
func ofAuthor(o wasm.Options) wasm.Options {
	o.Seed, o.TailCalls, o.ExtendedConst = []byte(commandSeed), true, true
	return o
}

// withModule compiles a plugin and calls fn with it.
func withModule(ctx context.Context, f deploy.Found, fn func(sandbox.Module) error) (err error) {
	engines, err := host.NewEngines(ofAuthor(wasm.Options{}))
	if err != nil {
		return err
	}
	defer func() {
		for _, e := range engines {
			err = errors.Join(err, e.Close(ctx))
		}
	}()
	src, err := f.Read()
	if errors.Is(err, os.ErrNotExist) && f.Source != "" {
		return notBuiltYet(f)
	}
	if err != nil {
		return usage(err)
	}
	module, err := engines[f.Kind].Compile(ctx, sandbox.Source{Name: f.Name, File: f.File, Bytes: src})
	if err != nil {
		return usage(err)
	}
	return errors.Join(fn(module), module.Close(ctx))
}

func inspect(ctx context.Context, f deploy.Found) (info sandbox.Info, err error) {
	err = withModule(ctx, f, func(m sandbox.Module) error {
		info = m.Info()
		return nil
	})
	return info, err
}

func pluginInspect() *cobra.Command {
	var asJSON bool
	var keys []string
	cmd := &cobra.Command{
		Use:     "inspect PLUGIN",
		Short:   "Say what a plugin is and what it asks for",
		Example: "  rhost plugin inspect plugins/decide\n  rhost plugin inspect decide.wasm --key team.pub --json",
		Args:    exactArgs(1, "PLUGIN", "a file, a folder, or a name under plugins/"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := findPlugin(args[0])
			if err != nil {
				return err
			}
			if err := sayStale(cmd, f); err != nil {
				return err
			}
			info, err := inspect(cmd.Context(), f)
			if err != nil {
				return err
			}
			src, err := f.Read()
			if err != nil {
				return usage(err)
			}
			signed, err := signatureOf(f, src, keys)
			if err != nil {
				return err
			}
			var module *anatomy // of a script there is none
			if f.Kind == deploy.Wasm {
				if module, err = dissect(src); err != nil {
					return usage(err)
				}
			}
			needs := make([]string, len(info.Needs))
			for i, c := range info.Needs {
				needs[i] = string(c)
			}
			if asJSON {
				shown := map[string]any{
					"name": info.Name, "engine": info.Engine, "abi": info.ABI, "digest": info.Digest, "size": info.Size, "needs": needs,
					"signature": signed,
				}
				if module != nil {
					shown["module"] = module
				}
				if m := info.Manifest; m != nil {
					shown["manifest"] = m.JSON
				}
				if info.Proposals != nil {
					shown["proposals"] = info.Proposals
				}
				if info.Exports != nil {
					shown["exports"], shown["entry"] = info.Exports, info.Entry
				}
				raw, err := json.Marshal(shown)
				if err != nil {
					return err
				}
				return printIndented(cmd.OutOrStdout(), raw)
			}
			rows := [][]string{
				{"name", info.Name},
				{"file", relative(f.File)},
				{"engine", info.Engine},
				{"abi", info.ABI},
				{"size", thousands(info.Size) + " bytes"},
				{"digest", info.Digest},
				{"signature", signed.String()},
				{"asks for", strings.Join(needs, ", ")},
			}
			if info.Exports != nil {
				rows = append(rows, []string{"calls", entryOf(info)})
			}
			for _, p := range info.Proposals {
				rows = append(rows, []string{"needs", "wasm." + p + ": true in rhost.yaml of its host"})
			}
			rows = append(rows, manifestRows(info.Manifest)...)
			return newStyle(cmd.OutOrStdout()).table(nil, append(rows, module.rows()...))
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, "file with a public key to check the signature with; may be repeated")
	completeFiles(cmd, "key", "pub", "pem")
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON, for machines")
	return cmd
}

// entryOf says which function of a guest that was written for another host is called,
// and which others could be.
func entryOf(info sandbox.Info) string {
	others := slices.DeleteFunc(slices.Clone(info.Exports), func(e string) bool { return e == info.Entry })
	switch {
	case info.Entry == "":
		return "one of " + strings.Join(others, ", ") + ": say which with export"
	case len(others) == 0:
		return info.Entry
	}
	return info.Entry + "; with export, " + strings.Join(others, ", ")
}
