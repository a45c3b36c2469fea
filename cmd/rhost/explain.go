package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/analysis"
	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/yamldoc"
)

func explainCmd() *cobra.Command {
	var r reach
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain [RULE]",
		Short: "Say how a rule is run, why it matched, or why it did not",
		Long: `Without flags: how a rule is run — which engine and why, where its conditions are
filed, what it keeps — and its automaton: states, and what leads from one to the
next. --format draws the automaton: as Mermaid text for documents, or as an SVG
picture that needs nothing beside itself.

With --match: which event met which condition of a recorded match, with the
values seen. With --why-not: how far a rule came, and the condition that stopped
it: over the events of a file, or over those that the running host has in its log.

Exit codes: 0 explained · 1 failed · 2 no such rule, or bad input ·
3 a running host is needed and there is none`,
		Example: `  rhost explain ssh-burst --app plugins/examples/sshguard
  rhost explain ssh-burst --rule rules/ssh.yaml --format svg --output ssh.svg
  rhost explain --match m-4f…
  rhost explain ssh-burst --why-not --events events.ndjson`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: ruleNames(&r, &o.rules),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.rule = args[0]
			}
			return explain(cmd, &r, o)
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.match, "match", "", "id of a recorded match")
	f.StringVar(&o.whyNot, "why-not", "", "rule that did not match")
	f.Lookup("why-not").NoOptDefVal = " " // `explain RULE --why-not` names it once
	f.StringVar(&o.events, "events", "", "file of events for --why-not, - for stdin")
	f.StringArrayVar(&o.rules, "rule", nil, "rule file or folder instead of the app's (repeatable)")
	f.StringVar(&o.format, "format", "text", "of the automaton: text, mermaid, svg or json")
	f.StringVarP(&o.output, "output", "o", "", "file to write to instead of stdout")
	f.StringVar(&o.advance, "advance-to", "", "with --why-not: after the last event, let time pass until then (RFC 3339)")
	f.BoolVar(&o.json, "json", false, "JSON, for machines; the same as --format json")
	o.flags(cmd, false)
	fixedWords(cmd, "format", explainFormats...)
	return cmd
}

var explainFormats = []string{"text", "mermaid", "svg", "json"} //nolint:gochecknoglobals // never changed

type explainOptions struct {
	rule, match, whyNot, events string
	rules                       []string
	format, output, advance     string
	json                        bool
	declared
}

func explain(cmd *cobra.Command, r *reach, o explainOptions) error {
	if o.match != "" {
		return explainMatch(cmd, r, o)
	}
	whyNot := o.whyNot != ""
	if name := strings.TrimSpace(o.whyNot); name != "" {
		o.rule = name
	}
	if o.json {
		o.format = "json"
	}
	if !slices.Contains(explainFormats, o.format) {
		return usage(fmt.Errorf("--format %s: write %s", o.format, strings.Join(explainFormats, ", ")))
	}
	o.json = o.format == "json"
	if whyNot && o.events == "" && o.rule != "" {
		return whyNotLive(cmd, r, o)
	}
	if o.rule == "" && len(o.rules) == 0 {
		return usage(errors.New("name a rule, or a match with --match"))
	}
	if len(o.rules) == 0 {
		o.rules = []string{filepath.Join(r.app, "rules")}
	}
	program, err := (&loading{progress: cmd.ErrOrStderr()}).program(o.rules)
	if err != nil {
		return usage(err)
	}
	if o.rule == "" && program.Len() == 1 {
		o.rule = program.Rules()[0].Name
	}
	if _, ok := program.Rule(o.rule); !ok {
		return usage(unknownRule(o.rule, program))
	}
	switch {
	case whyNot && o.events == "":
		return usage(errors.New("--why-not of a rule file needs events: name a file with --events, - for stdin"))
	case whyNot:
		return whyNotOver(cmd, program, o)
	}
	plan, ok := program.Plan(o.rule)
	if !ok {
		return usage(fmt.Errorf("rule %s is off, so nothing runs it; set mode: shadow or live", o.rule))
	}
	return o.write(cmd, program, plan)
}

