package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/cep/sigma"
	"github.com/rhost/rhost/host"
)

func importCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "import",
		Short:   "Turn rules of other systems into rules of this one",
		Example: "  rhost import sigma sigma/rules/windows --out rules",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sigmaCmd())
	return cmd
}

func sigmaCmd() *cobra.Command {
	var o sigmaOptions
	cmd := &cobra.Command{
		Use:   "sigma FILE|DIR...",
		Short: "Turn Sigma rules and correlations into rules",
		Long: `Turn Sigma rules and correlations (https://sigmahq.io) into rules that match
exactly the same events. What cannot be said exactly is not converted; the report
says where it stands, why, and what to do.

A mapping file says which events a log source stands for and under which paths
fields are found. --print-mapping prints the one that is used by default, which
also explains its keys.

Without --out the rules go to stdout, one document after the other, and the report
to stderr. With --out each rule becomes a file of its own; a file that is there
already is left alone, unless --force.

Exit codes: 0 done, though perhaps not all of it · 1 a file could not be written,
or not all of it was converted and --strict · 2 nothing to convert, or wrong usage`,
		Example: `  rhost import sigma sigma/rules/windows --out rules
  rhost import sigma --print-mapping > mapping.yaml
  rhost import sigma proc_creation.yml --mapping mapping.yaml > rules/proc.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error { return importSigma(cmd, args, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.mapping, "mapping", "", "mapping file (default: the built-in one)")
	f.StringVarP(&o.out, "out", "o", "-", "folder to write a file per rule to, - for stdout")
	f.BoolVar(&o.force, "force", false, "replace files that are there already")
	f.BoolVar(&o.strict, "strict", false, "exit 1 when something was not converted")
	f.BoolVar(&o.json, "json", false, "the report as JSON on stdout, with the rules in it unless --out names a folder")
	f.BoolVar(&o.printMapping, "print-mapping", false, "print the default mapping and stop")
	return cmd
}

type sigmaOptions struct {
	mapping, out                      string
	force, strict, json, printMapping bool
}

// imported is the report of an import, and its JSON.
type imported struct {
	Converted []importedRule `json:"converted"`
	Problems  []problem      `json:"problems"`
}

type importedRule struct {
	Rule  string   `json:"rule"`
	Title string   `json:"title"`
	ID    string   `json:"id,omitempty"`
	From  string   `json:"from"`
	File  string   `json:"file,omitempty"` // written
	YAML  string   `json:"yaml,omitempty"`
	Rules []string `json:"rules,omitempty"` // that a correlation is built of
	Notes []string `json:"notes,omitempty"`
}

func importSigma(cmd *cobra.Command, names []string, o *sigmaOptions) error {
	if o.printMapping {
		_, err := cmd.OutOrStdout().Write(sigma.DefaultText())
		return err
	}
	if len(names) == 0 {
		return usage(fmt.Errorf("name files or folders of Sigma rules\n%s", cmd.UseLine()))
	}
	var mapping *sigma.Mapping
	if o.mapping != "" {
		text, err := host.ReadRuleFile(o.mapping)
		if err != nil {
			return usage(fmt.Errorf("read the mapping: %w", err))
		}
		if mapping, err = sigma.ParseMapping(o.mapping, text); err != nil {
			return usage(err)
		}
	}
	im := sigma.New(mapping)
	if err := addSigma(im, names); err != nil {
		return usage(err)
	}
	rules, problems := im.Convert()
	if len(rules)+len(problems) == 0 {
		return usage(fmt.Errorf("%s: no Sigma rules (*.yml) there", strings.Join(names, ", ")))
	}
	report := imported{Converted: []importedRule{}, Problems: []problem{}}
	for _, p := range problems {
		report.Problems = append(report.Problems, problem{
			File: p.File, Line: p.Line, Col: p.Col, Rule: p.Rule, Key: p.What, Message: p.Why, Fix: p.Fix,
		})
	}
	writeErr := report.write(cmd, rules, o)
	if err := report.show(cmd, o); err != nil {
		return err
	}
	switch {
	case writeErr != nil:
		return writeErr
	case o.strict && len(problems) > 0:
		return fmt.Errorf("%s and --strict", plural(len(problems), "problem"))
	}
	return nil
}

// addSigma reads the files, and those below folders in the order of their names.
// What is wrong inside them is among the problems of the import.
func addSigma(im *sigma.Importer, names []string) error {
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
			case d.IsDir(), hidden, path != name && ext != ".yml" && ext != ".yaml":
				return nil
			}
			text, err := host.ReadRuleFile(path)
			if err != nil {
				return err
			}
			_ = im.Add(filepath.ToSlash(path), text) // Convert gives the same problems
			return nil
		})
		if err != nil {
			return fmt.Errorf("read Sigma rules: %w", err)
		}
	}
	return nil
}

// write writes the rules where they are to go.
func (r *imported) write(cmd *cobra.Command, rules []sigma.Converted, o *sigmaOptions) error {
	if o.out != "-" {
		if err := os.MkdirAll(o.out, 0o755); err != nil { //nolint:gosec // rules are no secret
			return err
		}
	}
	var errs []error
	out := bufio.NewWriter(cmd.OutOrStdout())
	for i := range rules {
		c := &rules[i]
		one := importedRule{Rule: c.Name, Title: c.Title, ID: c.ID, From: c.File, Rules: c.Rules, Notes: c.Notes}
		switch {
		case o.out != "-":
			one.File = filepath.Join(o.out, c.Name+".yaml")
			if err := writeNew(one.File, c.YAML, o.force); err != nil {
				errs = append(errs, err)
				one.File = ""
			}
		case o.json:
			one.YAML = string(c.YAML)
		default:
			if i > 0 {
				_, _ = out.WriteString("---\n") // of this and what follows, Flush tells
			}
			_, _ = out.Write(c.YAML)
			if !bytes.HasSuffix(c.YAML, []byte("\n")) {
				_ = out.WriteByte('\n')
			}
		}
		r.Converted = append(r.Converted, one)
	}
	return errors.Join(append(errs, out.Flush())...)
}

// writeNew writes a file that is not there yet, or any with force. A file with the
// same content is fine.
func writeNew(name string, text []byte, force bool) error {
	if have, err := os.ReadFile(name); err == nil && bytes.Equal(have, text) {
		return nil
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if !force {
		flags |= os.O_EXCL
	}
	f, err := os.OpenFile(name, flags, 0o644) //nolint:gosec // rules are no secret
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and differs; --force replaces it", name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// show prints what became of the import: beside the rules, if these go to stdout.
func (r *imported) show(cmd *cobra.Command, o *sigmaOptions) error {
	if o.json {
		return encodeIndented(cmd.OutOrStdout(), r)
	}
	w := cmd.OutOrStdout()
	if o.out == "-" {
		w = cmd.ErrOrStderr()
	}
	out := newStyle(w)
	var rows [][]string
	for _, c := range r.Converted {
		rows = append(rows, []string{clip(c.Rule, 60), c.From, strings.Join(c.Notes, "; ")})
	}
	if len(rows) > 0 && o.out != "-" {
		if err := out.table([]string{"RULE", "FROM", "NOTE"}, rows); err != nil {
			return err
		}
	}
	for _, p := range r.Problems {
		text := sigma.Problem{File: p.File, Line: p.Line, Col: p.Col, Rule: p.Rule, What: p.Key, Why: p.Message, Fix: p.Fix}.String()
		if err := out.line("%s %s", out.yellow("not converted:"), clean(text)); err != nil {
			return err
		}
	}
	return out.line("%s converted, %s", plural(len(r.Converted), "rule"), plural(len(r.Problems), "problem"))
}
