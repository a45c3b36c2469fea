package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/yamldoc"
)

func validateCmd() *cobra.Command {
	var o validateOptions
	cmd := &cobra.Command{
		Use:   "validate [APP|RULES]...",
		Short: "Check app folders and rule files without running anything",
		Long: `Check app folders (rhost.yaml, rules, steps, plugins) or single rule files.
Every problem is reported with file, line, column, what to do, and a code that
` + "`rhost help CODE`" + ` explains.

Errors keep rules from loading: syntax, types, tables that do not exist, and, for
events whose type has a JSON Schema in schemas/, fields and values that they
cannot have. Warnings are about rules that load and are hardly meant: conditions
that are never or always true, patterns that cannot complete or never end, rules
that match the same, contradict each other or cause each other in a loop.

With --against, the conditions are tried on the events of a file: fields that no
event has, conditions that never or always held, types that no rule looks at.

Exit codes: 0 fine, perhaps with warnings · 1 warnings, with --strict ·
2 errors`,
		Example: `  rhost validate plugins/examples/sshguard
  rhost validate rules/ssh.yaml --strict
  rhost validate rules/ --against yesterday.ndjson`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			return validateAll(cmd, args, &o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.set, "set", nil, "override a key of rhost.yaml: KEY.KEY=VALUE (repeatable)")
	f.StringVar(&o.against, "against", "", "file of events to try the conditions on, - for stdin")
	f.BoolVar(&o.strict, "strict", false, "exit 1 when there are warnings")
	f.BoolVar(&o.bounds, "bounds", false, "also show how each rule is run and what one key of it may keep")
	f.BoolVar(&o.json, "json", false, "JSON, for machines")
	o.flags(cmd, true)
	return cmd
}

type validateOptions struct {
	declared
	set                  []string
	against              string
	strict, bounds, json bool
}

// checked is what `rhost validate` found, and its JSON.
type checked struct {
	OK       bool                   `json:"ok"` // no errors
	Errors   []problem              `json:"errors"`
	Warnings []problem              `json:"warnings"`
	Rules    []bound                `json:"rules"`
	Sample   *analysis.SampleReport `json:"sample,omitempty"`

	err  error
	done []string // of each argument without errors, a line
}

// problem is an error or a warning.
type problem struct {
	File    string   `json:"file,omitempty"`
	Line    int      `json:"line,omitempty"`
	Col     int      `json:"col,omitempty"`
	Rule    string   `json:"rule,omitempty"`
	Key     string   `json:"key,omitempty"`
	Code    string   `json:"code,omitempty"`
	Message string   `json:"message"`
	Fix     string   `json:"fix,omitempty"`
	Rules   []string `json:"rules,omitempty"` // others that it concerns
}

// bound is what a rule may keep.
type bound struct {
	Rule   string `json:"rule"`
	Engine string `json:"engine"`
	States int    `json:"states"`
	Bound  string `json:"bound"`
}

func validateAll(cmd *cobra.Command, names []string, o *validateOptions) error {
	c := &checked{Errors: []problem{}, Warnings: []problem{}, Rules: []bound{}}
	var programs []*cep.Program
	for _, name := range names {
		p, err := c.validate(cmd, name, o)
		if err != nil {
			c.fail(err)
			continue
		}
		programs = append(programs, p)
	}
	if o.against != "" && c.err == nil {
		if err := c.try(cmd, programs, names, o); err != nil {
			return err
		}
	}
	c.OK = c.err == nil
	if o.json {
		if err := encodeIndented(cmd.OutOrStdout(), c); err != nil {
			return err
		}
	} else if err := c.show(cmd, o); err != nil {
		return err
	}
	switch {
	case c.err != nil && o.json:
		return usage(fmt.Errorf("%s; they are listed in the output", plural(len(c.Errors), "error")))
	case c.err != nil:
		return usage(c.err)
	case o.strict && len(c.Warnings) > 0:
		return fmt.Errorf("%s, and --strict", plural(len(c.Warnings), "warning"))
	}
	return nil
}

// fail keeps an error: its parts that have a place by themselves, and the rest.
func (c *checked) fail(err error) {
	c.err = errors.Join(c.err, err)
	found := problemsIn(err)
	for _, e := range found {
		c.Errors = append(c.Errors, problem{File: e.Pos.File, Line: e.Pos.Line, Col: e.Pos.Col, Key: e.Key, Code: e.Code, Message: e.Msg, Fix: e.Fix})
	}
	placed := make(map[string]bool, len(found))
	for _, e := range found {
		placed[e.Error()] = true
	}
	for text := range strings.Lines(err.Error()) {
		if text = strings.TrimSuffix(text, "\n"); text != "" && !placed[text] {
			c.Errors = append(c.Errors, problem{Message: text})
		}
	}
}

// validate checks one app, file or folder.
func (c *checked) validate(cmd *cobra.Command, name string, o *validateOptions) (*cep.Program, error) {
	var files []host.RuleFile
	what := ""
	if isApp(name) {
		if o.tables+o.schemas != "" {
			return nil, errors.New("--tables and --schemas go with rule files; an app has its own, in tables/ and schemas/")
		}
		s, err := host.Check(cmd.Context(), host.Options{App: name, Set: o.set, Version: version})
		if err != nil {
			return nil, err
		}
		if files, err = host.ReadRules(name); err != nil {
			return nil, err
		}
		what = onLanes(s.Lanes) + rekeyed(s.Lanes) + ", " + plural(len(s.Plugins), "plugin")
	} else {
		var err error
		if files, err = ruleFiles([]string{name}); err != nil {
			return nil, err
		}
		more, err := o.beside([]string{name})
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	set, err := host.CompileRules(files)
	if err != nil {
		return nil, err
	}
	p := set.Program
	list := analysis.Check(p)
	if isApp(name) {
		config, err := host.ReadConfig(name, o.set)
		if err != nil {
			return nil, err
		}
		list = append(list, unreachable(p, &config)...)
	}
	for _, w := range list {
		c.Warnings = append(c.Warnings, problem{
			File: w.Pos.File, Line: w.Pos.Line, Col: w.Pos.Col, Rule: w.Rule, Code: w.Code, Message: w.What, Fix: w.Fix, Rules: w.Rules,
		})
	}
	if o.bounds || o.json {
		p.All(func(r *cep.Rule) bool {
			if plan, ok := p.Plan(r.Name); ok {
				c.Rules = append(c.Rules, bound{r.Name, plan.Engine, plan.States, plan.Bound})
			}
			return true
		})
	}
	if n := len(list); n > 0 {
		what += ", " + plural(n, "warning")
	}
	c.done = append(c.done, fmt.Sprintf("%s: %s%s", clean(name), plural(p.Len(), "rule"), what))
	return p, nil
}

// rekeyed names the rules that are matched apart from the lanes, or some of them.
func rekeyed(l *host.LaneSummary) string {
	const some = 5
	if l == nil || len(l.Rekeyed) == 0 {
		return ""
	}
	names, more := l.Rekeyed, ""
	if len(names) > some {
		names, more = names[:some], ", …"
	}
	return " (" + clean(strings.Join(names, ", ")) + more + ")"
}

// show prints what was found for people. Errors are left to the caller.
func (c *checked) show(cmd *cobra.Command, o *validateOptions) error {
	out, errs := newStyle(cmd.OutOrStdout()), newStyle(cmd.ErrOrStderr())
	for _, w := range c.Warnings {
		text := yamldoc.Pos{File: w.File, Line: w.Line, Col: w.Col}.String() + ": " + w.Rule + ": " + w.Message + "; " + w.Fix
		if err := errs.line("%s %s%s", errs.yellow("warning:"), clean(text), errs.dim(" ["+w.Code+"]")); err != nil {
			return err
		}
	}
	for _, line := range c.done {
		if err := out.line("%s  %s", out.green("ok"), line); err != nil {
			return err
		}
	}
	if o.bounds {
		var rows [][]string
		for _, b := range c.Rules {
			rows = append(rows, []string{b.Rule, b.Engine, thousands(b.States), b.Bound})
		}
		if err := out.table([]string{"RULE", "ENGINE", "STATES", "ONE KEY KEEPS AT MOST"}, rows); err != nil {
			return err
		}
	}
	if c.Sample != nil {
		return showSample(out, c.Sample)
	}
	return nil
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
