package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

--record keeps the call of each fixture that passes, with all that it asked of its
host and was told: in a folder, one file NAME.record.json each, or in one file. Those
in tests/ of the plugin's folder, or NAME.record.json and NAME.record.ndjson beside a
plugin of one file, are run again by every later test: the plugin must ask for the
same and do the same, and the same build must use the same fuel. --replay runs those
of another place, such as a record that ` + "`rhost plugin run --record`" + ` made.

Exit codes: 0 all passed · 1 a test failed · 2 a fixture cannot be read`,
		Example: `  rhost plugin test plugins/decide
  rhost plugin test decide --fixtures --json
  rhost plugin test decide --record plugins/decide/tests
  rhost plugin test decide --replay call.json`,
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
	cmd.Flags().BoolVar(&o.fixtures, "fixtures", false, "only the fixtures and recorded calls")
	cmd.Flags().StringVar(&o.record, "record", "", "folder, or file .json or .ndjson, to keep the calls of the fixtures in")
	cmd.Flags().StringVar(&o.replay, "replay", "", "folder or file with recorded calls; only these are run")
	cmd.Flags().StringToStringVar(&o.outside.secrets, "secret", nil, "NAME=VARIABLE: a secret that a call of --replay had, and the environment variable that holds it; may be repeated")
	cmd.MarkFlagsMutuallyExclusive("record", "replay")
	return cmd
}

type pluginTestOptions struct {
	json, fixtures bool
	record, replay string
	outside        outside
}

func (o pluginTestOptions) test(cmd *cobra.Command, f deploy.Found) error {
	stale, err := f.Stale()
	if err != nil {
		return err
	}
	if stale {
		if _, err := buildPatiently(cmd, f); err != nil {
			return err
		}
	}
	if f.Kind != deploy.Wasm { // one clear error, before the tests that all fail of it
		if _, err := inspect(cmd.Context(), f); err != nil {
			return err
		}
	}
	unit, own := error(nil), false
	if !o.fixtures && !o.json && o.record == "" && o.replay == "" {
		own, unit = ownTests(cmd, f)
	}
	ran, err := o.runFixtures(cmd, f)
	if err == nil && ran == 0 && !own && !o.json {
		return usage(fmt.Errorf("%s has no tests; write tests/*.yaml (`rhost plugin test --help` shows one)", f.Name))
	}
	return errors.Join(unit, err)
}

// runFixtures runs every fixture and every recorded call of a plugin, and says how
// many there are.
func (o pluginTestOptions) runFixtures(cmd *cobra.Command, f deploy.Found) (ran int, err error) {
	fixtures, records, err := o.find(f)
	if ran = len(fixtures) + len(records); err != nil || ran == 0 {
		return 0, err
	}
	t := fixtureRun{pluginTestOptions: o, out: newStyle(cmd.OutOrStdout()), golden: goldenFile{path: o.record}}
	err = withModule(cmd.Context(), f, func(m sandbox.Module) error {
		for _, fx := range fixtures {
			if err := t.took(fx.run(cmd.Context(), m, o.record != "")); err != nil {
				return err
			}
		}
		for _, g := range records {
			if err := t.took(g.run(cmd.Context(), m, o.outside)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && o.record != "" {
		err = t.keep(cmd, f)
	}
	if err == nil && t.failed > 0 {
		err = fmt.Errorf("%d of %s of %s failed", t.failed, o.counted(len(fixtures), len(records)), f.Name)
	}
	return ran, err
}

// counted says how many tests there are, by their names.
func (o pluginTestOptions) counted(fixtures, records int) string {
	switch {
	case records == 0:
		return plural(fixtures, "fixture")
	case fixtures == 0:
		return plural(records, "recorded call")
	}
	return plural(fixtures, "fixture") + " and " + plural(records, "recorded call")
}

// find reads the tests that are to run: with --record the fixtures alone, with
// --replay the records that it names alone.
func (o pluginTestOptions) find(f deploy.Found) (fixtures []*fixture, records []golden, err error) {
	var fixtureNames, recordNames []string
	if o.replay == "" {
		if fixtureNames, err = fixtureFiles(f); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case o.record != "":
	case o.replay != "":
		if recordNames, err = recordsIn(o.replay); err == nil && len(recordNames) == 0 {
			err = fmt.Errorf("--replay %s: the folder has no *%s and no *%s", o.replay, recordExt, recordsExt)
		}
		err = usage(err)
	default:
		recordNames, err = recordFiles(f)
	}
	errs := []error{err}
	for _, name := range fixtureNames {
		more, err := readFixtures(name)
		fixtures, errs = append(fixtures, more...), append(errs, usage(err))
	}
	for _, name := range recordNames {
		more, err := readGolden(name)
		records, errs = append(records, more...), append(errs, err)
	}
	return fixtures, records, errors.Join(errs...)
}

// fixtureRun is one run of a plugin's tests.
type fixtureRun struct {
	pluginTestOptions
	out    style
	failed int
	golden goldenFile
}

// took shows how a test ended.
func (t *fixtureRun) took(r fixtureResult, err error) error {
	if err != nil {
		return usage(err)
	}
	switch {
	case !r.Passed:
		t.failed++
	case r.record != nil:
		t.golden.list = append(t.golden.list, r.record)
	}
	return t.show(t.out, r)
}

// keep writes the calls of the fixtures that passed.
func (t *fixtureRun) keep(cmd *cobra.Command, f deploy.Found) error {
	if len(t.golden.list) == 0 {
		return nil
	}
	files, err := t.golden.write()
	if err != nil {
		return err
	}
	own, err := recordFiles(f)
	if err != nil {
		return err
	}
	for _, name := range files {
		later := "`rhost plugin test` checks it from now on"
		if !slices.ContainsFunc(own, func(known string) bool { return sameFile(known, name) }) {
			later = "check it with --replay " + relative(name)
		}
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "recorded %s; %s\n", relative(name), later); err != nil {
			return err
		}
	}
	return nil
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func (o pluginTestOptions) show(out style, r fixtureResult) error {
	if o.json {
		return (&recordsOut{out: out}).encode(r)
	}
	recorded := ""
	if r.Recorded {
		recorded = "  recorded"
	}
	if r.Passed {
		return out.line("%s      %s  fuel %s%s", out.green("ok"), r.Test, thousands(r.Usage.Fuel), recorded)
	}
	if err := out.line("%s  %s  at %s%s (- wanted, + got)", out.red("FAILED"), r.Test, r.Place, recorded); err != nil {
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
	defer os.RemoveAll(tmp) //nolint:errcheck // the system clears up behind it
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