func unknownRule(name string, p *cep.Program) error {
	var names []string
	p.All(func(r *cep.Rule) bool {
		names = append(names, r.Name)
		return true
	})
	if name == "" {
		return fmt.Errorf("name one of the rules: %s", clip(strings.Join(names, ", "), 500))
	}
	if len(names) > 30 {
		return fmt.Errorf("no rule is called %s; %s", name, yamldoc.Suggest(name, names[:min(len(names), 10_000)]))
	}
	return fmt.Errorf("no rule is called %s; there are %s", name, strings.Join(names, ", "))
}

// whyNotLive asks the running host, which reads its log again.
func whyNotLive(cmd *cobra.Command, r *reach, o explainOptions) error {
	c, err := r.host()
	if err != nil {
		return fmt.Errorf("%w; or name a file with --events", err)
	}
	defer c.Close()
	raw, err := c.WhyNot(cmd.Context(), o.rule)
	if err != nil {
		return err
	}
	if o.json {
		return printIndented(cmd.OutOrStdout(), raw)
	}
	var report struct {
		analysis.QuietReport
		Running host.Running `json:"running"`
	}
	if err := json.Unmarshal(raw, &report); err != nil {
		return err
	}
	out := newStyle(cmd.OutOrStdout())
	var b strings.Builder
	if report.Kind != "" {
		writeQuiet(&b, out, &report.QuietReport)
	} else if err := writeFurthest(&b, out, raw); err != nil {
		return err
	}
	writeRunning(&b, out, &report.Running, report.Kind)
	return out.line("%s", strings.TrimRight(b.String(), "\n"))
}

// writeRunning says how a rule has fared in a running host: what was told before
// is what the log says with the rule as it is now.
func writeRunning(b *strings.Builder, out style, r *host.Running, kind string) {
	if r.Busy != "" {
		fmt.Fprintln(b, out.yellow(clean(r.Busy)))
		return
	}
	if !r.Begins.IsZero() {
		fmt.Fprintf(b, "the log begins at %s: what came before was removed, and not looked at\n", stamp(r.Begins))
	}
	fmt.Fprintf(b, "in the host: %s, as it is since %s; events from before did not count\n", r.Mode, stamp(r.Since))
	if r.Clock == "events" && kind != "" {
		fmt.Fprintf(b, "time is that of the events (clock: event), now %s: what is due later comes with a later event\n", stamp(r.Now))
	}
	for i := range r.Counts {
		c := &r.Counts[i]
		what := ""
		if c.Draining {
			what = "an earlier version, which finishes what it has open: "
		}
		fmt.Fprintf(b, "%s%s, %s open\n", what, pluralES(c.Matches, "match"), thousands(c.Open))
		for _, note := range notesOf(c) {
			fmt.Fprintln(b, out.yellow(clean(note)))
		}
	}
}

// reason and atom are why an event met a condition, or did not.
type atom struct {
	Text   string `json:"text"`
	Result string `json:"result"`
	Values []struct {
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	} `json:"values"`
}

func showFurthest(cmd *cobra.Command, raw json.RawMessage, asJSON bool) error {
	if asJSON {
		return printIndented(cmd.OutOrStdout(), raw)
	}
	out := newStyle(cmd.OutOrStdout())
	var b strings.Builder
	if err := writeFurthest(&b, out, raw); err != nil {
		return err
	}
	return out.line("%s", strings.TrimRight(b.String(), "\n"))
}

