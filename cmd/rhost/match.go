package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host"
)

func matchCmd() *cobra.Command {
	var o matchOptions
	cmd := &cobra.Command{
		Use:   "match --rule FILE|DIR [--events FILE.ndjson|-]",
		Short: "Run rules over events, without a host",
		Long: `Run rules over events in input order and print each match as a line of JSON.

Events are CloudEvents, one JSON object a line; only type is required. A line
{"watermark": TIME} only moves time on. At the end of the input time stops,
unless --advance-to moves it.

Lookup tables are read from tables/ beside the rules, or from --tables.

With --cache the compiled rules are kept in a folder and used again as long as
neither the rules nor this program have changed: a million rules are then ready
in a fraction of the time. The folder must be one that only you can read.

Exit codes: 0 whether or not anything matched · 2 for a bad rule or event line`,
		Example: `  rhost match --rule rules/ --events events.ndjson
  tail -f events.ndjson | rhost match --rule brute-force.yaml --events -
  rhost match --rule a-million.yaml --cache ~/.cache/rhost < events.ndjson`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return match(cmd, o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.rules, "rule", nil, "rule file, or folder of them (repeatable)")
	f.StringVar(&o.events, "events", "-", "file of events, - for stdin")
	f.BoolVar(&o.json, "json", false, "NDJSON, even on a terminal")
	f.BoolVar(&o.keepGoing, "keep-going", false, "report bad rules and lines, process the rest, and exit 2")
	f.StringVar(&o.advance, "advance-to", "", "after the last line, let time pass until then (RFC 3339)")
	f.StringVar(&o.cache, "cache", "", "folder to keep compiled rules in")
	o.flags(cmd, false)
	return cmd
}

type matchOptions struct {
	rules                  []string
	events, advance, cache string
	json, keepGoing        bool
	declared
}

func match(cmd *cobra.Command, o matchOptions) error {
	if len(o.rules) == 0 {
		return usage(errors.New("no rules; name a file or folder with --rule"))
	}
	until, err := parseAdvance(o.advance)
	if err != nil {
		return err
	}
	l := loading{cache: o.cache, keepGoing: o.keepGoing, progress: cmd.ErrOrStderr()}
	program, ruleErr := l.program(o.rules)
	if program == nil {
		return usage(ruleErr)
	}
	tables, err := o.readTables(o.rules)
	if err != nil {
		return usage(err)
	}
	in, done, err := openInput(cmd, o.events)
	if err != nil {
		return err
	}
	defer done()
	m := &matching{
		stream: cep.NewStream(program, cep.Options{Tables: tables}), out: bufio.NewWriter(cmd.OutOrStdout()),
		style: newStyle(cmd.OutOrStdout()), plain: o.json || !isTerminal(cmd.OutOrStdout()),
		live: o.events == "-",
	}
	lineErr := m.lines(in, o.events, o.keepGoing)
	if lineErr == nil || o.keepGoing {
		if !until.IsZero() {
			m.matches = m.stream.AdvanceTo(until, m.matches[:0])
			err = m.print()
		}
	}
	warnOfBounds(cmd, m.stream.Matcher().Stats())
	for _, stopped := range m.stream.Matcher().Stopped() {
		lineErr = errors.Join(lineErr, stopped)
	}
	return errors.Join(err, m.out.Flush(), usage(errors.Join(ruleErr, lineErr)))
}

// warnOfBounds tells what bounds and missing values made different.
func warnOfBounds(cmd *cobra.Command, s cep.Stats) {
	for i := range s.Rules {
		r := &s.Rules[i]
		counts := host.RuleCounts{
			Keyless: r.Keyless, Rejected: r.Rejected, Dropped: r.Dropped, Overflow: r.Overflow, Ignored: r.Ignored, Unsure: r.Unsure,
		}
		for _, note := range notesOf(&counts) {
			cmd.PrintErrf("note: rule %s: %s\n", r.Rule, note)
		}
	}
}

// notesOf says what bounds and missing values made different for a rule, and what
// stopped it.
func notesOf(r *host.RuleCounts) (notes []string) {
	for _, c := range []struct {
		n          uint64
		noun, what string
	}{
		{r.Keyless, "event", "without a value for `by`"},
		{r.Rejected, "start event", "refused: limit.runs was reached"},
		{r.Dropped, "start event", "dropped to make room: limit.full is drop-oldest"},
		{r.Overflow, "time", "what is kept was full: of partial matches, matches of one event, keys or missed times"},
		{r.Ignored, "value", "of a type that its aggregate cannot use"},
	} {
		if c.n > 0 {
			notes = append(notes, plural(c.n, c.noun)+" "+c.what)
		}
	}
	if r.Unsure > 0 {
		notes = append(notes, pluralES(r.Unsure, "match")+" below at_least, or of a score that could not be told")
	}
	if r.Stopped != "" {
		notes = append(notes, "stopped: "+r.Stopped)
	}
	return notes
}

// matching is one run of `rhost match`.
type matching struct {
	stream  *cep.Stream
	out     *bufio.Writer
	style   style
	plain   bool // NDJSON
	live    bool // the input may pause, so each line's matches are shown at once
	discard bool // print nothing
	matches []cep.Match
	line    []byte
}

// lines feeds the input. The error names the lines that are no events.
func (m *matching) lines(in io.Reader, name string, keepGoing bool) error {
	if name == "-" {
		name = "stdin"
	}
	r := event.NewReader(in, 0)
	var errs []error
	for {
		n, text, err := r.Next()
		if errors.Is(err, io.EOF) {
			return errors.Join(errs...)
		}
		var bad *event.LineError
		if err != nil && !errors.As(err, &bad) {
			return errors.Join(append(errs, fmt.Errorf("read %s: %w", name, err))...)
		}
		if err == nil {
			m.matches, err = m.stream.Line(n, text, m.matches[:0])
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			if !keepGoing {
				return errors.Join(errs...)
			}
			continue
		}
		if err := m.print(); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
}

func (m *matching) print() error {
	if m.discard {
		return nil
	}
	for i := range m.matches {
		if err := m.one(&m.matches[i]); err != nil {
			return err
		}
	}
	if m.live && len(m.matches) > 0 {
		return m.out.Flush()
	}
	return nil
}

func (m *matching) one(match *cep.Match) error {
	if m.plain {
		m.line = append(match.AppendJSON(m.line[:0]), '\n')
		_, err := m.out.Write(m.line)
		return err
	}
	var bound []string
	for _, b := range match.Bind {
		ids := make([]string, len(b.Events))
		for i, ev := range b.Events {
			ids[i] = clean(ev.ID)
		}
		bound = append(bound, m.style.cyan(b.Element)+" "+strings.Join(ids, " "))
	}
	what := ""
	if match.Timeout {
		what = m.style.yellow("  timed out")
	}
	if match.Score != nil {
		what += m.style.dim(fmt.Sprintf("  score %.2f", *match.Score))
	}
	if w := match.Window; w != nil {
		bound = append(bound, m.style.dim(w.From.UTC().Format("15:04:05")+"–"+w.To.UTC().Format("15:04:05")))
		for _, l := range w.Let {
			if l.Value.Kind() != event.Missing {
				bound = append(bound, m.style.cyan(l.Name)+" "+clean(string(l.Value.AppendJSON(nil))))
			}
		}
	}
	_, err := fmt.Fprintf(m.out, "%s  %s  %s%s\n", m.style.dim(match.At.UTC().Format("2006-01-02 15:04:05")),
		m.style.bold(pad(match.Rule.Name, 12)), strings.Join(bound, " · "), what)
	return err
}
