package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/cep"
)

func testCmd() *cobra.Command {
	var o testOptions
	cmd := &cobra.Command{
		Use:   "test [APP|RULES]...",
		Short: "Run the tests that rules carry",
		Long: `Run the tests: of rules: events in, matches out. Time is the events' own; with
advance: it goes on after the last event, so timeouts, windows and schedules are
tested without waiting.

Exit codes: 0 all passed · 1 a test failed · 2 a rule or an event cannot be read,
or --run names no rule`,
		Example: `  rhost test plugins/examples/sshguard
  rhost test rules/ssh.yaml --json
  rhost test --run 'ssh-*'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			return runTests(cmd, args, o)
		},
	}
	o.flags(cmd, false)
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "one JSON object a line")
	f.StringVar(&o.run, "run", "", "only the rules of this name; * stands for any part of it")
	completeFlag(cmd, "run", func(args []string, prefix string) []string {
		if len(args) == 0 {
			args = []string{"."}
		}
		files, err := ruleFiles(args)
		if err != nil {
			return nil
		}
		return namesIn(files, prefix)
	})
	return cmd
}

type testOptions struct {
	run  string
	json bool
	declared
}

func runTests(cmd *cobra.Command, names []string, o testOptions) error {
	if _, err := path.Match(o.run, ""); err != nil {
		return usage(fmt.Errorf("--run %s: write a name, with * for any part of it", o.run))
	}
	for i, name := range names {
		if isApp(name) {
			names[i] = filepath.Join(name, "rules")
		}
	}
	files, err := ruleFiles(names)
	if err != nil {
		return usage(err)
	}
	tables, err := o.readTables(names)
	if err != nil {
		return usage(err)
	}
	t := &testRun{out: newRecords(cmd, o.json, "RULE", "TEST", "MATCHES", ""), tables: tables}
	var errs []error
	ran := 0
	for _, f := range files {
		rules, err := cep.ParseRules(f.Name, []byte(f.Text))
		errs = append(errs, err)
		for _, rule := range rules {
			if ok, _ := path.Match(o.run, rule.Name); o.run != "" && !ok {
				continue
			}
			ran++
			errs = append(errs, t.rule(rule, filepath.Dir(f.Name)))
		}
	}
	if ran == 0 && errors.Join(errs...) == nil {
		return usage(fmt.Errorf("--run %s: no rule has that name", o.run))
	}
	err = t.end(newStyle(cmd.OutOrStdout()))
	if bad := errors.Join(errs...); bad != nil {
		return usage(errors.Join(bad, err))
	}
	return err
}

// testRun counts tests.
type testRun struct {
	out           *recordsOut
	tables        *cep.Tables
	count, failed int
	untested      []string
}

func (t *testRun) rule(r *cep.Rule, dir string) error {
	if len(r.Tests) == 0 {
		t.untested = append(t.untested, r.Name)
	}
	for i, test := range r.Tests {
		var given []byte
		if test.Given != "" {
			var err error
			if given, err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(test.Given))); err != nil {
				return fmt.Errorf("%s: given: %w; the path is relative to the rule file", test.Pos, err)
			}
		}
		res, err := cep.RunTest(r, test, given, t.tables)
		if err != nil {
			return err
		}
		t.count++
		if !res.Passed() {
			t.failed++
		}
		name := test.Given
		if name == "" {
			name = fmt.Sprintf("events of test %d", i+1)
		}
		if err := t.show(r.Name, name, test.Pos.String(), res); err != nil {
			return err
		}
	}
	return nil
}

func (t *testRun) show(rule, name, place string, res cep.TestResult) error {
	if t.out.json {
		return t.out.encode(map[string]any{
			"rule": rule, "test": name, "place": place, "matches": len(res.Matches), "passed": res.Passed(), "failed": res.Failed,
		})
	}
	verdict := "ok"
	if !res.Passed() {
		verdict = "FAILED at " + place
	}
	t.out.rows = append(t.out.rows, []string{rule, name, fmt.Sprint(len(res.Matches)), verdict})
	for _, why := range res.Failed {
		t.out.rows = append(t.out.rows, []string{"", "", "", "  " + why})
	}
	return nil
}

func (t *testRun) end(out style) error {
	if err := t.out.flush(); err != nil {
		return err
	}
	if !t.out.json {
		for _, name := range t.untested {
			if err := out.line("%s", out.dim(name+" has no tests")); err != nil {
				return err
			}
		}
	}
	if t.failed > 0 {
		return fmt.Errorf("%d of %s failed", t.failed, plural(t.count, "test"))
	}
	if t.out.json {
		return nil
	}
	return out.line("%s passed", plural(t.count, "test"))
}