func writeFurthest(b *strings.Builder, out style, raw json.RawMessage) error {
	var f struct {
		Rule    string    `json:"rule"`
		Matches uint64    `json:"matches"`
		Keyless uint64    `json:"keyless"`
		Bind    []binding `json:"bind"`
		Waiting []string  `json:"waiting"`
		Expired bool      `json:"expired"`
		Stop    *struct {
			Element   string    `json:"element"`
			Forbidden bool      `json:"forbidden"`
			Event     string    `json:"event"`
			At        time.Time `json:"at"`
			Condition string    `json:"condition"`
			Atoms     []atom    `json:"atoms"`
		} `json:"stop"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return err
	}
	fmt.Fprintf(b, "%s  %s\n", out.bold(f.Rule), pluralES(f.Matches, "match"))
	if f.Keyless > 0 {
		fmt.Fprintf(b, "%s had no value for the rule's `by`\n", plural(f.Keyless, "event"))
	}
	switch {
	case len(f.Bind) > 0:
		fmt.Fprintf(b, "furthest partial match: %s\nwaited for %s\n", bindText(f.Bind), strings.Join(f.Waiting, " or "))
	case f.Matches > 0:
		fmt.Fprintf(b, "beside that nothing began: no other event met %s\n", strings.Join(f.Waiting, " or "))
	default:
		fmt.Fprintf(b, "nothing began: no event met %s\n", strings.Join(f.Waiting, " or "))
	}
	if f.Expired {
		fmt.Fprintln(b, out.yellow("its time ran out"))
	}
	if s := f.Stop; s != nil {
		verb := "did not meet"
		if s.Forbidden {
			verb = "must not have met"
		}
		fmt.Fprintf(b, "closest: %s at %s %s %s: %s\n", clean(s.Event), stamp(s.At), verb, s.Element, s.Condition)
		writeAtoms(b, out, s.Atoms)
	}
	return nil
}

// binding is an element and the events it holds, in the order of the pattern.
type binding struct {
	Element string   `json:"element"`
	Events  []string `json:"events"`
}

func bindText(bind []binding) string {
	parts := make([]string, len(bind))
	for i, b := range bind {
		parts[i] = b.Element + " " + clean(strings.Join(b.Events, " "))
	}
	return strings.Join(parts, " · ")
}

func writeAtoms(b *strings.Builder, out style, atoms []atom) {
	for _, a := range atoms {
		mark := out.green("✓")
		if a.Result != "true" {
			mark = out.red("✗")
		}
		var seen []string
		for _, v := range a.Values {
			value := "missing"
			if len(v.Value) > 0 {
				value = clip(string(v.Value), 60)
			}
			seen = append(seen, v.Path+" = "+clean(value))
		}
		fmt.Fprintf(b, "    %s %s  %s\n", mark, a.Text, out.dim(strings.Join(seen, ", ")))
	}
}

// explainMatch tells which event met which condition of a recorded match.
func explainMatch(cmd *cobra.Command, r *reach, o explainOptions) error {
	raw, err := recordedMatch(cmd.Context(), r, o.match)
	if err != nil {
		return err
	}
	if o.json {
		return printIndented(cmd.OutOrStdout(), raw)
	}
	var m struct {
		Line struct {
			Rule string    `json:"rule"`
			ID   string    `json:"id"`
			At   time.Time `json:"at"`
		} `json:"line"`
		Version string `json:"version"`
		Key     string `json:"key"`
		Why     []struct {
			Element   string `json:"element"`
			Event     string `json:"event"`
			Condition string `json:"condition"`
			Atoms     []atom `json:"atoms"`
		} `json:"why"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	out := newStyle(cmd.OutOrStdout())
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  at %s  key %s\nrule version %s\n", out.bold(m.Line.Rule), m.Line.ID, stamp(m.Line.At), clean(m.Key), clip(m.Version, 12))
	for _, w := range m.Why {
		fmt.Fprintf(&b, "  %s %s: %s\n", out.cyan(w.Element), clean(w.Event), w.Condition)
		writeAtoms(&b, out, w.Atoms)
	}
	return out.line("%s", strings.TrimRight(b.String(), "\n"))
}

func recordedMatch(ctx context.Context, r *reach, id string) (json.RawMessage, error) {
	src, err := r.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return src.Match(ctx, id)
}
