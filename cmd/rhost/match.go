package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
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

Exit codes: 0 whether or not anything matched · 2 for a bad rule or event line`,
		Example: `  rhost match --rule rules/ --events events.ndjson
  tail -f events.ndjson | rhost match --rule brute-force.yaml --events -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return match(cmd, o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.rules, "rule", nil, "rule file, or folder of them (repeatable)")
	f.StringVar(&o.events, "events", "-", "file of events, - for stdin")
	f.BoolVar(&o.json, "json", false, "NDJSON, even on a terminal")
	f.BoolVar(&o.keepGoing, "keep-going", false, "report bad rules and lines, process the rest, and exit 2")
	f.StringVar(&o.advance, "advance-to", "", "after the last line, let time pass until then (RFC 3339)")
	return cmd
}

type matchOptions struct {
	rules           []string
	events, advance string
	json, keepGoing bool
}

func match(cmd *cobra.Command, o matchOptions) error {
	if len(o.rules) == 0 {
		return usage(errors.New("no rules; name a file or folder with --rule"))
	}
	var until time.Time
	if o.advance != "" {
		var err error
		if until, err = time.Parse(time.RFC3339, o.advance); err != nil {
			return usage(fmt.Errorf("--advance-to %s: write a time such as 2026-01-02T15:04:05Z", o.advance))
		}
	}
	program, ruleErr := readProgram(o.rules, o.keepGoing)
	if program == nil {
		return usage(ruleErr)
	}
	in, done, err := openInput(cmd, o.events)
	if err != nil {
		return err
	}
	defer done()
	m := &matching{
		stream: cep.NewStream(program, cep.Options{}), out: bufio.NewWriter(cmd.OutOrStdout()),
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
	for _, stopped := range m.stream.Matcher().Stopped() {
		lineErr = errors.Join(lineErr, stopped)
	}
	return errors.Join(err, m.out.Flush(), usage(errors.Join(ruleErr, lineErr)))
}

// readProgram compiles the rules. With keepGoing, files that are wrong are left
// out and reported beside the program.
func readProgram(names []string, keepGoing bool) (*cep.Program, error) {
	files, err := ruleFiles(names)
	if err != nil {
		return nil, err
	}
	var rules []*cep.Rule
	var errs []error
	for _, f := range files {
		parsed, err := cep.ParseRules(f.Name, []byte(f.Text))
		if err == nil {
			_, err = cep.Compile(parsed)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		rules = append(rules, parsed...)
	}
	ruleErr := errors.Join(errs...)
	if ruleErr != nil && !keepGoing {
		return nil, ruleErr
	}
	program, err := cep.Compile(rules)
	if err != nil {
		return nil, errors.Join(ruleErr, err)
	}
	return program, ruleErr
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
	_, err := fmt.Fprintf(m.out, "%s  %s  %s%s\n", m.style.dim(match.At.UTC().Format("2006-01-02 15:04:05")),
		m.style.bold(pad(match.Rule.Name, 12)), strings.Join(bound, " · "), what)
	return err
}

func testCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "test [APP|RULES]...",
		Short: "Run the tests that rules carry",
		Long: `Run the tests: of rules: events in, expected number of matches out. Exit code 1
when a test fails, 2 when a rule or an event cannot be read.`,
		Example: `  rhost test plugins/examples/sshguard
  rhost test rules/ssh.yaml --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			return runTests(cmd, args, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func runTests(cmd *cobra.Command, names []string, asJSON bool) error {
	for i, name := range names {
		if isApp(name) {
			names[i] = filepath.Join(name, "rules")
		}
	}
	files, err := ruleFiles(names)
	if err != nil {
		return usage(err)
	}
	t := &testRun{out: newRecords(cmd, asJSON, "RULE", "TEST", "MATCHES", "")}
	for _, f := range files {
		rules, err := cep.ParseRules(f.Name, []byte(f.Text))
		if err != nil {
			return usage(err)
		}
		for _, rule := range rules {
			if err := t.rule(rule, filepath.Dir(f.Name)); err != nil {
				return usage(err)
			}
		}
	}
	return t.end(newStyle(cmd.OutOrStdout()))
}

// testRun counts tests.
type testRun struct {
	out           *recordsOut
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
		res, err := cep.RunTest(r, test, given)
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
		if err := t.show(r.Name, name, res); err != nil {
			return err
		}
	}
	return nil
}

func (t *testRun) show(rule, name string, res cep.TestResult) error {
	verdict := "ok"
	if !res.Passed() {
		verdict = "FAILED: " + strings.Join(res.Failed, "; ")
	}
	if t.out.json {
		return t.out.encode(map[string]any{
			"rule": rule, "test": name, "matches": len(res.Matches), "passed": res.Passed(), "failed": res.Failed,
		})
	}
	t.out.rows = append(t.out.rows, []string{rule, name, fmt.Sprint(len(res.Matches)), verdict})
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
