package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/sandbox"
)

func pluginTest() *cobra.Command {
	o := pluginTestOptions{}
	cmd := &cobra.Command{
		Use:   "test PLUGIN...",
		Short: "Run a plugin's tests, and its fixtures in the real engine",
		Long: `Run the tests that a plugin has in its own language (go test, cargo test, test_*.c,
node --test), then its fixtures: tests/*.yaml in its folder, or NAME.test.yaml beside
a plugin of one file. A fixture is a call and what is expected of it:

  name: greets a user
  event: {type: user.login, data: {user: anna}}
  with: {greeting: hello}            # also config, match, attempt, key
  state: {seen/anna: 4}              # also kv, secrets, now, deny: [emit], limits
  http: [{method: GET, url: https://api.example.com/anna, body: {vip: true}}]
  want:
    result: ok                       # or fail, retry, drop, fault; also message
    output: {user: anna}
    effects: [{emit: user.greeted, data: {user: anna}}, {state: seen/anna, value: 5}]
    logs: ["info: hello"]

What want leaves out is not compared. A plugin whose source is newer is built first.

Exit codes: 0 all passed · 1 a test failed · 2 a fixture cannot be read`,
		Example: `  rhost plugin test plugins/decide
  rhost plugin test decide --fixtures --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var errs []error
			for _, arg := range args {
				f, err := findPlugin(arg)
				if err != nil {
					return err
				}
				errs = append(errs, o.test(cmd, f))
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "one JSON object a line for each fixture; implies --fixtures")
	cmd.Flags().BoolVar(&o.fixtures, "fixtures", false, "only the fixtures")
	return cmd
}

type pluginTestOptions struct{ json, fixtures bool }

func (o pluginTestOptions) test(cmd *cobra.Command, f deploy.Found) error {
	stale, err := f.Stale()
	if err != nil {
		return err
	}
	if stale {
		if _, err := deploy.Build(cmd.Context(), f); err != nil {
			return err
		}
	}
	if f.Kind != deploy.Wasm { // one clear error, before the tests that all fail of it
		if _, err := inspect(cmd.Context(), f); err != nil {
			return err
		}
	}
	unit, own := error(nil), false
	if !o.fixtures && !o.json {
		own, unit = ownTests(cmd, f)
	}
	ran, err := o.runFixtures(cmd, f)
	if err == nil && ran == 0 && !own && !o.json {
		return usage(fmt.Errorf("%s has no tests; write tests/*.yaml (`rhost plugin test --help` shows one)", f.Name))
	}
	return errors.Join(unit, err)
}

// runFixtures runs every fixture of a plugin and says how many there are.
func (o pluginTestOptions) runFixtures(cmd *cobra.Command, f deploy.Found) (ran int, err error) {
	files, err := fixtureFiles(f)
	if err != nil || len(files) == 0 {
		return 0, err
	}
	var list []*fixture
	var errs []error
	for _, file := range files {
		more, err := readFixtures(file)
		list, errs = append(list, more...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return 0, usage(err)
	}
	out, failed := newStyle(cmd.OutOrStdout()), 0
	err = withModule(cmd.Context(), f, func(m sandbox.Module) error {
		for _, fx := range list {
			r, err := fx.run(cmd.Context(), m)
			if err != nil {
				return usage(err)
			}
			if !r.Passed {
				failed++
			}
			if err := o.show(out, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %s of %s failed", failed, plural(len(list), "fixture"), f.Name)
	}
	return len(list), err
}

func (o pluginTestOptions) show(out style, r fixtureResult) error {
	if o.json {
		return (&recordsOut{out: out}).encode(r)
	}
	if r.Passed {
		return out.line("%s      %s  fuel %s", out.green("ok"), r.Test, thousands(r.Usage.Fuel))
	}
	if err := out.line("%s  %s  at %s (- wanted, + got)", out.red("FAILED"), r.Test, r.Place); err != nil {
		return err
	}
	for _, line := range r.Diff {
		text := clean(line)
		switch line[0] {
		case '-':
			text = out.red(text)
		case '+':
			text = out.green(text)
		}
		if err := out.line("    %s", text); err != nil {
			return err
		}
	}
	return nil
}

// ownTests runs the tests that a plugin has in its language. ran is false when it
// has none, or when the tools are missing, which is said.
func ownTests(cmd *cobra.Command, f deploy.Found) (ran bool, err error) {
	dir := f.Source
	if dir == "" {
		dir = filepath.Dir(f.File)
	}
	var steps [][]string
	switch f.Lang {
	case deploy.Go:
		steps = [][]string{{"go", "test", "./..."}}
	case deploy.Rust:
		steps = [][]string{{"cargo", "test", "--quiet"}}
	case deploy.AssemblyScript:
		steps = nodeTests(dir, filepath.Join("test", "*.test.mjs"))
	case deploy.C:
		return testsOfC(cmd, dir)
	default:
		if f.Kind != deploy.JS {
			return false, nil
		}
		steps = nodeTests(dir, f.Name+"*.test.mjs")
	}
	for _, step := range steps {
		if ran, err = runTool(cmd, dir, step); err != nil || !ran {
			return ran, err
		}
	}
	return len(steps) > 0, nil
}

// nodeTests runs the files of a folder that match a pattern.
func nodeTests(dir, pattern string) [][]string {
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		return nil // the pattern's folder has an odd name, or holds no tests
	}
	for i, name := range files {
		if files[i], err = filepath.Rel(dir, name); err != nil {
			return nil
		}
	}
	return [][]string{append([]string{"node", "--test", "--test-reporter=spec"}, files...)}
}

// testsOfC compiles each test with the machine's own compiler and runs it.
func testsOfC(cmd *cobra.Command, dir string) (ran bool, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	cc := "cc"
	for _, name := range []string{os.Getenv("CC"), "cc", "gcc", "clang"} {
		if _, err := exec.LookPath(name); name != "" && err == nil {
			cc = name
			break
		}
	}
	tmp, err := os.MkdirTemp("", "rhost-test-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(tmp)
	for _, e := range entries {
		if !deploy.IsTestOfC(e.Name()) {
			continue
		}
		program := filepath.Join(tmp, strings.TrimSuffix(e.Name(), ".c"))
		if ran, err = runTool(cmd, dir, []string{cc, "-std=c99", "-g", "-Wall", "-Wextra", "-o", program, e.Name()}); err != nil || !ran {
			return ran, err
		}
		if ran, err = runTool(cmd, dir, []string{program}); err != nil {
			return ran, err
		}
	}
	return ran, nil
}

// runTool runs a command whose output the user sees.
func runTool(cmd *cobra.Command, dir string, args []string) (ran bool, err error) {
	path, err := exec.LookPath(args[0])
	if err != nil {
		out := newStyle(cmd.OutOrStdout())
		return false, out.line("%s %s is not installed; the plugin's own tests did not run", out.yellow("skipped"), filepath.Base(args[0]))
	}
	tool := exec.CommandContext(cmd.Context(), path, args[1:]...)
	tool.Dir = dir
	tool.Stdout, tool.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
	if err := tool.Run(); err != nil {
		return true, fmt.Errorf("%s in %s: %w", strings.Join(append([]string{filepath.Base(path)}, args[1:]...), " "), relative(dir), err)
	}
	return true, nil
}
