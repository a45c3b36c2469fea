package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
)

func validateCmd() *cobra.Command {
	var set []string
	cmd := &cobra.Command{
		Use:   "validate [APP|RULES]...",
		Short: "Check app folders and rule files without running anything",
		Long: `Check app folders (rhost.yaml, rules, steps, plugins) or single rule files.
Every problem is reported with file, line, column and what to do.`,
		Example: `  rhost validate plugins/examples/sshguard
  rhost validate rules/ssh.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			out := newStyle(cmd.OutOrStdout())
			var errs []error
			for _, name := range args {
				summary, err := validate(cmd, name, set)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				if err := out.line("%s  %s: %s", out.green("ok"), clean(name), summary); err != nil {
					return err
				}
			}
			return usage(errors.Join(errs...))
		},
	}
	cmd.Flags().StringArrayVar(&set, "set", nil, "override a key of rhost.yaml: KEY.KEY=VALUE (repeatable)")
	return cmd
}

func validate(cmd *cobra.Command, name string, set []string) (string, error) {
	if isApp(name) {
		s, err := host.Check(cmd.Context(), host.Options{App: name, Set: set, Version: version})
		return fmt.Sprintf("%s, %s", plural(len(s.Rules), "rule"), plural(len(s.Plugins), "plugin")), err
	}
	files, err := ruleFiles([]string{name})
	if err != nil {
		return "", err
	}
	rules, err := host.CompileRules(files)
	if err != nil {
		return "", err
	}
	return plural(len(rules.Program.Rules()), "rule"), nil
}

// isApp reports whether name is an app folder: one with rhost.yaml or rules/.
func isApp(name string) bool {
	for _, part := range []string{"rhost.yaml", "rules"} {
		if _, err := os.Stat(filepath.Join(name, part)); err == nil {
			return true
		}
	}
	return false
}

// ruleFiles reads rule files, and those below folders in the order of their
// names.
func ruleFiles(names []string) ([]host.RuleFile, error) {
	var files []host.RuleFile
	for _, name := range names {
		err := filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			ext := filepath.Ext(path)
			hidden := path != name && strings.HasPrefix(d.Name(), ".")
			switch {
			case d.IsDir() && hidden:
				return fs.SkipDir
			case d.IsDir(), hidden, path != name && ext != ".yaml" && ext != ".yml":
				return nil
			}
			text, err := host.ReadRuleFile(path)
			if err != nil {
				return err
			}
			files = append(files, host.RuleFile{Name: filepath.ToSlash(path), Text: string(text)})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read rules: %w", err)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no rule files (*.yaml) there", strings.Join(names, ", "))
	}
	return files, nil
}
